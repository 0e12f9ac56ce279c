//! When is a read answered without asking the upstream?

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::absent;
use crate::support::origin::{status, text};
use crate::support::{contains, origin, proxy};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: public }]";
const MINE: &str = "reads: [{ name: mine, match: /rest/v1/todos, ttl: 60s, scope: user }]";

#[tokio::test]
async fn the_second_read_is_a_hit() {
    let origin = origin().route("GET /rest/v1/todos", json!([{"id": 1}])).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let client = proxy.client();

    let first = client.get("/rest/v1/todos?select=id").await.expect_status(200);
    first.expect_header("cache-status", contains("fwd=miss")).expect_header("age", "0");
    let second = client.get("/rest/v1/todos?select=id").await.expect_status(200);
    second
        .expect_header("cache-status", contains("hit"))
        .expect_header("content-type", "application/json; charset=utf-8")
        .expect_json(&json!([{"id": 1}]));

    origin.saw("GET /rest/v1/todos").times(1);
    assert_eq!(origin.saw("*").last().target, "/rest/v1/todos?select=id");
    assert_eq!(proxy.counted("larder_requests_total", &["rule=\"todos\"", "outcome=\"hit\""]).await, 1.0);
    assert_eq!(proxy.counted("larder_upstream_requests_total", &[]).await, 1.0);
}

#[tokio::test]
async fn without_a_rule_every_read_is_passed() {
    let origin = origin().route("GET /functions/v1/time", text("now")).table("todos").start().await;
    let proxy = proxy(&origin).start().await;
    for _ in 0..2 {
        let answer = proxy.client().get("/functions/v1/time").await.expect_status(200).expect_body("now");
        answer.expect_header("cache-status", contains("fwd=bypass")).expect_header("age", absent());
        proxy.client().head("/rest/v1/todos").await.expect_status(200).expect_body("");
    }
    origin.saw("GET /functions/v1/time").times(2);
    origin.saw("HEAD /rest/v1/todos").times(2);
}

#[tokio::test]
async fn an_answer_lives_as_long_as_its_rule_says() {
    let origin = origin().route("GET /rest/v1/todos", json!([1])).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    for (passed, age, asked) in [(0, "0", 1), (59, "59", 1), (2, "0", 2)] {
        proxy.wait(Duration::from_secs(passed));
        proxy.client().get("/rest/v1/todos").await.expect_status(200).expect_header("age", age);
        origin.saw("GET /rest/v1/todos").times(asked);
    }
}

#[tokio::test]
async fn callers_do_not_share_what_is_theirs() {
    let origin = origin()
        .route("GET /rest/v1/todos", json!(["of ann"]))
        .route("GET /rest/v1/todos", json!(["of bo"]))
        .start()
        .await;
    let proxy = proxy(&origin).rules(MINE).start().await;
    let ann = proxy.client().with("apikey", "sb_publishable_ann");
    let bo = proxy.client().with("apikey", "sb_publishable_bo");
    for _ in 0..2 {
        ann.get("/rest/v1/todos").await.expect_json(&json!(["of ann"]));
        bo.get("/rest/v1/todos").await.expect_json(&json!(["of bo"]));
    }
    origin.saw("GET /rest/v1/todos").times(2);
    assert_eq!(origin.saw("*").last().header("apikey"), "sb_publishable_bo");
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_fetch() {
    let origin = origin().route("GET /rest/v1/todos", json!([1])).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let held = origin.hold("GET /rest/v1/todos");
    let mut asking = JoinSet::new();
    for _ in 0..20 {
        let client = proxy.client();
        asking.spawn(async move { client.get("/rest/v1/todos").await });
    }
    origin.reached("GET /rest/v1/todos", 1).await;
    held.release();
    while let Some(answer) = asking.join_next().await {
        answer.unwrap().expect_status(200).expect_json(&json!([1]));
    }
    origin.saw("GET /rest/v1/todos").times(1);
}

#[tokio::test]
async fn errors_are_passed_and_not_kept() {
    let origin = origin()
        .route("GET /rest/v1/todos", (500, json!({"message": "not now"})))
        .route("GET /rest/v1/todos", json!([]))
        .start()
        .await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    proxy.client().get("/rest/v1/todos").await.expect_status(500).expect_json(&json!({"message": "not now"}));
    proxy.client().get("/rest/v1/todos").await.expect_status(200);
    origin.saw("GET /rest/v1/todos").times(2);
}

#[tokio::test]
async fn answers_that_say_so_are_not_kept() {
    for (name, value) in [("cache-control", "no-store"), ("set-cookie", "a=1"), ("vary", "*")] {
        let reply = status(200).header("content-type", "application/json").header(name, value);
        let origin = origin().route("GET /rest/v1/todos", reply).start().await;
        let proxy = proxy(&origin).rules(CACHED).start().await;
        for _ in 0..2 {
            proxy.client().get("/rest/v1/todos").await.expect_status(200);
        }
        origin.saw("GET /rest/v1/todos").times(2);
    }
}

#[tokio::test]
async fn what_no_schema_knows_is_counted_once_it_is_kept() {
    let origin = origin()
        .route("GET /rest/v1/todos", json!([{"id": 1}]))
        .route("GET /rest/v1/lists", status(400))
        .start()
        .await;
    let rules = "reads: [{ name: all, match: /rest/v1/*, ttl: 60s }]\n\
                 schema: { relations: { todos: { lists: [lists] } } }";
    let proxy = proxy(&origin).rules(rules).start().await;
    let client = proxy.client();
    let is: [fn(f64) -> bool; 3] = [|count| count == 0.0, |count| count == 1.0, |count| count == 2.0];
    for (target, kept) in [
        ("/rest/v1/todos?select=id,lists(id)", 0),
        ("/rest/v1/todos?select=id,owner(id)", 1),
        ("/rest/v1/todos?select=id,owner(id)", 1),
        ("/rest/v1/todos?select=owner(id)", 2),
        ("/rest/v1/lists?select=invented(id)", 2),
    ] {
        client.get(target).await;
        // a fill is counted just after its answer has left
        proxy.until_counted("larder_unresolved_fills_total", &["rule=\"all\""], is[kept]).await;
    }
}
