//! Does an audit find what nobody told larder of, and leave alone what is right?

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::origin::{Origin, status};
use crate::support::{Proxy, contains, origin, proxy, soon};

const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";
const AUDITED: &str = "audit: 0.1\nreads: [{ name: todos, match: /rest/v1/todos, ttl: 10m, scope: token }]";

/// A table whose rows are remembered.
async fn remembered(rows: Value) -> (Origin, Proxy) {
    let origin = origin().table("todos").start().await;
    origin.now(READ, rows);
    let proxy = proxy(&origin).rules(AUDITED).start().await;
    proxy.client().get(TARGET).await.expect_header("cache-status", contains("stored"));
    (origin, proxy)
}

/// Reads until an audit has ended like this.
async fn audited(proxy: &Proxy, result: &str) {
    let label = format!("result=\"{result}\"");
    let reading = async {
        while proxy.counted("larder_audits_total", &[&label]).await < 1.0 {
            for _ in 0..20 {
                proxy.client().get(TARGET).await.expect_status(200);
            }
        }
    };
    soon(result, reading).await;
}

async fn stale_ones(proxy: &Proxy) -> f64 {
    proxy.counted("larder_audit_stale_total", &["rule=\"todos\""]).await
}

#[tokio::test]
async fn what_changed_behind_larders_back_is_found_and_goes() {
    let (origin, proxy) = remembered(json!([{"id": 1, "name": "old"}])).await;
    origin.now(READ, json!([{"id": 1, "name": "new"}]));
    audited(&proxy, "stale").await;
    assert!(stale_ones(&proxy).await >= 1.0);
    let told = proxy.client().get(TARGET).await.expect_json(&json!([{"id": 1, "name": "new"}]));
    told.expect_status(200);
}

#[tokio::test]
async fn what_is_right_is_left_alone_whatever_the_order_of_its_rows() {
    let (origin, proxy) = remembered(json!([{"id": 1}, {"id": 2}])).await;
    audited(&proxy, "same").await;
    origin.now(READ, json!([{"id": 2}, {"id": 1}]));
    let before = proxy.counted("larder_audits_total", &["result=\"same\""]).await;
    let more = async {
        while proxy.counted("larder_audits_total", &["result=\"same\""]).await < before + 2.0 {
            for _ in 0..20 {
                proxy.client().get(TARGET).await.expect_json(&json!([{"id": 1}, {"id": 2}]));
            }
        }
    };
    soon("two more audits", more).await;
    assert_eq!(stale_ones(&proxy).await, 0.0);
}

#[tokio::test]
async fn a_write_whose_answer_is_on_its_way_is_no_finding() {
    let (origin, proxy) = remembered(json!([{"id": 1, "done": false}])).await;
    // committed, and the writer has not heard of it
    origin.now(READ, json!([{"id": 1, "done": true}]));
    let held = origin.hold("PATCH /rest/v1/todos");
    let client = proxy.client();
    let writing = tokio::task::JoinSet::from_iter([async move {
        client.patch("/rest/v1/todos?id=eq.1", json!({"done": true})).await
    }]);
    origin.reached("PATCH /rest/v1/todos", 1).await;
    let asked = async {
        while origin.saw(READ).count() < 2 {
            proxy.client().get(TARGET).await.expect_status(200);
        }
    };
    soon("an audit asks", asked).await;
    held.release();
    for answer in writing.join_all().await {
        answer.expect_status(204);
    }
    soon("its end", async { while proxy.counted("larder_audits_total", &["overtaken"]).await < 1.0 {} })
        .await;
    assert_eq!(stale_ones(&proxy).await, 0.0);
}

#[tokio::test]
async fn an_upstream_that_fails_says_nothing_and_is_not_asked_too_often() {
    let (origin, proxy) = remembered(json!([1])).await;
    origin.now(READ, status(503));
    audited(&proxy, "failed").await;
    let (began, before) = (Instant::now(), origin.saw(READ).count());
    while began.elapsed() < Duration::from_secs(1) {
        proxy
            .client()
            .get(TARGET)
            .await
            .expect_json(&json!([1]))
            .expect_header("cache-status", contains("hit"));
    }
    let asked = origin.saw(READ).count() - before;
    assert!(asked <= 12, "eight a second are allowed, and some from before: {asked}");
    assert_eq!(stale_ones(&proxy).await, 0.0);
}
