//! A webhook's settings as a request gives them: read, checked, applied.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use bluum_hooks_shared::api::{CustomHeaders, Ordering, WebhookStatus};
use bluum_hooks_shared::asymmetric::PrivateKey;
use bluum_hooks_shared::catalogue::Pattern;
use bluum_hooks_shared::error::ErrorCode;
use serde_json::value::RawValue;

use crate::duration;
use crate::fields::{self, Fields};
use crate::invalid::Invalid;
use crate::policy::retry::RetrySchedule;
use crate::store::{DEFAULT_IN_FLIGHT, WebhookDraft};
use crate::transport::Targets;

pub(super) const MAX_TIMEOUT_SECONDS: u32 = 60;
pub(super) const MAX_IN_FLIGHT: u32 = 1024;
pub(super) const MAX_PATTERNS: usize = 100;
pub(super) const MAX_TEXT: usize = 1024;
pub(super) const MAX_ENTRIES: usize = 50;

const FIELDS: &[&str] = &[
    "url",
    "eventTypeNames",
    "name",
    "description",
    "status",
    "metadata",
    "ordering",
    "timeout_seconds",
    "retry_schedule",
    "max_in_flight",
    "headers",
    "ed25519",
    "tenant",
];

/// Headers that are ours, or that belong to the connection.
pub(super) const RESERVED: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// The settings that a request names. `Some(None)` resets to the default.
#[derive(Debug, Default)]
pub(super) struct Settings {
    url: Option<String>,
    event_type_names: Option<Vec<String>>,
    name: Option<Option<String>>,
    description: Option<Option<String>>,
    status: Option<WebhookStatus>,
    metadata: Option<BTreeMap<String, String>>,
    ordering: Option<Ordering>,
    timeout: Option<Duration>,
    retry_schedule: Option<Option<RetrySchedule>>,
    max_in_flight: Option<u32>,
    headers: Option<CustomHeaders>,
    ed25519: Option<bool>,
}

impl Settings {
    pub(super) fn read(
        mut fields: Fields<'_>,
        livemode: bool,
        targets: &Targets,
    ) -> Result<Self, Invalid> {
        let settings = Self {
            url: url(&mut fields, livemode, targets)?,
            event_type_names: event_type_names(&mut fields)?,
            name: text(&mut fields, "name")?,
            description: text(&mut fields, "description")?,
            status: status(&mut fields)?,
            metadata: entries(&mut fields, "metadata")?,
            ordering: ordering(&mut fields)?,
            timeout: number(&mut fields, "timeout_seconds", 30, MAX_TIMEOUT_SECONDS)?
                .map(|seconds| Duration::from_secs(u64::from(seconds))),
            retry_schedule: retry_schedule(&mut fields)?,
            max_in_flight: number(&mut fields, "max_in_flight", DEFAULT_IN_FLIGHT, MAX_IN_FLIGHT)?,
            headers: headers(&mut fields)?,
            ed25519: ed25519(&mut fields)?,
        };
        fields.finish(FIELDS)?;
        Ok(settings)
    }

    /// Goes on only if everything is there that a new webhook needs.
    pub(super) fn required(self) -> Result<Self, Invalid> {
        match &self {
            Self { url: None, .. } => Err(Invalid::missing("url")),
            Self { event_type_names: None, .. } => Err(Invalid::missing("eventTypeNames")),
            _ => Ok(self),
        }
    }

    /// `private_key` is what signs if the request asks for that, and nothing does yet.
    pub(super) fn apply(self, draft: &mut WebhookDraft, private_key: PrivateKey) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut draft.url, self.url);
        set(&mut draft.event_type_names, self.event_type_names);
        set(&mut draft.name, self.name);
        set(&mut draft.description, self.description);
        set(&mut draft.metadata, self.metadata);
        set(&mut draft.ordering, self.ordering);
        set(&mut draft.timeout, self.timeout);
        set(&mut draft.retry_schedule, self.retry_schedule);
        set(&mut draft.max_in_flight, self.max_in_flight);
        draft.unreadable.headers &= self.headers.is_none();
        set(&mut draft.headers, self.headers);
        match self.ed25519 {
            None => {}
            Some(true) => draft.add_private_key(private_key),
            Some(false) => draft.drop_private_keys(),
        }
        if let Some(status) = self.status {
            draft.status = status;
            draft.status_reason = None;
        }
    }
}

fn url(
    fields: &mut Fields<'_>,
    livemode: bool,
    targets: &Targets,
) -> Result<Option<String>, Invalid> {
    let Some(url) = fields.optional::<String>("url", "a URL")? else { return Ok(None) };
    targets.check(&url, livemode).map_err(|error| {
        let message = format!("'url' cannot be used: {error}.");
        Invalid::field(ErrorCode::InvalidFormat, "url", message)
    })?;
    Ok(Some(url))
}

/// The documented name is camel case; the one that answers use is taken too.
fn event_type_names(fields: &mut Fields<'_>) -> Result<Option<Vec<String>>, Invalid> {
    const NAME: &str = "eventTypeNames";
    if fields.has("events") && !fields.has(NAME) {
        let message = "Required field 'eventTypeNames' is missing; 'events' is not a field of a \
                       webhook, rename it to 'eventTypeNames'.";
        return Err(Invalid::field(ErrorCode::MissingField, NAME, message));
    }
    if fields.has(NAME) && fields.has("event_type_names") {
        let message = "'event_type_names' is another name of 'eventTypeNames'; send one of them.";
        return Err(Invalid::field(ErrorCode::Validation, NAME, message));
    }
    let kind = "an array of event type names";
    let names: Option<Vec<String>> = match fields.optional(NAME, kind)? {
        Some(names) => Some(names),
        None => fields.optional("event_type_names", kind)?,
    };
    let Some(names) = names else { return Ok(None) };
    if names.is_empty() || names.len() > MAX_PATTERNS {
        let message = format!("'{NAME}' must have 1 to {MAX_PATTERNS} entries.");
        return Err(Invalid::field(ErrorCode::Validation, NAME, message));
    }
    for (place, name) in names.iter().enumerate() {
        Pattern::parse(name).map_err(|error| {
            let shown: String = name.chars().take(80).collect();
            let message = format!("'{shown}' cannot be subscribed to: {error}");
            Invalid::field(ErrorCode::InvalidEnum, &format!("{NAME}[{place}]"), message)
        })?;
    }
    Ok(Some(names))
}

fn is_long(text: &str) -> bool {
    text.chars().count() > MAX_TEXT
}

fn text(fields: &mut Fields<'_>, name: &str) -> Result<Option<Option<String>>, Invalid> {
    if !fields.has(name) {
        return Ok(None);
    }
    let text: Option<String> = fields.optional(name, "a string")?;
    if text.as_ref().is_some_and(|text| is_long(text)) {
        let message = format!("'{name}' may have {MAX_TEXT} characters.");
        return Err(Invalid::field(ErrorCode::Validation, name, message));
    }
    Ok(Some(text))
}

/// A partner starts and pauses; `disabled` is for us to say.
fn status(fields: &mut Fields<'_>) -> Result<Option<WebhookStatus>, Invalid> {
    let status: Option<String> = fields.optional("status", "a string")?;
    match status.as_deref() {
        None => Ok(None),
        Some("active" | "ACTIVE") => Ok(Some(WebhookStatus::Active)),
        Some("inactive" | "INACTIVE") => Ok(Some(WebhookStatus::Inactive)),
        Some(_) => Err(Invalid::field(
            ErrorCode::InvalidEnum,
            "status",
            "'status' can be set to 'active' or 'inactive'.",
        )),
    }
}

fn ordering(fields: &mut Fields<'_>) -> Result<Option<Ordering>, Invalid> {
    let ordering: Option<String> = fields.optional("ordering", "a string")?;
    match ordering.as_deref() {
        None => Ok(None),
        Some("object") => Ok(Some(Ordering::Object)),
        Some("none") => Ok(Some(Ordering::None)),
        Some(_) => Err(Invalid::field(
            ErrorCode::InvalidEnum,
            "ordering",
            "'ordering' is 'object' (events about the same object wait for each other) or 'none'.",
        )),
    }
}

/// `null` resets to `default`.
fn number(
    fields: &mut Fields<'_>,
    name: &str,
    default: u32,
    max: u32,
) -> Result<Option<u32>, Invalid> {
    if !fields.has(name) {
        return Ok(None);
    }
    let number: u32 = fields.whole(name)?.unwrap_or(default);
    if !(1..=max).contains(&number) {
        let message = format!("'{name}' must be from 1 to {max}.");
        return Err(Invalid::field(ErrorCode::Validation, name, message));
    }
    Ok(Some(number))
}

/// `null` resets to off.
fn ed25519(fields: &mut Fields<'_>) -> Result<Option<bool>, Invalid> {
    const NAME: &str = "ed25519";
    if !fields.has(NAME) {
        return Ok(None);
    }
    Ok(Some(fields.optional(NAME, "true or false")?.unwrap_or_default()))
}

fn retry_schedule(fields: &mut Fields<'_>) -> Result<Option<Option<RetrySchedule>>, Invalid> {
    const NAME: &str = "retry_schedule";
    if !fields.has(NAME) {
        return Ok(None);
    }
    let kind = "an array of seconds, or of texts such as '5m'";
    let Some(waits) = fields.optional::<Vec<Box<RawValue>>>(NAME, kind)? else {
        return Ok(Some(None));
    };
    let invalid = |message: String| Invalid::field(ErrorCode::Validation, NAME, message);
    let waits = waits.iter().map(|wait| match serde_json::from_str::<String>(wait.get()) {
        Ok(text) => duration::parse(&text).map_err(invalid),
        Err(_) => match fields::whole(wait.get()) {
            Some(seconds) => Ok(Duration::from_secs(seconds.into())),
            None => Err(invalid(format!("'{NAME}' must be {kind}."))),
        },
    });
    let schedule = RetrySchedule::new(waits.collect::<Result<_, _>>()?);
    schedule.map(|schedule| Some(Some(schedule))).map_err(|error| invalid(format!("{error}.")))
}

fn entries(
    fields: &mut Fields<'_>,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>, Invalid> {
    if !fields.has(name) {
        return Ok(None);
    }
    let kind = "an object of strings";
    let entries: BTreeMap<String, String> = fields.optional(name, kind)?.unwrap_or_default();
    let long = entries.iter().any(|(key, value)| is_long(key) || is_long(value));
    if long || entries.len() > MAX_ENTRIES {
        let message = format!(
            "'{name}' may have {MAX_ENTRIES} entries of {MAX_TEXT} characters each at most."
        );
        return Err(Invalid::field(ErrorCode::Validation, name, message));
    }
    Ok(Some(entries))
}

fn headers(fields: &mut Fields<'_>) -> Result<Option<CustomHeaders>, Invalid> {
    let Some(headers) = entries(fields, "headers")? else { return Ok(None) };
    for (name, value) in &headers {
        let lower = name.to_ascii_lowercase();
        let fault = if RESERVED.contains(&lower.as_str()) || lower.starts_with("webhook-") {
            "is set by us"
        } else if HeaderName::try_from(&lower).is_err() {
            "is not the name of a header"
        } else if HeaderValue::try_from(value).is_err() {
            "has a value that is no header value"
        } else {
            continue;
        };
        let message = format!("'headers' cannot be used: '{name}' {fault}.");
        return Err(Invalid::field(ErrorCode::Validation, "headers", message));
    }
    Ok(Some(CustomHeaders(headers)))
}
