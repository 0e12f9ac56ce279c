//! Is this request well-formed enough to be served?
//!
//! hyper has already refused what is not HTTP. What it lets through and two
//! servers could read in two ways is refused here: framing, hosts, targets,
//! `Connection` lists, and headers that must not come twice. Whoever passes may
//! be planned, keyed and forwarded without asking any of this again.
//!
//! Pure, one pass over the headers, and no allocation.

use std::net::Ipv6Addr;

use http::header::UPGRADE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use super::path::is_ambiguous;
use crate::upstream::{connection_options, is_end_to_end};

/// The value of `Allow` on a 405, before `--extra-methods`.
pub const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Header lines in one request: what hyper allows on HTTP/1, held on HTTP/2 too.
const HEADER_LINES_MAX: usize = 100;

/// Names in all `Connection` headers together. Real clients send three.
const CONNECTION_NAMES_MAX: usize = 32;

/// Bytes of a declared body. Twice the largest object that Supabase Storage takes; beyond that a length
/// is an attack on somebody's arithmetic.
const DECLARED_BODY_BYTES_MAX: u64 = 1 << 40;

/// Bytes of a host name with its port: 253 for the name, and room for the rest.
const AUTHORITY_BYTES_MAX: usize = 260;

/// What later steps need to know about a request that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vetted<'a> {
    /// The host that the client meant, without userinfo; empty only on HTTP/1.0.
    pub authority: &'a str,
    /// The head announces a body. An HTTP/2 body may also come unannounced: ask the body itself as well.
    pub has_body: bool,
    /// A websocket handshake, for a route that is passed through.
    pub wants_upgrade: bool,
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The method is not one that Supabase has; methods are case-sensitive.
    #[error("this method is not served here")]
    MethodUnknown,
    /// CONNECT and TRACE are never served, not even as extra methods.
    #[error("tunnels and traces are not served here")]
    MethodForbidden,
    /// The request line names something other than a path: `*`, `host:port`, a bare word.
    #[error("the request target must be a path that starts with a slash")]
    TargetNotPath,
    /// The path has dot segments, or hides slashes or control characters in a table's name.
    #[error("the path contains dot segments, encoded slashes or control characters")]
    PathAmbiguous,
    /// The target's scheme is neither http nor https.
    #[error("the request target has a scheme other than http and https")]
    SchemeUnknown,
    /// The absolute target's scheme is not the one that this connection speaks.
    #[error("the request target has a scheme that this connection does not speak")]
    SchemeMisdirected,
    /// Nothing says which host is meant.
    #[error("the Host header is missing")]
    HostMissing,
    /// More than one Host header, equal or not.
    #[error("the Host header is repeated")]
    HostRepeated,
    /// Not a host name or address with an optional port: userinfo, lists, paths and bad ports end here.
    #[error("the host is not a name or an address with an optional port")]
    HostMalformed,
    /// An absolute target names another host than the Host header.
    #[error("the request target names another host than the Host header")]
    HostMisdirected,
    /// On HTTP/2, `:authority` and the Host header differ.
    #[error("the :authority and Host headers differ")]
    HostConflict,
    /// More header lines than any client has a use for.
    #[error("the request has too many headers")]
    HeadersTooMany,
    /// A header that decides who asks or which schema is meant came twice, or as a list.
    #[error("a header that may be sent only once is repeated")]
    HeaderRepeated,
    /// A name with `_` that some servers read as a header with `-` that matters.
    #[error("a header's name is another spelling of a protected one")]
    HeaderAliased,
    /// `Connection` would have an end-to-end header removed, such as `authorization`.
    #[error("the Connection header names an end-to-end header")]
    ConnectionNamesEndToEnd,
    /// `Connection` lists more names than any client has a use for.
    #[error("the Connection header names too many headers")]
    ConnectionTooLong,
    /// `Connection` holds something that is no header name.
    #[error("the Connection header is malformed")]
    ConnectionMalformed,
    /// The body is chunked twice, or more than one Transfer-Encoding was sent.
    #[error("the Transfer-Encoding header is repeated")]
    CodingRepeated,
    /// The body is coded in a way that is not `chunked` alone.
    #[error("the only transfer coding that is served is chunked")]
    CodingUnknown,
    /// Not one number, whatever the transport made of it.
    #[error("the Content-Length header is malformed")]
    LengthMalformed,
    /// The announced body is larger than anything Supabase takes.
    #[error("the announced body is too large")]
    BodyTooLarge,
    /// An expectation other than `100-continue`.
    #[error("the only expectation that is met is 100-continue")]
    ExpectationUnknown,
}

impl Fault {
    /// The status to answer with.
    pub fn status(self) -> StatusCode {
        match self {
            Fault::MethodUnknown | Fault::MethodForbidden => StatusCode::METHOD_NOT_ALLOWED,
            Fault::SchemeMisdirected | Fault::HostMisdirected => StatusCode::MISDIRECTED_REQUEST,
            Fault::HeadersTooMany => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Fault::CodingUnknown => StatusCode::NOT_IMPLEMENTED,
            Fault::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::ExpectationUnknown => StatusCode::EXPECTATION_FAILED,
            Fault::TargetNotPath
            | Fault::PathAmbiguous
            | Fault::SchemeUnknown
            | Fault::HostMissing
            | Fault::HostRepeated
            | Fault::HostMalformed
            | Fault::HostConflict
            | Fault::HeaderRepeated
            | Fault::HeaderAliased
            | Fault::ConnectionNamesEndToEnd
            | Fault::ConnectionTooLong
            | Fault::ConnectionMalformed
            | Fault::CodingRepeated
            | Fault::LengthMalformed => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether an HTTP/1 connection must be closed after the answer: the sender and we may not agree on
    /// where the next request begins, or the sender tries things. On HTTP/2 streams are framed apart.
    pub fn closes(self) -> bool {
        match self {
            // Well-framed and well-meant; hyper closes by itself if a body is left unread.
            Fault::MethodUnknown | Fault::PathAmbiguous => false,
            Fault::MethodForbidden
            | Fault::TargetNotPath
            | Fault::SchemeUnknown
            | Fault::SchemeMisdirected
            | Fault::HostMissing
            | Fault::HostRepeated
            | Fault::HostMalformed
            | Fault::HostMisdirected
            | Fault::HostConflict
            | Fault::HeadersTooMany
            | Fault::HeaderRepeated
            | Fault::HeaderAliased
            | Fault::ConnectionNamesEndToEnd
            | Fault::ConnectionTooLong
            | Fault::ConnectionMalformed
            | Fault::CodingRepeated
            | Fault::CodingUnknown
            | Fault::LengthMalformed
            | Fault::BodyTooLarge
            | Fault::ExpectationUnknown => true,
        }
    }

    /// A short name for labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::MethodUnknown => "method_unknown",
            Fault::MethodForbidden => "method_forbidden",
            Fault::TargetNotPath => "target_not_path",
            Fault::PathAmbiguous => "path_ambiguous",
            Fault::SchemeUnknown => "scheme_unknown",
            Fault::SchemeMisdirected => "scheme_misdirected",
            Fault::HostMissing => "host_missing",
            Fault::HostRepeated => "host_repeated",
            Fault::HostMalformed => "host_malformed",
            Fault::HostMisdirected => "host_misdirected",
            Fault::HostConflict => "host_conflict",
            Fault::HeadersTooMany => "headers_too_many",
            Fault::HeaderRepeated => "header_repeated",
            Fault::HeaderAliased => "header_aliased",
            Fault::ConnectionNamesEndToEnd => "connection_names_end_to_end",
            Fault::ConnectionTooLong => "connection_too_long",
            Fault::ConnectionMalformed => "connection_malformed",
            Fault::CodingRepeated => "coding_repeated",
            Fault::CodingUnknown => "coding_unknown",
            Fault::LengthMalformed => "length_malformed",
            Fault::BodyTooLarge => "body_too_large",
            Fault::ExpectationUnknown => "expectation_unknown",
        }
    }
}

/// Looks at the head of a request and says whether it may be served.
///
/// `is_tls` is what the connection speaks: an absolute target must agree with it. On HTTP/2 the scheme may
/// be either, because whoever ends TLS in front of us often passes the original one on.
pub fn vet<'a>(head: &'a Parts, extra_methods: &[Method], is_tls: bool) -> Result<Vetted<'a>, Fault> {
    vet_method(&head.method, extra_methods)?;
    if head.headers.len() > HEADER_LINES_MAX {
        return Err(Fault::HeadersTooMany);
    }
    let seen = vet_headers(&head.headers)?;
    let authority = match head.version {
        Version::HTTP_2 | Version::HTTP_3 => multiplexed_authority(&head.uri, seen.host)?,
        Version::HTTP_09 | Version::HTTP_10 => plain_authority(&head.uri, seen.host.or(Some("")), is_tls)?,
        _ => plain_authority(&head.uri, seen.host, is_tls)?,
    };
    vet_target(&head.uri)?;

    let upgradable = head.version == Version::HTTP_11 && head.method == Method::GET && !seen.has_body;
    let wants_upgrade = upgradable && seen.offers_upgrade && asks_for_websocket(&head.headers);
    Ok(Vetted { authority, has_body: seen.has_body, wants_upgrade })
}

/// What one pass over the headers brings to light.
#[derive(Default)]
struct Seen<'a> {
    host: Option<&'a str>,
    has_body: bool,
    offers_upgrade: bool,
    connection_names: usize,
    coding: bool,
    length: Option<u64>,
}

fn vet_method(method: &Method, extra_methods: &[Method]) -> Result<(), Fault> {
    const SERVED: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(Fault::MethodForbidden);
    }
    if SERVED.contains(method) || extra_methods.contains(method) {
        return Ok(());
    }
    Err(Fault::MethodUnknown)
}

fn vet_headers(headers: &HeaderMap) -> Result<Seen<'_>, Fault> {
    let mut seen = Seen::default();
    for (name, value) in headers {
        match name.as_str() {
            "host" => seen.take_host(value)?,
            "connection" => seen.take_connection(value)?,
            "transfer-encoding" => seen.take_coding(value)?,
            "content-length" => seen.take_length(value)?,
            "expect" => vet_expectation(value)?,
            "authorization" | "apikey" | "accept-profile" | "content-profile" => {
                vet_single(headers, name, value)?;
            }
            other => vet_spelling(other)?,
        }
    }
    Ok(seen)
}

impl<'a> Seen<'a> {
    fn take_host(&mut self, value: &'a HeaderValue) -> Result<(), Fault> {
        if self.host.is_some() {
            return Err(Fault::HostRepeated);
        }
        let host = value.to_str().map_err(|_| Fault::HostMalformed)?;
        vet_authority(host)?;
        self.host = Some(host);
        Ok(())
    }

    fn take_connection(&mut self, value: &HeaderValue) -> Result<(), Fault> {
        for option in connection_options(value) {
            self.connection_names += 1;
            if self.connection_names > CONNECTION_NAMES_MAX {
                return Err(Fault::ConnectionTooLong);
            }
            if !option.iter().all(|&byte| is_token_byte(byte)) {
                return Err(Fault::ConnectionMalformed);
            }
            if is_end_to_end(option) {
                return Err(Fault::ConnectionNamesEndToEnd);
            }
            self.offers_upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
        Ok(())
    }

    fn take_coding(&mut self, value: &HeaderValue) -> Result<(), Fault> {
        if self.coding {
            return Err(Fault::CodingRepeated);
        }
        self.coding = true;
        self.has_body = true;
        let coding = value.as_bytes().trim_ascii();
        if coding.eq_ignore_ascii_case(b"chunked") {
            return Ok(());
        }
        let only_chunked =
            coding.split(|&byte| byte == b',').all(|one| one.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        Err(if only_chunked { Fault::CodingRepeated } else { Fault::CodingUnknown })
    }

    fn take_length(&mut self, value: &HeaderValue) -> Result<(), Fault> {
        let length = decimal(value.as_bytes()).ok_or(Fault::LengthMalformed)?;
        if self.length.is_some_and(|earlier| earlier != length) {
            return Err(Fault::LengthMalformed);
        }
        if length > DECLARED_BODY_BYTES_MAX {
            return Err(Fault::BodyTooLarge);
        }
        self.length = Some(length);
        self.has_body |= length > 0;
        Ok(())
    }
}

/// Digits only; leading zeros are fine, because the length is written anew for the upstream.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // A number that does not fit is too large rather than malformed.
    Some(
        digits
            .iter()
            .fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))),
    )
}

fn vet_expectation(value: &HeaderValue) -> Result<(), Fault> {
    if value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
        return Ok(());
    }
    Err(Fault::ExpectationUnknown)
}

/// Refuses a second value, on its own line or behind a comma. Signatures of the S3 protocol have commas of
/// their own, so for `authorization` only bearer tokens are looked into.
fn vet_single(headers: &HeaderMap, name: &HeaderName, value: &HeaderValue) -> Result<(), Fault> {
    let mut lines = headers.get_all(name).iter();
    if lines.nth(1).is_some() {
        return Err(Fault::HeaderRepeated);
    }
    let bytes = value.as_bytes().trim_ascii();
    let may_list = name.as_str() == "authorization" && !starts_with_word(bytes, b"bearer");
    if !may_list && bytes.contains(&b',') {
        return Err(Fault::HeaderRepeated);
    }
    Ok(())
}

fn starts_with_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Refuses `content_length` and its like: CGI-like servers read `_` and `-` alike. Other names with `_` are
/// an application's own and pass through.
fn vet_spelling(name: &str) -> Result<(), Fault> {
    if !name.as_bytes().contains(&b'_') {
        return Ok(());
    }
    let mut dashed = [0_u8; ALIASED_NAME_BYTES_MAX];
    let Some(dashed) = dashed.get_mut(..name.len()) else { return Ok(()) };
    for (to, from) in dashed.iter_mut().zip(name.bytes()) {
        *to = if from == b'_' { b'-' } else { from };
    }
    if is_end_to_end(dashed) || matches!(&*dashed, b"connection" | b"upgrade" | b"te" | b"trailer") {
        return Err(Fault::HeaderAliased);
    }
    Ok(())
}

/// Bytes of the longest protected name, with room: longer names alias nothing.
const ALIASED_NAME_BYTES_MAX: usize = 64;

/// HTTP/1: the Host header rules, and an absolute target must agree with it.
fn plain_authority<'a>(uri: &Uri, host: Option<&'a str>, is_tls: bool) -> Result<&'a str, Fault> {
    let host = host.ok_or(Fault::HostMissing)?;
    let Some(target) = uri.authority() else { return Ok(host) };
    let Some(scheme) = uri.scheme_str() else { return Err(Fault::TargetNotPath) };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(Fault::SchemeUnknown),
    };
    vet_authority(target.as_str())?;
    if !same_authority(target.as_str(), host, default_port) {
        return Err(Fault::HostMisdirected);
    }
    if (scheme == "https") != is_tls {
        return Err(Fault::SchemeMisdirected);
    }
    Ok(host)
}

/// HTTP/2: `:authority` rules; a Host header may only repeat it.
fn multiplexed_authority<'a>(uri: &'a Uri, host: Option<&'a str>) -> Result<&'a str, Fault> {
    let default_port = match uri.scheme_str() {
        Some("http") => ":80",
        Some("https") => ":443",
        Some(_) => return Err(Fault::SchemeUnknown),
        None => "",
    };
    let Some(authority) = uri.authority() else { return host.ok_or(Fault::HostMissing) };
    vet_authority(authority.as_str())?;
    if host.is_some_and(|host| !same_authority(authority.as_str(), host, default_port)) {
        return Err(Fault::HostConflict);
    }
    Ok(authority.as_str())
}

fn same_authority(one: &str, other: &str, default_port: &str) -> bool {
    let bare = |authority: &'_ str| authority.len() - default_port_len(authority, default_port);
    one[..bare(one)].eq_ignore_ascii_case(&other[..bare(other)])
}

fn default_port_len(authority: &str, default_port: &str) -> usize {
    if authority.ends_with(default_port) { default_port.len() } else { 0 }
}

/// A name or an address with an optional port, and nothing else.
fn vet_authority(authority: &str) -> Result<(), Fault> {
    if authority.len() > AUTHORITY_BYTES_MAX {
        return Err(Fault::HostMalformed);
    }
    let port = if let Some(bracketed) = authority.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']').ok_or(Fault::HostMalformed)?;
        address.parse::<Ipv6Addr>().map_err(|_| Fault::HostMalformed)?;
        rest
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (name, rest) = authority.split_at(end);
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return Err(Fault::HostMalformed);
        }
        rest
    };
    if port.is_empty() || port.strip_prefix(':').is_some_and(is_port) {
        return Ok(());
    }
    Err(Fault::HostMalformed)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_port(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn vet_target(uri: &Uri) -> Result<(), Fault> {
    let target = uri.path_and_query().ok_or(Fault::TargetNotPath)?;
    if !target.as_str().starts_with('/') {
        return Err(Fault::TargetNotPath);
    }
    if is_ambiguous(target.path()) {
        return Err(Fault::PathAmbiguous);
    }
    Ok(())
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let mut offers = headers.get_all(UPGRADE).iter();
    let offer = offers.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    offer && offers.next().is_none()
}

#[cfg(test)]
mod tests;
