//! How does data get into a name without acting as syntax?

use std::borrow::Cow;

/// Escapes a value so that it can stand inside a key, a pattern or a tag.
///
/// `:` `*` `#` `{` `}` are syntax there, `%` introduces an escape, `.` parts a
/// schema from a table, `~` a shortened key from its digest, and quotes and
/// blanks would need escaping again in `Cache-Status`. All of them, and
/// everything outside printable ASCII, become `%XX`, so that two values are
/// equal exactly when their escaped forms are.
pub fn escape(value: &str) -> Cow<'_, str> {
    let Some(first) = value.bytes().position(|byte| !stands_for_itself(byte)) else {
        return Cow::Borrowed(value);
    };
    let mut escaped = String::with_capacity(value.len() + 16);
    escaped.push_str(&value[..first]);
    escape_onto(&mut escaped, &value[first..]);
    Cow::Owned(escaped)
}

/// Appends the escaped form of a value.
pub(super) fn escape_onto(text: &mut String, value: &str) {
    let mut rest = value;
    while let Some(at) = rest.bytes().position(|byte| !stands_for_itself(byte)) {
        text.push_str(&rest[..at]);
        // a character outside ASCII is several bytes, and each becomes an escape
        let end = rest.ceil_char_boundary(at + 1);
        for byte in rest[at..end].bytes() {
            text.push('%');
            text.extend([byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)])));
        }
        rest = &rest[end..];
    }
    text.push_str(rest);
}

const HEX: [u8; 16] = *b"0123456789ABCDEF";

/// By byte, whether it stands for itself.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        plain[byte] = !matches!(byte as u8, b':' | b'*' | b'#' | b'{' | b'}' | b'%' | b'~' | b'"' | b'\\');
        byte += 1;
    }
    plain
};

fn stands_for_itself(byte: u8) -> bool {
    PLAIN[usize::from(byte)]
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
