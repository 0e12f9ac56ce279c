//! What if several proxies share a store, and the store fails?

use std::time::Duration;

use larder::server::Drained;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::redis::Redis;
use crate::support::client::Answer;
use crate::support::origin::Origin;
use crate::support::{Proxy, contains, origin, proxy, soon};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]";
const STRICT: &str =
    "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token, consistency: strict }]";
const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";
const WRITTEN: &str = "/rest/v1/todos?id=eq.1";

/// An origin with a table, and what it says to readers.
async fn todos(rows: Value) -> Origin {
    let origin = origin().table("todos").start().await;
    origin.now(READ, rows);
    origin
}

/// A proxy that shares a store with others, once it is in touch with so many of them.
async fn sharing(origin: &Origin, redis: &Redis, rules: &str, members: usize) -> Proxy {
    let proxy = proxy(origin).rules(rules).variable("REDIS_URL", &redis.url()).start().await;
    in_touch(&proxy, members).await;
    proxy
}

async fn in_touch(proxy: &Proxy, members: usize) {
    let counted = async { while proxy.counted("larder_fleet_members", &[]).await != members as f64 {} };
    soon("everybody is in touch", counted).await;
}

async fn fleet(origin: &Origin, redis: &Redis, rules: &str) -> (Proxy, Proxy) {
    let one = sharing(origin, redis, rules, 1).await;
    let other = sharing(origin, redis, rules, 2).await;
    in_touch(&one, 2).await;
    (one, other)
}

async fn reads(proxy: &Proxy, expected: &Value, status: &'static str) {
    let answer = proxy.client().get(TARGET).await.expect_status(200).expect_json(expected);
    answer.expect_header("cache-status", contains(status));
}

async fn writes(proxy: &Proxy) {
    proxy.client().patch(WRITTEN, json!({"done": true})).await.expect_status(204);
}

/// A request that goes on beside the story.
fn beside(request: impl Future<Output = Answer> + Send + 'static) -> JoinSet<Answer> {
    JoinSet::from_iter([request])
}

async fn end(mut beside: JoinSet<Answer>) -> Answer {
    beside.join_next().await.expect("a request").expect("an answer")
}

#[tokio::test]
async fn what_one_proxy_fetched_another_serves() {
    let (origin, redis) = (todos(json!([1])).await, Redis::start(&[]));
    let (one, other) = fleet(&origin, &redis, CACHED).await;
    reads(&one, &json!([1]), "fwd=miss; stored").await;
    reads(&other, &json!([1]), "hit").await;
    reads(&other, &json!([1]), "hit").await;
    origin.saw(READ).times(1);
    assert_eq!(other.counted("larder_store_hits", &[]).await, 1.0, "the second hit is from memory");
    assert!(redis.cli(&["keys", "larder:todos:*"]).contains("larder:todos:"), "names are for people");
}

#[tokio::test]
async fn a_write_through_one_proxy_is_seen_through_every_other() {
    let (origin, redis) = (todos(json!([0])).await, Redis::start(&[]));
    let (one, other) = fleet(&origin, &redis, CACHED).await;
    let mut slowest = Duration::ZERO;
    for version in 1..=100 {
        reads(&other, &json!([version - 1]), "").await;
        reads(&other, &json!([version - 1]), "hit").await;
        origin.now(READ, json!([version]));
        let began = Instant::now();
        writes(&one).await;
        slowest = slowest.max(began.elapsed());
        reads(&other, &json!([version]), "fwd=miss").await;
        reads(&one, &json!([version]), "hit").await;
    }
    assert!(slowest < Duration::from_millis(900), "nobody's lease had to run out: {slowest:?}");
}

#[tokio::test]
async fn a_fetch_from_before_anothers_write_is_never_served_after_it() {
    let origin = todos(json!(["old"])).await;
    let redis = Redis::start(&[]);
    let (one, other) = fleet(&origin, &redis, CACHED).await;
    let held = origin.hold(READ);
    let client = other.client();
    let early = beside(async move { client.get(TARGET).await });
    origin.reached(READ, 1).await;
    writes(&one).await;
    origin.now(READ, json!(["new"]));
    held.release();
    end(early).await.expect_json(&json!(["old"]));
    reads(&one, &json!(["new"]), "fwd=miss").await;
    reads(&other, &json!(["new"]), "hit").await;
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn a_store_that_dies_costs_time_and_nothing_else() {
    let origin = todos(json!([0])).await;
    let mut redis = Redis::start(&[]);
    let (one, other) = fleet(&origin, &redis, CACHED).await;
    reads(&one, &json!([0]), "stored").await;
    reads(&other, &json!([0]), "hit").await;
    redis.kill();
    origin.now(READ, json!([1]));
    writes(&one).await;
    for proxy in [&one, &other] {
        let began = Instant::now();
        reads(proxy, &json!([1]), "detail=store-away").await;
        assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    }
    let began = Instant::now();
    writes(&one).await;
    assert!(began.elapsed() < Duration::from_millis(100), "whoever lost the store believes nothing by now");
    redis.start_again();
    let hits_again = async {
        while !other.client().get(TARGET).await.headers["cache-status"].to_str().unwrap().contains("hit") {}
    };
    soon("the store is used again", hits_again).await;
    // until then it cannot tell the other anything
    one.until_counted("larder_lease_milliseconds", &[], |left| left > 0.0).await;
    origin.now(READ, json!([2]));
    writes(&one).await;
    reads(&other, &json!([2]), "").await;
}

#[tokio::test]
async fn a_store_that_is_away_at_the_start_is_found_later() {
    let origin = todos(json!([0])).await;
    let mut redis = Redis::start(&[]);
    redis.kill();
    let proxy = proxy(&origin).rules(CACHED).variable("REDIS_URL", &redis.url()).start().await;
    reads(&proxy, &json!([0]), "detail=store-away").await;
    redis.start_again();
    in_touch(&proxy, 1).await;
    reads(&proxy, &json!([0]), "stored").await;
    reads(&proxy, &json!([0]), "hit").await;
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn what_was_known_before_a_proxy_was_cut_off_counts_for_nothing_after() {
    const OTHER: &str = "/rest/v1/notes";
    let origin = origin().table("todos").table("notes").start().await;
    origin.now(READ, json!([0]));
    let redis = Redis::start(&[]);
    let rules = "reads: [{ name: all, match: /rest/v1/*, ttl: 60s, scope: token }]";
    let (one, other) = fleet(&origin, &redis, rules).await;
    for target in [TARGET, OTHER] {
        for proxy in [&one, &other] {
            proxy.client().get(target).await.expect_status(200);
        }
    }
    redis.cli(&["client", "kill", "type", "pubsub"]);
    origin.now(READ, json!([1]));
    writes(&one).await;
    in_touch(&other, 2).await;
    other.client().get(OTHER).await.expect_status(200);
    reads(&other, &json!([1]), "stored").await;
}

#[tokio::test]
async fn what_a_stalled_store_was_not_told_it_is_told_later() {
    let origin = todos(json!([0])).await;
    let redis = Redis::start(&[]);
    let (one, other) = fleet(&origin, &redis, CACHED).await;
    reads(&other, &json!([0]), "stored").await;
    redis.pause();
    origin.now(READ, json!([1]));
    writes(&one).await;
    assert_eq!(one.counted("larder_store_owed", &[]).await, 1.0);
    reads(&other, &json!([1]), "detail=store-away").await;
    redis.go_on();
    let told = async { while one.counted("larder_store_owed", &[]).await > 0.0 {} };
    soon("the store is told", told).await;
    in_touch(&one, 2).await;
    in_touch(&other, 2).await;
    reads(&other, &json!([1]), "").await;
    reads(&one, &json!([1]), "").await;
}

#[tokio::test]
async fn under_strict_nobody_reads_from_the_cache_what_is_being_written() {
    let origin = todos(json!(["old"])).await;
    let redis = Redis::start(&[]);
    let (one, other) = fleet(&origin, &redis, STRICT).await;
    reads(&other, &json!(["old"]), "stored").await;
    reads(&other, &json!(["old"]), "hit").await;
    let held = origin.hold("PATCH /rest/v1/todos");
    let client = one.client();
    let writing = beside(async move { client.patch(WRITTEN, json!({"done": true})).await });
    origin.reached("PATCH /rest/v1/todos", 1).await;
    for proxy in [&one, &other] {
        reads(proxy, &json!(["old"]), "detail=being-written").await;
    }
    origin.now(READ, json!(["new"]));
    held.release();
    end(writing).await.expect_status(204);
    reads(&other, &json!(["new"]), "stored").await;
    reads(&one, &json!(["new"]), "hit").await;
    assert_eq!(redis.cli(&["keys", "{larder}:[pw]:*"]), "", "no marker is left behind");
    assert_eq!(redis.cli(&["exists", "{larder}:intents", "{larder}:intended"]), "0");
}

#[tokio::test]
async fn under_strict_nothing_is_written_that_cannot_be_announced() {
    let origin = todos(json!([0])).await;
    let mut redis = Redis::start(&[]);
    let proxy = sharing(&origin, &redis, STRICT, 1).await;
    redis.kill();
    let refused = proxy.client().patch(WRITTEN, json!({"done": true})).await.expect_status(503);
    assert_eq!(refused.json()["code"], "LARDER503");
    origin.saw("PATCH /rest/v1/todos").times(0);
    reads(&proxy, &json!([0]), "detail=store-away").await;
}

#[tokio::test]
async fn what_a_dead_process_announced_is_carried_out_at_its_deadline() {
    let origin = todos(json!([0])).await;
    let redis = Redis::start(&[]);
    let proxy = sharing(&origin, &redis, CACHED, 1).await;
    reads(&proxy, &json!([0]), "stored").await;
    reads(&proxy, &json!([0]), "hit").await;
    // what a process leaves behind that is killed between its upstream's commit and its answer
    let intended = r#"{"is_marked":false,"tags":["table:public.todos"]}"#;
    redis.cli(&["hset", "{larder}:intended", "00000000000000ab", intended]);
    redis.cli(&["zadd", "{larder}:intents", "1", "00000000000000ab"]);
    origin.now(READ, json!([1]));
    let swept = async { while proxy.client().get(TARGET).await.json() != json!([1]) {} };
    soon("somebody carries it out", swept).await;
    assert_eq!(redis.cli(&["exists", "{larder}:intents", "{larder}:intended"]), "0");
}

#[tokio::test]
async fn a_proxy_that_ends_is_not_waited_for() {
    let (origin, redis) = (todos(json!([0])).await, Redis::start(&[]));
    let (one, other) = fleet(&origin, &redis, CACHED).await;
    reads(&other, &json!([0]), "stored").await;
    let began = Instant::now();
    assert_eq!(other.shutdown().await, Drained::Everything);
    assert!(began.elapsed() < Duration::from_secs(5), "it ended after {:?}", began.elapsed());
    in_touch(&one, 1).await;
    let began = Instant::now();
    writes(&one).await;
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_store_that_starts_again_with_all_it_held_is_not_believed() {
    let origin = todos(json!(["old"])).await;
    let mut redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let one = sharing(&origin, &redis, CACHED, 1).await;
    reads(&one, &json!(["old"]), "stored").await;
    assert_eq!(one.shutdown().await, Drained::Everything);
    redis.start_again();
    assert!(redis.cli(&["keys", "larder:todos:*"]).contains("larder:todos:"), "the entry is there still");
    // what the last seconds before the end changed may be lost to it
    origin.now(READ, json!(["new"]));
    let other = sharing(&origin, &redis, CACHED, 1).await;
    reads(&other, &json!(["new"]), "fwd=miss; stored").await;
}

#[tokio::test]
async fn whoever_has_not_been_heard_of_for_a_while_asks_again() {
    let (origin, redis) = (todos(json!([0])).await, Redis::start(&[]));
    let one = sharing(&origin, &redis, CACHED, 1).await;
    let asked = async || one.counted("larder_store_look_ups", &[]).await;
    reads(&one, &json!([0]), "stored").await;
    reads(&one, &json!([0]), "hit").await;
    let before = asked().await;
    assert_eq!(before, 1.0, "under its lease it asks nobody");
    for _ in 0..20 {
        // as if the machine had slept; unless it beats just then, it knows that it may have missed something
        one.wait(Duration::from_secs(2));
        reads(&one, &json!([0]), "hit").await;
        if asked().await > before {
            return;
        }
    }
    panic!("memory was believed after its lease");
}
