//! How are escapes in paths and queries read?
//!
//! As the library under PostgREST reads them: `%` and two hex digits are one
//! byte, any other `%` stands for itself, and in a query `+` is a blank.

use std::borrow::Cow;

/// What a `+` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plus {
    /// A plus, in paths.
    Itself,
    /// A blank, in queries.
    Blank,
}

/// The bytes that `raw` stands for; borrowed if nothing is escaped.
pub(super) fn decode(raw: &str, plus: Plus) -> Cow<'_, [u8]> {
    let bytes = raw.as_bytes();
    let is_special = |b: u8| b == b'%' || (b == b'+' && plus == Plus::Blank);
    let Some(first) = bytes.iter().position(|&b| is_special(b)) else {
        return Cow::Borrowed(bytes);
    };
    let mut decoded = Vec::with_capacity(bytes.len());
    decoded.extend_from_slice(&bytes[..first]);
    let mut at = first;
    while let Some(&byte) = bytes.get(at) {
        match escaped_byte(&bytes[at..]) {
            Some(escaped) => {
                decoded.push(escaped);
                at += 3;
            }
            None => {
                decoded.push(if byte == b'+' && plus == Plus::Blank { b' ' } else { byte });
                at += 1;
            }
        }
    }
    Cow::Owned(decoded)
}

/// The text that `raw` stands for, or `None` if it is not UTF-8.
pub(super) fn decode_text(raw: &str, plus: Plus) -> Option<Cow<'_, str>> {
    match decode(raw, plus) {
        // only an untouched text is borrowed
        Cow::Borrowed(_) => Some(Cow::Borrowed(raw)),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// The byte that an escape at the start of `bytes` stands for.
pub(super) fn escaped_byte(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = *bytes else {
        return None;
    };
    Some(hex(high)? << 4 | hex(low)?)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (raw, plus, decoded) in [
            ("id", Plus::Blank, Some("id")),
            ("a+b", Plus::Blank, Some("a b")),
            ("a+b", Plus::Itself, Some("a+b")),
            ("a%2Bb", Plus::Blank, Some("a+b")),
            ("%zz%4", Plus::Blank, Some("%zz%4")),
            ("%%41%", Plus::Blank, Some("%A%")),
            ("%C3%a9", Plus::Itself, Some("é")),
            ("%c0%ae", Plus::Itself, None),
            ("%25 2e", Plus::Itself, Some("% 2e")),
            ("", Plus::Blank, Some("")),
        ] {
            assert_eq!(decode_text(raw, plus).as_deref(), decoded, "{raw:?}");
        }
    }
}
