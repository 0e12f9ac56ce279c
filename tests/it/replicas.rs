//! `replica_quiet`: is an answer kept that may come from a replica which has not heard of a write yet?

use std::time::Duration;

use serde_json::json;

use crate::redis::Redis;
use crate::support::client::Client;
use crate::support::origin::Origin;
use crate::support::{Proxy, contains, origin, proxy, soon};

const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";
const RULES: &str =
    "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token, replica_quiet: 2s }]";
const QUIET: &str = "fwd=miss; key=\"todos:\"; detail=replica-quiet";

async fn reads(proxy: &Proxy, row: &str, status: &'static str) {
    let answer = proxy.client().get(TARGET).await.expect_status(200).expect_json(&json!([row]));
    answer.expect_header("cache-status", contains(status));
}

async fn writes(proxy: &Proxy) {
    proxy.client().patch("/rest/v1/todos?id=eq.1", json!({"done": true})).await.expect_status(204);
}

/// A proxy that has noted changes for long enough.
async fn started() -> (Origin, Proxy) {
    let origin = origin().table("todos").table("users").start().await;
    origin.now(READ, json!(["old"]));
    let proxy = proxy(&origin).rules(RULES).start().await;
    proxy.wait(Duration::from_secs(2));
    (origin, proxy)
}

#[tokio::test]
async fn trap_86_what_a_lagging_replica_says_after_a_write_is_not_kept() {
    let (origin, proxy) = started().await;
    reads(&proxy, "old", "fwd=miss; stored").await;
    reads(&proxy, "old", "hit").await;
    writes(&proxy).await;
    // the replica has not heard of it
    reads(&proxy, "old", QUIET).await;
    proxy.wait(Duration::from_millis(1_500));
    reads(&proxy, "old", QUIET).await;
    origin.now(READ, json!(["new"]));
    reads(&proxy, "new", QUIET).await;
    proxy.wait(Duration::from_millis(500));
    reads(&proxy, "new", "fwd=miss; stored").await;
    reads(&proxy, "new", "hit").await;
    let refused = proxy.counted("larder_fills_refused_total", &["reason=\"replica-quiet\""]).await;
    assert_eq!((origin.saw(READ).count(), refused), (5, 0.0), "it was never begun");
}

#[tokio::test]
async fn a_table_that_nobody_had_read_is_quiet_too_and_others_are_not() {
    let (_origin, proxy) = started().await;
    proxy.client().patch("/rest/v1/users?id=eq.1", json!({"done": true})).await.expect_status(204);
    reads(&proxy, "old", "fwd=miss; stored").await;
    let (_origin, proxy) = started().await;
    writes(&proxy).await;
    reads(&proxy, "old", QUIET).await;
}

#[tokio::test]
async fn rules_that_begin_to_ask_wait_for_what_was_not_noted() {
    let origin = origin().table("todos").start().await;
    origin.now(READ, json!(["old"]));
    let proxy = proxy(&origin).rules(&RULES.replace(", replica_quiet: 2s", "")).start().await;
    writes(&proxy).await;
    proxy.rewrite_rules(RULES);
    Client::new(proxy.admin()).post("/api/rules/reload", json!({})).await.expect_status(200);
    reads(&proxy, "old", QUIET).await;
    proxy.wait(Duration::from_secs(2));
    reads(&proxy, "old", "fwd=miss; stored").await;
}

#[tokio::test]
async fn a_write_through_another_proxy_counts() {
    let (origin, redis) = (origin().table("todos").start().await, Redis::start(&[]));
    origin.now(READ, json!(["old"]));
    let start = async |members: f64| {
        let proxy = proxy(&origin).rules(RULES).variable("REDIS_URL", &redis.url()).start().await;
        let counted = async { while proxy.counted("larder_fleet_members", &[]).await != members {} };
        soon("everybody is in touch", counted).await;
        proxy
    };
    let (one, other) = (start(1.0).await, start(2.0).await);
    let wait = async || {
        other.wait(Duration::from_secs(2));
        // it hears of everything again
        other.until_counted("larder_lease_milliseconds", &[], |left| left > 0.0).await;
    };
    wait().await;
    reads(&other, "old", "fwd=miss; stored").await;
    writes(&one).await;
    reads(&other, "old", QUIET).await;
    wait().await;
    reads(&other, "old", "fwd=miss; stored").await;
}
