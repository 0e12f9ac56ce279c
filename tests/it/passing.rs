//! What travels on untouched, and what belongs to one hop? Hop-by-hop headers, tunnels, streams.

use crate::support::{case, check_all, proxy, scripted, send};

/// A GET with these lines.
fn get(lines: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n")
}

const CACHED: &str = "reads: [{ name: a, match: /a, ttl: 60s, scope: public, vary: [x-app-version] }]";

#[tokio::test]
async fn no_connection_header_removes_an_end_to_end_header() {
    let mut rows = vec![
        case("D1", get("Connection: authorization\r\nAuthorization: Bearer x")),
        case("D1 rule", get("Connection: authorization\r\nAuthorization: Bearer x")).rules(CACHED),
        case("D1 case", get("Connection: close, AUTHORIZATION\r\nAuthorization: Bearer x")),
        case(
            "D1 second line",
            get("Connection: close\r\nConnection: authorization\r\nAuthorization: Bearer x"),
        ),
    ];
    for (id, name) in [
        ("D2 apikey", "apikey"),
        ("D2 accept-profile", "accept-profile"),
        ("D2 prefer", "prefer"),
        ("D2 accept", "accept"),
        ("D2 range", "range"),
        ("D2 cookie", "cookie"),
        ("D2 idempotency-key", "idempotency-key"),
        ("D3 content-length", "content-length"),
        ("D3 transfer-encoding", "transfer-encoding"),
        ("D3 host", "host"),
        ("D4 x-forwarded-for", "x-forwarded-for"),
        ("D4 x-real-ip", "x-real-ip"),
        ("D4 own", "x-larder-anything"),
    ] {
        rows.push(case(id, get(&format!("Connection: {name}"))));
    }
    let many = vec!["x-a"; 33].join(", ");
    rows.push(case("D6 many", get(&format!("Connection: {many}"))));
    rows.push(case(
        "D6 lines",
        get(&format!("Connection: {}\r\nConnection: {}", &many[..100], &many[..100])),
    ));
    check_all(rows).await;
}

#[tokio::test]
async fn what_belongs_to_this_hop_is_removed() {
    let hop = "Keep-Alive: timeout=5\r\nTE: trailers\r\nTrailer: x\r\nProxy-Connection: keep-alive\r\n\
               Proxy-Authorization: Basic x\r\nUpgrade: h2c";
    check_all(vec![
        case("D5", get("Connection: close, x-foo\r\nX-Foo: 1\r\nX-Bar: 2"))
            .answered([200])
            .closed()
            .forwards("GET /a", "")
            .with("x-foo", [])
            .with("x-bar", ["2"])
            .with("connection", []),
        case("D6 odd lists", get("Connection: ,, x-foo ,\r\nConnection: X-Bar\r\nX-Foo: 1\r\nX-Bar: 2"))
            .answered([200])
            .forwards("GET /a", "")
            .with("x-foo", [])
            .with("x-bar", []),
        case("D7", get(hop))
            .answered([200])
            .forwards("GET /a", "")
            .with("keep-alive", [])
            .with("te", [])
            .with("trailer", [])
            .with("proxy-connection", [])
            .with("proxy-authorization", [])
            .with("upgrade", []),
    ])
    .await;
}

#[tokio::test]
async fn a_key_is_made_of_what_is_sent() {
    let named = get("Connection: x-app-version\r\nX-App-Version: 2");
    let plain = get("X-Other: 1");
    let versioned = get("X-App-Version: 2");
    check_all(vec![
        case("D5 key", named.clone() + &plain).rules(CACHED).answered([200, 200]).forwards("GET /a", ""),
        case("D5 other key", versioned.clone() + &named)
            .rules(CACHED)
            .answered([200, 200])
            .forwards("GET /a", "")
            .forwards("GET /a", ""),
        case("D9", versioned.clone() + &versioned).rules(CACHED).answered([200, 200]).forwards("GET /a", ""),
    ])
    .await;
}

#[tokio::test]
async fn an_answer_s_connection_header_removes_only_what_it_may() {
    let upstream = scripted().await;
    upstream.on(
        "/a",
        [send(
            "HTTP/1.1 200 OK\r\nConnection: content-type, cache-control, set-cookie, x-foo\r\n\
             Content-Type: text/plain\r\nCache-Control: no-store\r\nX-Foo: 1\r\nX-Bar: 2\r\n\
             Keep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok",
        )],
    );
    let proxy = proxy(&upstream).rules(CACHED).start().await;
    for _ in 0..2 {
        let mut client = proxy.raw().await;
        client.send(get("X-A: 1")).await;
        let answer = client.answer("GET").await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok"[..]));
        assert_eq!(answer.header("content-type"), ["text/plain"]);
        assert_eq!(answer.header("x-bar"), ["2"]);
        for gone in ["x-foo", "keep-alive", "connection"] {
            assert_eq!(answer.header(gone), [""; 0], "{gone}");
        }
    }
    assert_eq!(upstream.seen_at("/a").len(), 2, "no-store is not kept");
}

#[tokio::test]
async fn trap_96_a_websocket_is_a_tunnel_once_both_sides_have_agreed() {
    let upstream = scripted().await;
    let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Accept: yes\r\n\r\nfrom upstream";
    upstream.on("/realtime/v1/websocket?vsn=1", [send(agreed), crate::support::Step::Echo]);
    let proxy = proxy(&upstream).start().await;
    let mut client = proxy.raw().await;
    client
        .send(
            "GET /realtime/v1/websocket?vsn=1 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: key\r\n\r\nearly ",
        )
        .await;
    let answer = client.answer("GET").await.unwrap();
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("upgrade"), ["websocket"]);
    assert_eq!(answer.header("sec-websocket-accept"), ["yes"]);
    client.send("late").await;
    assert_eq!(client.exactly(23).await, b"from upstreamearly late".as_slice());
    client.shut().await;
    assert_eq!(client.rest().await, b"");

    let seen = upstream.seen();
    assert_eq!(seen[0].header("connection"), ["upgrade"]);
    assert_eq!(seen[0].header("upgrade"), ["websocket"]);
    assert_eq!(seen[0].header("sec-websocket-key"), ["key"]);
}

#[tokio::test]
async fn trap_97_an_answer_streams_while_it_comes() {
    let upstream = scripted().await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    upstream.on(
        "/functions/v1/events",
        [send(format!("{head}5\r\nfirst\r\n")), crate::support::Step::Hold, send("6\r\nsecond\r\n0\r\n\r\n")],
    );
    let proxy = proxy(&upstream).start().await;
    let mut client = proxy.raw().await;
    client.send("GET /functions/v1/events HTTP/1.1\r\nHost: h\r\n\r\n").await;
    client.until(b"first").await;
    upstream.release();
    client.until(b"second").await;
}

#[tokio::test]
async fn a_request_streams_while_it_comes() {
    let upstream = scripted().await;
    let proxy = proxy(&upstream).start().await;
    let mut client = proxy.raw().await;
    client.send("POST /storage/v1/object/b/o HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nfirst").await;
    upstream.until("the first half", |seen| seen.iter().any(|one| one.body == b"first")).await;
    client.send("other").await;
    assert_eq!(client.answer("POST").await.unwrap().status, 200);
    assert_eq!(upstream.seen()[0].body, b"firstother");
}
