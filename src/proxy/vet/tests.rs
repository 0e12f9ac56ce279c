//! Does the door let in what it should, and only that?

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, request};

use super::{Fault, Vetted, vet};

/// A head as hyper hands it over: request line, version, then `name: value` lines.
fn head(version: Version, method: &str, target: &str, lines: &[&str]) -> request::Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.version = version;
    head.method = Method::from_bytes(method.as_bytes()).unwrap();
    head.uri = target.parse::<Uri>().unwrap();
    head.headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        head.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    head
}

#[track_caller]
fn check(version: Version, method: &str, target: &str, lines: &[&str], expected: Result<Vetted<'_>, Fault>) {
    let head = head(version, method, target, lines);
    assert_eq!(vet(&head, &[], false), expected, "{version:?} {method} {target} {lines:?}");
}

/// HTTP/1.1 GET with these lines only.
#[track_caller]
fn get(lines: &[&str], expected: Result<Vetted<'_>, Fault>) {
    check(Version::HTTP_11, "GET", "/a", lines, expected);
}

/// HTTP/1.1 POST to host `h` with these lines too.
#[track_caller]
fn post(more: &[&str], expected: Result<Vetted<'_>, Fault>) {
    let lines = [&["host: h"], more].concat();
    check(Version::HTTP_11, "POST", "/a", &lines, expected);
}

const fn to(authority: &str) -> Result<Vetted<'_>, Fault> {
    Ok(Vetted { authority, has_body: false, wants_upgrade: false, takes_away: false })
}

const BODY: Result<Vetted<'static>, Fault> =
    Ok(Vetted { authority: "h", has_body: true, wants_upgrade: false, takes_away: false });

#[test]
fn methods() {
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        check(Version::HTTP_11, method, "/a", &["host: h"], to("h"));
    }
    for method in ["get", "Get", "FOO", "PROPFIND", "PURGE", "POST1"] {
        check(Version::HTTP_11, method, "/a", &["host: h"], Err(Fault::MethodUnknown));
    }
    check(Version::HTTP_11, "TRACE", "/a", &["host: h"], Err(Fault::MethodForbidden));
    check(Version::HTTP_11, "CONNECT", "evil:443", &["host: h"], Err(Fault::MethodForbidden));

    let extra = [Method::from_bytes(b"PROPFIND").unwrap(), Method::TRACE, Method::CONNECT];
    let asks =
        |method, target| vet(&head(Version::HTTP_11, method, target, &["host: h"]), &extra, false).err();
    assert_eq!(asks("PROPFIND", "/a"), None);
    assert_eq!(asks("propfind", "/a"), Some(Fault::MethodUnknown));
    assert_eq!(asks("TRACE", "/a"), Some(Fault::MethodForbidden));
    assert_eq!(asks("CONNECT", "evil:443"), Some(Fault::MethodForbidden));
}

#[test]
fn hosts() {
    for host in
        ["h", "H.test", "h:8080", "h.", "127.0.0.1:1", "[::1]", "[::1]:65535", "a_b.test", "xn--caf-dma.fr"]
    {
        get(&[&format!("host: {host}")], to(host));
    }
    for host in [
        "",
        " ",
        "h, evil",
        "h,evil",
        "h@evil",
        "u:p@evil",
        "h:",
        "h:0",
        "h:99999",
        "h:65536",
        "h:+1",
        "h:x",
        "h:80:80",
        "h/..",
        "h\\x",
        "h evil",
        "[::1",
        "[::1]x",
        "[evil]",
        "::1",
        "h?",
        "h#",
        "h%41",
        ":80",
        "h\t",
        "caf\u{e9}",
    ] {
        get(&[&format!("host: {host}")], Err(Fault::HostMalformed));
    }
    let long = format!("host: {}", "a".repeat(261));
    get(&[&long], Err(Fault::HostMalformed));
    get(&[], Err(Fault::HostMissing));
    get(&["host: h", "host: h"], Err(Fault::HostRepeated));
    get(&["host: h", "host: evil"], Err(Fault::HostRepeated));
    check(Version::HTTP_10, "GET", "/a", &[], to(""));
    check(Version::HTTP_10, "GET", "/a", &["host: h"], to("h"));
    check(Version::HTTP_10, "GET", "/a", &["host: h", "host: h"], Err(Fault::HostRepeated));
}

#[test]
fn targets() {
    let cases = [
        ("/", to("h")),
        ("/a?b=../c", to("h")),
        ("//evil/a", to("h")),
        ("/http://evil/", to("h")),
        ("http://h/a", to("h")),
        ("http://H:80/a", to("h")),
        ("http://h", to("h")),
        ("http://h:8080/a", Err(Fault::HostMisdirected)),
        ("http://evil/a", Err(Fault::HostMisdirected)),
        ("http://169.254.169.254/", Err(Fault::HostMisdirected)),
        ("http://hh/a", Err(Fault::HostMisdirected)),
        ("https://evil/a", Err(Fault::HostMisdirected)),
        ("https://h/a", Err(Fault::SchemeMisdirected)),
        ("http://u:p@h/a", Err(Fault::HostMalformed)),
        ("http://u:p@evil/a", Err(Fault::HostMalformed)),
        ("ftp://h/a", Err(Fault::SchemeUnknown)),
        ("ftp://evil/a", Err(Fault::SchemeUnknown)),
        ("*", Err(Fault::TargetNotPath)),
        ("a", Err(Fault::TargetNotPath)),
        ("evil:80", Err(Fault::TargetNotPath)),
        ("h", Err(Fault::TargetNotPath)),
    ];
    for (target, expected) in cases {
        check(Version::HTTP_11, "GET", target, &["host: h"], expected);
    }
    check(Version::HTTP_11, "OPTIONS", "*", &["host: h"], Err(Fault::TargetNotPath));

    let asks = |target| vet(&head(Version::HTTP_11, "GET", target, &["host: h"]), &[], true).err();
    assert_eq!(asks("https://h/a"), None);
    assert_eq!(asks("https://h:443/a"), None);
    assert_eq!(asks("http://h/a"), Some(Fault::SchemeMisdirected));
}

#[test]
fn multiplexed_hosts() {
    let cases: &[(&str, &[&str], Result<Vetted<'_>, Fault>)] = &[
        ("http://h/a", &[], to("h")),
        ("https://h/a", &[], to("h")),
        ("http://h/a", &["host: h"], to("h")),
        ("http://h/a", &["host: H:80"], to("h")),
        ("http://h/a", &["host: evil"], Err(Fault::HostConflict)),
        ("http://h/a", &["host: h", "host: h"], Err(Fault::HostRepeated)),
        ("http://u@evil/a", &[], Err(Fault::HostMalformed)),
        ("ftp://h/a", &[], Err(Fault::SchemeUnknown)),
        ("/a", &["host: h"], to("h")),
        ("/a", &[], Err(Fault::HostMissing)),
        ("*", &["host: h"], Err(Fault::TargetNotPath)),
    ];
    for (target, lines, expected) in cases {
        check(Version::HTTP_2, "GET", target, lines, *expected);
    }
}

#[test]
fn a_starred_path_on_http_2_is_no_path() {
    let mut star = http::uri::Parts::default();
    star.scheme = Some(http::uri::Scheme::HTTP);
    star.authority = Some("h".parse().unwrap());
    star.path_and_query = Some("*".parse().unwrap());
    let mut head = head(Version::HTTP_2, "GET", "/", &[]);
    head.uri = Uri::from_parts(star).unwrap();
    assert_eq!(vet(&head, &[], false), Err(Fault::TargetNotPath));
}

#[test]
fn framing() {
    post(&[], to("h"));
    post(&["content-length: 0"], to("h"));
    post(&["content-length: 3"], BODY);
    post(&["content-length: 003"], BODY);
    post(&["content-length: 3", "content-length: 3"], BODY);
    post(&["content-length: 3", "content-length: 03"], BODY);
    post(&["content-length: 1099511627776"], BODY);
    post(&["content-length: 3", "content-length: 4"], Err(Fault::LengthMalformed));
    for length in ["", "+3", "-1", "0x3", "3.0", "3x", "3, 3", " 3", "\u{663}"] {
        post(&[&format!("content-length: {length}")], Err(Fault::LengthMalformed));
    }
    for length in
        ["1099511627777", "9223372036854775808", "18446744073709551616", "99999999999999999999999999"]
    {
        post(&[&format!("content-length: {length}")], Err(Fault::BodyTooLarge));
    }
    for coding in ["chunked", "CHUNKED", "Chunked", " chunked "] {
        post(&[&format!("transfer-encoding: {coding}")], BODY);
    }
    for coding in
        ["gzip, chunked", "gzip", "identity", "identity, chunked", "chunked, identity", "xchunked", ""]
    {
        post(&[&format!("transfer-encoding: {coding}")], Err(Fault::CodingUnknown));
    }
    for coding in ["\"chunked\"", "chunked;x=1", "chunked,"] {
        post(&[&format!("transfer-encoding: {coding}")], Err(Fault::CodingUnknown));
    }
    post(&["transfer-encoding: chunked, chunked"], Err(Fault::CodingRepeated));
    post(&["transfer-encoding: chunked", "transfer-encoding: chunked"], Err(Fault::CodingRepeated));
    post(&["transfer-encoding: chunked", "transfer-encoding: identity"], Err(Fault::CodingRepeated));
    get(&["host: h", "content-length: 3"], BODY);
    get(&["host: h", "transfer-encoding: chunked"], BODY);
}

#[test]
fn connection_lists() {
    for options in ["close", "Keep-Alive", "keep-alive, Upgrade", ",,", ""] {
        post(&[&format!("connection: {options}")], to("h"));
    }
    for options in ["close, x-foo", "x-foo,,x-bar,", "TE, trailer"] {
        let taking = Vetted { authority: "h", has_body: false, wants_upgrade: false, takes_away: true };
        post(&[&format!("connection: {options}")], Ok(taking));
    }
    for name in [
        "authorization",
        "Authorization",
        "apikey",
        "accept",
        "accept-profile",
        "accept-encoding",
        "prefer",
        "range",
        "cookie",
        "idempotency-key",
        "content-length",
        "content-type",
        "content-profile",
        "transfer-encoding",
        "host",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-real-ip",
        "if-none-match",
        "origin",
        "x-larder-anything",
    ] {
        post(&[&format!("connection: {name}")], Err(Fault::ConnectionNamesEndToEnd));
        post(&[&format!("connection: close , {name}")], Err(Fault::ConnectionNamesEndToEnd));
        post(
            &["connection: close", &format!("connection: x-foo,{name}")],
            Err(Fault::ConnectionNamesEndToEnd),
        );
    }
    let many = |count| format!("connection: {}", vec!["close"; count].join(","));
    post(&[&many(32)], to("h"));
    post(&[&many(33)], Err(Fault::ConnectionTooLong));
    post(&[&many(20), &many(20)], Err(Fault::ConnectionTooLong));
    post(&["connection: x foo"], Err(Fault::ConnectionMalformed));
    post(&["connection: x:foo"], Err(Fault::ConnectionMalformed));
    post(&["connection: caf\u{e9}"], Err(Fault::ConnectionMalformed));
}

#[test]
fn names_with_underscores() {
    for name in [
        "content_length",
        "transfer_encoding",
        "transfer-encoding_",
        "x_forwarded_for",
        "x-forwarded_for",
        "x_real_ip",
        "accept_profile",
        "idempotency_key",
        "content_type",
        "x_original_url",
    ] {
        let expected = if name.ends_with('_') { to("h") } else { Err(Fault::HeaderAliased) };
        post(&[&format!("{name}: 1")], expected);
    }
    post(&["x_tenant: 1"], to("h"));
    post(&[&format!("{}_: 1", "a".repeat(200))], to("h"));
}

#[test]
fn headers_that_come_once() {
    for name in ["authorization", "apikey", "accept-profile", "content-profile"] {
        let (one, other) = (format!("{name}: a"), format!("{name}: b"));
        post(&[&one], to("h"));
        post(&[&one, &one], Err(Fault::HeaderRepeated));
        post(&[&one, "x-a: 1", &other], Err(Fault::HeaderRepeated));
    }
    post(&["authorization: Bearer a, Bearer b"], Err(Fault::HeaderRepeated));
    post(&["authorization: bearer a,b"], Err(Fault::HeaderRepeated));
    post(&["apikey: a,b"], Err(Fault::HeaderRepeated));
    post(&["authorization: AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c"], to("h"));
    post(&["prefer: count=exact", "prefer: tx=commit"], to("h"));
    post(&["cookie: a=1", "cookie: b=2"], to("h"));
}

#[test]
fn expectations() {
    post(&["expect: 100-continue"], to("h"));
    post(&["expect: 100-Continue"], to("h"));
    for bogus in ["200-ok", "", "100-continue, x"] {
        post(&[&format!("expect: {bogus}")], Err(Fault::ExpectationUnknown));
    }
}

#[test]
fn websockets() {
    let up: &[&str] = &["host: h", "connection: keep-alive, Upgrade", "upgrade: WebSocket"];
    let wanted = Ok(Vetted { authority: "h", has_body: false, wants_upgrade: true, takes_away: false });
    get(up, wanted);
    check(Version::HTTP_10, "GET", "/a", up, to("h"));
    check(Version::HTTP_11, "POST", "/a", up, to("h"));
    get(&["host: h", "upgrade: websocket"], to("h"));
    get(&["host: h", "connection: upgrade"], to("h"));
    get(&["host: h", "connection: upgrade", "upgrade: h2c"], to("h"));
    get(&["host: h", "connection: upgrade", "upgrade: websocket", "upgrade: h2c"], to("h"));
    get(&["host: h", "connection: upgrade", "upgrade: websocket", "content-length: 3"], BODY);
}

#[test]
fn header_lines_are_bounded() {
    let line = |at| format!("x-{at}: 1");
    let many: Vec<String> = (0..99).map(line).collect();
    let mut lines: Vec<&str> = many.iter().map(String::as_str).collect();
    lines.push("host: h");
    get(&lines, to("h"));
    lines.push("x-last: 1");
    get(&lines, Err(Fault::HeadersTooMany));
}

#[test]
fn statuses_and_closing() {
    let cases = [
        (Fault::MethodUnknown, StatusCode::METHOD_NOT_ALLOWED, false),
        (Fault::MethodForbidden, StatusCode::METHOD_NOT_ALLOWED, true),
        (Fault::HostMisdirected, StatusCode::MISDIRECTED_REQUEST, true),
        (Fault::CodingUnknown, StatusCode::NOT_IMPLEMENTED, true),
        (Fault::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE, true),
        (Fault::ExpectationUnknown, StatusCode::EXPECTATION_FAILED, true),
        (Fault::HeadersTooMany, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, true),
        (Fault::ConnectionNamesEndToEnd, StatusCode::BAD_REQUEST, true),
        (Fault::HostMissing, StatusCode::BAD_REQUEST, true),
    ];
    for (fault, status, closes) in cases {
        assert_eq!((fault.status(), fault.closes()), (status, closes), "{fault:?}");
        assert!(!fault.to_string().ends_with('.') && !fault.as_str().contains(' '));
    }
}
