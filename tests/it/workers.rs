//! What if two clients live on different threads?
//!
//! Every test's proxy has two of them. The first connection goes to one, the second to the other,
//! for as long as both are open.

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::Client;
use crate::support::{contains, origin, proxy, scripted};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]";
const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";

/// A client whose connection stands, and stays.
async fn settled(client: Client) -> Client {
    client.get("/settled").await;
    client
}

#[tokio::test]
async fn what_one_thread_keeps_the_other_has_and_takes_away() {
    let origin = origin().route(READ, json!(["old"])).table("todos").start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let (here, there) = (settled(proxy.client()).await, settled(proxy.client()).await);
    origin.now(READ, json!(["old"]));
    here.get(TARGET).await.expect_json(&json!(["old"]));
    there.get(TARGET).await.expect_json(&json!(["old"])).expect_header("cache-status", contains("hit"));
    there.patch("/rest/v1/todos?id=eq.1", json!({"done": true})).await.expect_status(204);
    origin.now(READ, json!(["new"]));
    here.get(TARGET).await.expect_json(&json!(["new"]));
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn readers_on_both_threads_share_a_fetch() {
    let origin = origin().route(READ, json!([1])).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let clients = [settled(proxy.client()).await, settled(proxy.client()).await];
    let held = origin.hold(READ);
    let mut readers = JoinSet::new();
    for client in clients.into_iter().cycle().take(20) {
        readers.spawn(async move { client.get(TARGET).await });
    }
    origin.reached(READ, 1).await;
    held.release();
    for answer in readers.join_all().await {
        answer.expect_json(&json!([1]));
    }
    origin.saw(READ).times(1);
    assert_eq!(proxy.counted("larder_fills_total", &[]).await, 1.0);
}

#[tokio::test]
async fn each_thread_asks_the_upstream_over_a_connection_of_its_own() {
    let upstream = scripted().await;
    let proxy = proxy(&upstream).rules(CACHED).start().await;
    let (here, there) = (settled(proxy.client()).await, settled(proxy.client()).await);
    for _ in 0..3 {
        here.get("/here").await.expect_status(200);
        there.get("/there").await.expect_status(200);
    }
    let connections = |target: &str| {
        let mut numbers: Vec<_> = upstream.seen_at(target).iter().map(|seen| seen.connection).collect();
        numbers.dedup();
        numbers
    };
    let (of_here, of_there) = (connections("/here"), connections("/there"));
    assert_eq!((of_here.len(), of_there.len()), (1, 1), "{of_here:?} {of_there:?}");
    assert_ne!(of_here, of_there);
}
