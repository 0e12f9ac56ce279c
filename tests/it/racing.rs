//! What if reads, writes and leaving clients meet at the worst moment?
//!
//! Every order is forced by answers that the origin holds until they are released.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::{Answer, Client};
use crate::support::scripted::Arrival;
use crate::support::{Raw, contains, origin, proxy, scripted, send, soon};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]";
const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";

/// A read that goes on beside the story.
fn reading(client: Client) -> JoinSet<Answer> {
    JoinSet::from_iter([async move { client.get(TARGET).await }])
}

async fn end(mut reading: JoinSet<Answer>) -> Answer {
    reading.join_next().await.expect("a read").expect("an answer")
}

#[tokio::test]
async fn trap_66_a_reader_after_a_write_does_not_join_a_fetch_from_before_it() {
    let origin = origin().route(READ, json!(["old"])).table("todos").start().await;
    origin.now(READ, json!(["old"]));
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let held = origin.hold(READ);
    let before = reading(proxy.client());
    origin.reached(READ, 1).await;

    proxy.client().patch("/rest/v1/todos?id=eq.1", json!({"done": true})).await.expect_status(204);
    origin.now(READ, json!(["new"]));
    let after = reading(proxy.client());
    origin.reached(READ, 2).await; // a fetch of its own, while the first is still under way
    held.release();

    end(before).await.expect_json(&json!(["old"])); // it began before the write
    end(after).await.expect_json(&json!(["new"]));
    let kept = proxy.client().get(TARGET).await.expect_json(&json!(["new"]));
    kept.expect_header("cache-status", contains("hit"));
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn a_hundred_cold_readers_are_one_fetch() {
    let origin = origin().route(READ, json!([1])).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let held = origin.hold(READ);
    let mut readers = JoinSet::new();
    for _ in 0..100 {
        let client = proxy.client();
        readers.spawn(async move { client.get(TARGET).await });
    }
    origin.reached(READ, 1).await;
    held.release();
    for answer in readers.join_all().await {
        answer.expect_status(200).expect_json(&json!([1]));
    }
    origin.saw(READ).times(1);
    assert_eq!(proxy.counted("larder_fills_total", &[]).await, 1.0);
}

#[tokio::test]
async fn when_the_first_reader_leaves_the_others_get_its_fetch() {
    let origin = origin().route(READ, json!([1])).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let held = origin.hold(READ);
    let mut first = proxy.raw().await;
    first.send("GET /rest/v1/todos HTTP/1.1\r\nHost: h\r\n\r\n").await;
    origin.reached(READ, 1).await;
    let second = reading(proxy.client());
    drop(first);
    proxy.until_counted("larder_connections", &[], |open| open == 1.0).await; // the second's alone
    held.release();
    end(second).await.expect_status(200).expect_json(&json!([1]));
    origin.saw(READ).times(1);
}

#[tokio::test]
async fn a_fetch_that_everybody_left_is_kept_for_the_next() {
    let origin = origin().route(READ, json!([1])).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let held = origin.hold(READ);
    let mut only = proxy.raw().await;
    only.send("GET /rest/v1/todos HTTP/1.1\r\nHost: h\r\n\r\n").await;
    origin.reached(READ, 1).await;
    drop(only);
    proxy.until_counted("larder_connections", &[], |open| open == 0.0).await;
    held.release();
    proxy.until_counted("larder_fills_total", &[], |fills| fills == 1.0).await;
    proxy.client().get(TARGET).await.expect_header("cache-status", contains("hit"));
    origin.saw(READ).times(1);
}

#[tokio::test]
async fn trap_85_a_write_whose_client_leaves_still_takes_away() {
    for leaves_by in ["closing", "sending no more"] {
        let origin = origin().table("todos").start().await;
        let proxy = proxy(&origin).rules(CACHED).start().await;
        proxy.client().get(TARGET).await.expect_json(&json!([]));
        let held = origin.hold("PATCH /rest/v1/todos");
        let mut writer = proxy.raw().await;
        writer.send("PATCH /rest/v1/todos HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}").await;
        origin.reached("PATCH /rest/v1/todos", 1).await;
        leave(writer, leaves_by).await;
        origin.now(READ, json!(["new"]));
        held.release();
        proxy.until_counted("larder_invalidations_total", &[], |writes| writes == 1.0).await;
        proxy.client().get(TARGET).await.expect_json(&json!(["new"]));
        origin.saw("PATCH /rest/v1/todos").times(1);
    }
}

async fn leave(mut client: Raw, how: &str) {
    match how {
        "closing" => drop(client),
        _ => client.shut().await,
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_leaves_a_doubt() {
    const WRITTEN: &str = "/rest/v1/todos?id=eq.1";
    let upstream = scripted().await;
    let rows = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]";
    upstream.on(TARGET, vec![send(rows)]);
    let proxy = proxy(&upstream).rules(&CACHED.replace("60s", "1h")).start().await;
    let reads = async |status: &'static str| {
        proxy.client().get(TARGET).await.expect_status(200).expect_header("cache-status", contains(status));
    };
    reads("stored").await;
    let mut writer = proxy.raw().await;
    let head = format!("PATCH {WRITTEN} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n");
    writer.send(head + "Content-Type: application/json\r\n\r\n{\"done\":").await;
    upstream.until("the beginning", |seen| seen.iter().any(|request| request.target() == WRITTEN)).await;
    drop(writer);
    upstream.settled().await;
    assert_eq!(upstream.seen_at(WRITTEN)[0].state, Arrival::Aborted, "half a body is no body");

    // what of it the upstream may have carried out is not known
    proxy.until_counted("larder_invalidations_total", &[], |writes| writes == 1.0).await;
    reads("stored").await;
    reads("hit").await;
    // nor whether it is over, until it must be
    proxy.wait(Duration::from_secs(130));
    let client = proxy.client();
    let swept =
        async { while client.get(TARGET).await.headers["cache-status"].to_str().unwrap().contains("hit") {} };
    soon("it is taken away again", swept).await;
}

#[tokio::test]
async fn the_writer_hears_of_it_only_after_the_answers_are_gone() {
    let origin = origin().table("todos").start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    for version in 0..50 {
        proxy.client().get(TARGET).await.expect_status(200);
        origin.now(READ, json!([version]));
        proxy.client().patch("/rest/v1/todos?id=eq.1", json!({"v": version})).await.expect_status(204);
        proxy.client().get(TARGET).await.expect_json(&json!([version]));
    }
}

#[tokio::test]
async fn trap_69_a_refused_write_takes_nothing_away_and_a_doubtful_one_does() {
    let error = json!({"code": "42501", "message": "no", "details": null, "hint": null});
    for (status, body, taken) in [
        (403, error.clone(), 0.0),
        (409, error.clone(), 0.0),
        (401, json!({"message": "No API key found in request"}), 0.0),
        (429, error, 1.0),
        (418, json!({"id": 1}), 1.0), // committed, with a status of the function's own
        (500, json!({"code": "PGRST111", "message": "bad header"}), 1.0),
        (504, json!("timeout"), 1.0),
    ] {
        let origin = origin().table("todos").start().await;
        origin.now("POST /rest/v1/todos", (status, body.clone()));
        let proxy = proxy(&origin).rules(CACHED).start().await;
        proxy.client().get(TARGET).await.expect_status(200);
        proxy.client().post(TARGET, json!({"id": 1})).await.expect_status(status).expect_json(&body);
        assert_eq!(proxy.counted("larder_invalidations_total", &[]).await, taken, "{status} {body}");
        origin.saw("POST /rest/v1/todos").times(1);
    }
}
