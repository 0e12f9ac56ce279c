//! Who is told that there were too many?

use std::time::Duration;

use serde_json::json;

use crate::support::client::absent;
use crate::support::{contains, origin, proxy};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 1h, scope: public }]\n";

#[tokio::test]
async fn the_fourth_in_a_minute_is_refused() {
    let origin = origin().table("todos").table("notes").start().await;
    let rules = format!("{CACHED}limits: [{{ name: per-ip, match: /rest/v1/todos, by: ip, rate: 3/1m }}]");
    let proxy = proxy(&origin).rules(&rules).start().await;
    let client = proxy.client().with("origin", "https://app");
    for left in ["2", "1", "0"] {
        let answer = client.get("/rest/v1/todos").await.expect_status(200);
        let answer = answer.expect_header("ratelimit-policy", "\"per-ip\";q=3;w=60");
        answer.expect_header("ratelimit", contains(&format!("\"per-ip\";r={left};t=6")));
    }
    for answer in [client.get("/rest/v1/todos").await, client.post("/rest/v1/todos", json!({})).await] {
        let refused = answer
            .expect_status(429)
            .expect_header("ratelimit", contains("\"per-ip\";r=0;t=6"))
            .expect_header("retry-after", contains("6"))
            .expect_header("access-control-allow-origin", "*")
            .expect_header("access-control-expose-headers", contains("Retry-After"));
        assert_eq!(refused.json()["code"], "LARDER429");
    }
    client.get("/rest/v1/notes").await.expect_status(200).expect_header("ratelimit", absent());
    client.ask(http::Method::OPTIONS, "/rest/v1/todos", "".into()).await.expect_header("ratelimit", absent());
    assert_eq!(proxy.counted("larder_limited_total", &["limit=\"per-ip\"", "result=\"refused\""]).await, 2.0);
    origin.saw("GET /rest/v1/todos").times(1);
    origin.saw("POST /rest/v1/todos").times(0);

    proxy.wait(Duration::from_secs(61));
    client.get("/rest/v1/todos").await.expect_status(200);
}

#[tokio::test]
async fn misses_are_counted_and_hits_are_free() {
    let origin = origin().table("todos").start().await;
    let rules =
        format!("{CACHED}limits: [{{ name: m, match: /rest/v1/todos, by: ip, rate: 2/1m, count: misses }}]");
    let proxy = proxy(&origin).rules(&rules).start().await;
    let client = proxy.client();
    for _ in 0..10 {
        client.get("/rest/v1/todos?id=eq.1").await.expect_status(200);
    }
    client.get("/rest/v1/todos?id=eq.2").await.expect_status(200).expect_header("ratelimit", contains("r=0"));
    client.get("/rest/v1/todos?id=eq.3").await.expect_status(429);
    client.post("/rest/v1/todos", json!({})).await.expect_status(429);
    client.get("/rest/v1/todos?id=eq.1").await.expect_header("cache-status", contains("hit"));
    origin.saw("*").times(2);
}

#[tokio::test]
async fn an_address_is_believed_from_trusted_proxies_only() {
    let origin = origin().table("todos").start().await;
    let rules = "limits: [{ name: per-ip, match: /**, by: ip, rate: 1/1m }]";
    let strict = proxy(&origin).rules(rules).start().await;
    for (address, status) in [("1.1.1.1", 200), ("2.2.2.2", 429)] {
        strict.client().with("x-forwarded-for", address).get("/rest/v1/todos").await.expect_status(status);
    }
    let trusting =
        proxy(&origin).rules(rules).flags(|flags| flags.trusted_proxies = Some("127.0.0.1".into()));
    let trusting = trusting.start().await;
    for (address, status) in [("1.1.1.1", 200), ("2.2.2.2", 200), ("1.1.1.1", 429), ("9.9.9.9, 2.2.2.2", 429)]
    {
        trusting.client().with("x-forwarded-for", address).get("/rest/v1/todos").await.expect_status(status);
    }
}

#[tokio::test]
async fn what_one_limit_refuses_another_does_not_count() {
    let origin = origin().table("todos").start().await;
    let rules = "limits: [{ name: wide, match: /**, by: ip, rate: 3/1m }, { name: posts, match: /**, methods: [POST], by: ip, rate: 1/1m }]";
    let proxy = proxy(&origin).rules(rules).start().await;
    let client = proxy.client();
    client.post("/rest/v1/todos", json!({})).await.expect_status(201);
    for _ in 0..5 {
        client.post("/rest/v1/todos", json!({})).await.expect_status(429);
    }
    for left in ["r=1", "r=0"] {
        client.get("/rest/v1/todos").await.expect_status(200).expect_header("ratelimit", contains(left));
    }
    client.get("/rest/v1/todos").await.expect_status(429);
}
