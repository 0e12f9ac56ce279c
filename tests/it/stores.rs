//! Which stores can be shared, and what lies in them?

use serde_json::json;

use crate::redis::Redis;
use crate::stand_in;
use crate::support::origin::Origin;
use crate::support::{Proxy, contains, origin, proxy, soon};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]";
const SEALED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token, encrypt: true }]";
const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";
const KEYS: &str = "a:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

async fn todos() -> Origin {
    let origin = origin().table("todos").start().await;
    origin.now(READ, json!(["canary"]));
    origin
}

async fn is_used(proxy: &Proxy) {
    let up = async { while proxy.counted("larder_store_up", &[]).await < 1.0 {} };
    soon("the store is reached", up).await;
    proxy.client().get(TARGET).await.expect_json(&json!(["canary"]));
    let hit = async {
        while !proxy.client().get(TARGET).await.headers["cache-status"].to_str().unwrap().contains("hit") {}
    };
    soon("an answer is kept", hit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_over_http_is_shared_without_a_memory_above_it() {
    let (origin, redis) = (todos().await, Redis::start(&[]));
    let (url, mood) = stand_in::start(&redis.url()).await;
    let with = |proxy: crate::support::proxy::Builder| {
        let proxy = proxy.rules(CACHED).variable("UPSTASH_REDIS_REST_URL", &url);
        proxy.variable("UPSTASH_REDIS_REST_TOKEN", stand_in::TOKEN)
    };
    let one = with(proxy(&origin)).start().await;
    let other = with(proxy(&origin)).start().await;
    is_used(&one).await;
    is_used(&other).await;
    origin.saw(READ).times(1);
    let asked = mood.requests.load(std::sync::atomic::Ordering::Relaxed);
    one.client().get(TARGET).await.expect_header("cache-status", contains("hit"));
    let asked = mood.requests.load(std::sync::atomic::Ordering::Relaxed) - asked;
    assert!(asked >= 1, "nothing may be remembered where no change is heard of");
    one.client().patch("/rest/v1/todos?id=eq.1", json!({})).await.expect_status(204);
    origin.now(READ, json!(["new"]));
    other.client().get(TARGET).await.expect_json(&json!(["new"]));
}

#[tokio::test]
async fn a_user_with_the_documented_rights_may_do_all_that_is_needed() {
    let page = include_str!("../../docs/store.md");
    let line = page.lines().find_map(|line| line.trim().strip_prefix("ACL SETUSER ")).unwrap();
    let redis = Redis::start(&[]);
    let rights = line.split_whitespace().collect::<Vec<_>>();
    assert_eq!(redis.cli(&[&["acl", "setuser"], &rights[..]].concat()), "OK");
    let url = redis.url().replace("redis://", "redis://larder:password@");
    let origin = todos().await;
    let rules = CACHED.replace("scope: token", "scope: token, consistency: strict");
    let proxy = proxy(&origin).rules(&rules).variable("REDIS_URL", &url).start().await;
    is_used(&proxy).await;
    proxy.client().patch("/rest/v1/todos?id=eq.1", json!({})).await.expect_status(204);
    let beaten = async { while proxy.counted("larder_fleet_members", &[]).await < 1.0 {} };
    soon("a lease is kept", beaten).await;
    assert_eq!(proxy.counted("larder_store_failures", &[]).await, 0.0);
    assert_eq!(proxy.counted("larder_store_owed", &[]).await, 0.0);
}

#[tokio::test]
async fn what_a_rule_wants_sealed_nobody_reads_in_the_store() {
    let (origin, redis) = (todos().await, Redis::start(&[]));
    let start = |rules: &str| {
        let proxy = proxy(&origin).rules(rules).variable("REDIS_URL", &redis.url());
        proxy.variable("LARDER_ENCRYPTION_KEYS", KEYS)
    };
    let sealing = start(SEALED).start().await;
    is_used(&sealing).await;
    let name = redis.cli(&["--raw", "keys", "larder:todos:*"]);
    assert!(!redis.cli(&["get", &name]).contains("canary"), "it is sealed");
    let again = start(SEALED).start().await;
    is_used(&again).await;
    origin.saw(READ).times(1);

    let plain = start(CACHED).start().await;
    is_used(&plain).await;
    let names = redis.cli(&["--raw", "keys", "larder:todos:*"]);
    let other = names.lines().find(|other| **other != *name).unwrap();
    assert!(redis.cli(&["get", other]).contains("canary"), "other rules write what can be read");
}

#[tokio::test]
async fn a_record_that_was_tampered_with_is_a_miss() {
    let (origin, redis) = (todos().await, Redis::start(&[]));
    let start = || proxy(&origin).rules(CACHED).variable("REDIS_URL", &redis.url());
    is_used(&start().start().await).await;
    let name = redis.cli(&["--raw", "keys", "larder:todos:*"]);
    redis.cli(&["setrange", &name, "100", "!"]);
    let other = start().start().await;
    is_used(&other).await;
    assert_eq!(other.counted("larder_store_rejected_records", &[]).await, 1.0);
    origin.saw(READ).times(2);
}
