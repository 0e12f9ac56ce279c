//! May this answer be kept? Pure: head in, verdict out.

use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING,
};
use http::{StatusCode, Version, response};

use crate::key::Terms;

/// Why an answer is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Only 200, and 206 where the request asked for a part or a count, are answers to keep.
    Status,
    /// It sets a cookie that belongs to its caller.
    SetCookie,
    /// It says `no-store`, `no-cache`, `private`, that it is stale at once, or (as signed URLs do) when it ends.
    CacheControl,
    /// It varies by a header that was not part of the question.
    Vary,
    /// It is compressed although that was not asked for.
    Encoded,
    /// It carries `Proxy-Status`: an error made on the way.
    ProxyStatus,
    /// It is a query plan, or a page where data was asked for.
    MediaType,
    /// It ends when the connection does, so that a cut would look complete.
    Unframed,
    /// Its body is larger than `--max-body`.
    TooLarge,
    /// Its body took too long.
    TooSlow,
    /// Its body is an error object with a good status.
    ErrorObject,
    /// The store cannot say what is current, or is still owed what was changed without it.
    StoreAway,
    /// A write that may change it is under way, and `strict` lets nobody see both sides of that.
    BeingWritten,
    /// Something that it depends on has changed a moment ago, and a replica may not show that yet.
    ReplicaQuiet,
}

impl Refusal {
    /// Every reason, for tables and labels.
    pub const ALL: [Self; 14] = [
        Self::Status,
        Self::SetCookie,
        Self::CacheControl,
        Self::Vary,
        Self::Encoded,
        Self::ProxyStatus,
        Self::MediaType,
        Self::Unframed,
        Self::TooLarge,
        Self::TooSlow,
        Self::ErrorObject,
        Self::StoreAway,
        Self::BeingWritten,
        Self::ReplicaQuiet,
    ];

    /// For `Cache-Status`, labels and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::SetCookie => "set-cookie",
            Self::CacheControl => "cache-control",
            Self::Vary => "vary",
            Self::Encoded => "encoded",
            Self::ProxyStatus => "proxy-status",
            Self::MediaType => "media-type",
            Self::Unframed => "unframed",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::ErrorObject => "error-object",
            Self::StoreAway => "store-away",
            Self::BeingWritten => "being-written",
            Self::ReplicaQuiet => "replica-quiet",
        }
    }
}

/// What of an answer's head is kept.
#[derive(Debug)]
pub struct Admitted {
    /// 200 or 206.
    pub status: StatusCode,
    /// How old it was when it came.
    pub age: Duration,
    /// The headers that are data.
    pub headers: Arc<[(HeaderName, HeaderValue)]>,
}

/// How PostgREST names its error, beside the body.
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Room for the headers of most answers that are data.
const TYPICAL_HEADERS: usize = 4;

/// What PostgREST says of nearly every answer.
const USUAL_VALUES: [&str; 4] = ["application/json; charset=utf-8", "public", "*/*", "count=none"];

/// Cookies that a content delivery network in front of Supabase sets on its own
/// account; they say nothing about the caller's data and are never replayed.
const EDGE_COOKIES: [&str; 3] = ["__cf_bm=", "_cfuvid=", "__cfruid="];

/// Whether a header is part of an answer. Everything else is about one connection,
/// one moment or one caller, and is made for each response or left out.
fn is_data(name: &str) -> bool {
    match name {
        "content-type"
        | "content-location"
        | "content-disposition"
        | "content-language"
        | "content-profile"
        | "last-modified"
        | "preference-applied" => true,
        "content-range" => true, // supabase-js reads the count from it
        _ => false,
    }
}

/// Whether a header is kept: what is data, and of an answer that says itself how long it is kept all that is
/// not about one connection, one moment or one caller, or made for each response.
fn is_kept(name: &str, authority: Authority) -> bool {
    is_data(name) || (authority == Authority::Answer && !is_passing(name))
}

/// Whether the server says that a header is for this hop alone.
fn is_of_connection(name: &HeaderName, headers: &HeaderMap) -> bool {
    let mut named = headers.get_all(CONNECTION).iter().flat_map(list);
    named.any(|named| named.eq_ignore_ascii_case(name.as_str()))
}

/// Whether a header is about a connection, a moment or a caller.
fn is_passing(name: &str) -> bool {
    let exactly = [
        "age",
        "alt-svc",
        "cache-status",
        "connection",
        "content-encoding",
        "content-length",
        "keep-alive",
        "nel",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-connection",
        "proxy-status",
        "report-to",
        "retry-after",
        "server",
        "server-timing",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "vary",
        "via",
        "x-cache",
        "x-request-id",
    ];
    let of_a_kind = [
        "access-control-",
        "cf-",
        "sb-",
        "x-kong-",
        "x-envoy-",
        "x-amz-",
        "x-sb-",
        "ratelimit",
        "x-ratelimit",
    ];
    exactly.contains(&name) || of_a_kind.iter().any(|start| name.starts_with(start))
}

/// Whether a header tells an answer from another one with the same body.
pub(super) fn tells_apart(name: &HeaderName) -> bool {
    is_data(name.as_str()) || name == PROXY_STATUS
}

/// Which answers are kept at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Largest body.
    pub body_bytes_max: u64,
    /// Whether those are kept, too, that say that there is nothing.
    pub keeps_negative: bool,
    /// Who says how long they are kept.
    pub authority: Authority,
}

/// Who says whether and how long an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// A rule, as long as the answer does not forbid it.
    Rule,
    /// The answer itself, of which then all is kept that is about it. What its `Cache-Control` says is read
    /// elsewhere.
    Answer,
}

/// Judges an answer by its head.
pub fn judge(head: &response::Parts, terms: &Terms, bounds: Bounds) -> Result<Admitted, Refusal> {
    let headers = &head.headers;
    let is_negative = bounds.keeps_negative && may_be_negative(head);
    refuse_if(!is_negative && !is_kept_status(head.status, terms), Refusal::Status)?;
    refuse_if(bounds.authority == Authority::Answer && is_piece(head), Refusal::Status)?;
    let mut kept = Vec::with_capacity(TYPICAL_HEADERS);
    for (name, value) in headers {
        if is_negative && name == PROXY_STATUS {
            kept.push((name.clone(), own(value)));
            continue;
        }
        judge_header((name, value), headers, terms, bounds.authority)?;
        if is_kept(name.as_str(), bounds.authority) && !is_of_connection(name, headers) {
            kept.push((name.clone(), own(value)));
        }
    }
    refuse_if(is_unframed(head), Refusal::Unframed)?;
    refuse_if(
        content_length(headers).is_some_and(|length| length > bounds.body_bytes_max),
        Refusal::TooLarge,
    )?;
    Ok(Admitted { status: head.status, age: Duration::ZERO, headers: kept.into() })
}

/// A copy: the value is a slice of the connection's read buffer, which an entry must not
/// keep alive. What nearly every answer says needs no memory, and no counting of its users.
fn own(value: &HeaderValue) -> HeaderValue {
    let usual = USUAL_VALUES.iter().find(|usual| usual.as_bytes() == value.as_bytes());
    match usual {
        Some(usual) => HeaderValue::from_static(usual),
        None => HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone()),
    }
}

/// Refuses an answer for what one of its headers says.
fn judge_header(
    (name, value): (&HeaderName, &HeaderValue),
    headers: &HeaderMap,
    terms: &Terms,
    authority: Authority,
) -> Result<(), Refusal> {
    let is_its_own = authority == Authority::Answer;
    match name.as_str() {
        "cache-control" | "expires" if is_its_own => Ok(()),
        "vary" if is_its_own && varies_by_hidden_credentials(value, terms) => Err(Refusal::Vary),
        "proxy-status" => Err(Refusal::ProxyStatus),
        "set-cookie" => refuse_if(!is_edge_cookie(value), Refusal::SetCookie),
        "cache-control" => refuse_if(forbids_keeping(value), Refusal::CacheControl),
        // a signed URL ends at that moment, whatever a rule's ttl says; an age beside it counts instead
        "expires" => refuse_if(!has_age(headers), Refusal::CacheControl),
        "vary" => refuse_if(varies_beyond(value, terms), Refusal::Vary),
        "content-encoding" => refuse_if(is_encoded(value), Refusal::Encoded),
        "content-type" => refuse_if(is_other_media(value, terms), Refusal::MediaType),
        _ => Ok(()),
    }
}

/// The length the upstream announced, if it announced one.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn refuse_if(condition: bool, refusal: Refusal) -> Result<(), Refusal> {
    if condition { Err(refusal) } else { Ok(()) }
}

fn is_kept_status(status: StatusCode, terms: &Terms) -> bool {
    // PostgREST answers 206 for a Range and for a count that exceeds the page
    let asked_for_part = || terms.headers().iter().any(|(name, _)| name == "range" || name == "prefer");
    status == StatusCode::OK || (status == StatusCode::PARTIAL_CONTENT && asked_for_part())
}

/// Whether it is a piece of a file, which is cut from the whole where that is kept.
fn is_piece(head: &response::Parts) -> bool {
    head.headers.get(CONTENT_RANGE).is_some_and(|range| range.as_bytes().starts_with(b"bytes"))
}

/// Whether it may say that there is nothing; a 406 says in its body whether it does. PostgREST says on which
/// of its errors an answer rests, which is then part of what it says.
fn may_be_negative(head: &response::Parts) -> bool {
    match head.status {
        StatusCode::NOT_FOUND => true,
        StatusCode::NOT_ACCEPTABLE => {
            let about = head.headers.get(PROXY_STATUS).map(|value| value.as_bytes());
            about.is_none_or(|about| about.ends_with(b"PGRST116"))
        }
        _ => false,
    }
}

fn is_edge_cookie(cookie: &HeaderValue) -> bool {
    EDGE_COOKIES.iter().any(|name| cookie.as_bytes().starts_with(name.as_bytes()))
}

fn forbids_keeping(value: &HeaderValue) -> bool {
    list(value).any(|directive| {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" | "private" => true,
            "max-age" | "s-maxage" => value.trim().trim_matches('"').parse() == Ok(0_u64),
            _ => false,
        }
    })
}

fn has_age(headers: &HeaderMap) -> bool {
    let is_age = |directive: &str| {
        let name = directive.split('=').next().unwrap_or_default().trim();
        ["max-age", "s-maxage"].iter().any(|age| name.eq_ignore_ascii_case(age))
    };
    headers.get_all(CACHE_CONTROL).iter().flat_map(list).any(is_age)
}

fn varies_beyond(value: &HeaderValue, terms: &Terms) -> bool {
    // The fill asks for identity coding and sends no Origin: both are the same for every caller.
    let is_constant =
        |name: &str| ["accept-encoding", "origin"].iter().any(|same| name.eq_ignore_ascii_case(same));
    // A header that a caller may send is part of the question even when this caller did not send it.
    let is_asked = |name: &str| {
        let always = ["accept", "accept-profile", "prefer", "range", "authorization", "apikey"];
        always.iter().any(|known| name.eq_ignore_ascii_case(known))
            || terms.vary().iter().any(|known| name.eq_ignore_ascii_case(known.as_str()))
    };
    list(value).any(|name| !is_constant(name) && !is_asked(name))
}

/// Whether it depends on credentials that others who share it did not send.
fn varies_by_hidden_credentials(value: &HeaderValue, terms: &Terms) -> bool {
    let mut hidden = terms.credentials().iter();
    hidden.any(|(sent, _)| list(value).any(|name| name.eq_ignore_ascii_case(sent.as_str())))
}

fn is_encoded(value: &HeaderValue) -> bool {
    list(value).any(|coding| !coding.eq_ignore_ascii_case("identity"))
}

fn is_other_media(value: &HeaderValue, terms: &Terms) -> bool {
    let Ok(media) = value.to_str() else { return false };
    let media = media.to_ascii_lowercase();
    let asked_for_html = || {
        let accepts = terms.headers().iter().filter(|(name, _)| name == "accept");
        accepts.into_iter().any(|(_, value)| value.to_str().is_ok_and(|accept| accept.contains("text/html")))
    };
    media.contains("vnd.pgrst.plan") || (media.starts_with("text/html") && !asked_for_html())
}

fn is_unframed(head: &response::Parts) -> bool {
    let is_framed = head.headers.contains_key(CONTENT_LENGTH) || head.headers.contains_key(TRANSFER_ENCODING);
    head.version < Version::HTTP_11 || (head.version == Version::HTTP_11 && !is_framed)
}

fn list(value: &HeaderValue) -> impl Iterator<Item = &str> {
    // an unreadable value is refused by never matching what is allowed
    let items = value.to_str().unwrap_or("*").split(',');
    items.map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;

    fn terms(headers: &[(&'static str, &'static str)], vary: &[&'static str]) -> Terms {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let vary = vary.iter().map(|name| HeaderName::from_static(name)).collect();
        Terms::new(headers, Vec::new(), String::new(), vary)
    }

    const BOUNDS: Bounds = Bounds { body_bytes_max: 100, keeps_negative: false, authority: Authority::Rule };

    fn verdict(status: u16, headers: &[(&str, &str)], asked: &Terms) -> Result<Vec<String>, Refusal> {
        let mut response = Response::builder().status(status).header("content-length", "2");
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let (head, ()) = response.body(()).unwrap().into_parts();
        judge(&head, asked, BOUNDS)
            .map(|admitted| admitted.headers.iter().map(|(name, _)| name.to_string()).collect())
    }

    #[test]
    fn trap_50_to_52_56_57_61_64_only_plain_complete_answers_are_kept() {
        let plain = terms(&[("accept", "application/json")], &[]);
        for (status, headers, expected) in [
            (200, &[][..], Ok(())),
            (201, &[], Err(Refusal::Status)),
            (204, &[], Err(Refusal::Status)),
            (206, &[], Err(Refusal::Status)),
            (300, &[], Err(Refusal::Status)),
            (404, &[], Err(Refusal::Status)),
            (406, &[], Err(Refusal::Status)),
            (503, &[], Err(Refusal::Status)),
            (200, &[("set-cookie", "session=1")], Err(Refusal::SetCookie)),
            (200, &[("set-cookie", "__cf_bm=x; path=/")], Ok(())),
            (200, &[("set-cookie", "__cf_bm=x"), ("set-cookie", "a=b")], Err(Refusal::SetCookie)),
            (200, &[("cache-control", "no-store")], Err(Refusal::CacheControl)),
            (200, &[("cache-control", "Private")], Err(Refusal::CacheControl)),
            (200, &[("cache-control", "public, no-cache=\"set-cookie\"")], Err(Refusal::CacheControl)),
            (200, &[("cache-control", "max-age=0")], Err(Refusal::CacheControl)),
            (200, &[("cache-control", "max-age=60")], Ok(())),
            (200, &[("expires", "Wed, 21 Oct 2026 07:28:00 GMT")], Err(Refusal::CacheControl)),
            (200, &[("expires", "0"), ("cache-control", "public")], Err(Refusal::CacheControl)),
            (200, &[("expires", "0"), ("cache-control", "public, max-age=60")], Ok(())),
            (200, &[("vary", "Accept, Prefer, Range")], Ok(())),
            (200, &[("vary", "Accept-Encoding"), ("vary", "Origin")], Ok(())),
            (200, &[("vary", "*")], Err(Refusal::Vary)),
            (200, &[("vary", "Accept, X-New")], Err(Refusal::Vary)),
            (200, &[("content-encoding", "gzip")], Err(Refusal::Encoded)),
            (200, &[("content-encoding", "identity")], Ok(())),
            (200, &[("proxy-status", "PostgREST; error=PGRST000")], Err(Refusal::ProxyStatus)),
            (200, &[("content-type", "application/vnd.pgrst.plan+json")], Err(Refusal::MediaType)),
            (200, &[("content-type", "text/html; charset=utf-8")], Err(Refusal::MediaType)),
        ] {
            assert_eq!(verdict(status, headers, &plain).map(|_| ()), expected, "{status} {headers:?}");
        }
    }

    #[test]
    fn trap_53_a_part_is_kept_where_it_was_asked_for() {
        for asked in [terms(&[("range", "0-9")], &[]), terms(&[("prefer", "count=exact")], &[])] {
            assert!(verdict(206, &[("content-range", "0-9/90")], &asked).is_ok());
        }
    }

    #[test]
    fn what_may_say_that_there_is_nothing_is_kept_where_that_is_wanted() {
        let wanted = Bounds { keeps_negative: true, ..BOUNDS };
        let no_row = ("proxy-status", "PostgREST; error=PGRST116");
        for (status, header, expected) in [
            (404, None, Ok(())),
            (404, Some(("proxy-status", "PostgREST; error=PGRST205")), Ok(())),
            (404, Some(("cache-control", "no-store")), Err(Refusal::CacheControl)),
            (404, Some(("set-cookie", "a=1")), Err(Refusal::SetCookie)),
            (404, Some(("content-type", "text/html")), Err(Refusal::MediaType)),
            (406, None, Ok(())),
            (406, Some(no_row), Ok(())),
            (406, Some(("proxy-status", "PostgREST; error=PGRST106")), Err(Refusal::Status)),
            (400, None, Err(Refusal::Status)),
            (410, None, Err(Refusal::Status)),
            (503, None, Err(Refusal::Status)),
            (200, Some(no_row), Err(Refusal::ProxyStatus)),
        ] {
            let mut response = Response::builder().status(status).header("content-length", "2");
            if let Some((name, value)) = header {
                response = response.header(name, value);
            }
            let (head, ()) = response.body(()).unwrap().into_parts();
            let judged = judge(&head, &terms(&[], &[]), wanted).map(|_| ());
            assert_eq!(judged, expected, "{status} {header:?}");
        }
    }

    #[test]
    fn a_declared_header_may_vary() {
        let declared = terms(&[], &["x-app-version"]);
        assert!(verdict(200, &[("vary", "X-App-Version")], &declared).is_ok());
        assert_eq!(verdict(200, &[("vary", "X-App-Other")], &declared), Err(Refusal::Vary));
    }

    #[test]
    fn trap_62_only_data_headers_are_kept() {
        let sent = [
            ("content-type", "application/json"),
            ("content-range", "0-1/*"),
            ("date", "today"),
            ("server", "postgrest"),
            ("server-timing", "jwt;dur=1"),
            ("access-control-allow-origin", "https://a"),
            ("age", "9"),
            ("sb-request-id", "1"),
            ("set-cookie", "__cf_bm=x"),
        ];
        assert_eq!(verdict(200, &sent, &terms(&[], &[])).unwrap(), ["content-type", "content-range"]);
    }

    #[test]
    fn what_is_too_large_or_unframed_is_refused() {
        let asked = terms(&[], &[]);
        let head = |version, length: Option<&str>| {
            let mut response = Response::builder().version(version);
            if let Some(length) = length {
                response = response.header("content-length", length);
            }
            response.body(()).unwrap().into_parts().0
        };
        let judged = |version, length| judge(&head(version, length), &asked, BOUNDS).map(|_| ());
        assert_eq!(judged(Version::HTTP_11, Some("100")), Ok(()));
        assert_eq!(judged(Version::HTTP_11, Some("101")), Err(Refusal::TooLarge));
        assert_eq!(judged(Version::HTTP_11, None), Err(Refusal::Unframed));
        assert_eq!(judged(Version::HTTP_10, Some("1")), Err(Refusal::Unframed));
        assert_eq!(judged(Version::HTTP_2, None), Ok(()));
    }
}
