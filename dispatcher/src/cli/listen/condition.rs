//! `--where` and `--expect`: conditions on what an event says, exact to the last digit.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use bluum_hooks_shared::catalogue::Pattern;
use serde_json::value::RawValue;

use crate::cli::failure::{Failure, Status};

/// The longest first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 6] = [
    ("!=", Operator::IsNot),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("=", Operator::Is),
    (">", Operator::More),
    ("<", Operator::Less),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    AtLeast,
    AtMost,
    More,
    Less,
}

/// `data.amount>=100`. A field that is missing meets `!=` alone.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    path: Vec<String>,
    operator: Operator,
    value: String,
    /// Of `type=order.*`.
    glob: Option<Pattern>,
}

impl Condition {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let refused = || {
            let next = "write 'data.currency=USD', 'data.amount>=100' or 'type=order.filled'";
            Failure::new(Status::Usage, format!("'{text}' is no condition")).then(next)
        };
        let at = text.find(['=', '!', '<', '>']).ok_or_else(refused)?;
        let (path, rest) = text.split_at(at);
        let (operator, value) = OPERATORS
            .iter()
            .find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?.trim())))
            .ok_or_else(refused)?;
        let path: Vec<String> = path.trim().split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(refused());
        }
        let is_type = path == ["type"];
        let glob = (is_type && value.ends_with('*')).then(|| Pattern::well_formed(value));
        let glob = glob.transpose().map_err(|_| refused())?;
        let path = if is_type { vec!["event".to_owned()] } else { path };
        Ok(Self { path, operator, value: value.to_owned(), glob })
    }

    pub(super) fn parse_all(texts: &[String]) -> Result<Vec<Self>, Failure> {
        texts.iter().map(|text| Self::parse(text)).collect()
    }

    /// Whether the body of an event meets it.
    pub(super) fn holds(&self, body: &[u8]) -> bool {
        let found = at(body, &self.path);
        let Some(found) = found.as_deref() else { return self.operator == Operator::IsNot };
        if let Some(glob) = &self.glob {
            return glob.matches(found) == (self.operator == Operator::Is);
        }
        let order = match (Number::read(found), Number::read(&self.value)) {
            (Some(found), Some(value)) => found.cmp(&value),
            _ => found.cmp(&self.value),
        };
        match self.operator {
            Operator::Is => order.is_eq(),
            Operator::IsNot => order.is_ne(),
            Operator::AtLeast => order.is_ge(),
            Operator::AtMost => order.is_le(),
            Operator::More => order.is_gt(),
            Operator::Less => order.is_lt(),
        }
    }
}

/// What stands at a path, as text: of a string what it says, of the rest its source.
fn at(body: &[u8], path: &[String]) -> Option<String> {
    let mut here: &RawValue = serde_json::from_slice(body).ok()?;
    for step in path {
        let text = here.get();
        here = if text.starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            items.get(step.parse::<usize>().ok()?).copied()?
        } else {
            let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text).ok()?;
            fields.get(step.as_str()).copied()?
        };
    }
    match here.get() {
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        text => Some(text.to_owned()),
    }
}

/// A decimal of any length: what stands before the point, and after it.
#[derive(Debug, PartialEq, Eq)]
struct Number<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Number<'a> {
    /// None for what is no plain decimal, exponents included.
    fn read(text: &'a str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !zero, whole, fraction })
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let size = |number: &Self| (number.whole.len(), number.whole.to_owned());
        match (self.negative, other.negative) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (negative, _) => {
                let order = size(self).cmp(&size(other)).then(self.fraction.cmp(other.fraction));
                if negative { order.reverse() } else { order }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"id":"evt_1","event":"order.filled","livemode":false,
        "data":{"amount":"1200.50","quantity":12345678901234567890,"price":-0.10,"a.b":1,
        "legs":[{"symbol":"AAPL"}],"name":"Zoë \"Z\"","none":null,"at":"2026-06-15T14:30:15Z"}}"#;

    fn holds(condition: &str) -> bool {
        Condition::parse(condition).unwrap().holds(BODY.as_bytes())
    }

    #[test]
    fn conditions_hold_to_the_last_digit() {
        for condition in [
            "type=order.filled",
            "type=order.*",
            "event=order.filled",
            "type!=order.accepted",
            "data.amount=1200.5",
            "data.amount>=1200.50",
            "data.amount>1200.4999999999999999999999999999999999",
            "data.amount < 1200.51",
            "data.quantity=12345678901234567890",
            "data.quantity<12345678901234567891",
            "data.quantity!=12345678901234567891",
            "data.price<0",
            "data.price>-0.11",
            "data.price=-0.1",
            "data.legs.0.symbol=AAPL",
            r#"data.name=Zoë "Z""#,
            "data.none=null",
            "livemode=false",
            "data.missing!=1",
            "data.at>2026-06-15",
        ] {
            assert!(holds(condition), "{condition}");
        }
        for condition in [
            "type=order.accepted",
            "type!=order.*",
            "type=deposit.*",
            "data.amount>1200.50",
            "data.quantity>12345678901234567890",
            "data.price>=0",
            "data.legs.1.symbol=AAPL",
            "data.legs.x=1",
            "data.missing=1",
            "data.missing<1",
            "data.amount.deeper=1",
        ] {
            assert!(!holds(condition), "{condition}");
        }
        assert!(!Condition::parse("a=1").unwrap().holds(b"no JSON"));
    }

    #[test]
    fn what_is_no_condition_is_told() {
        for text in ["", "data.amount", "=5", "data..x=1", "!x", "data.amount!100", "type=*.x*"] {
            let failure = Condition::parse(text).unwrap_err();
            assert!(failure.to_string().contains("data.amount>=100"), "{failure}");
        }
    }
}
