//! What do readers who are strict miss while a write is under way? No more than its words prove.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::support::{Proxy, contains, origin, proxy};

const RULES: &str = "\
reads: [{ name: todos, match: /rest/v1/todos, ttl: 1d, scope: token, consistency: strict }]
schema: { rows: { todos: [id] } }
";
const READ: &str = "GET /rest/v1/todos";
const WRITE: &str = "PATCH /rest/v1/todos";
const ONE: &str = "/rest/v1/todos?id=eq.1";
const OTHER: &str = "/rest/v1/todos?id=eq.2";
const LIST: &str = "/rest/v1/todos?order=id";

async fn reads(proxy: &Proxy, target: &str, status: &'static str) {
    proxy.client().get(target).await.expect_status(200).expect_header("cache-status", contains(status));
}

/// Three answers are kept, one row is written, and while that is under way all three are asked for.
async fn while_writing(body: Value, then: impl AsyncFnOnce(&Proxy)) {
    let (origin, redis) = (origin().table("todos").start().await, Redis::start(&[]));
    origin.now(READ, json!([{"id": 1}]));
    let start = async || proxy(&origin).rules(RULES).variable("REDIS_URL", &redis.url()).start().await;
    let fleet = [start().await, start().await];
    for proxy in &fleet {
        proxy.until_counted("larder_fleet_members", &[], |members| members == 2.0).await;
    }
    for target in [ONE, OTHER, LIST] {
        reads(&fleet[0], target, "stored").await;
        reads(&fleet[1], target, "hit").await;
    }
    let held = origin.hold(WRITE);
    let client = fleet[0].client();
    let writing = JoinSet::from_iter([async move { client.patch(ONE, body).await }]);
    origin.reached(WRITE, 1).await;
    then(&fleet[1]).await;
    held.release();
    writing.join_all().await.remove(0).expect_status(204);
    for target in [ONE, LIST] {
        reads(&fleet[1], target, "stored").await;
    }
    assert_eq!(redis.cli(&["keys", "{larder}:[pw]:*"]), "", "no marker is left behind");
}

#[tokio::test]
async fn a_body_that_moves_no_row_leaves_the_other_rows_to_the_cache() {
    while_writing(json!({"done": true}), async |proxy| {
        reads(proxy, ONE, "detail=being-written").await;
        reads(proxy, LIST, "detail=being-written").await;
        reads(proxy, OTHER, "hit").await;
    })
    .await;
}

#[tokio::test]
async fn a_body_that_may_move_a_row_anywhere_leaves_none() {
    while_writing(json!({"id": [2]}), async |proxy| {
        for target in [ONE, OTHER, LIST] {
            reads(proxy, target, "detail=being-written").await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_proxy_whose_clock_is_wrong_sees_a_write_all_the_same() {
    while_writing(json!({"done": true}), async |proxy| {
        // past the deadline of the write, by its own clock
        proxy.wait(Duration::from_secs(3600));
        reads(proxy, ONE, "detail=being-written").await;
        reads(proxy, OTHER, "hit").await;
    })
    .await;
}

#[tokio::test]
async fn a_marker_that_was_left_hides_nothing_for_ever() {
    let (origin, redis) = (origin().table("todos").start().await, Redis::start(&[]));
    let start = async || proxy(&origin).rules(RULES).variable("REDIS_URL", &redis.url()).start().await;
    let first = start().await;
    first.until_counted("larder_store_up", &[], |up| up == 1.0).await;
    reads(&first, LIST, "stored").await;
    let seconds: u64 = redis.cli(&["time"]).lines().next().unwrap().parse().unwrap();
    for (due, status) in [(seconds + 100, "detail=being-written"), (seconds - 100, "hit")] {
        redis.cli(&["set", "{larder}:p:table:public.todos", &(due * 1_000).to_string()]);
        // one that remembers nothing, and so asks
        let proxy = start().await;
        proxy.until_counted("larder_store_up", &[], |up| up == 1.0).await;
        reads(&proxy, LIST, status).await;
    }
}
