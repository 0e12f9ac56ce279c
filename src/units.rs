//! How is an amount of time or of memory written? `30s`, `256MiB`.
//!
//! A number without a unit is refused: nobody remembers whether `30` meant
//! seconds or milliseconds. What is displayed can be parsed again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// A text that is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// There is no number in front.
    #[error("`{0}` does not begin with a whole number")]
    Number(String),
    /// There is a number and nothing behind it.
    #[error("`{text}` has no unit: {units}")]
    UnitMissing { text: String, units: &'static str },
    /// What follows the number is not a unit.
    #[error("`{text}` has an unknown unit: {units}")]
    UnitUnknown { text: String, units: &'static str },
    /// The amount does not fit.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// What `ByteSize` accepts, the largest binary unit first because `Display` picks the first that divides.
const BYTE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];
const BYTE_UNITS_HINT: &str = "write B, KiB, MiB, GiB, KB, MB or GB, as in 256MiB";

const MILLIS_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const MILLIS_UNITS_HINT: &str = "write ms, s, m, h or d, as in 30s";

impl FromStr for ByteSize {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<ByteSize, AmountError> {
        amount(text, &BYTE_UNITS, BYTE_UNITS_HINT).map(ByteSize)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = largest_divisor(self.0, &BYTE_UNITS);
        write!(out, "{}{unit}", self.0 / size)
    }
}

/// Reads a length of time.
pub fn parse_duration(text: &str) -> Result<Duration, AmountError> {
    amount(text, &MILLIS_UNITS, MILLIS_UNITS_HINT).map(Duration::from_millis)
}

/// Writes a length of time as [`parse_duration`] reads it; what is below a millisecond is cut off.
pub fn display_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, size) = largest_divisor(millis, &MILLIS_UNITS);
    format!("{}{unit}", millis / size)
}

fn amount(text: &str, units: &[(&str, u64)], hint: &'static str) -> Result<u64, AmountError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(AmountError::Number(text.to_owned()));
    }
    if unit.is_empty() {
        return Err(AmountError::UnitMissing { text: text.to_owned(), units: hint });
    }
    let Some((_, size)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(AmountError::UnitUnknown { text: text.to_owned(), units: hint });
    };
    let number: Option<u64> = number.parse().ok();
    let amount = number.and_then(|number| number.checked_mul(*size));
    amount.ok_or_else(|| AmountError::TooLarge(text.to_owned()))
}

/// The first unit that divides the amount without rest; zero is written in the smallest one.
fn largest_divisor(amount: u64, units: &[(&'static str, u64)]) -> (&'static str, u64) {
    let smallest = units[units.len() - 1];
    let divisor = units.iter().find(|(_, size)| amount != 0 && amount.is_multiple_of(*size));
    *divisor.unwrap_or(&smallest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        let rows = [
            ("256MiB", 256 << 20, "256MiB"),
            ("2MB", 2_000_000, "2MB"),
            ("1024B", 1024, "1KiB"),
            ("0B", 0, "0B"),
            ("1025B", 1025, "1025B"),
        ];
        for (text, bytes, shown) in rows {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, shown), "{text}");
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        let rows =
            [("50ms", 50, "50ms"), ("1000ms", 1000, "1s"), ("90s", 90_000, "90s"), ("24h", 86_400_000, "1d")];
        for (text, millis, shown) in rows {
            let duration = parse_duration(text).unwrap();
            assert_eq!(
                (duration.as_millis(), display_duration(duration).as_str()),
                (millis, shown),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_an_amount_says_why() {
        let rows = [
            ("", "`` does not begin with a whole number"),
            ("s", "`s` does not begin with a whole number"),
            ("-1s", "`-1s` does not begin with a whole number"),
            ("30", "`30` has no unit: write ms, s, m, h or d, as in 30s"),
            ("30 s", "`30 s` has an unknown unit: write ms, s, m, h or d, as in 30s"),
            ("1.5s", "`1.5s` has an unknown unit: write ms, s, m, h or d, as in 30s"),
            ("99999999999999999999s", "`99999999999999999999s` is too large"),
            ("18446744073709551615h", "`18446744073709551615h` is too large"),
        ];
        for (text, message) in rows {
            assert_eq!(parse_duration(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
