//! The API's errors: documented codes in the documented envelope.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $kind:literal;)*) => {
        /// A code of the API's catalogue, `BLUM-<status>-<sequence>`.
        ///
        /// The names and numbers are the platform's; `BLUM-405-001`, `BLUM-408-001`,
        /// `BLUM-414-001`, `BLUM-415-001`, `BLUM-431-001` and `BLUM-503-001` are ours, in its
        /// pattern, where the catalogue is silent.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as the wire has it.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The `type` that goes with it.
            pub const fn kind(self) -> &'static str {
                match self { $(Self::$name => $kind,)* }
            }
        }
    };
}

codes! {
    /// The request does not make sense as a whole: JSON that does not parse, an unknown field.
    Validation = "BLUM-400-001", 400, "invalid_request_error";
    /// A required field is missing.
    MissingField = "BLUM-400-002", 400, "invalid_request_error";
    /// A value has the wrong format: a URL, an id, a time.
    InvalidFormat = "BLUM-400-003", 400, "invalid_request_error";
    /// A value is not one of those known: an event type, a status.
    InvalidEnum = "BLUM-400-004", 400, "invalid_request_error";
    /// The body is larger than is taken. The catalogue numbers it 400; the status is 413.
    BodyTooLarge = "BLUM-400-008", 413, "invalid_request_error";
    /// There is no `Authorization` header.
    MissingAuth = "BLUM-401-001", 401, "authentication_error";
    /// The `Authorization` header is not HTTP Basic.
    MalformedAuth = "BLUM-401-002", 401, "authentication_error";
    /// No such key, or another secret.
    InvalidKey = "BLUM-401-003", 401, "authentication_error";
    /// The key was revoked.
    KeyInactive = "BLUM-401-004", 401, "authentication_error";
    /// The key may not do this.
    Forbidden = "BLUM-403-001", 403, "permission_error";
    /// The thing asked for does not exist, or is not yours.
    NotFound = "BLUM-404-001", 404, "not_found_error";
    /// There is no such route.
    UnknownRoute = "BLUM-404-002", 404, "not_found_error";
    /// The route exists, the method does not; `Allow` says which do.
    MethodNotAllowed = "BLUM-405-001", 405, "invalid_request_error";
    /// The request did not arrive in time; the connection is closed.
    RequestTimeout = "BLUM-408-001", 408, "invalid_request_error";
    /// Something with this name exists.
    Duplicate = "BLUM-409-001", 409, "conflict_error";
    /// An idempotency key that was used for another request.
    KeyConflict = "BLUM-409-002", 409, "idempotency_error";
    /// What is there does not allow this now.
    StateConflict = "BLUM-409-003", 409, "conflict_error";
    /// Path and query are longer than is taken.
    TargetTooLong = "BLUM-414-001", 414, "invalid_request_error";
    /// The body is in an encoding or of a type that is not taken.
    UnsupportedBody = "BLUM-415-001", 415, "invalid_request_error";
    /// More requests than this key may make; `Retry-After` says when to go on.
    TooManyRequests = "BLUM-429-001", 429, "rate_limit_error";
    /// The headers are larger than is taken.
    HeadersTooLarge = "BLUM-431-001", 431, "invalid_request_error";
    /// Our fault. Nothing is known to have happened; try again.
    Internal = "BLUM-500-001", 500, "api_error";
    /// Not now: starting, stopping, or the disk is full. Nothing was accepted; try again.
    Unavailable = "BLUM-503-001", 503, "api_error";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong, for a program (`code`, `param`) and for a person (`message`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorDetail {
    /// The family, such as `invalid_request_error`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::openapi::error_kinds))]
    pub kind: Cow<'static, str>,
    /// The code, such as `BLUM-400-002`.
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::openapi::error_codes))]
    pub code: Cow<'static, str>,
    /// One or two sentences: what, where, what to do.
    pub message: String,
    /// The field or parameter at fault, such as `url` or `events[3].data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub param: Option<String>,
}

impl ErrorBody {
    /// An error with this code and message.
    pub fn new(code: ErrorCode, message: impl Into<String>, param: Option<String>) -> Self {
        Self {
            error: ErrorDetail {
                kind: code.kind().into(),
                code: code.code().into(),
                message: message.into(),
                param,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_the_documented_one() {
        let body = ErrorBody::new(
            ErrorCode::MissingField,
            "Required field 'url' is missing.",
            Some("url".into()),
        );
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            concat!(
                r#"{"error":{"type":"invalid_request_error","code":"BLUM-400-002","#,
                r#""message":"Required field 'url' is missing.","param":"url"}}"#
            )
        );
    }

    #[test]
    fn codes_are_unique_and_name_their_status() {
        let mut codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL.iter().filter(|&&code| code != ErrorCode::BodyTooLarge) {
            assert_eq!(code.code()[5..8], code.status().to_string());
        }
    }
}
