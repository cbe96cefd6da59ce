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

    /// The number without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// The sum, or `None` where it would not be exact.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.exactly(other, |a, b| {
            let scale = a.scale().max(b.scale());
            whole(at_scale(a, scale)?.checked_add(at_scale(b, scale)?)?, scale)
        })
    }

    /// The difference, or `None` where it would not be exact.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self(-other.0))
    }

    /// The product, as a quantity times a price, or `None` where it would not be exact, or takes
    /// more than 38 digits to work out.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        self.exactly(other, |a, b| {
            whole(a.mantissa().checked_mul(b.mantissa())?, a.scale() + b.scale())
        })
    }

    /// Once more without the zeros at the end, where there is no room for them.
    fn exactly(self, other: Self, operation: Operation) -> Option<Self> {
        operation(self.0, other.0)
            .or_else(|| operation(self.0.normalize(), other.0.normalize()))
            .map(Self)
    }
}

/// On whole numbers, because `rust_decimal` would round what has too many digits.
type Operation = fn(rust_decimal::Decimal, rust_decimal::Decimal) -> Option<rust_decimal::Decimal>;

/// The number as so many units of `10^-scale`; `scale` is at least its own.
fn at_scale(decimal: rust_decimal::Decimal, scale: u32) -> Option<i128> {
    decimal.mantissa().checked_mul(10_i128.checked_pow(scale - decimal.scale())?)
}

/// The number that is so many units of `10^-scale`.
fn whole(mut units: i128, mut scale: u32) -> Option<rust_decimal::Decimal> {
    loop {
        match rust_decimal::Decimal::try_from_i128_with_scale(units, scale) {
            Ok(decimal) => return Some(decimal),
            Err(_) if scale > 0 && units % 10 == 0 => (units, scale) = (units / 10, scale - 1),
            Err(_) => return None,
        }
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
            let number = |b: u8| b.is_ascii_digit() || b"eE+-.".contains(&b);
            let exponent = unsigned.contains(['e', 'E']) && unsigned.bytes().all(number);
            return Err(if exponent { DecimalError::Exponent } else { DecimalError::Malformed });
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

    proptest! {
        /// Whatever the library beneath rounds, is `None` here. Nine places apart, so that the test
        /// itself has room for the exact result.
        #[test]
        fn sums_are_exact_or_none(
            a in mantissa(), b in mantissa(), scale in 0_u32..=19, apart in 0_u32..=9,
        ) {
            let (left, right) = (decimal(a, scale), decimal(b, scale + apart));
            let a = a * 10_i128.pow(apart);
            for (sum, exact) in [
                (left.checked_add(right), a + b),
                (right.checked_add(left), a + b),
                (left.checked_sub(right), a - b),
            ] {
                match sum {
                    Some(sum) => prop_assert_eq!(at_scale(sum.0, scale + apart), Some(exact)),
                    None => prop_assert_eq!(whole(exact, scale + apart), None),
                }
            }
        }

        #[test]
        fn products_are_exact_or_none(
            a in -1_i128 << 63..1 << 63, b in -1_i128 << 63..1 << 63,
            scales in (0_u32..=28, 0_u32..=28),
        ) {
            let (scale, exact) = (scales.0 + scales.1, a * b);
            let product = decimal(a, scales.0).checked_mul(decimal(b, scales.1));
            let back = product.map(|product| exact_at(product.0, scale));
            prop_assert_eq!(back, whole(exact, scale).map(|_| Some(exact)));
        }

        #[test]
        fn a_quantity_times_a_price_has_room(
            shares in 0_i128..1 << 40, cents in 0_i128..1 << 40, zeros in 0_u32..=12,
        ) {
            let long = |units: i128| decimal(units * 10_i128.pow(zeros), 2 + zeros);
            let product = long(shares).checked_mul(long(cents)).unwrap();
            prop_assert_eq!(product, decimal(shares * cents, 4));
        }
    }

    fn mantissa() -> impl Strategy<Value = i128> {
        prop_oneof![-MAX..=MAX, -10_000_i128..=10_000, Just(MAX), Just(-MAX)]
    }

    /// The largest that 96 bits hold.
    const MAX: i128 = (1 << 96) - 1;

    fn decimal(units: i128, scale: u32) -> Decimal {
        Decimal(rust_decimal::Decimal::try_from_i128_with_scale(units, scale).unwrap())
    }

    /// As `at_scale`, also where the scale is larger than 10 has powers.
    fn exact_at(decimal: rust_decimal::Decimal, scale: u32) -> Option<i128> {
        if decimal.is_zero() { Some(0) } else { at_scale(decimal, scale) }
    }

    #[test]
    fn what_has_too_many_digits_is_not_rounded() {
        let read = |text: &str| text.parse::<Decimal>().unwrap();
        let largest = decimal(MAX, 0);
        // The library beneath says 79228162514264337593543950335 and 0.
        assert_eq!(largest.checked_add(read("0.1")), None);
        let tiny = read("0.0000000000000000000000000001");
        assert_eq!(tiny.checked_mul(read("0.1")), None);

        assert_eq!(largest.checked_add(read("0.00")), Some(largest));
        assert_eq!(tiny.checked_mul(read("10")), Some(read("0.000000000000000000000000001")));
        assert_eq!(read("5000.00").checked_sub(read("0.000")).unwrap().to_string(), "5000.000");
        assert_eq!(read("10").checked_mul(read("178.50")).unwrap().to_string(), "1785.00");
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
    fn numbers_are_read_from_their_text_wherever_they_stand() {
        #[derive(Deserialize)]
        struct Fill {
            price: Option<Decimal>,
            fees: Vec<Decimal>,
        }
        let read = |price: &str| {
            let json = format!("{{\"more\":1e400,\"price\":{price},\"fees\":[{price}, \"0.10\"]}}");
            serde_json::from_str::<Fill>(&json)
        };
        for exact in ["0.1", "100000000000000000000.01", "-0.1000000000000000001", "1785.00"] {
            let fill = read(exact).unwrap();
            assert_eq!(fill.price.unwrap().to_string(), exact);
            assert_eq!(fill.fees[0].to_string(), exact);
        }
        for bad in ["1e2", "1E400", "true", "[]", "\"\"", &"1".repeat(10_000)] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(
            serde_json::from_str::<Fill>(r#"{"price":null,"fees":[]}"#).unwrap().price.is_none()
        );
        assert!(serde_json::from_str::<Fill>(r#"{"fees":[null]}"#).is_err());
        // An escape says the same digit.
        assert_eq!(read("\"\\u0031.5\"").unwrap().fees[0].to_string(), "1.5");
    }

    #[test]
    fn refuses_what_would_not_be_exact() {
        for (text, error) in [
            ("1e9", DecimalError::Exponent),
            ("1E-400", DecimalError::Exponent),
            ("1e1000000", DecimalError::Exponent),
            ("-1.5e+3", DecimalError::Exponent),
            ("0.00000000000000000000000000001", DecimalError::TooManyDigits),
            ("99999999999999999999999999999", DecimalError::TooManyDigits),
            (&"1".repeat(1 << 20), DecimalError::TooManyDigits),
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(error));
        }
        for text in [
            "", "-", "--1", ".", "1.", ".5", "1.2.3", "+1", "1_000", "1,5", "01", "-01", " 1",
            "1 ", "1\n", "NaN", "Infinity", "-inf", "one", "true", "0x1", "0xE", "1f", "$1",
            "1 USD", "١",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Malformed), "{text}");
        }
        for json in ["null", "true", "{}", "[1]", "\"\"", "1e3", "\"1e3\""] {
            assert!(serde_json::from_str::<Decimal>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn an_error_does_not_quote_the_value() {
        for text in ["Ada", "4711e4711", "47_11", &"4711".repeat(1_000)] {
            let error = serde_json::from_str::<Decimal>(&format!("\"{text}\"")).unwrap_err();
            assert!(!error.to_string().contains("47") && !error.to_string().contains("Ada"));
            assert!(error.to_string().contains("decimal"), "{error}");
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
