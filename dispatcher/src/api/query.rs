//! Query parameters, each by name, so that every error can name its parameter.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use axum::http::Uri;
use bluum_hooks_shared::api::{DEFAULT_LIMIT, MAX_LIMIT};
use bluum_hooks_shared::catalogue;
use bluum_hooks_shared::error::ErrorCode;
use bluum_hooks_shared::openapi::keywords;
use bluum_hooks_shared::time::Timestamp;
use serde_json::json;
use url::form_urlencoded;
use utoipa::IntoParams;
use utoipa::openapi::{RefOr, Schema};

use crate::config::Limits;
use crate::invalid::Invalid;

/// The parameters of a request that have not been taken yet.
#[derive(Debug)]
pub(super) struct Query(BTreeMap<String, String>);

/// The part of a list that was asked for.
#[derive(Debug, Clone, Copy, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Window {
    /// Most items on the page.
    #[param(required = false, schema_with = limit)]
    pub(super) limit: u32,
    /// How many items to leave out before the page.
    #[param(required = false, schema_with = offset)]
    pub(super) offset: u32,
}

/// Checks what holds for the query of every route. A large `offset` would make the database count
/// through all that is skipped, on every page.
pub(super) fn check(uri: &Uri, limits: &Limits) -> Result<(), Invalid> {
    let parameters = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    for (index, (name, text)) in parameters.enumerate() {
        if index >= limits.query_parameters {
            let most = limits.query_parameters;
            let message = format!("A query may have {most} parameters, this has more.");
            return Err(Invalid::request(ErrorCode::Validation, message));
        }
        if name == "offset" && text.parse().is_ok_and(|offset: usize| offset > limits.offset) {
            let most = limits.offset;
            let message =
                format!("'offset' may be {most} at most; go on with starting_after instead.");
            return Err(Invalid::field(ErrorCode::Validation, "offset", message));
        }
    }
    Ok(())
}

fn limit() -> RefOr<Schema> {
    let limit = json!({
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_LIMIT,
        "default": DEFAULT_LIMIT,
    });
    keywords(limit)
}

fn offset() -> RefOr<Schema> {
    let most = Limits::default().offset;
    keywords(json!({"type": "integer", "minimum": 0, "maximum": most, "default": 0}))
}

/// `since` and `until`.
#[derive(Debug, Clone, Copy, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Period {
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

/// Goes on only if there is such an event type.
pub(super) fn known_event(name: Option<&str>) -> Result<(), Invalid> {
    match name.filter(|name| catalogue::find(name).is_none()) {
        Some(unknown) => Err(Invalid::unknown_event(unknown)),
        None => Ok(()),
    }
}

impl Query {
    /// Takes a query apart. A parameter that stands twice is refused: only one would count.
    pub(super) fn new(uri: &Uri) -> Result<Self, Invalid> {
        let query = uri.query().unwrap_or_default();
        let mut parameters = BTreeMap::new();
        for (name, text) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if parameters.contains_key(&name) {
                let message = format!("Parameter '{name}' stands twice; which is meant?");
                return Err(Invalid::field(ErrorCode::Validation, &name, message));
            }
            parameters.insert(name, text);
        }
        Ok(Self(parameters))
    }

    /// A parameter as it stands.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// A parameter of some type; the type's error says what was expected.
    pub(super) fn parsed<T>(&mut self, name: &str) -> Result<Option<T>, Invalid>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(text) = self.0.remove(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error| {
            let message = format!("'{name}' cannot be read: {error}.");
            Invalid::field(ErrorCode::InvalidFormat, name, message)
        })
    }

    /// `limit` and `offset`.
    pub(super) fn window(&mut self) -> Result<Window, Invalid> {
        let limit = self.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        let offset = self.number("offset", 0..=u32::MAX)?.unwrap_or(0);
        Ok(Window { limit, offset })
    }

    /// `since` and `until`.
    pub(super) fn period(&mut self) -> Result<Period, Invalid> {
        Ok(Period { since: self.parsed("since")?, until: self.parsed("until")? })
    }

    /// `event`: the name of one of the types there are.
    pub(super) fn event(&mut self) -> Result<Option<String>, Invalid> {
        let name = self.text("event");
        known_event(name.as_deref())?;
        Ok(name)
    }

    fn number(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<Option<u32>, Invalid> {
        let Some(text) = self.0.remove(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| {
            let (from, to) = (range.start(), range.end());
            let message = format!("'{name}' must be a whole number from {from} to {to}.");
            Invalid::field(ErrorCode::Validation, name, message)
        })
    }

    /// Refuses what nobody has taken: a misspelled filter would otherwise filter nothing.
    pub(super) fn finish(self) -> Result<(), Invalid> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(Invalid::field(
                ErrorCode::Validation,
                &name,
                format!("This route has no parameter '{name}'."),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_stands_twice_is_refused_by_its_name() {
        let doubled = Query::new(&Uri::from_static("/v1/events?limit=1&%6Cimit=2")).unwrap_err();
        assert_eq!(doubled.code, ErrorCode::Validation);
        assert_eq!(doubled.param.as_deref(), Some("limit"));
        let mut query = Query::new(&Uri::from_static("/v1/events?limit=2&event=a")).unwrap();
        assert_eq!(query.window().unwrap().limit, 2);
        assert_eq!(query.text("event").as_deref(), Some("a"));
    }
}
