//! How does PostgREST write a moment, and which ways of writing one are understood?

/// Seconds in a day.
const DAY_SECONDS: u64 = 86_400;

/// Where a date ends in `2025-01-02T09:00:00+00:00`, in bytes.
const DATE_BYTES: usize = 10;

/// Where the seconds end, in bytes.
const SECONDS_END: usize = 19;

/// Writes seconds since 1970 as a `timestamptz`.
pub(super) fn timestamp_of(unix_seconds: u64) -> String {
    let (hours, rest) = (unix_seconds % DAY_SECONDS / 3600, unix_seconds % 3600);
    format!("{}T{hours:02}:{:02}:{:02}+00:00", date_of(unix_seconds), rest / 60, rest % 60)
}

/// Writes the day of a moment as a `date`.
pub(super) fn date_of(unix_seconds: u64) -> String {
    // Days are counted from 1 March of the year 0, so that the leap day ends a year.
    let days = unix_seconds / DAY_SECONDS + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Reads a moment in UTC into the one form in which moments are kept and
/// compared; other zones and other forms are not understood.
pub(super) fn read_timestamp(text: &str) -> Option<String> {
    let date = read_date(text.get(..DATE_BYTES)?)?;
    if text.len() == DATE_BYTES {
        return Some(format!("{date}T00:00:00+00:00"));
    }
    let time = text.get(DATE_BYTES + 1..SECONDS_END)?;
    let is_separated = matches!(text.as_bytes()[DATE_BYTES], b'T' | b' ');
    if !is_separated || !shaped(time, "00:00:00") || time > "23:59:59" || &time[3..] > "59:59" {
        return None;
    }
    let rest = &text[SECONDS_END..];
    let zone_start = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(rest.len());
    let (fraction, zone) = rest.split_at(zone_start);
    let digits = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => "",
        Some(digits) if (1..=6).contains(&digits.len()) && !digits.contains('.') => {
            digits.trim_end_matches('0')
        }
        Some(_) | None => return None,
    };
    let point = if digits.is_empty() { "" } else { "." };
    // a `+` that was not escaped arrives as a blank, as it does in PostgREST
    matches!(zone, "" | "Z" | "+00:00" | " 00:00" | "+00")
        .then(|| format!("{date}T{time}{point}{digits}+00:00"))
}

/// Reads a day, `2025-01-31`.
pub(super) fn read_date(text: &str) -> Option<String> {
    let is_day = shaped(text, "0000-00-00") && ("01"..="12").contains(&&text[5..7]);
    (is_day && ("01"..="31").contains(&&text[8..])).then(|| text.to_owned())
}

/// Is the text like the shape, with any digit where the shape has `0`?
fn shaped(text: &str, shape: &str) -> bool {
    let fits = |(byte, like): (u8, u8)| if like == b'0' { byte.is_ascii_digit() } else { byte == like };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_moments() {
        for (seconds, written) in [
            (0, "1970-01-01T00:00:00+00:00"),
            (951_782_400, "2000-02-29T00:00:00+00:00"),
            (1_735_689_599, "2024-12-31T23:59:59+00:00"),
            (4_107_542_400, "2100-03-01T00:00:00+00:00"),
        ] {
            assert_eq!(timestamp_of(seconds), written);
        }
    }

    #[test]
    fn moments_have_one_form_or_are_not_understood() {
        for (text, read) in [
            ("2025-01-02", Some("2025-01-02T00:00:00+00:00")),
            ("2025-01-02T09:00:00Z", Some("2025-01-02T09:00:00+00:00")),
            ("2025-01-02 09:00:00 00:00", Some("2025-01-02T09:00:00+00:00")),
            ("2025-01-02T09:00:00.120Z", Some("2025-01-02T09:00:00.12+00:00")),
            ("2025-01-02T09:00:00.000Z", Some("2025-01-02T09:00:00+00:00")),
            ("2025-01-02T09:00:00+02:00", None),
            ("2025-01-02T24:00:00Z", None),
            ("2025-01-02T09:60:00Z", None),
            ("2025-13-02", None),
            ("now", None),
            ("2025-01-0é", None),
            ("", None),
        ] {
            assert_eq!(read_timestamp(text).as_deref(), read, "{text}");
        }
    }
}
