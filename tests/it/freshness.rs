//! What is served past its time, what is fetched before its time, and what never is?

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::support::client::Answer;
use crate::support::origin::{Origin, status};
use crate::support::{Proxy, contains, origin, proxy, soon};

const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";
const STALE: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token, \
                     stale: { while_revalidate: 30s, if_error: 10m } }]";
const REVALIDATED: &str = "stale-while-revalidate";
const EXCUSED: &str = "stale-if-error";

/// A table whose rows are remembered, and whose time is over.
async fn outdated(rules: &str) -> (Origin, Proxy) {
    let origin = origin().table("todos").start().await;
    origin.now(READ, json!(["old"]));
    let proxy = proxy(&origin).rules(rules).start().await;
    reads(&proxy, "old", "fwd=miss; stored").await;
    proxy.wait(Duration::from_secs(61));
    (origin, proxy)
}

async fn reads(proxy: &Proxy, row: &str, status: &'static str) -> Answer {
    let answer = proxy.client().get(TARGET).await.expect_status(200).expect_json(&json!([row]));
    answer.expect_header("cache-status", contains(status))
}

async fn writes(proxy: &Proxy) {
    proxy.client().patch("/rest/v1/todos?id=eq.1", json!({"done": true})).await.expect_status(204);
}

async fn refreshed(proxy: &Proxy, result: &'static str) {
    let labels = [["result=\"", result, "\""].concat()];
    let labels = labels.each_ref().map(String::as_str);
    soon(result, async { while proxy.counted("larder_refreshes_total", &labels).await < 1.0 {} }).await;
}

#[tokio::test]
async fn many_are_served_what_is_past_its_time_while_one_fetches() {
    let (origin, proxy) = outdated(STALE).await;
    let held = origin.hold(READ);
    origin.now(READ, json!(["new"]));
    let mut readers = JoinSet::new();
    for _ in 0..50 {
        let client = proxy.client();
        readers.spawn(async move { client.get(TARGET).await });
    }
    for answer in readers.join_all().await {
        let answer = answer.expect_status(200).expect_json(&json!(["old"])).expect_header("age", "61");
        answer
            .expect_header("cache-status", contains("larder; hit; ttl=-1; key="))
            .expect_header("cache-status", contains(REVALIDATED));
    }
    origin.reached(READ, 2).await;
    held.release();
    refreshed(&proxy, "kept").await;
    reads(&proxy, "new", "hit; ttl=5").await;
    origin.saw(READ).times(2);
    let served = ["rule=\"todos\"", "outcome=\"stale\""];
    assert_eq!(proxy.counted("larder_requests_total", &served).await, 50.0);
}

#[tokio::test]
async fn what_is_past_its_time_for_too_long_is_a_miss() {
    let (origin, proxy) = outdated(STALE).await;
    proxy.wait(Duration::from_secs(30));
    origin.now(READ, json!(["new"]));
    reads(&proxy, "new", "fwd=miss; stored").await;
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn nothing_is_served_past_its_time_after_a_write() {
    let (origin, proxy) = outdated(STALE).await;
    writes(&proxy).await;
    origin.now(READ, json!(["new"]));
    reads(&proxy, "new", "fwd=miss; stored").await;

    // nor where the upstream has no answer
    proxy.wait(Duration::from_secs(61));
    writes(&proxy).await;
    origin.now(READ, status(503));
    proxy.client().get(TARGET).await.expect_status(503);
}

#[tokio::test]
async fn a_refresh_that_a_write_overtook_is_not_kept() {
    let (origin, proxy) = outdated(STALE).await;
    let held = origin.hold(READ);
    reads(&proxy, "old", REVALIDATED).await;
    origin.reached(READ, 2).await; // its answer is decided
    writes(&proxy).await;
    origin.now(READ, json!(["new"]));
    held.release();
    refreshed(&proxy, "kept").await;
    reads(&proxy, "new", "fwd=miss; stored").await;
    reads(&proxy, "new", "hit").await;
}

#[tokio::test]
async fn where_the_upstream_has_no_answer_the_last_good_one_is_served() {
    let (origin, proxy) = outdated(STALE).await;
    proxy.wait(Duration::from_secs(60));
    for (asked, code) in [500_u16, 502, 503, 504].into_iter().enumerate() {
        origin.now(READ, status(code));
        let answer = reads(&proxy, "old", EXCUSED).await;
        answer.expect_header("cache-status", contains("larder; fwd=stale; ttl=-"));
        origin.saw(READ).times(2 + asked);
        // it is not asked with every request
        reads(&proxy, "old", EXCUSED).await.expect_header("cache-status", contains("larder; hit; ttl=-"));
        origin.saw(READ).times(2 + asked);
        proxy.wait(Duration::from_secs(2));
    }
    origin.now(READ, (403, json!({"code": "42501", "message": "no", "details": null, "hint": null})));
    proxy.client().get(TARGET).await.expect_status(403);
    proxy.wait(Duration::from_secs(600));
    origin.now(READ, status(503));
    proxy.client().get(TARGET).await.expect_status(503);
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_an_upstream_without_an_answer() {
    let (origin, proxy) = outdated(STALE).await;
    drop(origin);
    proxy.wait(Duration::from_secs(60));
    reads(&proxy, "old", EXCUSED).await;
    proxy.wait(Duration::from_secs(600));
    proxy.client().get(TARGET).await.expect_status(502);
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_one_without_an_answer() {
    let origin = origin().route(READ, json!(["old"])).start().await;
    let proxy = proxy(&origin).rules(STALE).answer_within(Duration::from_millis(200)).start().await;
    reads(&proxy, "old", "stored").await;
    proxy.wait(Duration::from_secs(100));
    let _held = origin.hold(READ);
    reads(&proxy, "old", EXCUSED).await;
}

#[tokio::test]
async fn a_write_while_the_upstream_is_asked_takes_the_last_good_answer_away() {
    let (origin, proxy) = outdated(STALE).await;
    proxy.wait(Duration::from_secs(60));
    origin.now(READ, status(503));
    let held = origin.hold(READ);
    let client = proxy.client();
    let mut reading = JoinSet::from_iter([async move { client.get(TARGET).await }]);
    origin.reached(READ, 2).await;
    writes(&proxy).await;
    held.release();
    reading.join_next().await.unwrap().unwrap().expect_status(503);
}

#[tokio::test]
async fn what_the_upstream_does_not_say_any_more_goes_with_its_refresh() {
    let (origin, proxy) = outdated(STALE).await;
    origin.now(READ, (404, json!({"code": "PGRST205", "message": "gone", "details": null, "hint": null})));
    reads(&proxy, "old", REVALIDATED).await;
    refreshed(&proxy, "gone").await;
    proxy.client().get(TARGET).await.expect_status(404);
}

#[tokio::test]
async fn an_upstream_that_has_enough_of_requests_takes_nothing_back() {
    for code in [408, 425, 429] {
        let (origin, proxy) = outdated(STALE).await;
        origin.now(READ, (code, json!({"message": "later"})));
        reads(&proxy, "old", REVALIDATED).await;
        refreshed(&proxy, "failed").await;
        reads(&proxy, "old", REVALIDATED).await;
    }
}

#[tokio::test]
async fn a_refresh_that_fails_is_tried_again_a_moment_later_and_not_with_every_request() {
    let (origin, proxy) = outdated(STALE).await;
    origin.now(READ, status(503));
    reads(&proxy, "old", REVALIDATED).await;
    refreshed(&proxy, "failed").await;
    for _ in 0..20 {
        reads(&proxy, "old", REVALIDATED).await;
    }
    origin.saw(READ).times(2);
    proxy.wait(Duration::from_secs(2));
    origin.now(READ, json!(["new"]));
    reads(&proxy, "old", REVALIDATED).await;
    refreshed(&proxy, "kept").await;
    reads(&proxy, "new", "hit").await;
    origin.saw(READ).times(3);
}

#[tokio::test]
async fn what_is_asked_for_shortly_before_its_end_is_fetched_before_it() {
    let rules = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token, refresh_ahead: 10s }]";
    let origin = origin().route(READ, json!(["old"])).start().await;
    let proxy = proxy(&origin).rules(rules).start().await;
    reads(&proxy, "old", "stored").await;
    proxy.wait(Duration::from_secs(49));
    reads(&proxy, "old", "hit").await;
    origin.saw(READ).times(1);

    proxy.wait(Duration::from_secs(2));
    origin.now(READ, json!(["new"]));
    let held = origin.hold(READ);
    for _ in 0..20 {
        reads(&proxy, "old", "hit; ttl=").await;
    }
    origin.reached(READ, 2).await;
    held.release();
    refreshed(&proxy, "kept").await;
    reads(&proxy, "new", "hit; ttl=5").await;
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn what_was_fetched_together_does_not_end_together() {
    let rules = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 1h, scope: token, ttl_jitter: 50% }]";
    let origin = origin().route(READ, json!([1])).start().await;
    let proxy = proxy(&origin).rules(rules).start().await;
    let mut ends = Vec::new();
    for id in 0..30 {
        let target = format!("{TARGET}?id=eq.{id}");
        proxy.client().get(&target).await.expect_status(200);
        let answer = proxy.client().get(&target).await.expect_status(200);
        let told = answer.headers["cache-status"].to_str().unwrap();
        let (_, ttl) = told.split_once("hit; ttl=").unwrap();
        ends.push(ttl.split(';').next().unwrap().parse::<u32>().unwrap());
    }
    assert!(ends.iter().all(|ttl| (1_798..=3_600).contains(ttl)), "{ends:?}");
    let (first, last) = (ends.iter().min().unwrap(), ends.iter().max().unwrap());
    assert!(last - first > 300, "30 answers are spread over half an hour: {ends:?}");
}

#[tokio::test]
async fn of_a_fleet_one_fetches_again() {
    let (origin, redis) = (origin().table("todos").start().await, Redis::start(&[]));
    origin.now(READ, json!(["old"]));
    let start = async |members: f64| {
        let proxy = proxy(&origin).rules(STALE).variable("REDIS_URL", &redis.url()).start().await;
        let counted = async { while proxy.counted("larder_fleet_members", &[]).await != members {} };
        soon("everybody is in touch", counted).await;
        proxy
    };
    let (one, other) = (start(1.0).await, start(2.0).await);
    reads(&one, "old", "stored").await;
    reads(&other, "old", "hit").await;
    let held = origin.hold(READ);
    origin.now(READ, json!(["new"]));
    for proxy in [&one, &other] {
        proxy.wait(Duration::from_secs(61));
        reads(proxy, "old", REVALIDATED).await;
    }
    refreshed(&other, "left").await;
    held.release();
    refreshed(&one, "kept").await;
    reads(&other, "new", "hit").await;
    origin.saw(READ).times(2);
}

const REFILLED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]\n\
                        writes: [{ match: /rest/v1/todos, refresh: true }]";

/// A table whose rows are remembered and were served since.
async fn in_use() -> (Origin, Proxy) {
    let origin = origin().table("todos").start().await;
    origin.now(READ, json!(["old"]));
    let proxy = proxy(&origin).rules(REFILLED).start().await;
    reads(&proxy, "old", "stored").await;
    reads(&proxy, "old", "hit").await;
    (origin, proxy)
}

#[tokio::test]
async fn what_was_in_use_is_fetched_again_after_a_write() {
    let (origin, proxy) = in_use().await;
    let once = format!("{TARGET}?id=eq.2");
    proxy.client().get(&once).await.expect_status(200);

    origin.now(READ, json!(["new"]));
    writes(&proxy).await;
    refreshed(&proxy, "kept").await;
    reads(&proxy, "new", "hit").await;
    origin.saw(READ).times(3);
    origin.saw(&format!("GET {once}")).times(1); // nobody had come back for it

    // the next write has it fetched again because it was served since
    origin.now(READ, json!(["newer"]));
    writes(&proxy).await;
    proxy.until_counted("larder_refreshes_total", &["result=\"kept\""], |count| count == 2.0).await;
    reads(&proxy, "newer", "hit").await;
}

#[tokio::test]
async fn a_writer_does_not_wait_for_what_is_fetched_again_and_readers_share_it() {
    let (origin, proxy) = in_use().await;
    origin.now(READ, json!(["new"]));
    let held = origin.hold(READ);
    writes(&proxy).await;
    origin.reached(READ, 2).await;
    let client = proxy.client();
    let mut reader = JoinSet::from_iter([async move { client.get(TARGET).await }]);
    proxy.until_counted("larder_flights", &[], |flights| flights == 1.0).await;
    held.release();
    reader.join_next().await.unwrap().unwrap().expect_json(&json!(["new"]));
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn what_another_write_overtakes_is_fetched_once_more() {
    let (origin, proxy) = in_use().await;
    origin.now(READ, json!(["new"]));
    let held = origin.hold(READ);
    writes(&proxy).await;
    origin.reached(READ, 2).await;
    writes(&proxy).await;
    origin.now(READ, json!(["newer"]));
    held.release();
    refreshed(&proxy, "kept").await;
    reads(&proxy, "newer", "hit").await;
    origin.saw(READ).times(3);
}
