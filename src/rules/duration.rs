//! `30s`, `5m`, `24h`: how long is that?

use std::time::Duration;

/// Longest lifetime. Beyond a month an answer is no cache entry but a copy.
const DAYS_MAX: u64 = 30;

const MILLIS_PER_DAY: u64 = 24 * 60 * 60 * 1_000;

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DurationMistake {
    /// `60`: seconds, minutes or milliseconds?
    #[error("has no unit")]
    Unitless,
    /// Neither digits nor a unit that anybody knows.
    #[error("is not a duration")]
    Unreadable,
    /// Nothing would be kept.
    #[error("is no time at all")]
    Zero,
    /// More than the upper bound.
    #[error("is longer than {DAYS_MAX}d")]
    TooLong,
}

/// Parses whole numbers with one unit: `500ms`, `30s`, `5m`, `24h`, `7d`.
pub(super) fn parse(text: &str) -> Result<Duration, DurationMistake> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(DurationMistake::Unreadable);
    }
    let unit_millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60 * 1_000,
        "h" => 60 * 60 * 1_000,
        "d" => MILLIS_PER_DAY,
        "" => return Err(DurationMistake::Unitless),
        _ => return Err(DurationMistake::Unreadable),
    };
    if number.len() > 1 && number.starts_with('0') {
        return Err(DurationMistake::Unreadable);
    }
    // A number that does not fit is longer than the bound in any unit.
    let number: u64 = number.parse().map_err(|_| DurationMistake::TooLong)?;
    match number.checked_mul(unit_millis) {
        Some(0) => Err(DurationMistake::Zero),
        Some(millis) if millis <= DAYS_MAX * MILLIS_PER_DAY => Ok(Duration::from_millis(millis)),
        Some(_) | None => Err(DurationMistake::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, millis) in [
            ("1ms", 1),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
            ("30d", 2_592_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        use DurationMistake::{TooLong, Unitless, Unreadable, Zero};
        for (text, mistake) in [
            ("", Unreadable),
            ("60", Unitless),
            ("010", Unitless),
            ("1000000000000", Unitless),
            ("010s", Unreadable),
            ("-5s", Unreadable),
            ("1e3", Unreadable),
            ("1.5h", Unreadable),
            ("12:30", Unreadable),
            (".inf", Unreadable),
            ("no", Unreadable),
            ("5 m", Unreadable),
            ("5M", Unreadable),
            ("5min", Unreadable),
            ("1h30m", Unreadable),
            ("٣s", Unreadable),
            ("0s", Zero),
            ("0d", Zero),
            ("31d", TooLong),
            ("2592000001ms", TooLong),
            ("99999999999999999999s", TooLong),
            ("18446744073709551615d", TooLong),
        ] {
            assert_eq!(parse(text), Err(mistake), "{text}");
        }
    }
}
