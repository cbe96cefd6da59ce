//! Names and limits that both ends of the wire must agree on.
//!
//! Header names are lower case, as HTTP/2 sends them.

/// The event's id: the same on every attempt and replay, so the key to deduplicate on.
pub const WEBHOOK_ID: &str = "webhook-id";
/// Unix seconds of this attempt, part of what is signed.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// Space-separated signatures, each `<version>,<base64>`.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// The gap-free number of this delivery among all of its webhook, from 1.
pub const WEBHOOK_SEQUENCE: &str = "webhook-sequence";
/// Which attempt this is, from 1.
pub const WEBHOOK_ATTEMPT: &str = "webhook-attempt";
/// The [trace context](https://www.w3.org/TR/trace-context/) of this attempt; all attempts of an
/// event are one trace.
pub const TRACEPARENT: &str = "traceparent";
/// The `user-agent` of every delivery.
pub const AGENT: &str = concat!("Bluum-Hooks/", env!("CARGO_PKG_VERSION"));
/// The `content-type` of every delivery.
pub const JSON: &str = "application/json";
/// On a POST to the API: makes repeating the request safe for 24 hours.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// On every answer of the API: the id to quote to support.
pub const REQUEST_ID: &str = "x-request-id";

/// The largest request that publishes one event, in bytes.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;
/// What the envelope adds around `data` at most, in bytes.
pub const MAX_ENVELOPE_BYTES: usize = 1024;
/// The largest body of a delivery, in bytes.
///
/// Larger than [`MAX_EVENT_BYTES`]: a receiver that stopped there would refuse, for ever, an
/// event that was accepted at the limit and then got its envelope.
pub const MAX_DELIVERY_BYTES: usize = MAX_EVENT_BYTES + MAX_ENVELOPE_BYTES;
/// The longest id in a `webhook-id` header, in bytes.
pub const MAX_ID_BYTES: usize = 128;
/// The longest name of an event type, in bytes.
pub const MAX_EVENT_NAME_BYTES: usize = 128;
/// How many `v1a` entries a `webhook-signature` header may have; more are refused.
///
/// Each costs the receiver a curve operation per key. Twice what a dispatcher sends.
pub const MAX_ASYMMETRIC: usize = 2 * MAX_SECRETS;
/// How many secrets of one webhook may be live at once.
pub const MAX_SECRETS: usize = 5;
