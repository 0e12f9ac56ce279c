//! Which texts may be one value in SQL?
//!
//! A filter `id=eq.007` and a written `{"id":7}` name the same row. Patterns
//! compare values by what this file folds them to: two texts that common column
//! types hold equal fold alike. Folding too much costs a needless invalidation,
//! folding too little would serve a stale answer.

use super::escape::escape;

/// Folds an escaped value to what stands for all values that may equal it.
pub(super) fn fold(escaped: &str) -> String {
    let lower = escaped.to_ascii_lowercase();
    let mut value = lower.as_str();
    while let Some(shorter) = value.strip_prefix("%20").or_else(|| value.strip_suffix("%20")) {
        value = shorter; // char(n) pads, and numbers and uuids may be surrounded by blanks
    }
    uuid(value)
        .or_else(|| number(value).map(|number| truth(&number).map_or(number.clone(), String::from)))
        .or_else(|| truth(value).map(String::from))
        .or_else(|| moment(value).map(String::from))
        .unwrap_or_else(|| value.to_owned())
}

/// 32 hexadecimal digits, with or without hyphens and braces.
fn uuid(value: &str) -> Option<String> {
    let inside = value.strip_prefix("%7b").and_then(|value| value.strip_suffix("%7d")).unwrap_or(value);
    let digits: String = inside.chars().filter(|c| *c != '-').collect();
    (digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

/// One spelling for what an id may be spelled like: a number, a uuid, a moment, a text of any case. Other
/// than [`fold`] it keeps moments apart, and one from true: whatever it takes for one and the same is
/// refused in a lock as if it were, so it folds no more than ids and dates need.
pub(super) fn spell(value: &str) -> String {
    let lower = value.trim_matches(' ').to_ascii_lowercase();
    let folded =
        if lower.starts_with('{') { uuid(&escape(&lower).to_ascii_lowercase()) } else { uuid(&lower) };
    folded.or_else(|| number(&lower)).or_else(|| spell_moment(&lower)).unwrap_or(lower)
}

/// `2026-01-01T10:00:00+01:00` and `2026-01-01 09:00Z` are one moment; without a zone it is UTC, as in a
/// Supabase database. `None` for everything that is not written like that.
fn spell_moment(lower: &str) -> Option<String> {
    let (date, time) = lower.split_at_checked(10)?;
    moment(date)?;
    let number =
        |text: &str| text.parse::<i64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (year, month, day) = (number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?);
    let time = time.strip_prefix(['t', ' ']).unwrap_or(time);
    let zone_at = time.find(['z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let (clock, fraction) = clock.trim_end().split_once('.').unwrap_or((clock.trim_end(), ""));
    number(if fraction.is_empty() { "0" } else { fraction })?;
    let seconds = |text: &str| -> Option<i64> {
        let mut parts = text.splitn(3, ':').map(|part| number(part).filter(|_| part.len() == 2));
        let mut part = || parts.next().unwrap_or(Some(0));
        Some(part()? * 3600 + part()? * 60 + part()?)
    };
    let of_day = if clock.is_empty() { 0 } else { seconds(clock)? };
    let offset = match zone.split_at_checked(1) {
        None => 0,
        Some(("z", "")) => 0,
        Some((sign, hours)) => seconds(hours)? * if sign == "+" { 1 } else { -1 },
    };
    let total = days_since_1970(year, month, day) * 86_400 + of_day - offset;
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() { format!("@{total}") } else { format!("@{total}.{fraction}") })
}

/// In the calendar that PostgreSQL counts by, also for days before 1970.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// `7`, `007`, `+7`, `7.0` and `7e0` are one number.
fn number(value: &str) -> Option<String> {
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(value);
    let sign = if value.starts_with('-') { "-" } else { "" };
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let significant = unsigned.trim_start_matches('0');
        return Some(if significant.is_empty() { "0".to_owned() } else { format!("{sign}{significant}") });
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(other) = other_base(unsigned) {
        return number(&format!("{sign}{other}"));
    }
    let float: f64 = value.parse().ok().filter(|float: &f64| float.is_finite())?;
    Some(if float == 0.0 { "0".to_owned() } else { float.to_string() })
}

/// `0x1f`, `0o17`, `0b1` and `1_000`, which PostgreSQL reads from 16 on, as plain digits.
fn other_base(unsigned: &str) -> Option<String> {
    let digits = unsigned.replace('_', "");
    let bases = [("0x", 16), ("0o", 8), ("0b", 2)];
    let based = bases.into_iter().find_map(|(prefix, base)| Some((digits.strip_prefix(prefix)?, base)));
    match based {
        Some((digits, base)) => Some(u128::from_str_radix(digits, base).ok()?.to_string()),
        None => (digits.len() < unsigned.len()).then_some(digits),
    }
}

/// Every text that PostgreSQL reads as a boolean.
fn truth(value: &str) -> Option<&'static str> {
    match value {
        "t" | "tr" | "tru" | "true" | "y" | "ye" | "yes" | "on" | "1" => Some("true"),
        "f" | "fa" | "fal" | "fals" | "false" | "n" | "no" | "of" | "off" | "0" => Some("false"),
        _ => None,
    }
}

/// Dates and times have too many forms and zones to compare: all are one.
fn moment(value: &str) -> Option<&'static str> {
    let bytes = value.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    (digits(0..4) && digits(5..7) && digits(8..10) && bytes[4] == b'-' && bytes[7] == b'-')
        .then_some("moment")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_knows_one_row_by_all_spellings_of_its_id() {
        for (one, other, alike) in [
            ("7", "007", true),
            ("7", " 7.0 ", true),
            ("1", "true", false),
            ("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc999c0b4ef8bb6d6bb9bd380a11}", true),
            ("Dakar", "dakar", true),
            ("2026-01-01", "2026-01-02", false),
            ("2026-01-01", "2026-01-01T00:00:00Z", true),
            ("2026-01-01T10:00:00+01:00", "2026-01-01 09:00:00Z", true),
            ("2026-01-01T10:00:00.500", "2026-01-01 10:00:00.5+00", true),
            ("2026-01-01T10:00", "2026-01-01T10:01", false),
            ("2026-03-01T00:00-01", "2026-03-01T01:00:00Z", true),
            ("2026-01-01T10:00 nonsense", "2026-01-01T10:00", false),
        ] {
            assert_eq!(spell(one) == spell(other), alike, "{one} {other}: {} {}", spell(one), spell(other));
        }
        assert_eq!(spell("1970-01-02"), "@86400");
        assert_eq!(spell("2000-03-01"), "@951868800");
    }

    #[test]
    fn trap_92_and_93_equal_values_fold_alike_and_others_stay_apart() {
        for (one, other, alike) in [
            ("7", "007", true),
            ("7", "+7", true),
            ("-7", "7", false),
            ("0", "-0", true),
            ("0", "0.0", true),
            ("1.10", "1.1", true),
            ("1e3", "1000", true),
            ("1e20", "100000000000000000000", true),
            ("9007199254740993", "9007199254740992", false),
            ("abc", "ABC", true),
            ("abc", "abd", false),
            ("%20a", "a%20%20", true),
            ("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11", true),
            ("%7Ba0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11%7D", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", true),
            ("t", "TRUE", true),
            ("1", "true", true),
            ("1.0", "on", true),
            ("0", "off", true),
            ("2026-01-01T00%3A00%3A00Z", "2026-01-01%2000%3A00%3A00%2B00", true),
            ("0x1F", "31", true),
            ("-0b11", "-3", true),
            ("0o17", "15", true),
            ("1_000", "1000", true),
            ("0x", "0", false),
            ("inf", "infinity", false),
            ("", "0", false),
        ] {
            assert_eq!(fold(one) == fold(other), alike, "{one} {other}");
        }
    }
}
