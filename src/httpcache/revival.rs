//! How is the upstream asked whether an answer is still so, and what does its 304 make of the kept head?

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Lines;
use super::keeping::{date, only};

/// An answer may have changed once more in the second in which it was changed last, and clocks differ: by its
/// `Last-Modified` alone it is known again only where that was so long before it was sent (RFC 9110 8.8.2.2).
const SETTLED_SECONDS: u64 = 60;

/// What a 304 cannot change: they are about the body that is kept, or about the connection.
const OF_THE_BODY: [HeaderName; 6] =
    [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE, CONTENT_RANGE, TRANSFER_ENCODING, CONNECTION];

/// Whether the upstream can be asked about an answer with these lines.
pub(super) fn has_validator<L: Lines + ?Sized>(lines: &L) -> bool {
    condition(lines).is_some()
}

/// What to ask the upstream with, so that it need not send again what is kept.
pub fn condition<L: Lines + ?Sized>(lines: &L) -> Option<(HeaderName, HeaderValue)> {
    if let Some(etag) = only(lines, &ETAG).filter(|etag| is_tag(etag.as_bytes())) {
        return Some((IF_NONE_MATCH, etag.clone()));
    }
    let (changed, sent) = (date(lines, &LAST_MODIFIED)?, date(lines, &DATE)?);
    let is_settled = sent.saturating_sub(changed) >= SETTLED_SECONDS;
    is_settled.then(|| only(lines, &LAST_MODIFIED).map(|line| (IF_MODIFIED_SINCE, line.clone())))?
}

/// The head that is kept, made new by a 304 (RFC 9111 3.2). `None` where the 304 is about another answer.
pub fn renewed(kept: &[(HeaderName, HeaderValue)], said: &HeaderMap) -> Option<HeaderMap> {
    for name in [ETAG, LAST_MODIFIED] {
        let (before, now) = (only(kept, &name), said.get(&name));
        if now.is_some() && before.map(opaque) != now.map(opaque) {
            return None;
        }
    }
    let is_replaced =
        |name: &HeaderName| *name == DATE || (said.contains_key(name) && !OF_THE_BODY.contains(name));
    let mut head = HeaderMap::with_capacity(kept.len() + said.len());
    for (name, value) in kept.iter().filter(|(name, _)| !is_replaced(name)) {
        head.append(name, value.clone());
    }
    for (name, value) in said.iter().filter(|(name, _)| !OF_THE_BODY.contains(name)) {
        head.append(name, value.clone());
    }
    Some(head)
}

/// A tag without what says that it is weak: in `If-None-Match` that makes no difference.
fn opaque(tag: &HeaderValue) -> &[u8] {
    tag.as_bytes().strip_prefix(b"W/").unwrap_or(tag.as_bytes())
}

fn is_tag(tag: &[u8]) -> bool {
    let inner =
        tag.strip_prefix(b"W/").unwrap_or(tag).strip_prefix(b"\"").and_then(|tag| tag.strip_suffix(b"\""));
    inner.is_some_and(|inner| !inner.contains(&b'"'))
}
