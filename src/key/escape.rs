//! How does data get into a name without acting as syntax?

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes a value so that it can stand inside a key, a pattern or a tag.
///
/// `:` `*` `#` `{` `}` are syntax there, `%` introduces an escape, `.` parts a
/// schema from a table, `~` a shortened key from its digest, and quotes and
/// blanks would need escaping again in `Cache-Status`. All of them, and
/// everything outside printable ASCII, become `%XX`, so that two values are
/// equal exactly when their escaped forms are.
pub fn escape(value: &str) -> Cow<'_, str> {
    if value.bytes().all(stands_for_itself) {
        return Cow::Borrowed(value);
    }
    let mut escaped = String::with_capacity(value.len() + 16);
    for byte in value.bytes() {
        if stands_for_itself(byte) {
            escaped.push(char::from(byte));
        } else {
            let _infallible = write!(escaped, "%{byte:02X}");
        }
    }
    Cow::Owned(escaped)
}

fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b":*#{}%~\"\\".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_never_survives() {
        for (value, escaped) in [
            ("5", "5"),
            ("Dakar", "Dakar"),
            ("a:b", "a%3Ab"),
            ("user:1:*", "user%3A1%3A%2A"),
            ("{city}", "%7Bcity%7D"),
            ("50%", "50%25"),
            ("Saint Louis", "Saint%20Louis"),
            ("Thiès", "Thi%C3%A8s"),
            ("a\r\nb", "a%0D%0Ab"),
            ("", ""),
        ] {
            assert_eq!(escape(value), escaped, "{value:?}");
        }
    }
}
