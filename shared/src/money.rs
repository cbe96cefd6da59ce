//! Amounts, prices and quantities: decimals that never pass through a float.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Longer texts are refused before they are parsed.
const MAX_TEXT: usize = 40;

/// Why a text is not a decimal we take. Never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecimalError {
    /// Not of the form `-12.50`.
    Malformed,
    /// With an exponent: `1e9` is nine bytes of input for as many digits as somebody likes.
    Exponent,
    /// More digits than are kept exactly (28).
    TooManyDigits,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "expected a decimal such as '178.50'",
            Self::Exponent => "a decimal has no exponent",
            Self::TooManyDigits => "a decimal has at most 28 digits",
        })
    }
}

impl std::error::Error for DecimalError {}

/// An exact decimal that keeps its scale: `5000.00` prints as `5000.00` and equals `5000`.
///
/// What is read prints back as it was, but for `-0`, which loses its sign.
///
/// As JSON it is a string. A JSON number is read too, from its source text. Reading works through
/// `serde_json` alone, because other formats would hand over a float.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(rust_decimal::Decimal);

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(rust_decimal::Decimal::ZERO);

    /// The same number as the `rust_decimal` crate has it, for arithmetic beyond what is here.
    pub const fn get(self) -> rust_decimal::Decimal {
        self.0
    }

    /// The sum, or `None` where it would not be exact.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` where it would not be exact.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, as a quantity times a price; `None` on overflow.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        self.0.checked_mul(other.0).map(Self)
    }
}

impl From<rust_decimal::Decimal> for Decimal {
    fn from(decimal: rust_decimal::Decimal) -> Self {
        Self(decimal)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    /// JSON's grammar of numbers without the exponent. The parser beneath also takes `+1`, `1_000`
    /// and `.5`, and would print them back differently.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        if text.len() > MAX_TEXT {
            return Err(DecimalError::TooManyDigits);
        }
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (unsigned, None),
        };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole)
            || !fraction.is_none_or(digits)
            || (whole.len() > 1 && whole.starts_with('0'))
        {
            return Err(match unsigned.contains(['e', 'E']) {
                true => DecimalError::Exponent,
                false => DecimalError::Malformed,
            });
        }
        rust_decimal::Decimal::from_str_exact(text)
            .map(Self)
            .map_err(|_| DecimalError::TooManyDigits)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = match raw.get() {
            quoted if quoted.starts_with('"') => {
                serde_json::from_str::<Cow<'_, str>>(quoted).map_err(serde::de::Error::custom)?
            }
            number => Cow::Borrowed(number),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount together with its currency, so that dollars are never added to naira.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Money {
    /// How much.
    pub amount: Decimal,
    /// ISO 4217, as it was sent: `USD`.
    pub currency: String,
}

impl Money {
    /// The sum; `None` for two currencies, or where it would not be exact.
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        let amount = self.amount.checked_add(other.amount)?;
        Some(Self { amount, currency: self.currency.clone() })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn prints_what_it_read(text in "(0|[1-9][0-9]{0,13})(\\.[0-9]{1,14})?") {
            let read: Decimal = text.parse().unwrap();
            prop_assert_eq!(read.to_string(), &text[..]);
            let from_number: Decimal = serde_json::from_str(&text).unwrap();
            let from_string: Decimal = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            prop_assert_eq!((from_number, from_string), (read, read));
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), format!("\"{text}\""));
        }

        #[test]
        fn any_text_is_answered(text: String) {
            let _ = text.parse::<Decimal>();
        }
    }

    #[test]
    fn keeps_the_scale_and_compares_by_value() {
        let amount: Decimal = "5000.00".parse().unwrap();
        assert_eq!(amount.to_string(), "5000.00");
        assert_eq!(amount, "5000".parse().unwrap());
        assert_eq!("-12.5".parse::<Decimal>().unwrap().to_string(), "-12.5");
        assert_eq!("-0.00".parse::<Decimal>().unwrap().to_string(), "0.00");
    }

    #[test]
    fn numbers_do_not_pass_through_floats() {
        // As an f64 this is 0.1000000000000000055….
        let exact: Decimal = serde_json::from_str("0.1000000000000000001").unwrap();
        assert_eq!(exact.to_string(), "0.1000000000000000001");
        let large: Decimal = serde_json::from_str("9007199254740993").unwrap();
        assert_eq!(large.to_string(), "9007199254740993");
    }

    #[test]
    fn refuses_what_would_not_be_exact() {
        for (text, error) in [
            ("1e9", DecimalError::Exponent),
            ("1E-400", DecimalError::Exponent),
            ("0.00000000000000000000000000001", DecimalError::TooManyDigits),
            ("99999999999999999999999999999", DecimalError::TooManyDigits),
            (&"1".repeat(1 << 20), DecimalError::TooManyDigits),
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(error));
        }
        for text in ["", "-", ".", "1.", ".5", "+1", "1_000", "1,5", "01", " 1", "NaN", "0x1", "١"]
        {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Malformed), "{text}");
        }
        for json in ["null", "true", "{}", "[1]", "\"\"", "1e3", "\"1e3\""] {
            assert!(serde_json::from_str::<Decimal>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn money_of_two_currencies_does_not_add() {
        let money = |amount: &str, currency: &str| Money {
            amount: amount.parse().unwrap(),
            currency: currency.to_owned(),
        };
        let sum = money("1785.00", "USD").checked_add(&money("0.5", "USD")).unwrap();
        assert_eq!(sum.to_string(), "1785.50 USD");
        assert_eq!(sum.checked_add(&money("1", "NGN")), None);
    }
}
