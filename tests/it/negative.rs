//! For how long is it believed that there is nothing?

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::absent;
use crate::support::origin::Reply;
use crate::support::{contains, origin, proxy};

const KEPT: &str = "reads: [{ name: todos, match: /rest/v1/*, ttl: 60s, scope: public, negative: 10s }]\n\
                    schema: { rows: { todos: [id] } }";
const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos?id=eq.5";

fn error(code: &str) -> Value {
    json!({ "code": code, "details": "The result contains 0 rows", "hint": null, "message": "nothing" })
}

/// As PostgREST says it.
fn refusal(status: u16, code: &str) -> Reply {
    Reply::from((status, error(code))).header("proxy-status", &format!("PostgREST; error={code}"))
}

#[tokio::test]
async fn nothing_is_believed_for_as_long_as_the_rule_says() {
    for (status, code) in [(406, "PGRST116"), (404, "PGRST205")] {
        let origin = origin().route(READ, refusal(status, code)).start().await;
        let proxy = proxy(&origin).rules(KEPT).start().await;
        for (passed, age, asked) in [(0, "0", 1), (9, "9", 1), (2, "0", 2)] {
            proxy.wait(Duration::from_secs(passed));
            let answer = proxy.client().get(TARGET).await.expect_status(status).expect_header("age", age);
            answer
                .expect_json(&error(code))
                .expect_header("content-type", contains("application/json"))
                .expect_header("proxy-status", contains(code));
            origin.saw(READ).times(asked);
        }
        assert_eq!(proxy.counted("larder_negative_fills_total", &[]).await, 2.0);
    }
}

/// It depends on everything that a row would: an insert takes it away, and another row's does not.
#[tokio::test]
async fn a_row_that_comes_is_there_at_once() {
    let origin = origin().table("todos").start().await;
    origin.now(READ, refusal(406, "PGRST116"));
    let proxy = proxy(&origin).rules(KEPT).start().await;
    let client = proxy.client();
    for (wanted, asked) in [(6, 1), (5, 2)] {
        client.get(TARGET).await.expect_status(406);
        origin.saw(READ).times(1);
        client.post("/rest/v1/todos", json!({ "id": wanted })).await.expect_status(201);
        origin.now(READ, json!({ "id": 5 }));
        let expected = if wanted == 5 { 200 } else { 406 };
        client.get(TARGET).await.expect_status(expected);
        origin.saw(READ).times(asked);
    }
}

#[tokio::test]
async fn other_errors_and_other_rules_are_as_ever() {
    let unkept = KEPT.replace(", negative: 10s", "");
    for (rules, reply) in [
        (KEPT, refusal(406, "PGRST106")),
        (KEPT, (406, error("PGRST107")).into()),
        (KEPT, refusal(400, "PGRST100")),
        (KEPT, refusal(503, "PGRST000")),
        (KEPT, refusal(404, "PGRST205").header("cache-control", "no-store")),
        (&unkept, refusal(406, "PGRST116")),
        (&unkept, refusal(404, "PGRST205")),
    ] {
        let origin = origin().route(READ, reply).start().await;
        let proxy = proxy(&origin).rules(rules).start().await;
        for asked in [1, 2] {
            proxy.client().get(TARGET).await;
            origin.saw(READ).times(asked);
        }
        assert_eq!(proxy.counted("larder_negative_fills_total", &[]).await, 0.0);
    }
}

/// Nobody has what is not there, no network keeps it, and it is of no use past its time.
#[tokio::test]
async fn nothing_is_never_not_modified_nor_kept_by_others_nor_stale() {
    let rules = KEPT.replace(
        "negative: 10s",
        "negative: 10s, downstream: \"public, s-maxage=30\", stale: { while_revalidate: 60s, if_error: 60s }",
    );
    let key = "sb_publishable_anybody";
    let origin = origin().route(READ, refusal(406, "PGRST116")).start().await;
    let proxy = proxy(&origin).rules(&rules).variable("SUPABASE_PUBLISHABLE_KEY", key).start().await;
    let client = proxy.client().with("apikey", key).with("if-none-match", "*");
    for _ in 0..2 {
        let answer = client.get(TARGET).await.expect_status(406).expect_json(&error("PGRST116"));
        answer.expect_header("cache-control", "private, no-cache").expect_header("cache-tag", absent());
    }
    origin.saw(READ).times(1);
    proxy.wait(Duration::from_secs(11));
    client.get(TARGET).await.expect_status(406).expect_header("cache-status", contains("fwd=miss"));
    origin.saw(READ).times(2);
}
