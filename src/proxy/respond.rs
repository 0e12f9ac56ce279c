//! From an entry or an upstream's answer to the client's response.

use std::time::Instant;

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AGE, CACHE_CONTROL, HeaderMap, HeaderName,
    HeaderValue, ORIGIN,
};
use http::{Method, Response};

use crate::cache::{Answer, Entry};
use crate::upstream::{self, clean_response};

use super::body::Body;

/// What a browser may read of a cached answer: what PostgREST exposes, and ours.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, \
     Transfer-Encoding, Range-Unit, Age, Cache-Status, Preference-Applied, Content-Profile, \
     Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed",
);

/// Browsers keep an answer only if they ask again before each use: an
/// invalidation does not reach them.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Headers beside the stored ones: Age, Cache-Control and Cache-Status; browsers get two more.
const ADDED_HEADERS: usize = 3;

/// Answers with an entry. The body is shared with the cache, not copied.
pub(super) fn from_entry(entry: &Entry, request: &HeaderMap, now: Instant) -> Response<Body> {
    let mut response = Response::new(Body::whole(entry.body.clone()));
    *response.status_mut() = entry.status;
    let headers = response.headers_mut();
    *headers = data_headers(&entry.headers);
    headers.insert(AGE, HeaderValue::from(entry.lifetime.age(now).as_secs()));
    headers.insert(CACHE_CONTROL, REVALIDATE);
    allow_origin(headers, request);
    response
}

/// Answers with a shared fetch.
pub(super) fn from_shared(answer: Answer, request: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::Shared(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    *headers = data_headers(&answer.headers);
    headers.insert(AGE, HeaderValue::from(0));
    headers.insert(CACHE_CONTROL, REVALIDATE);
    allow_origin(headers, request);
    response
}

/// Answers with what the upstream said, word for word; only what belongs to its
/// connection goes.
pub(super) fn from_upstream(answer: upstream::Answer, method: &Method) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    clean_response(method, head.status, &mut head.headers);
    let mut response = Response::new(Body::streamed(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    response
}

/// Answers that a rule reads are fetched without an Origin, so what a browser
/// needs is added for each reader, as the gateway would.
pub(super) fn add_reader_headers(headers: &mut HeaderMap, request: &HeaderMap) {
    // an answer that was not to be kept may say something stricter
    headers.entry(CACHE_CONTROL).or_insert(REVALIDATE);
    allow_origin(headers, request);
}

fn allow_origin(headers: &mut HeaderMap, request: &HeaderMap) {
    if request.contains_key(ORIGIN) {
        allow_any_origin(headers);
    }
}

/// Lets a browser's script read an answer, and of its headers what it may need.
pub(super) fn allow_any_origin(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

fn data_headers(kept: &[(HeaderName, HeaderValue)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(kept.len() + ADDED_HEADERS);
    for (index, (name, value)) in kept.iter().enumerate() {
        let comes_again = kept[..index].iter().any(|(earlier, _)| earlier == name);
        let (name, value) = (name.clone(), value.clone());
        if comes_again {
            headers.append(name, value);
        } else {
            // cheaper than appending
            headers.insert(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_LANGUAGE, CONTENT_TYPE};

    use super::*;

    #[test]
    fn a_header_that_comes_again_stays_in_order() {
        let kept = [
            (CONTENT_LANGUAGE, HeaderValue::from_static("fr")),
            (CONTENT_TYPE, HeaderValue::from_static("text/csv")),
            (CONTENT_LANGUAGE, HeaderValue::from_static("wo")),
            (CONTENT_LANGUAGE, HeaderValue::from_static("ff")),
        ];
        let headers = data_headers(&kept);
        assert_eq!(headers.get_all(CONTENT_LANGUAGE).iter().collect::<Vec<_>>(), ["fr", "wo", "ff"]);
        assert_eq!(headers[CONTENT_TYPE], "text/csv");
    }
}
