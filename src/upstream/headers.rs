//! Which headers travel on, and which belong to one hop only?
//!
//! A request is cleaned before it is planned, so that a key is computed from
//! the headers that will be sent; a response is cleaned before anything decides
//! whether to keep it. Lengths and codings are dropped both ways: hyper writes
//! its own, from the body that is really there.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, response};

/// What RFC 9110 and its predecessors call hop-by-hop.
static HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

/// Headers that some servers obey in place of the request line; we judged the request line.
static TARGET_OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-original-uri"),
];

/// Headers by which SQL is told under which locks it runs: ours to say, nobody else's.
static GUARDS: [HeaderName; 2] =
    [HeaderName::from_static("x-larder-lock"), HeaderName::from_static("x-larder-fence")];

/// Headers that turn one method into another. Resumable uploads send them on POST, where they pass.
static METHOD_OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

/// The start of the names that no `Connection` header may have removed.
const END_TO_END_STARTS: [&[u8]; 8] =
    [b"accept", b"content-", b"access-control-", b"if-", b"x-forwarded-", b"sec-", b"upload-", b"x-larder-"];

/// The other names that no `Connection` header may have removed: whoever removes one changes who asks,
/// what is asked, or what may be kept.
const END_TO_END: [&[u8]; 48] = [
    b"age",
    b"apikey",
    b"authorization",
    b"cache-control",
    b"cache-status",
    b"cache-tag",
    b"cdn-cache-control",
    b"cf-connecting-ip",
    b"cookie",
    b"date",
    b"etag",
    b"expect",
    b"expires",
    b"forwarded",
    b"host",
    b"idempotency-key",
    b"last-modified",
    b"link",
    b"location",
    b"max-forwards",
    b"origin",
    b"pragma",
    b"prefer",
    b"preference-applied",
    b"range",
    b"range-unit",
    b"referer",
    b"retry-after",
    b"server",
    b"set-cookie",
    b"surrogate-control",
    b"traceparent",
    b"transfer-encoding",
    b"true-client-ip",
    b"tus-resumable",
    b"user-agent",
    b"vary",
    b"via",
    b"warning",
    b"www-authenticate",
    b"x-client-info",
    b"x-http-method-override",
    b"x-original-url",
    b"x-real-ip",
    b"x-region",
    b"x-rewrite-url",
    b"x-supabase-api-version",
    b"x-upsert",
];

/// Whether a header is meant for the other end, so that no hop may be told to remove it. Takes any case.
pub fn is_end_to_end(name: &[u8]) -> bool {
    let is = |known: &&[u8]| name.eq_ignore_ascii_case(known);
    let starts = |start: &&[u8]| name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    END_TO_END_STARTS.iter().any(starts) || END_TO_END.iter().any(is)
}

/// The names in one `Connection` header, without blanks and without empty ones.
pub fn connection_options(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
}

/// Removes what belongs to this hop: the hop-by-hop headers, and what `Connection` names, unless it is an
/// end-to-end header, which stays whatever a `Connection` header says.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let mut nominated = Vec::new();
    for value in headers.get_all(CONNECTION) {
        let names = connection_options(value).filter(|name| !is_end_to_end(name));
        nominated.extend(names.filter_map(|name| HeaderName::from_bytes(name).ok()));
    }
    for name in HOP_BY_HOP.iter().chain(&nominated) {
        headers.remove(name);
    }
}

/// Makes a vetted request fit for planning and for the upstream: what is left is what will be sent.
///
/// `Expect` goes because hyper answers it; `Content-Length` goes because hyper writes it. Cookies that
/// HTTP/2 split are joined, as HTTP/1 wants them.
pub fn clean_request(method: &Method, headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    headers.remove(CONTENT_LENGTH);
    headers.remove(EXPECT);
    for name in TARGET_OVERRIDES.iter().chain(&GUARDS) {
        headers.remove(name);
    }
    if method.is_safe() {
        for name in &METHOD_OVERRIDES {
            headers.remove(name);
        }
    }
    join_cookies(headers);
}

fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Header values joined by legal bytes are a header value.
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}

/// Makes an upstream's answer fit for keeping and for the client.
///
/// A length stays only where the answer has no body to measure: to HEAD, and on a 304.
pub fn clean_response(asked: &Method, status: StatusCode, headers: &mut HeaderMap) {
    let coded = headers.contains_key(TRANSFER_ENCODING);
    strip_hop_by_hop(headers);
    let measured = asked != Method::HEAD && status != StatusCode::NOT_MODIFIED;
    if measured || coded || !has_one_length(headers) {
        headers.remove(CONTENT_LENGTH);
    }
}

fn has_one_length(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next();
    let decimal = first.is_some_and(|length| length.as_bytes().iter().all(u8::is_ascii_digit));
    decimal && lengths.next().is_none()
}

/// Asks for, or agrees to, a switch of protocols: puts back what `clean_request` and `clean_response` took, on the two
/// messages of a handshake that passes through.
pub fn put_back_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Why an upstream's answer cannot be passed on, although hyper could read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// Coded in a way that is not `chunked` alone: hyper hands over the coded bytes.
    #[error("the upstream answered with a transfer coding other than chunked")]
    Coding,
    /// A 101 that nobody asked for: what follows is not HTTP.
    #[error("the upstream changed protocols unasked")]
    UnaskedUpgrade,
    /// A status outside 100 to 599.
    #[error("the upstream answered with a status that does not exist")]
    Status,
}

/// Looks at the head of an upstream's answer, before [`clean_response`], and says whether it can be passed on.
pub(super) fn vet_answer(answer: &response::Parts, asked_upgrade: bool) -> Result<(), BadAnswer> {
    if answer.status == StatusCode::SWITCHING_PROTOCOLS && !asked_upgrade {
        return Err(BadAnswer::UnaskedUpgrade);
    }
    if answer.status.as_u16() > 599 {
        return Err(BadAnswer::Status);
    }
    let mut codings = answer.headers.get_all(TRANSFER_ENCODING).iter();
    let chunked = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !chunked || codings.next().is_some() {
        return Err(BadAnswer::Coding);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn hop_by_hop_headers_go_and_end_to_end_headers_stay() {
        type Case = (&'static [(&'static str, &'static str)], &'static [&'static str]);
        let cases: &[Case] = &[
            (&[("accept", "a"), ("x-a", "1")], &["accept", "x-a"]),
            (
                &[
                    ("keep-alive", "timeout=5"),
                    ("te", "trailers"),
                    ("trailer", "x"),
                    ("proxy-connection", "close"),
                    ("proxy-authorization", "Basic x"),
                    ("proxy-authenticate", "Basic"),
                    ("upgrade", "h2c"),
                    ("http2-settings", "AAA"),
                    ("transfer-encoding", "chunked"),
                    ("connection", "close"),
                    ("x-a", "1"),
                ],
                &["x-a"],
            ),
            (&[("connection", "close, x-foo"), ("x-foo", "1"), ("x-bar", "2")], &["x-bar"]),
            (&[("connection", "x-a"), ("connection", ",, X-B ,"), ("x-a", "1"), ("x-b", "1")], &[]),
            (
                &[
                    ("connection", "content-type, cache-control, set-cookie, x-foo"),
                    ("content-type", "text/csv"),
                    ("cache-control", "no-store"),
                    ("set-cookie", "a=1"),
                    ("x-foo", "1"),
                ],
                &["cache-control", "content-type", "set-cookie"],
            ),
            (&[("connection", "not a name, x-foo"), ("x-foo", "1")], &[]),
        ];
        for (lines, left) in cases {
            let mut headers = map(lines);
            strip_hop_by_hop(&mut headers);
            assert_eq!(names(&headers), *left, "{lines:?}");
        }
    }

    #[test]
    fn end_to_end_names() {
        for name in [
            "authorization",
            "Authorization",
            "apikey",
            "accept",
            "Accept-Profile",
            "accept-encoding",
            "prefer",
            "range",
            "range-unit",
            "cookie",
            "idempotency-key",
            "content-length",
            "content-type",
            "host",
            "transfer-encoding",
            "x-forwarded-for",
            "x-forwarded-anything",
            "x-real-ip",
            "if-none-match",
            "sec-websocket-key",
            "set-cookie",
            "cache-control",
            "vary",
            "etag",
            "forwarded",
            "origin",
        ] {
            assert!(is_end_to_end(name.as_bytes()), "{name}");
        }
        for name in
            ["close", "keep-alive", "upgrade", "te", "trailer", "x-foo", "x", "", "http2-settings", "foo"]
        {
            assert!(!is_end_to_end(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_clean_request_has_no_framing_and_no_overrides() {
        let dirty = [
            ("content-length", "003"),
            ("expect", "100-continue"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("x-http-method-override", "PATCH"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("x-a", "1"),
        ];
        let mut read = map(&dirty);
        clean_request(&Method::GET, &mut read);
        assert_eq!(names(&read), ["cookie", "x-a"]);
        assert_eq!(read[COOKIE], "a=1; b=2");
        assert_eq!(read.get_all(COOKIE).iter().count(), 1);

        let mut write = map(&dirty);
        clean_request(&Method::POST, &mut write);
        assert_eq!(names(&write), ["cookie", "x-a", "x-http-method-override"]);
    }

    #[test]
    fn a_length_stays_only_where_no_body_can_be_measured() {
        type Case = (Method, u16, &'static [(&'static str, &'static str)], bool);
        let cases: &[Case] = &[
            (Method::GET, 200, &[("content-length", "2")], false),
            (Method::GET, 200, &[("content-length", "2"), ("transfer-encoding", "chunked")], false),
            (Method::GET, 204, &[("content-length", "5")], false),
            (Method::GET, 304, &[("content-length", "5")], true),
            (Method::HEAD, 200, &[("content-length", "5")], true),
            (Method::HEAD, 200, &[("content-length", "5"), ("content-length", "5")], false),
            (Method::HEAD, 200, &[("content-length", "5x")], false),
            (Method::HEAD, 200, &[("content-length", "5"), ("transfer-encoding", "chunked")], false),
        ];
        for (method, status, lines, kept) in cases {
            let mut headers = map(lines);
            clean_response(method, StatusCode::from_u16(*status).unwrap(), &mut headers);
            assert_eq!(headers.contains_key(CONTENT_LENGTH), *kept, "{method} {status} {lines:?}");
            assert!(!headers.contains_key(TRANSFER_ENCODING));
        }
    }

    #[test]
    fn answers_that_cannot_be_passed_on() {
        type Case = (u16, &'static [(&'static str, &'static str)], bool, Result<(), BadAnswer>);
        let cases: &[Case] = &[
            (200, &[], false, Ok(())),
            (200, &[("transfer-encoding", "Chunked")], false, Ok(())),
            (200, &[("transfer-encoding", "gzip")], false, Err(BadAnswer::Coding)),
            (200, &[("transfer-encoding", "gzip, chunked")], false, Err(BadAnswer::Coding)),
            (
                200,
                &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                false,
                Err(BadAnswer::Coding),
            ),
            (101, &[], false, Err(BadAnswer::UnaskedUpgrade)),
            (101, &[], true, Ok(())),
            (599, &[], false, Ok(())),
            (600, &[], false, Err(BadAnswer::Status)),
            (999, &[], false, Err(BadAnswer::Status)),
        ];
        for (status, lines, asked, expected) in cases {
            let (mut head, ()) = http::Response::new(()).into_parts();
            head.status = StatusCode::from_u16(*status).unwrap();
            head.headers = map(lines);
            assert_eq!(vet_answer(&head, *asked), *expected, "{status} {lines:?}");
        }
    }
}
