//! `invalidate: { soft: … }`: who is served once more what a write has changed, and who never is?

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::support::client::{Answer, Client};
use crate::support::origin::{Origin, status};
use crate::support::{Proxy, contains, origin, proxy, soon};

const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";
const RULES: &str = "reads: [{ name: todos, match: /rest/v1/todos, key: \"list:{query}\", ttl: 60s, \
                     scope: token, consistency: bounded }]\n\
                     writes: [{ match: /rest/v1/todos, invalidate: { soft: [\"todos:list:*\"] } }]";
const ONCE_MORE: &str = "hit; ttl=-0; key=\"todos:list:\"; detail=softly-invalidated";

fn somebody(proxy: &Proxy, name: &str) -> Client {
    proxy.client().with("authorization", &format!("Bearer {name}"))
}

async fn reads(client: &Client, row: &str, status: &'static str) -> Answer {
    let answer = client.get(TARGET).await.expect_status(200).expect_json(&json!([row]));
    answer.expect_header("cache-status", contains(status))
}

async fn writes(client: &Client) {
    client.patch("/rest/v1/todos?id=eq.1", json!({"done": true})).await.expect_status(204);
}

async fn refreshed(proxy: &Proxy, result: &'static str, times: f64) {
    let labels = [["result=\"", result, "\""].concat()];
    let labels = labels.each_ref().map(String::as_str);
    soon(result, async { while proxy.counted("larder_refreshes_total", &labels).await < times {} }).await;
}

/// A list that a reader and a writer have, each their own.
async fn listed() -> (Origin, Proxy, [Client; 2]) {
    let origin = origin().table("todos").start().await;
    origin.now(READ, json!(["old"]));
    let proxy = proxy(&origin).rules(RULES).start().await;
    let both = ["reader", "writer"].map(|name| somebody(&proxy, name));
    for client in &both {
        reads(client, "old", "fwd=miss; stored").await;
        reads(client, "old", "hit; ttl=5").await;
    }
    (origin, proxy, both)
}

#[tokio::test]
async fn readers_are_served_once_more_while_one_fetches() {
    let (origin, proxy, [reader, writer]) = listed().await;
    origin.now(READ, json!(["new"]));
    writes(&writer).await;
    let held = origin.hold(READ);
    let mut readers = JoinSet::new();
    for _ in 0..20 {
        let client = reader.clone();
        readers.spawn(async move { reads(&client, "old", ONCE_MORE).await });
    }
    readers.join_all().await;
    origin.reached(READ, 3).await;
    held.release();
    refreshed(&proxy, "kept", 1.0).await;
    reads(&reader, "new", "hit; ttl=5").await;
    origin.saw(READ).times(3);
}

#[tokio::test]
async fn whoever_writes_is_never_served_what_was_before() {
    let (origin, proxy, [reader, writer]) = listed().await;
    origin.now(READ, json!(["new"]));
    writes(&writer).await;
    reads(&writer, "new", "fwd=miss; stored").await;
    reads(&writer, "new", "hit; ttl=5").await;
    reads(&reader, "old", ONCE_MORE).await;
    refreshed(&proxy, "kept", 1.0).await;

    // nor what was before the writes of others, as long as anything is left from before their own
    writes(&reader).await;
    origin.now(READ, json!(["newer"]));
    reads(&writer, "newer", "fwd=miss; stored").await;
}

#[tokio::test]
async fn where_nothing_takes_its_place_it_goes_all_the_same() {
    let (origin, proxy, [reader, writer]) = listed().await;
    origin.now(READ, status(503));
    writes(&writer).await;
    reads(&reader, "old", ONCE_MORE).await;
    refreshed(&proxy, "failed", 1.0).await;
    reader.get(TARGET).await.expect_status(503);
}

#[tokio::test]
async fn what_is_past_its_time_is_not_served_once_more() {
    let (origin, proxy, [reader, writer]) = listed().await;
    writes(&writer).await;
    proxy.wait(Duration::from_secs(61));
    origin.now(READ, json!(["new"]));
    reads(&reader, "new", "fwd=miss; stored").await;
}

#[tokio::test]
async fn a_second_write_is_answered_with_a_second_fetch() {
    let (origin, proxy, [reader, writer]) = listed().await;
    for (number, (before, after)) in [("old", "new"), ("new", "newer")].into_iter().enumerate() {
        origin.now(READ, json!([after]));
        writes(&writer).await;
        reads(&reader, before, ONCE_MORE).await;
        refreshed(&proxy, "kept", number as f64 + 1.0).await;
        reads(&reader, after, "hit; ttl=5").await;
    }
    origin.saw(READ).times(4);
}

#[tokio::test]
async fn what_also_goes_hard_is_gone() {
    let origin = origin().table("todos").start().await;
    origin.now(READ, json!(["old"]));
    let hard = RULES.replace("{ soft:", "{ hard: [\"todos:list:*\"], soft:");
    let proxy = proxy(&origin).rules(&hard).start().await;
    let (reader, writer) = (somebody(&proxy, "reader"), somebody(&proxy, "writer"));
    reads(&reader, "old", "stored").await;
    origin.now(READ, json!(["new"]));
    writes(&writer).await;
    reads(&reader, "new", "fwd=miss; stored").await;
}

#[tokio::test]
async fn a_writer_is_known_to_the_whole_fleet() {
    let (origin, redis) = (origin().table("todos").start().await, Redis::start(&[]));
    origin.now(READ, json!(["old"]));
    let start = async |members: f64| {
        let proxy = proxy(&origin).rules(RULES).variable("REDIS_URL", &redis.url()).start().await;
        let counted = async { while proxy.counted("larder_fleet_members", &[]).await != members {} };
        soon("everybody is in touch", counted).await;
        proxy
    };
    let (one, other) = (start(1.0).await, start(2.0).await);
    for name in ["reader", "writer"] {
        reads(&somebody(&one, name), "old", "stored").await;
        reads(&somebody(&other, name), "old", "hit").await;
    }
    origin.now(READ, json!(["new"]));
    writes(&somebody(&one, "writer")).await;
    soon("the other hears of it", async {
        let told = other.client().with("authorization", "Bearer reader");
        while !told.get(TARGET).await.headers["cache-status"].to_str().unwrap().contains(ONCE_MORE) {}
    })
    .await;
    refreshed(&other, "kept", 1.0).await;
    reads(&somebody(&other, "writer"), "new", "fwd=miss; stored").await;
    reads(&somebody(&one, "reader"), "new", "hit").await;
}
