//! What is asked again and again is answered from what each thread remembers of it. Does that show?

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::absent;
use crate::support::token::{SECRET, claims_of, signed};
use crate::support::{contains, origin, proxy};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: public }]";

/// More than it takes for anything to be remembered.
const OFTEN: usize = 64;

fn rows() -> Value {
    (0..100).map(|id| json!({ "id": id, "task": "water the plants" })).collect()
}

#[tokio::test]
async fn each_answer_says_how_old_it_is_now() {
    let origin = origin().route("GET /rest/v1/todos", rows()).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let client = proxy.client();
    client.get("/rest/v1/todos").await.expect_header("cache-status", contains("fwd=miss"));
    for (passed, age, left) in [(0, "0", 59), (3, "3", 56), (1, "4", 55)] {
        proxy.wait(Duration::from_secs(passed));
        for _ in 0..OFTEN {
            let answer = client.get("/rest/v1/todos").await.expect_status(200).expect_json(&rows());
            let status = format!("larder; hit; ttl={left}; key=\"todos:\"");
            answer.expect_header("age", age).expect_header("cache-status", &*status);
        }
    }
    origin.saw("GET /rest/v1/todos").times(1);
    let hits = proxy.counted("larder_requests_total", &["rule=\"todos\"", "outcome=\"hit\""]).await;
    assert_eq!(hits, 3.0 * OFTEN as f64);
}

#[tokio::test]
async fn every_kind_of_reader_goes_on_being_sent_what_is_theirs() {
    let origin = origin().route("GET /rest/v1/todos", rows()).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let plain = proxy.client().with("accept-encoding", "identity");
    let script = plain.with("origin", "https://app.example");
    let packed = proxy.client().with("accept-encoding", "gzip, identity;q=0");
    plain.get("/rest/v1/todos").await.expect_status(200);
    let first = plain.get("/rest/v1/todos").await.expect_json(&rows());
    let etag = first.headers["etag"].to_str().unwrap();
    let holder = plain.with("if-none-match", etag);
    for _ in 0..OFTEN {
        let answer = plain.get("/rest/v1/todos").await.expect_status(200).expect_json(&rows());
        answer.expect_header("etag", etag).expect_header("content-encoding", absent());
        let seen = script.get("/rest/v1/todos").await.expect_status(200).expect_json(&rows());
        let seen = seen.expect_header("access-control-allow-origin", "*").expect_header("etag", etag);
        let answer = plain.get("/rest/v1/todos").await.expect_header("access-control-allow-origin", absent());
        assert_eq!(answer.headers.len() + 2, seen.headers.len(), "{:?}", answer.headers);
        let answer = packed.get("/rest/v1/todos").await.expect_status(200);
        assert_ne!(answer.headers["etag"], etag);
        answer.expect_header("content-encoding", "gzip").expect_header("cache-status", contains("; hit;"));
        let answer = holder.get("/rest/v1/todos").await.expect_status(304).expect_header("etag", etag);
        answer.expect_header("cache-status", contains("; hit;")).expect_body("");
    }
    origin.saw("GET /rest/v1/todos").times(1);
}

#[tokio::test]
async fn a_write_is_seen_however_often_its_table_was_read() {
    let origin = origin().table("todos").start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let client = proxy.client();
    for round in 1..=3 {
        origin.now("GET /rest/v1/todos", json!([{ "round": round }]));
        client.patch("/rest/v1/todos?id=eq.1", json!({ "round": round })).await;
        for _ in 0..OFTEN {
            client.get("/rest/v1/todos").await.expect_json(&json!([{ "round": round }]));
        }
        origin.saw("GET /rest/v1/todos").times(round);
    }
}

/// A head that passed is known by every byte of it: what differs in one is looked at as if nothing had been.
#[tokio::test]
async fn what_nearly_is_a_known_read_is_looked_at_like_any_other() {
    let origin = origin().route("GET /rest/v1/todos", json!([1])).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let mut raw = proxy.raw().await;
    for _ in 0..OFTEN {
        raw.send("GET /rest/v1/todos HTTP/1.1\r\nHost: a.example\r\napikey: one\r\n\r\n").await;
        assert_eq!(raw.answer("GET").await.expect("an answer").status, 200);
    }
    for (lines, status, said) in [
        ("Host: a.example\r\napikey: one\r\n", 200, "; hit;"),
        ("Host: b.example\r\napikey: one\r\n", 200, "; hit;"),
        ("Host: a.example\r\napikey: two\r\n", 200, "fwd=miss"),
        ("Host: a.example\r\napikey: one\r\nPrefer: count=exact\r\n", 200, "fwd=miss"),
        ("Host: a.example\r\napikey: one\r\nCookie: a=b\r\n", 200, "fwd=bypass; detail=cookie"),
        ("Host: a.example\r\napikey: one\r\nContent-Length: 2\r\n", 200, "fwd=bypass; detail=body"),
        ("Host: a.example\r\napikey: one\r\napikey: one\r\n", 400, "refused"),
        ("Host: a.example\r\nHost: a.example\r\napikey: one\r\n", 400, "refused"),
        ("apikey: one\r\n", 400, "refused"),
    ] {
        let mut raw = proxy.raw().await;
        raw.send(format!("GET /rest/v1/todos HTTP/1.1\r\n{lines}\r\n[]")).await;
        let answer = raw.answer("GET").await.expect("an answer");
        assert_eq!(answer.status, status, "{lines}");
        assert!(answer.header("cache-status")[0].contains(said), "{lines}: {}", answer.head);
    }
}

#[tokio::test]
async fn a_token_that_has_ended_is_no_known_read_any_more() {
    const KEY: &str = "sb_publishable_abc";
    const MINE: &str = "reads: [{ name: mine, match: /rest/v1/todos, ttl: 1h }]";
    let origin = origin().route("GET /rest/v1/todos", json!(["of Ann"])).start().await;
    let proxy = proxy(&origin)
        .rules(MINE)
        .variable("SUPABASE_JWT_SECRET", SECRET)
        .variable("SUPABASE_PUBLISHABLE_KEY", KEY)
        .start()
        .await;
    let token = signed(&claims_of("ann", proxy.unix_seconds() + 100));
    let ann = proxy.client().with("apikey", KEY).with("authorization", &format!("Bearer {token}"));
    for _ in 0..OFTEN {
        ann.get("/rest/v1/todos").await.expect_json(&json!(["of Ann"]));
    }
    origin.saw("GET /rest/v1/todos").times(1);
    proxy.wait(Duration::from_secs(101));
    let said = contains("fwd=bypass; detail=expired-token");
    ann.get("/rest/v1/todos").await.expect_header("cache-status", said);
    origin.saw("GET /rest/v1/todos").times(2);
}
