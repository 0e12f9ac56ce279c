//! Where does a request begin and end? Bytes that servers disagree about, on HTTP/1.

use crate::support::{case, check_all, proxy, scripted, send};

/// A POST with these lines and what follows them.
fn post(lines: &str, after: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n{after}")
}

/// A GET with these lines and what follows them.
fn get(lines: &str, after: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n{after}")
}

/// A request that must never be seen upstream.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn a_length_and_a_coding_together_close_the_connection() {
    let hidden = format!("GPOST / HTTP/1.1\r\n{}", "x".repeat(74));
    assert_eq!(hidden.len(), 0x5c);
    check_all(vec![
        case("A1", post("Content-Length: 6\r\nTransfer-Encoding: chunked", &format!("0\r\n\r\nG{SMUGGLED}")))
            .answered([200])
            .closed()
            .forwards("POST /a", ""),
        case(
            "A2",
            post(
                "Transfer-Encoding: chunked\r\nContent-Length: 4",
                &format!("5c\r\n{hidden}\r\n0\r\n\r\n{SMUGGLED}"),
            ),
        )
        .answered([200])
        .closed()
        .forwards("POST /a", &hidden),
    ])
    .await;
}

#[tokio::test]
async fn codings_other_than_chunked_are_refused() {
    let coded = |id, line: &str| case(id, post(line, &format!("0\r\n\r\n{SMUGGLED}")));
    check_all(vec![
        coded("A3", "Transfer-Encoding : chunked"),
        coded("A4 value", "Transfer-Encoding:\r\n chunked"),
        coded("A4 line", "X-A: y\r\n Transfer-Encoding: chunked"),
        coded("A5 xchunked", "Transfer-Encoding: xchunked"),
        coded("A5 vertical tab", "Transfer-Encoding: \x0bchunked"),
        coded("A5 quoted", "Transfer-Encoding: \"chunked\""),
        coded("A5 parameter", "Transfer-Encoding: chunked;x=1"),
        coded("A5 empty", "Transfer-Encoding: "),
        coded("A11", "Transfer-Encoding: gzip, chunked").refused([400, 501]),
        coded("A12", "Transfer-Encoding: chunked, chunked"),
        coded("A13", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked").refused([400, 501]),
        coded("A14 lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
        coded("A14 list", "Transfer-Encoding: chunked, identity"),
        coded("A14 twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        case("A16", format!("POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}")),
        coded("A17 coding", "Transfer_Encoding: chunked\r\nContent-Length: 3"),
        coded("A17 length", "Content_Length: 3"),
        coded("A17 forwarded", "X_Forwarded_For: 127.0.0.1"),
    ])
    .await;
}

#[tokio::test]
async fn chunked_is_chunked_however_it_is_written() {
    let chunked = "3\r\nabc\r\n0\r\n\r\n";
    check_all(vec![
        case("A15 case", post("Transfer-Encoding: CHUNKED", chunked))
            .answered([200])
            .forwards("POST /a", "abc"),
        case("A15 tab", post("Transfer-Encoding:\tchunked", chunked))
            .answered([200])
            .forwards("POST /a", "abc"),
        case("A20", post("Transfer-Encoding: chunked", "3;foo=bar\r\nabc\r\n0;x\r\n\r\n"))
            .answered([200])
            .forwards("POST /a", "abc"),
        case("A22 blank behind", post("Transfer-Encoding: chunked", "3 \r\nabc\r\n0\r\n\r\n"))
            .answered([200])
            .forwards("POST /a", "abc"),
        case(
            "A25",
            post(
                "Transfer-Encoding: chunked\r\nTrailer: Authorization",
                "3\r\nabc\r\n0\r\nAuthorization: Bearer evil\r\nContent-Length: 99\r\nX-A: 1\r\n\r\n",
            ),
        )
        .answered([200])
        .forwards("POST /a", "abc")
        .with("authorization", [])
        .with("trailer", [])
        .with("x-a", []),
    ])
    .await;
}

#[tokio::test]
async fn lengths_are_one_number() {
    let long = |id, line: &str| case(id, post(line, "abc"));
    check_all(vec![
        long("A6", "Content-Length: 3\r\nContent-Length: 4"),
        long("A7", "Content-Length: 3\r\nContent-Length: 3")
            .answered([200])
            .forwards("POST /a", "abc")
            .with("content-length", ["3"]),
        long("A8 list", "Content-Length: 3, 3"),
        long("A8 plus", "Content-Length: +3"),
        long("A8 minus", "Content-Length: -1"),
        long("A8 hex", "Content-Length: 0x3"),
        long("A8 fraction", "Content-Length: 3.0"),
        long("A8 blank", "Content-Length:  "),
        long("A8 letter", "Content-Length: 3x"),
        long("A9", "Content-Length: 003")
            .answered([200])
            .forwards("POST /a", "abc")
            .with("content-length", ["3"]),
        long("A10 2^63", "Content-Length: 9223372036854775808").refused([400, 413, 431]),
        long("A10 2^64-1", "Content-Length: 18446744073709551615").refused([400, 413, 431]),
        long("A10 2^64", "Content-Length: 18446744073709551616").refused([400, 413, 431]),
        case("A18", format!("POST /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n{SMUGGLED}"))
            .answered([200, 200])
            .forwards("POST /a", "")
            .forwards("GET /smuggled", ""),
    ])
    .await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_a_shorter_whole_one() {
    let chunks = |id, chunks: &str| case(id, post("Transfer-Encoding: chunked", chunks)).broken_off();
    let extension = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(17 * 1024));
    check_all(vec![
        case("A19", post("Content-Length: 10", "abc")).ends().broken_off(),
        chunks("A21 lone LF", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
        chunks("A21 lone CR", "3;a\rb\r\nabc\r\n0\r\n\r\n"),
        chunks("A21 long", &extension),
        chunks("A22 hex", "0x3\r\nabc\r\n0\r\n\r\n"),
        chunks("A22 plus", "+3\r\nabc\r\n0\r\n\r\n"),
        chunks("A22 blank before", " 3\r\nabc\r\n0\r\n\r\n"),
        chunks("A22 overflow", "FFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"),
        chunks("A22 endless", "FFFFFFFFFFFFFFED\r\nabc\r\n0\r\n\r\n").ends(),
        chunks("A22 seventeen digits", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
        case(
            "A22 zeros",
            post("Transfer-Encoding: chunked", &format!("{}3\r\nabc\r\n0\r\n\r\n", "0".repeat(100_000))),
        )
        .answered([200])
        .forwards("POST /a", "abc"),
        chunks("A24 longer than its size", "3\r\nabcde\r\n0\r\n\r\n"),
        chunks("A24 no CRLF", "3\r\nabc0\r\n\r\n"),
        chunks("A24 bare LF", "3\nabc\n0\n\n"),
        chunks("A24 no last CRLF", "3\r\nabc\r\n0\r\n").ends(),
    ])
    .await;
}

#[tokio::test]
async fn the_body_of_a_read_is_never_the_next_request() {
    const CACHED: &str = "reads: [{ name: a, match: /a, ttl: 60s, scope: public }]";
    let length = format!("Content-Length: {}", SMUGGLED.len());
    check_all(vec![
        case("A26 length", get("Content-Length: 3", "abc"))
            .rules(CACHED)
            .answered([200])
            .forwards("GET /a", "abc"),
        case("A26 chunked", get("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"))
            .rules(CACHED)
            .answered([200])
            .forwards("GET /a", "abc"),
        case("A27", get("", "") + &get(&length, SMUGGLED))
            .rules(CACHED)
            .answered([200, 200])
            .forwards("GET /a", "")
            .forwards("GET /a", SMUGGLED),
    ])
    .await;
}

#[tokio::test]
async fn the_body_of_a_refused_request_is_never_the_next_request() {
    let with_body = |method: &str, target: &str, lines: &str| {
        let length = SMUGGLED.len();
        format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{lines}Content-Length: {length}\r\n\r\n{SMUGGLED}")
    };
    check_all(vec![
        case("A28 method", with_body("PROPFIND", "/a", "")).answered([405]),
        case("A28 path", with_body("POST", "/rest/v1/a%2Fb", "")).answered([400]),
        case("A28 host", with_body("POST", "/a", "Host: h\r\n")),
        case("A28 connection", with_body("POST", "/a", "Connection: authorization\r\n")),
        case("A28 expectation", with_body("POST", "/a", "Expect: 200-ok\r\n")).refused([417]),
        case("A28 two tokens", with_body("POST", "/a", "Authorization: a\r\nAuthorization: b\r\n")),
    ])
    .await;
}

#[tokio::test]
async fn upgrades_are_for_websockets() {
    let upgrade = |protocol: &str| format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}");
    check_all(vec![
        case("A30", get(&upgrade("websocket"), "") + SMUGGLED)
            .answered([200, 200])
            .forwards("GET /a", "")
            .forwards("GET /smuggled", ""),
        case("A32", get(&format!("{}\r\nHTTP2-Settings: AAMAAABkAAQAAP__", upgrade("h2c")), ""))
            .answered([200])
            .forwards("GET /a", "")
            .with("upgrade", [])
            .with("connection", []),
        case("A32 body", post(&format!("{}\r\nContent-Length: 3", upgrade("websocket")), "abc"))
            .answered([200])
            .forwards("POST /a", "abc")
            .with("upgrade", []),
    ])
    .await;
}

#[tokio::test]
async fn what_follows_a_refused_upgrade_is_not_tunnelled() {
    let upstream = scripted().await;
    let proxy = proxy(&upstream).start().await;
    let mut client = proxy.raw().await;
    client.send(get("Connection: upgrade\r\nUpgrade: websocket", "not a request\r\n\r\n")).await;
    assert_eq!(client.answer("GET").await.unwrap().status, 200);
    if let Some(refusal) = client.answer("GET").await {
        assert_eq!(refusal.status, 400);
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn only_a_wanted_body_is_asked_for() {
    check_all(vec![
        case("A33", post("Expect: 100-continue\r\nContent-Length: 3", "abc"))
            .answered([100, 200])
            .forwards("POST /a", "abc"),
        case("A33 unasked", post("Expect: 100-continue\r\nContent-Length: 3\r\nHost: evil", "")),
        case("A33 too large", post("Expect: 100-continue\r\nContent-Length: 2199023255552", ""))
            .refused([413]),
        case("A33 bogus", post("Expect: the-unexpected\r\nContent-Length: 3", "abc")).refused([417]),
    ])
    .await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let upstream = scripted().await;
    let say = |body: &str| send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    upstream.on("/one", [say("one")]).on("/two", [say("two!")]).on("/three", [say("three")]);
    let proxy = proxy(&upstream).start().await;
    let mut client = proxy.raw().await;
    let ask = |line: &str| format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n");
    client.send(ask("GET /one") + &ask("DELETE /two") + &ask("GET /three")).await;
    for expected in ["one", "two!", "three"] {
        assert_eq!(client.answer("GET").await.unwrap().body, expected.as_bytes());
    }
}

#[tokio::test]
async fn odd_line_ends_and_bytes() {
    check_all(vec![
        case("A35", "GET /a HTTP/1.1\nHost: h\nX-A: 1\n\n")
            .answered([200])
            .forwards("GET /a", "")
            .with("x-a", ["1"]),
        case("A36 CR", get("X-A: a\rb", "")),
        case("A36 NUL", get("X-A: a\0b", "")),
        case("A36 01", get("X-A: a\x01b", "")),
        case("A36 7f", get("X-A: a\x7fb", "")),
        case("A36 ff", [b"GET /a HTTP/1.1\r\nHost: h\r\nX-A: a\xffb\r\n\r\n".as_slice(), b""].concat())
            .answered([200])
            .forwards("GET /a", "")
            .with("x-a", ["a\u{ff}b"]),
    ])
    .await;
}
