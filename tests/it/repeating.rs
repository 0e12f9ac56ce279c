//! Is an operation done once, however often it is asked for?

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::{Client, absent};
use crate::support::{contains, origin, proxy};

const PAY: &str = r#"writes:
- name: pay
  match: /rest/v1/payments
  methods: [POST]
  lock: { key: "payment:{lease_id}" }
  idempotency: { header: Idempotency-Key, keep: 24h }
"#;

const PAYMENTS: &str = "/rest/v1/payments";
const POSTED: &str = "POST /rest/v1/payments";

fn with_key(client: &Client, key: &str) -> Client {
    client.with("idempotency-key", key)
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer() {
    let origin = origin().route(POSTED, (201, json!([{"id": 1}]))).start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let client = with_key(&proxy.client(), "k-1");
    let body = json!({"lease_id": 7, "amount": 100});
    client
        .post(PAYMENTS, body.clone())
        .await
        .expect_status(201)
        .expect_header("idempotent-replayed", absent());
    origin.now(POSTED, (201, json!([{"id": 2}])));

    let again = client.post(PAYMENTS, body.clone()).await;
    again
        .expect_status(201)
        .expect_header("idempotent-replayed", "true")
        .expect_header("content-type", "application/json; charset=utf-8")
        .expect_header("cache-status", contains("replayed"))
        .expect_json(&json!([{"id": 1}]));
    let other = client.post(PAYMENTS, json!({"lease_id": 7, "amount": 200})).await.expect_status(422);
    assert_eq!(other.json()["code"], "LARDER422");
    client.post("/rest/v1/payments?columns=lease_id", body.clone()).await.expect_status(422);
    origin.saw(POSTED).times(1);

    // another key, and another caller with the same one, are other operations
    with_key(&proxy.client(), "k-2").post(PAYMENTS, body.clone()).await.expect_json(&json!([{"id": 2}]));
    let somebody_else = with_key(&proxy.client(), "k-1").with("authorization", "Bearer other");
    somebody_else.post(PAYMENTS, body).await.expect_json(&json!([{"id": 2}]));
    origin.saw(POSTED).times(3);
}

#[tokio::test]
async fn a_hundred_at_once_are_one() {
    let origin = origin().route(POSTED, (201, json!([{"id": 1}]))).start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let held = origin.hold(POSTED);
    let mut clicks = JoinSet::new();
    for _ in 0..100 {
        let client = with_key(&proxy.client(), "k-1");
        clicks.spawn(async move { client.post(PAYMENTS, json!({"lease_id": 7})).await });
    }
    origin.reached(POSTED, 1).await;
    proxy.until_counted("larder_operations_total", &["result=\"in-progress\""], |count| count == 99.0).await;
    held.release();
    let answers = clicks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for refused in answers.into_iter().filter(|answer| answer.status != 201) {
        refused.expect_status(409).expect_header("retry-after", "1");
    }
    origin.saw(POSTED).times(1);
}

#[tokio::test]
async fn a_definite_refusal_is_repeated_and_who_was_not_let_in_may_try_again() {
    let refusal = json!({"code": "23514", "message": "too little", "details": null, "hint": null});
    let origin = origin().route(POSTED, (400, refusal.clone())).start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let client = with_key(&proxy.client(), "k-1");
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(400);
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(400).expect_json(&refusal);
    origin.saw(POSTED).times(1);

    origin.now(
        POSTED,
        (401, json!({"code": "PGRST303", "message": "JWT expired", "details": null, "hint": null})),
    );
    let client = with_key(&proxy.client(), "k-2");
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(401);
    origin.now(POSTED, (201, json!([{"id": 1}])));
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(201);
}

#[tokio::test]
async fn an_unknown_outcome_stays_unknown() {
    let origin = origin().route(POSTED, (504, json!({"message": "gave up"}))).start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let client = with_key(&proxy.client(), "k-1");
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(504);
    origin.now(POSTED, (201, json!([{"id": 1}])));
    for hours in [0, 1, 22] {
        proxy.wait(std::time::Duration::from_secs(hours * 3_600));
        let refused = client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(409);
        assert_eq!(
            (&refused.json()["code"], &refused.json()["message"]),
            (&json!("LARDER409"), &json!("outcome unknown"))
        );
    }
    origin.saw(POSTED).times(1);
    proxy.wait(std::time::Duration::from_secs(3_600));
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(201);
}

#[tokio::test]
async fn what_was_never_sent_may_be_sent_again() {
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let proxy = proxy(&nobody).rules(PAY).start().await;
    let client = with_key(&proxy.client(), "k-1");
    for _ in 0..2 {
        let failed = client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(502);
        assert_eq!(failed.json()["code"], "LARDER502", "not 409");
    }
}

#[tokio::test]
async fn a_key_is_asked_for_where_the_rule_says_so() {
    let origin = origin().table("payments").start().await;
    let rules = PAY.replace("keep: 24h", "keep: 24h, required: true");
    let proxy = proxy(&origin).rules(&rules).start().await;
    let client = proxy.client();
    let missing = client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(400);
    assert_eq!(missing.json()["message"], "the header idempotency-key is missing");
    for unusable in
        [with_key(&client, ""), with_key(&client, &"x".repeat(256)), with_key(&with_key(&client, "a"), "b")]
    {
        unusable.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(400);
    }
    origin.saw("*").times(0);
    with_key(&client, "k").post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(201);

    let proxy = proxy_without_requirement(&origin).await;
    for _ in 0..2 {
        proxy.client().post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(201);
    }
    origin.saw(POSTED).times(3);
}

async fn proxy_without_requirement(origin: &crate::support::origin::Origin) -> crate::support::Proxy {
    proxy(origin).rules(PAY).start().await
}

#[tokio::test]
async fn a_large_answer_is_passed_on_and_said_to_be_done() {
    let large = "x".repeat((1 << 20) + 1);
    let origin = origin().route(POSTED, (200, json!(large))).start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let client = with_key(&proxy.client(), "k-1");
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(200).expect_json(&json!(large));
    let repeat = client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(409);
    assert!(repeat.json()["message"].as_str().unwrap().starts_with("already done"));
    origin.saw(POSTED).times(1);
}
