//! Which texts may be one value in SQL?
//!
//! A filter `id=eq.007` and a written `{"id":7}` name the same row. Patterns
//! compare values by what this file folds them to: two texts that common column
//! types hold equal fold alike. Folding too much costs a needless invalidation,
//! folding too little would serve a stale answer.

/// Folds an escaped value to what stands for all values that may equal it.
pub(super) fn fold(escaped: &str) -> String {
    let lower = escaped.to_ascii_lowercase();
    let mut value = lower.as_str();
    while let Some(shorter) = value.strip_prefix("%20").or_else(|| value.strip_suffix("%20")) {
        value = shorter; // char(n) pads, and numbers and uuids may be surrounded by blanks
    }
    uuid(value)
        .or_else(|| number(value))
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

/// `7`, `007`, `+7`, `7.0` and `7e0` are one number.
fn number(value: &str) -> Option<String> {
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(value);
    let sign = if value.starts_with('-') { "-" } else { "" };
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let significant = unsigned.trim_start_matches('0');
        return Some(if significant.is_empty() { truth("0")?.to_owned() } else { sure(sign, significant) });
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(other) = other_base(unsigned) {
        return number(&format!("{sign}{other}"));
    }
    let float: f64 = value.parse().ok().filter(|float: &f64| float.is_finite())?;
    Some(if float == 0.0 { truth("0")?.to_owned() } else { sure("", &float.to_string()) })
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

/// One and true are one value where a column is boolean.
fn sure(sign: &str, digits: &str) -> String {
    if sign.is_empty() && digits == "1" { "true".into() } else { format!("{sign}{digits}") }
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
