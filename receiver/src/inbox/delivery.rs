//! What an inbox is told of a delivery.

use crate::header::WEBHOOK_SEQUENCE;
use crate::{Event, Headers};

/// An event, and which delivery of which webhook brought it, if that is known.
///
/// An `&Event` is one already; the number is needed for [`Inbox::gaps`](super::Inbox::gaps).
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    pub(super) event: &'a Event,
    pub(super) number: Option<(&'a str, i64)>,
}

impl<'a> Delivery<'a> {
    /// This event, number `sequence` of the webhook that you call `webhook`.
    ///
    /// The name is yours, as no header says it: one for each webhook, the same for ever. Take the
    /// number from [`sequence`]. `None` is fine, and is as if only the event was handed over.
    pub fn numbered(event: &'a Event, webhook: &'a str, sequence: Option<u64>) -> Self {
        let sequence = sequence.and_then(|sequence| i64::try_from(sequence).ok());
        Self { event, number: sequence.filter(|&n| n > 0).map(|number| (webhook, number)) }
    }
}

impl<'a> From<&'a Event> for Delivery<'a> {
    fn from(event: &'a Event) -> Self {
        Self { event, number: None }
    }
}

/// The number in the header `webhook-sequence`: `None` if it is missing, doubled or no number.
///
/// It is **not signed**: whoever stands between the sender and you could change it. So it is a hint
/// for finding gaps, and never a reason to trust, drop or deduplicate anything.
pub fn sequence(headers: &(impl Headers + ?Sized)) -> Option<u64> {
    let mut values = headers.values_of(WEBHOOK_SEQUENCE);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok();
    number.filter(|&number| number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_number_is_a_sequence_and_nothing_else() {
        let of = |values: &[&'static str]| {
            let headers: Vec<_> = values.iter().map(|value| ("Webhook-Sequence", *value)).collect();
            sequence(&headers)
        };
        assert_eq!(of(&["4711"]), Some(4711));
        assert_eq!(of(&["18446744073709551615"]), Some(u64::MAX));
        assert_eq!(of(&[]), None);
        for wrong in ["", "0", "-1", "+1", " 1", "1.0", "x", "18446744073709551616"] {
            assert_eq!(of(&[wrong]), None, "{wrong}");
        }
        assert_eq!(of(&["1", "1"]), None);
    }
}
