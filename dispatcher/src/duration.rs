//! Durations as people write them: `90s`, `5m`, `2h`, `1d`.

use std::time::Duration;

/// Reads a whole number with a unit. The error says what was expected.
pub fn parse(text: &str) -> Result<Duration, String> {
    let expected = || format!("'{text}' is not a duration; write '30s', '5m', '2h' or '1d'");
    let unit = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).len();
    let (number, unit) = text.split_at(unit);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(expected()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        assert_eq!(parse("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(parse("2h"), Ok(Duration::from_hours(2)));
        assert_eq!(parse("1d"), Ok(Duration::from_hours(24)));
        for bad in ["", "5", "m", "1x", "-1s", "1.5s", "5 m", "99999999999999999999s", "1ms"] {
            assert!(parse(bad).unwrap_err().contains(bad), "{bad}");
        }
    }
}
