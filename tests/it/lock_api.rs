//! Can an app take the locks that rules take, and an operator free them?

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::{origin, proxy};

const PAY: &str = r#"writes: [{ match: /rest/v1/payments, lock: { key: "payment:{lease_id}" } }]"#;

async fn order(admin: &Client, method: Method, target: &str, order: Value) -> Answer {
    let json = admin.with("content-type", "application/json");
    json.ask(method, target, order.to_string().into()).await
}

#[tokio::test]
async fn an_app_and_a_rule_exclude_each_other() {
    let origin = origin().table("payments").start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let (client, admin) = (proxy.client(), Client::new(proxy.admin()));
    let taken =
        order(&admin, Method::POST, "/api/locks/payment:07", json!({"hold": "10s"})).await.expect_status(201);
    let (token, fence) = (taken.json()["token"].clone(), taken.json()["fence"].as_u64().unwrap());
    assert_eq!(taken.json()["expires_in"], 10.0);
    client.post("/rest/v1/payments", json!({"lease_id": 7})).await.expect_status(409);
    let busy = order(&admin, Method::POST, "/api/locks/payment%3A7", json!({})).await.expect_status(409);
    assert_eq!(busy.json()["code"], "LARDER409");
    let seen = admin.get("/api/locks/payment:7").await.expect_status(200).json();
    assert_eq!((&seen["held"], seen["fence"].as_u64(), seen.get("token")), (&json!(true), Some(fence), None));

    let stranger = json!({"token": "0".repeat(32)});
    order(&admin, Method::PUT, "/api/locks/payment:7", stranger.clone()).await.expect_status(409);
    order(&admin, Method::DELETE, "/api/locks/payment:7", stranger).await.expect_status(409);
    proxy.wait(Duration::from_secs(9));
    order(&admin, Method::PUT, "/api/locks/payment:7", json!({"token": token, "hold": "10s"}))
        .await
        .expect_status(200);
    proxy.wait(Duration::from_secs(9));
    client.post("/rest/v1/payments", json!({"lease_id": 7})).await.expect_status(409);
    order(&admin, Method::DELETE, "/api/locks/payment:7", json!({"token": token})).await.expect_status(200);
    client.post("/rest/v1/payments", json!({"lease_id": 7})).await.expect_status(201);
    let last: u64 =
        origin.saw("POST /rest/v1/payments").times(1).last().header("x-larder-fence").parse().unwrap();
    assert!(last > fence);
}

#[tokio::test]
async fn an_operator_sees_and_frees_what_others_hold() {
    let origin = origin().table("payments").start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let admin = Client::new(proxy.admin());
    admin.get("/api/locks").await.expect_json(&json!({"locks": []}));
    for name in ["b", "a"] {
        order(&admin, Method::POST, &format!("/api/locks/{name}"), json!({})).await.expect_status(201);
    }
    let listed = admin.get("/api/locks").await.json();
    let names: Vec<_> = listed["locks"].as_array().unwrap().iter().map(|lock| lock["key"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    admin.delete("/api/locks/a").await.expect_status(400);
    admin.delete("/api/locks/a?force=true").await.expect_status(200);
    admin.delete("/api/locks/a?force=true").await.expect_status(404);
    assert_eq!(admin.get("/api/locks/a").await.json()["held"], false);
}

#[tokio::test]
async fn an_operator_says_that_an_operation_may_be_repeated() {
    let origin = origin().route("POST /rest/v1/payments", (500, json!({}))).start().await;
    let rules = "writes: [{ match: /rest/v1/payments, idempotency: {} }]";
    let proxy = proxy(&origin).rules(rules).start().await;
    let (client, admin) = (proxy.client().with("idempotency-key", "k/1"), Client::new(proxy.admin()));
    client.post("/rest/v1/payments", json!({})).await.expect_status(500);
    client.post("/rest/v1/payments", json!({})).await.expect_status(409);
    let kept = admin.get("/api/operations").await.json();
    assert_eq!(
        (&kept["operations"][0]["key"], &kept["operations"][0]["status"]),
        (&json!("k/1"), &json!(null))
    );
    admin.delete("/api/operations/k%2F1").await.expect_json(&json!({"forgotten": 1}));
    admin.delete("/api/operations/k%2F1").await.expect_status(404);
    client.post("/rest/v1/payments", json!({})).await.expect_status(500);
    origin.saw("*").times(2);
}

#[tokio::test]
async fn orders_that_mean_nothing_are_refused() {
    let origin = origin().start().await;
    let limits = "limits: [{ name: a, match: /x, by: ip, rate: 5/1m, burst: 2 }]";
    let proxy = proxy(&origin).rules(limits).start().await;
    let admin = Client::new(proxy.admin());
    for wrong in [json!({"hold": "1h1"}), json!({"hold": "2h"}), json!({"hould": "1s"}), json!([])] {
        order(&admin, Method::POST, "/api/locks/a", wrong).await.expect_status(400);
    }
    admin.ask(Method::POST, "/api/locks/a", "{}".into()).await.expect_status(415);
    order(&admin, Method::PUT, "/api/locks/a", json!({"token": "short"})).await.expect_status(400);
    order(&admin, Method::PATCH, "/api/locks/a", json!({})).await.expect_status(405);
    order(&admin, Method::POST, "/api/locks", json!({})).await.expect_status(405);
    let shown = admin.get("/api/limits").await.expect_status(200).json();
    assert_eq!((&shown["limits"][0]["rate"], &shown["limits"][0]["window"]), (&json!(5), &json!("sliding")));
}
