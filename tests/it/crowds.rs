//! What if more is asked than the upstream should be asked at a time?

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::Client;
use crate::support::{contains, origin, proxy};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 1h, scope: token }]";
const READ: &str = "GET /rest/v1/todos";

fn todo(number: usize) -> String {
    format!("/rest/v1/todos?id=eq.{number}")
}

#[tokio::test]
async fn so_many_reads_ask_at_once_and_the_others_take_turns() {
    let origin = origin().route(READ, json!([])).table("todos").start().await;
    let proxy = proxy(&origin).rules(CACHED).flags(|flags| flags.max_fetches = "2".into()).start().await;
    let held = origin.hold(READ);
    let mut reading = JoinSet::new();
    for number in 0..5 {
        let client = proxy.client();
        reading.spawn(async move { client.get(&todo(number)).await });
    }
    proxy.until_counted("larder_reads_waiting", &[], |waiting| waiting == 3.0).await;
    origin.reached(READ, 2).await;
    // nobody else would have this answer: it does not wait
    proxy.client().patch(&todo(1), json!({})).await.expect_status(204);
    origin.saw(READ).times(2);
    held.release();
    for answer in reading.join_all().await {
        answer.expect_status(200).expect_header("cache-status", contains("stored"));
    }
    origin.saw(READ).times(5);
    assert_eq!(proxy.counted("larder_reads_waiting", &[]).await, 0.0);
    assert_eq!(proxy.counted("larder_reads_turned_away_total", &[]).await, 0.0);
}

#[tokio::test]
async fn whoever_comes_to_the_end_of_a_long_line_is_told_to_come_again() {
    let origin = origin().route(READ, json!([])).start().await;
    let proxy = proxy(&origin).rules(CACHED).flags(|flags| flags.max_fetches = "1".into()).start().await;
    let held = origin.hold(READ);
    let mut reading = JoinSet::new();
    for numbers in (0..1025).collect::<Vec<_>>().chunks(95) {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        let client: legacy::Client<_, Full<Bytes>> = builder.http2_only(true).build_http();
        for number in numbers {
            let uri: Uri = format!("http://{}{}", proxy.address(), todo(*number)).parse().unwrap();
            let asked = client.get(uri);
            reading.spawn(async move { asked.await.unwrap().status() });
        }
    }
    proxy.until_counted("larder_reads_waiting", &[], |waiting| waiting == 1024.0).await;
    let refused = proxy.client().get(&todo(2000)).await.expect_status(503);
    refused.clone().expect_header("retry-after", "1").expect_header("cache-status", contains("crowded"));
    assert_eq!(refused.json()["code"], "LARDER503");
    held.release();
    assert!(reading.join_all().await.iter().all(|status| *status == 200));
    origin.saw(READ).times(1025);
    assert_eq!(proxy.counted("larder_reads_turned_away_total", &[]).await, 1.0);
    assert_eq!(proxy.counted("larder_upstream_requests_total", &[]).await, 1025.0, "what was sent");
}

/// Fifty clients ask sixty times each: nine times of ten for one of a hundred things that everybody asks for, else for
/// one of ten thousand. Tells the share of hits; every answer must be one.
async fn asked(clients: &[Client], seed: usize) -> f64 {
    let mut asking = JoinSet::new();
    for (index, client) in clients.iter().cloned().enumerate() {
        let mut state = (seed * 1_000 + index) as u64;
        asking.spawn(async move {
            let mut hits = 0;
            for _ in 0..60 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let drawn = (state >> 33) as usize;
                let number =
                    if !drawn.is_multiple_of(10) { drawn / 10 % 100 } else { 100 + drawn / 10 % 10_000 };
                let answer = client.get(&todo(number)).await.expect_status(200);
                hits += usize::from(answer.headers["cache-status"].to_str().unwrap().contains("; hit;"));
            }
            hits
        });
    }
    asking.join_all().await.into_iter().sum::<usize>() as f64 / (clients.len() * 60) as f64
}

#[tokio::test]
async fn a_cache_that_lost_everything_is_full_again_and_the_upstream_is_asked_no_more_than_ever() {
    let origin = origin().route(READ, json!([])).start().await;
    let proxy = proxy(&origin).rules(CACHED).flags(|flags| flags.max_fetches = "8".into()).start().await;
    let clients: Vec<_> = (0..50).map(|_| proxy.client()).collect();
    asked(&clients, 1).await;
    let before = asked(&clients, 2).await;
    Client::new(proxy.admin()).post("/api/cache/clear", json!({"all": true})).await.expect_status(200);

    let (known, held) = (origin.saw(READ).count(), origin.hold(READ));
    let empty = {
        let clients = clients.clone();
        JoinSet::from_iter([async move { asked(&clients, 3).await }])
    };
    proxy.until_counted("larder_reads_waiting", &[], |waiting| waiting > 0.0).await;
    origin.reached(READ, known + 8).await;
    origin.saw(READ).times(known + 8);
    held.release();
    empty.join_all().await;

    let after = asked(&clients, 4).await;
    assert!(before > 0.8 && after > 0.9 * before, "{before} {after}");
    assert_eq!(proxy.counted("larder_reads_turned_away_total", &[]).await, 0.0);
}
