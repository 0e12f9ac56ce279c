//! Traps that show on the wire alone; `docs/traps.md` lists all.

use http::Method;
use serde_json::json;

use crate::support::client::absent;
use crate::support::origin::{status, text};
use crate::support::{contains, origin, proxy};

const CACHED: &str = "reads: [{ name: items, match: /rest/v1/items, ttl: 60s, scope: user }]";

#[tokio::test]
async fn trap_04_a_byte_range_cuts_no_json() {
    let origin = origin().route("GET /rest/v1/items", json!([{"id": 1}, {"id": 2}])).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    for expected in ["fwd=miss", "hit"] {
        let client = proxy.client().with("range", "bytes=0-4");
        let answer = client.get("/rest/v1/items").await.expect_status(200);
        answer.expect_header("cache-status", contains(expected)).expect_json(&json!([{"id": 1}, {"id": 2}]));
    }
    origin.saw("GET /rest/v1/items").times(1);
}

#[tokio::test]
async fn trap_05_and_13_a_head_fills_no_get_and_the_reverse() {
    let counted = status(200).header("content-type", "application/json").header("content-range", "0-14/15");
    let origin = origin()
        .route("HEAD /rest/v1/items", counted)
        .route("GET /rest/v1/items", json!([{"id": 1}]))
        .start()
        .await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let client = proxy.client().with("range", "0-0").with("prefer", "count=exact");
    for _ in 0..2 {
        let head = client.head("/rest/v1/items").await.expect_status(200);
        head.expect_header("content-range", "0-14/15").expect_body("");
        let get = client.get("/rest/v1/items").await.expect_status(200);
        get.expect_header("content-range", absent()).expect_json(&json!([{"id": 1}]));
    }
    origin.saw("HEAD /rest/v1/items").times(2);
    origin.saw("GET /rest/v1/items").times(1);
}

#[tokio::test]
async fn trap_24_vary_is_not_what_keeps_callers_apart() {
    let answer = |name: &str| text(name.to_owned()).header("vary", "Accept, Prefer, Range");
    let origin = origin()
        .route("GET /rest/v1/items", answer("ann's"))
        .route("GET /rest/v1/items", answer("bo's"))
        .start()
        .await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    for _ in 0..2 {
        for (token, expected) in [("Bearer ann", "ann's"), ("Bearer bo", "bo's")] {
            proxy.client().with("authorization", token).get("/rest/v1/items").await.expect_body(expected);
        }
    }
    origin.saw("GET /rest/v1/items").times(2);
}

#[tokio::test]
async fn trap_58_59_63_each_reader_gets_headers_of_its_own() {
    let reflected = text("[]").header("access-control-allow-origin", "https://first.example");
    let origin = origin().route("GET /rest/v1/items", reflected).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    for _ in 0..2 {
        let server = proxy.client().get("/rest/v1/items").await;
        server
            .expect_header("access-control-allow-origin", absent())
            .expect_header("cache-control", "private, no-cache");
        for name in ["https://a.example", "https://b.example"] {
            let browser = proxy.client().with("origin", name).get("/rest/v1/items").await;
            browser
                .expect_header("access-control-allow-origin", "*")
                .expect_header("access-control-expose-headers", contains("Content-Range"))
                .expect_header("cache-control", "private, no-cache");
        }
    }
    let fetched = origin.saw("GET /rest/v1/items");
    assert_eq!(fetched.times(1).last().header("origin"), "");
}

#[tokio::test]
async fn trap_100_the_upstream_is_asked_by_its_own_name() {
    let origin = origin().table("items").start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    proxy.client().get("/rest/v1/items").await.expect_status(200);
    proxy.client().post("/rest/v1/items", json!({})).await.expect_status(201);
    for route in ["GET /rest/v1/items", "POST /rest/v1/items"] {
        assert_eq!(origin.saw(route).last().header("host"), origin.address.to_string(), "{route}");
    }
}

#[tokio::test]
async fn trap_103_every_preflight_is_the_upstreams() {
    let origin = origin()
        .route("OPTIONS /rest/v1/items", status(200).header("access-control-allow-headers", "first"))
        .route("OPTIONS /rest/v1/items", status(200).header("access-control-allow-headers", "second"))
        .start()
        .await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let client = proxy.client().with("origin", "https://a.example");
    for (asked, expected) in [("x-first", "first"), ("x-second", "second")] {
        let preflight =
            client.with("access-control-request-method", "GET").with("access-control-request-headers", asked);
        let answer = preflight.ask(Method::OPTIONS, "/rest/v1/items", "".into()).await.expect_status(200);
        answer.expect_header("access-control-allow-headers", expected);
    }
    assert_eq!(origin.saw("*").last().header("access-control-request-headers"), "x-second");
}
