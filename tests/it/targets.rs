//! Whom does a request ask, and for what? Hosts, targets and methods, on HTTP/1 and HTTP/2.

use crate::support::multiplexed::{Ending, Stream, ask};
use crate::support::scripted::Arrival;
use crate::support::{case, check_all, proxy, scripted, send};

/// A GET of a target with this host line, or none.
fn get(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{host}\r\n\r\n")
}

#[tokio::test]
async fn a_request_means_one_host() {
    let hosts = |id, lines: &str| case(id, get("/a", lines));
    check_all(vec![
        hosts("B1 none", "X-A: 1"),
        hosts("B1 two", "Host: h\r\nHost: evil"),
        hosts("B1 twice", "Host: h\r\nHost: h"),
        hosts("B1 list", "Host: h, evil"),
        hosts("B1 user", "Host: h@evil"),
        hosts("B1 empty", "Host: "),
        hosts("B1 port", "Host: h:99999"),
        hosts("B1 path", "Host: h/.."),
        hosts("B1 bracket", "Host: [::1"),
        hosts("port", "Host: h:8080")
            .answered([200])
            .forwards("GET /a", "")
            .with("x-forwarded-host", ["h:8080"]),
        hosts("address", "Host: [::1]:1").answered([200]).forwards("GET /a", ""),
        case("HTTP/1.0", "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            .answered([200])
            .forwards("GET /a", "")
            .with("x-forwarded-host", []),
    ])
    .await;
}

#[tokio::test]
async fn absolute_targets_are_for_this_host_only() {
    let target = |id, target: &str| case(id, get(target, "Host: h"));
    check_all(vec![
        target("B2 http", "http://evil/a").refused([400, 421]),
        target("B2 https", "https://evil/a").refused([400, 421]),
        target("B2 user", "http://u:p@evil/a").refused([400, 421]),
        target("B2 own user", "http://u:p@h/a").refused([400, 421]),
        target("B2 ftp", "ftp://h/a").refused([400, 421]),
        target("B2 metadata", "http://169.254.169.254/").refused([400, 421]),
        target("B2 own https", "https://h/a").refused([400, 421]),
        target("B3", "http://h/a?b=1").answered([200]).forwards("GET /a?b=1", ""),
        target("B3 port", "http://H:80/a").answered([200]).forwards("GET /a", ""),
        target("B3 no path", "http://h").answered([200]).forwards("GET /", ""),
    ])
    .await;
}

#[tokio::test]
async fn an_absolute_target_and_a_path_share_one_answer() {
    let absolute = get("http://h/a", "Host: h");
    case("B3 key", get("/a", "Host: h") + &absolute)
        .rules("reads: [{ name: a, match: /a, ttl: 60s, scope: public }]")
        .answered([200, 200])
        .forwards("GET /a", "")
        .check()
        .await;
}

#[tokio::test]
async fn targets_are_paths_and_arrive_as_they_came() {
    let target = |id, target: &str| case(id, get(target, "Host: h"));
    let verbatim = |id, path: &str| target(id, path).answered([200]).forwards(&format!("GET {path}"), "");
    check_all(vec![
        target("B5 star", "*"),
        target("B5 word", "a"),
        target("B5 authority", "evil:80"),
        target("B5 user", "@evil/"),
        verbatim("B6 slashes", "//evil/a"),
        verbatim("B6 backslash", "/\\evil"),
        verbatim("B6 url", "/http://evil/"),
        verbatim("escapes", "/a%zz%00%0d%0a?x=%zz&&y;z=%20+"),
        case("raw UTF-8", get("/caf\u{e9}?x=\u{e9}", "Host: h"))
            .answered([200])
            .forwards("GET /caf\u{c3}\u{a9}?x=\u{c3}\u{a9}", ""),
        target("C2 fragment", "/a#frag").answered([200]).forwards("GET /a", ""),
        target("E17 dots", "/rest/v1/a/../b").answered([400]),
        target("E17 encoded dots", "/rest/v1/%2e%2e/b").answered([400]),
        target("E18 slash", "/rest/v1/a%2fb").answered([400]),
        target("E18 backslash", "/rest/v1/a%5Cb").answered([400]),
        target("E20 NUL", "/rest/v1/a%00").answered([400]),
        case("B7", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"),
    ])
    .await;
}

#[tokio::test]
async fn methods_that_supabase_does_not_have_are_refused() {
    let method =
        |id, method: &str| case(id, format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n")).answered([405]);
    check_all(vec![
        method("B12 get", "get"),
        method("B12 FOO", "FOO"),
        method("B12 PROPFIND", "PROPFIND"),
        method("B12 PURGE", "PURGE"),
        method("B12 TRACE", "TRACE").closed(),
        case("B4 name", "CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\nclient hello").refused([405]),
        case("B4 address", "CONNECT 127.0.0.1:6379 HTTP/1.1\r\nHost: h\r\n\r\nPING\r\n").refused([405]),
    ])
    .await;
}

#[tokio::test]
async fn other_methods_pass_where_they_are_asked_for() {
    let upstream = scripted().await;
    let proxy =
        proxy(&upstream).flags(|flags| flags.extra_methods = Some("PROPFIND".to_owned())).start().await;
    let mut client = proxy.raw().await;
    for (method, status) in [("PROPFIND", 200), ("propfind", 405), ("PURGE", 405)] {
        client.send(format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        assert_eq!(client.answer(method).await.unwrap().status, status, "{method}");
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn headers_cannot_replace_the_request_line() {
    let lines = |lines: &str| get("/a", &format!("Host: h\r\n{lines}"));
    check_all(vec![
        case(
            "B8 target",
            lines("X-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\nX-HTTP-Method-Override: DELETE"),
        )
        .answered([200])
        .forwards("GET /a", "")
        .with("x-original-url", [])
        .with("x-rewrite-url", [])
        .with("x-http-method-override", []),
        case(
            "B8 host",
            lines("X-Forwarded-Host: evil\r\nX-Forwarded-For: 127.0.0.1\r\nForwarded: for=evil\r\nX-Real-IP: 9.9.9.9"),
        )
        .answered([200])
        .forwards("GET /a", "")
        .with("x-forwarded-host", ["h"])
        .with("x-forwarded-for", ["127.0.0.1"])
        .with("forwarded", [])
        .with("x-real-ip", []),
    ])
    .await;
}

#[tokio::test]
async fn redirects_are_passed_and_never_followed() {
    let upstream = scripted().await;
    upstream.on(
        "/moved",
        [send("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")],
    );
    let proxy = proxy(&upstream).start().await;
    let answer = proxy.client().get("/moved").await;
    answer.expect_status(302).expect_header("location", "http://169.254.169.254/");
    assert_eq!(upstream.seen().len(), 1);
}

/// A GET on HTTP/2 with these pseudo-headers and headers.
fn multiplexed<'a>(path: &'a str, authority: &'a str, more: &[(&'a str, &'a str)]) -> Stream<'a> {
    let own = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", authority)];
    Stream { headers: [&own, more].concat(), ..Stream::default() }
}

/// Asks, and says how it ended and what had arrived whole upstream: request lines and bodies.
async fn end_of(stream: &Stream<'_>) -> (Ending, Vec<(String, Vec<u8>)>) {
    let upstream = scripted().await;
    let proxy = proxy(&upstream).start().await;
    let ending = ask(proxy.address(), stream).await;
    proxy.client().get("/clean").await.expect_status(200).expect_body("clean");
    upstream.settled().await;
    let seen = upstream.seen().into_iter().filter(|one| one.target() != "/clean");
    let whole = seen.filter(|one| one.state == Arrival::Whole);
    (ending, whole.map(|one| (one.line().to_owned(), one.body)).collect())
}

#[tokio::test]
async fn pseudo_headers_are_one_request_line() {
    let rows: &[(&str, Stream<'_>, Ending)] = &[
        ("C1 CRLF", multiplexed("/a HTTP/1.1\r\nX: y", "h", &[]), Ending::Refused),
        ("C1 space", multiplexed("/a b", "h", &[]), Ending::Refused),
        ("C1 NUL", multiplexed("/a\0", "h", &[]), Ending::Refused),
        ("C1 empty", multiplexed("", "h", &[]), Ending::Refused),
        ("C1 no slash", multiplexed("a", "h", &[]), Ending::Refused),
        ("C2 star", multiplexed("*", "h", &[]), Ending::Answered(400)),
        ("C5 conflict", multiplexed("/a", "h", &[("host", "evil")]), Ending::Answered(400)),
        ("C5 two hosts", multiplexed("/a", "h", &[("host", "h"), ("host", "h")]), Ending::Answered(400)),
        ("C5 user", multiplexed("/a", "u@evil", &[]), Ending::Answered(400)),
    ];
    for (id, stream, expected) in rows {
        let (ending, forwarded) = end_of(stream).await;
        assert_eq!(ending, *expected, "{id}");
        assert_eq!(forwarded, [], "{id}");
    }
    let with = |method, scheme, more: &[_]| {
        let own = [(":method", method), (":scheme", scheme), (":path", "/a")];
        Stream { headers: [&own, more].concat(), ..Stream::default() }
    };
    let rows: &[(&str, Stream<'_>, &[Ending])] = &[
        ("C3 space", with("GET /x", "http", &[(":authority", "h")]), &[Ending::Refused]),
        ("C3 CRLF", with("GET\r\n", "http", &[(":authority", "h")]), &[Ending::Refused]),
        ("C3 case", with("get", "http", &[(":authority", "h")]), &[Ending::Answered(405)]),
        (
            "C4 url",
            with("GET", "http://evil/?", &[(":authority", "h")]),
            &[Ending::Refused, Ending::Answered(400)],
        ),
        ("C4 ftp", with("GET", "ftp", &[(":authority", "h")]), &[Ending::Answered(400)]),
        ("C5 none", with("GET", "http", &[]), &[Ending::Answered(400)]),
    ];
    for (id, stream, expected) in rows {
        let (ending, forwarded) = end_of(stream).await;
        assert!(expected.contains(&ending), "{id}: {ending:?}");
        assert_eq!(forwarded, [], "{id}");
    }
}

#[tokio::test]
async fn headers_on_http_2_cannot_become_other_headers() {
    for (id, name, value, expected) in [
        ("C6 CRLF", "x-a", "1\r\nx-b: 2", Ending::Refused),
        ("C6 LF", "x-a", "1\nx-b: 2", Ending::Refused),
        ("C6 NUL", "x-a", "1\0", Ending::Refused),
        ("C6 colon", "x:a", "1", Ending::Refused),
        ("C6 space", "x a", "1", Ending::Refused),
        ("C6 upper case", "X-A", "1", Ending::Refused),
        ("C7 connection", "connection", "close", Ending::Refused),
        ("C7 coding", "transfer-encoding", "chunked", Ending::Refused),
        ("C7 te", "te", "gzip", Ending::Refused),
        ("C7 upgrade", "upgrade", "websocket", Ending::Refused),
        ("C7 keep-alive", "keep-alive", "timeout=5", Ending::Refused),
    ] {
        let (ending, forwarded) = end_of(&multiplexed("/a", "h", &[(name, value)])).await;
        assert_eq!(ending, expected, "{id}");
        assert_eq!(forwarded, [], "{id}");
    }
    for name in ["authorization", "apikey", "accept-profile"] {
        let (ending, forwarded) = end_of(&multiplexed("/a", "h", &[(name, "a"), (name, "b")])).await;
        assert_eq!((ending, forwarded), (Ending::Answered(400), vec![]), "C10 {name}");
    }
}

#[tokio::test]
async fn split_cookies_arrive_joined_and_trailers_not_at_all() {
    let upstream = scripted().await;
    let proxy = proxy(&upstream).start().await;
    let mut stream = multiplexed("/a", "h", &[("cookie", "a=1"), ("cookie", "b=2"), ("x-a", " padded ")]);
    stream.headers[0].1 = "POST";
    stream.data = Some(b"abc");
    stream.trailers = vec![("authorization", "Bearer evil"), ("x-b", "1")];
    assert_eq!(ask(proxy.address(), &stream).await, Ending::Answered(200));
    let seen = upstream.seen();
    assert_eq!((seen.len(), seen[0].line(), seen[0].body.as_slice()), (1, "POST /a HTTP/1.1", &b"abc"[..]));
    assert_eq!(seen[0].header("cookie"), ["a=1; b=2"]);
    assert_eq!(seen[0].header("x-a"), ["padded"]);
    assert_eq!(seen[0].header("authorization"), [""; 0]);
    assert_eq!(seen[0].header("x-b"), [""; 0]);

    stream.trailers = vec![(":path", "/evil")];
    let (_refused_or_ignored, forwarded) = end_of(&stream).await;
    let whole = ("POST /a HTTP/1.1".to_owned(), b"abc".to_vec());
    assert!(forwarded.is_empty() || forwarded == [whole], "C14 pseudo-header: {forwarded:?}");
}

#[tokio::test]
async fn a_length_on_http_2_is_the_body_s() {
    let post = |length: &'static str, data: &'static [u8]| {
        let mut stream = multiplexed("/a", "h", &[("content-length", length)]);
        stream.headers[0].1 = "POST";
        stream.data = Some(data);
        stream
    };
    for (id, stream) in
        [("C11", post("1", b"AGET /x HTTP/1.1\r\nHost: h\r\n\r\n")), ("C12 short", post("10", b"abc"))]
    {
        let (ending, forwarded) = end_of(&stream).await;
        assert_eq!((ending, forwarded), (Ending::Refused, vec![]), "{id}");
    }
    // A body of no bytes is complete as soon as its head has come.
    let (ending, forwarded) = end_of(&post("0", b"abc")).await;
    assert_eq!(ending, Ending::Refused, "C12 none");
    assert!(forwarded.iter().all(|(_, body)| body.is_empty()), "C12 none: {forwarded:?}");
    let (ending, forwarded) = end_of(&post("3", b"abc")).await;
    let whole = vec![("POST /a HTTP/1.1".to_owned(), b"abc".to_vec())];
    assert_eq!((ending, forwarded), (Ending::Answered(200), whole));
}

#[tokio::test]
async fn the_body_of_a_read_on_http_2_is_forwarded() {
    for announced in [&[("content-length", "3")][..], &[]] {
        let mut stream = multiplexed("/a", "h", announced);
        stream.data = Some(b"abc");
        let whole = vec![("GET /a HTTP/1.1".to_owned(), b"abc".to_vec())];
        assert_eq!(end_of(&stream).await, (Ending::Answered(200), whole), "C13 {announced:?}");
    }
}
