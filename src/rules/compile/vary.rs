//! The field `vary`: which request headers change an answer?

use http::HeaderName;

use super::super::fields::At;
use super::super::mistake::{Findings, quoted};

/// Most headers of one rule: each multiplies the entries of a key.
const HEADERS_MAX: usize = 16;

/// Headers that are part of every fingerprint, by way of the scope or directly.
const ALWAYS_KEYED: [&str; 6] = ["authorization", "apikey", "accept", "accept-profile", "prefer", "range"];

/// Headers that belong to a connection or a body, or that larder answers itself.
const NEVER_SENT: [&str; 27] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Compiles the field; headers that cannot vary an answer are told and left out.
pub(super) fn compile(written: &[At<String>], findings: &mut Findings<'_>) -> Vec<HeaderName> {
    if let Some(beyond) = written.get(HEADERS_MAX) {
        findings.mistake(&beyond.spot, format!("more than {HEADERS_MAX} headers"));
    }
    let mut headers = Vec::new();
    for field in written.iter().take(HEADERS_MAX) {
        let Ok(name) = HeaderName::try_from(field.value.as_str()) else {
            findings.mistake(&field.spot, format!("{} is not the name of a header", quoted(&field.value)));
            continue;
        };
        if let Some((message, hint)) = refusal(&name, &headers) {
            findings.mistake_with_hint(&field.spot, format!("`{name}` {message}"), hint);
        } else {
            headers.push(name);
        }
    }
    headers
}

fn refusal(name: &HeaderName, earlier: &[HeaderName]) -> Option<(&'static str, &'static str)> {
    if name == "*" {
        Some(("would make every request different", "name the headers, or write `cache: never`"))
    } else if ALWAYS_KEYED.contains(&name.as_str()) {
        Some(("already keeps answers apart", "leave it out"))
    } else if NEVER_SENT.contains(&name.as_str()) {
        Some(("is never sent upstream by a cacheable read", "leave it out"))
    } else if earlier.contains(name) {
        Some(("is given twice", "keep one of them"))
    } else {
        None
    }
}
