//! What does a write take away, and when?

use serde_json::json;

use crate::support::{contains, origin, proxy};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: public }]";

#[tokio::test]
async fn every_kind_of_write_takes_its_table_s_answers_away() {
    for method in ["POST", "PATCH", "PUT", "DELETE"] {
        let origin = origin().table("todos").start().await;
        let proxy = proxy(&origin).rules(CACHED).start().await;
        let client = proxy.client();
        client.get("/rest/v1/todos").await.expect_status(200);
        client.get("/rest/v1/todos").await.expect_header("cache-status", contains("hit"));
        origin.now("GET /rest/v1/todos", json!([{"id": 1}]));

        let target = "/rest/v1/todos?id=eq.1";
        let written = match method {
            "POST" => client.post("/rest/v1/todos", json!({"id": 1})).await,
            "PATCH" => client.patch(target, json!({"done": true})).await,
            "PUT" => client.put(target, json!({"id": 1})).await,
            _ => client.delete(target).await,
        };
        assert!(written.status.is_success(), "{method}");
        client.get("/rest/v1/todos").await.expect_json(&json!([{"id": 1}]));
        origin.saw("GET /rest/v1/todos").times(2);
        let write = origin.saw(&format!("{method} /rest/v1/todos"));
        assert_eq!(write.times(1).last().body.is_empty(), method == "DELETE");
        assert_eq!(proxy.counted("larder_invalidations_total", &[]).await, 1.0, "{method}");
    }
}

#[tokio::test]
async fn trap_65_a_read_that_a_write_overtook_is_not_kept() {
    let origin = origin().table("todos").start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let held = origin.hold("GET /rest/v1/todos");
    let slow = tokio::task::JoinSet::from_iter([{
        let client = proxy.client();
        async move { client.get("/rest/v1/todos").await }
    }]);
    origin.reached("GET /rest/v1/todos", 1).await;
    proxy.client().patch("/rest/v1/todos?id=eq.1", json!({"done": true})).await.expect_status(204);
    origin.now("GET /rest/v1/todos", json!(["new"]));
    held.release();
    for answer in slow.join_all().await {
        answer.expect_json(&json!([]));
    }
    proxy.client().get("/rest/v1/todos").await.expect_json(&json!(["new"]));
    origin.saw("GET /rest/v1/todos").times(2);
}
