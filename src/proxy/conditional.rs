//! Does a client have this very answer already? `If-None-Match`, as RFC 9110 13.1.2 has it.
//!
//! Only for answers that a rule keeps: their validators are ours. Conditions of a client never go
//! upstream with such a read, whose answer would be for that client alone.

use http::HeaderMap;
use http::header::{HeaderValue, IF_NONE_MATCH};

use crate::cache::{Coding, Validator};

/// Whether the client may have been given what is about to be fetched: then it is worth waiting for the
/// whole of it. Validators that others made are never waited for.
pub(super) fn may_have_one(request: &HeaderMap) -> bool {
    lines(request).any(|line| is_any(line) || tags(line).any(Validator::may_be))
}

/// In which form a client has an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// In this one; `None` is the one that is not coded.
    Form(Option<Coding>),
    /// It does not say, and does not want it in any.
    Any,
}

/// In which form that it takes the client has the answer of this validator, whichever it would be sent now.
pub(super) fn held(
    request: &HeaderMap,
    validator: &Validator,
    takes: impl Fn(Option<Coding>) -> bool,
) -> Option<Held> {
    lines(request).find_map(|line| {
        if is_any(line) {
            return Some(Held::Any);
        }
        let form = tags(line).filter_map(|opaque| validator.form_of(opaque)).find(|form| takes(*form));
        form.map(Held::Form)
    })
}

fn lines(request: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    request.get_all(IF_NONE_MATCH).iter().map(HeaderValue::as_bytes)
}

/// `*`: whatever there is.
fn is_any(line: &[u8]) -> bool {
    line.trim_ascii() == b"*"
}

/// What stands between the quotes of each tag, weak ones included: a comparison is weak here. What
/// follows something that is no tag is not looked at: a client that has nothing is sent everything.
fn tags(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', behind @ ..] = rest {
            rest = behind;
        }
        let opened = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', opened)?;
        rest = &opened[end + 1..];
        Some(&opened[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Vec<&str> {
        tags(line.as_bytes()).map(|tag| std::str::from_utf8(tag).unwrap()).collect()
    }

    #[test]
    fn lists_of_tags() {
        for (line, expected) in [
            ("", &[][..]),
            ("\"a\"", &["a"]),
            ("W/\"a\"", &["a"]),
            ("\"a\", W/\"b\",\"c\"", &["a", "b", "c"]),
            (" ,, \"a\" ,\t\"b\" ,", &["a", "b"]),
            ("\"\"", &[""]),
            ("\"a,b\", \"c d\"", &["a,b", "c d"]),
            // no tags
            ("a", &[]),
            ("*", &[]),
            ("w/\"a\"", &[]),
            ("W/ \"a\"", &[]),
            ("\"a", &[]),
            ("\"a\" x \"b\"", &["a"]),
            ("W/W/\"a\"", &[]),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
    }
}
