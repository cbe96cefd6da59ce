//! What is wrong with something that came from outside, in the words of the API.

use bluum_hooks_shared::catalogue;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::id::IdError;

/// A code, a sentence or two for a person, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    pub code: ErrorCode,
    pub message: String,
    pub param: Option<String>,
}

impl Invalid {
    /// Something wrong with this field or parameter.
    pub fn field(code: ErrorCode, param: &str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: Some(param.to_owned()) }
    }

    /// Something wrong with the request as a whole.
    pub fn request(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: None }
    }

    /// The documented sentence for a field that is not there.
    pub fn missing(param: &str) -> Self {
        let message = format!("Required field '{param}' is missing.");
        Self::field(ErrorCode::MissingField, param, message)
    }

    /// An id that is none. One that we could never have made is simply not found.
    pub fn id(param: &str, error: &IdError) -> Self {
        match error {
            IdError::RawUuid { expected } => Self::field(
                ErrorCode::InvalidFormat,
                param,
                format!(
                    "'{param}' is a raw UUID; ids look like '{expected}_…', pass them as given."
                ),
            ),
            IdError::Malformed { .. } => Self::not_found(param),
            error => Self::field(
                ErrorCode::InvalidFormat,
                param,
                format!("'{param}' is not such an id: {error}."),
            ),
        }
    }

    /// An event type that there is not, with those that it may have been meant to be.
    pub fn unknown_event(name: &str) -> Self {
        let nearest = catalogue::nearest(name);
        let hint = if nearest.is_empty() {
            "GET /v1/webhooks/event-types lists those there are.".to_owned()
        } else {
            format!("Did you mean '{}'?", nearest.join("' or '"))
        };
        let shown: String = name.chars().take(80).collect();
        let message = format!("There is no event type '{shown}'. {hint}");
        Self::field(ErrorCode::InvalidEnum, "event", message)
    }

    /// The same answer for what does not exist and for what is somebody else's.
    pub fn not_found(param: &str) -> Self {
        Self::field(ErrorCode::NotFound, param, "No such object, or it is not yours.")
    }

    /// The same fault, seen from further out: `data` becomes `events[3].data`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.param = Some(match self.param {
            Some(inner) => format!("{outer}.{inner}"),
            None => outer.to_owned(),
        });
        self
    }
}
