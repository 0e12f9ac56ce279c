//! Is a second click refused, and for how long?

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::{Answer, absent};
use crate::support::{contains, origin, proxy, soon};

const PAY: &str = r#"writes:
- name: pay
  match: /rest/v1/rental_payments
  methods: [POST, PATCH]
  lock: { key: "payment:{lease_id}", hold: 30s, message: "paiement déjà en cours" }
"#;

const PAYMENTS: &str = "/rest/v1/rental_payments";
const POSTED: &str = "POST /rest/v1/rental_payments";

fn spawn(answer: impl Future<Output = Answer> + Send + 'static) -> JoinSet<Answer> {
    JoinSet::from_iter([answer])
}

#[tokio::test]
async fn a_second_click_is_refused_while_the_first_is_answered() {
    let origin = origin().table("rental_payments").start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let (client, held) = (proxy.client(), origin.hold(POSTED));
    let first = spawn({
        let client = client.clone();
        async move { client.post(PAYMENTS, json!({"lease_id": 7, "amount": 100})).await }
    });
    origin.reached(POSTED, 1).await;

    for same in [json!({"lease_id": 7}), json!({"lease_id": "07"}), json!([{"lease_id": 7}])] {
        let refused = client.with("origin", "https://app").post(PAYMENTS, same).await;
        let refused = refused
            .expect_status(409)
            .expect_header("retry-after", "1")
            .expect_header("access-control-allow-origin", "*")
            .expect_header("cache-status", contains("refused-lock-busy"));
        let body = refused.json();
        assert_eq!(
            (&body["code"], &body["message"]),
            (&json!("LARDER409"), &json!("paiement déjà en cours"))
        );
        assert!(body["hint"].is_string() && body["details"].is_null());
    }
    let patched = client.patch("/rest/v1/rental_payments?lease_id=eq.7", json!({"amount": 1})).await;
    patched.expect_status(409);
    origin.saw("*").times(1);

    held.release();
    for answer in first.join_all().await {
        answer.expect_status(201);
    }
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(201);
    client.post(PAYMENTS, json!({"lease_id": 8})).await.expect_status(201);
    origin.saw(POSTED).times(3);
    assert_eq!(proxy.counted("larder_locks_total", &["result=\"taken\""]).await, 3.0);
    assert_eq!(proxy.counted("larder_locks_total", &["result=\"busy\""]).await, 4.0);
}

#[tokio::test]
async fn sql_is_told_the_lock_and_a_number_that_rises() {
    let origin = origin().table("rental_payments").start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let client = proxy.client();
    let mut last = 0;
    for _ in 0..3 {
        // what a client says about locks is not believed
        let lying = client.with("x-larder-fence", "99999999999999999").with("x-larder-lock", "payment:8");
        lying.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(201);
        let seen = origin.saw(POSTED);
        assert_eq!(seen.last().header("x-larder-lock"), "payment:7");
        let fence: u64 = seen.last().header("x-larder-fence").parse().unwrap();
        assert!(last < fence && fence < 9_007_199_254_740_992, "{fence}: exact in JSON and JavaScript");
        last = fence;
    }
    client.with("x-larder-fence", "1").delete("/rest/v1/rental_payments?id=eq.1").await.expect_status(204);
    assert_eq!(origin.saw("DELETE /rest/v1/rental_payments").last().header("x-larder-fence"), "");
}

#[tokio::test]
async fn without_exactly_one_value_nothing_is_locked_and_nothing_is_sent() {
    let origin = origin().table("rental_payments").start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let client = proxy.client();
    for (body, what) in [
        (json!({"amount": 100}), "no value"),
        (json!({"lease_id": null}), "no value"),
        (json!({"lease_id": ""}), "no value"),
        (json!({"lease_id": {"id": 7}}), "no value"),
        (json!([]), "no value"),
        (json!([{"lease_id": 7}, {"lease_id": 8}]), "several values"),
    ] {
        let refused = client.post(PAYMENTS, body.clone()).await.expect_status(400);
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("{lease_id}") && message.contains(what), "{body}: {message}");
    }
    // PostgREST ignores the filters of an insert, and so does the lock
    client.post("/rest/v1/rental_payments?lease_id=eq.7", json!({"amount": 1})).await.expect_status(400);
    let moves = client.patch("/rest/v1/rental_payments?lease_id=eq.7", json!({"lease_id": 8})).await;
    moves.expect_status(400);
    client.post(PAYMENTS, json!({"lease_id": 7, "note": "x".repeat(1 << 20)})).await.expect_status(413);
    origin.saw("*").times(0);
}

#[tokio::test]
async fn an_unknown_outcome_keeps_the_lock_until_its_hold_ends() {
    let origin = origin().route(POSTED, (500, json!({"message": "gone"}))).start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let client = proxy.client();
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(500);
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(409);
    proxy.wait(Duration::from_secs(29));
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(409);
    proxy.wait(Duration::from_secs(1));
    let refusal = json!({"code": "23505", "message": "twice", "details": null, "hint": null});
    origin.now(POSTED, (409, refusal.clone()));
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(409).expect_json(&refusal);
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_json(&refusal);
    origin.saw(POSTED).times(3);
    assert_eq!(proxy.counted("larder_locks_total", &["result=\"kept\""]).await, 1.0);
}

#[tokio::test]
async fn a_lock_is_renewed_for_as_long_as_its_write_takes() {
    let origin = origin().table("rental_payments").start().await;
    let rules = PAY.replace("30s", "1s");
    let proxy = proxy(&origin).rules(&rules).start().await;
    let (client, held) = (proxy.client(), origin.hold(POSTED));
    let first = spawn({
        let client = client.clone();
        async move { client.post(PAYMENTS, json!({"lease_id": 7})).await }
    });
    origin.reached(POSTED, 1).await;
    // the lock would have ended after one second
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_millis(2_200) {
        client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(409);
    }
    held.release();
    soon("the first answer", first.join_all()).await.remove(0).expect_status(201);
    origin.saw(POSTED).times(1);
    assert_eq!(proxy.counted("larder_locks_total", &["result=\"lost\""]).await, 0.0);
}

#[tokio::test]
async fn a_client_that_leaves_frees_the_lock_when_its_write_is_answered() {
    let origin = origin().table("rental_payments").start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let held = origin.hold(POSTED);
    let mut leaving = proxy.raw().await;
    let body = r#"{"lease_id":7}"#;
    leaving
        .send(&format!(
            "POST {PAYMENTS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    origin.reached(POSTED, 1).await;
    drop(leaving);
    let client = proxy.client();
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(409);
    held.release();
    let free = async { while client.post(PAYMENTS, json!({"lease_id": 7})).await.status != 201 {} };
    soon("the lock", free).await;
}

#[tokio::test]
async fn whoever_waits_gets_the_lock_when_it_is_free() {
    let origin = origin().table("rental_payments").start().await;
    let rules = PAY.replace("hold: 30s,", "hold: 30s, busy: { retries: 100, delay: 20ms },");
    let proxy = proxy(&origin).rules(&rules).start().await;
    let held = origin.hold(POSTED);
    let mut clicks = JoinSet::new();
    for _ in 0..3 {
        let client = proxy.client();
        clicks.spawn(async move { client.post(PAYMENTS, json!({"lease_id": 7})).await });
    }
    origin.reached(POSTED, 1).await;
    origin.saw(POSTED).times(1);
    held.release();
    for answer in clicks.join_all().await {
        answer.expect_status(201);
    }
    origin.saw(POSTED).times(3);
}

#[tokio::test]
async fn two_locks_in_opposite_order_never_wait_for_each_other() {
    let origin = origin().table("swaps").start().await;
    let rules = r#"writes:
- { match: /rest/v1/swaps, lock: { key: "house:{from}", busy: { retries: 50, delay: 10ms } } }
- { match: "/rest/v1/*", lock: { key: "house:{to}", busy: { retries: 50, delay: 10ms } } }
"#;
    let proxy = proxy(&origin).rules(rules).start().await;
    let mut swaps = JoinSet::new();
    for number in 0..20 {
        let client = proxy.client();
        let (from, to) = if number % 2 == 0 { (1, 2) } else { (2, 1) };
        swaps.spawn(async move { client.post("/rest/v1/swaps", json!({"from": from, "to": to})).await });
    }
    for answer in soon("all swaps", swaps.join_all()).await {
        answer.expect_status(201);
    }
    let last = origin.saw("POST /rest/v1/swaps").times(20).last().clone();
    assert_eq!(last.header("x-larder-lock"), "house:1, house:2");
    assert_eq!(last.header("x-larder-fence").split(", ").count(), 2);
}

#[tokio::test]
async fn what_no_rule_locks_is_sent_as_it_comes() {
    let origin = origin().table("rental_payments").table("notes").start().await;
    let proxy = proxy(&origin).rules(PAY).start().await;
    let answer = proxy.client().post("/rest/v1/notes", json!({"lease_id": 7})).await;
    answer.expect_status(201).expect_header("ratelimit", absent());
    assert_eq!(origin.saw("POST /rest/v1/notes").last().header("x-larder-lock"), "");
    assert_eq!(proxy.counted("larder_locks_total", &[]).await, 0.0);
}
