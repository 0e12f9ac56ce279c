//! A HEAD, or a piece of a file, of which the whole is at hand: `ttl: origin` rules outside `/rest/v1`.
//!
//! What is not at hand is not fetched for it: the request goes upstream as it came.

use std::sync::Arc;
use std::time::Instant;

use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue,
    IF_RANGE, RANGE,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::cache::Entry;
use crate::httpcache::{Part, part};
use crate::plan::{Pass, ReadPlan};

use super::accept_encoding::Accepted;
use super::body::Body;
use super::report::Counted;
use super::respond;
use super::serve::reader;
use super::{Done, Outcome, Proxy};

impl Proxy {
    /// Serves what passes through otherwise from the whole answer, where that is at hand and fresh.
    pub(super) fn at_hand(
        &self,
        rules: &Counted,
        pass: Pass,
        head: &Parts,
        now: Instant,
    ) -> Option<(Arc<ReadPlan>, Done)> {
        if !matches!(pass, Pass::Head | Pass::ByteRange) {
            return None;
        }
        let plan = rules.planner.plan_of_whole(head, self.clock.unix_seconds())?;
        let entry =
            self.cache.recall(&plan.fingerprint, now).filter(|entry| entry.status == StatusCode::OK)?;
        // a piece is one of the answer as it came, and a HEAD is told about that
        let reader = respond::Reader { accepted: Accepted::PLAIN, ..reader(&plan, &head.headers) };
        if !Accepted::of(&head.headers).takes(None) {
            return None;
        }
        let (response, unsent) = respond::from_entry(&entry, None, reader, now);
        let left = entry.lifetime.left(now);
        let (response, bytes) = if head.method == Method::HEAD {
            (bare(response, &entry), 0)
        } else {
            cut(response, &entry, &head.headers)
        };
        Some((plan, Ok((response, Outcome::Hit { left, bytes: bytes as u64, unsent }))))
    }
}

/// An answer without its body, and what it says of that.
fn bare(response: Response<Body>, entry: &Entry) -> Response<Body> {
    let mut response = response.map(|_| Body::empty());
    if response.status() != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(entry.body.len()));
    }
    response
}

/// The part of an answer that these headers ask for, and how many bytes that is.
fn cut(mut response: Response<Body>, entry: &Entry, asked: &HeaderMap) -> (Response<Body>, usize) {
    let length = entry.body.len();
    if response.status() != StatusCode::OK {
        return (response, length);
    }
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    match wanted(entry, asked) {
        Part::Whole => (response, length),
        Part::Bytes(range) => {
            let said = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
            let bytes = range.len();
            insert(&mut response, said);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.body_mut() = Body::whole(entry.body.slice(range));
            (response, bytes)
        }
        Part::None => {
            insert(&mut response, format!("bytes */{length}"));
            for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                response.headers_mut().remove(name);
            }
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            *response.body_mut() = Body::empty();
            (response, 0)
        }
    }
}

/// What is asked for; all, where that is on a condition which does not hold. A date is none that holds: two
/// answers may have one.
fn wanted(entry: &Entry, asked: &HeaderMap) -> Part {
    let holds = asked.get(IF_RANGE).is_none_or(|tag| tag == entry.validator().header());
    let range = asked.get(RANGE).and_then(|range| range.to_str().ok()).filter(|_| holds);
    range.map_or(Part::Whole, |range| part(range, entry.body.len()))
}

fn insert(response: &mut Response<Body>, said: String) {
    if let Ok(said) = HeaderValue::try_from(said) {
        response.headers_mut().insert(CONTENT_RANGE, said);
    }
}
