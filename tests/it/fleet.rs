//! Do two proxies that share a store guard as one, and what happens when the store does not answer?

use std::time::Duration;

use http::Method;
use larder::server::{Drained, Flags};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::support::client::{Answer, Client};
use crate::support::origin::Origin;
use crate::support::{Proxy, contains, origin, proxy, soon};

const PAYMENTS: &str = "/rest/v1/payments";
const POSTED: &str = "POST /rest/v1/payments";

const PAY: &str = r#"namespace: dousell
writes:
- match: /rest/v1/payments
  lock: { key: "payment:{lease_id}", hold: 2s }
"#;

/// Two proxies with one store, both of which have reached it.
async fn fleet(origin: &Origin, rules: &str, redis: &Redis) -> [Proxy; 2] {
    let start = async || {
        // a machine that runs all tests at once has its own idea of 50 ms
        let patient: fn(&mut Flags) = |flags| flags.store.store_timeout = "2s".into();
        let proxy = proxy(origin).rules(rules).guards_in(&redis.url()).flags(patient).start().await;
        reaches_store(&proxy).await;
        proxy
    };
    [start().await, start().await]
}

async fn reaches_store(proxy: &Proxy) {
    let admin = Client::new(proxy.admin());
    soon("the store", async { while admin.get("/api/locks").await.status != 200 {} }).await;
}

async fn order(proxy: &Proxy, method: Method, target: &str, order: Value) -> Answer {
    let admin = Client::new(proxy.admin()).with("content-type", "application/json");
    admin.ask(method, target, order.to_string().into()).await
}

#[tokio::test]
async fn fifty_clicks_through_two_proxies_are_one() {
    let (redis, origin) = (Redis::start(&[]), origin().table("payments").start().await);
    let fleet = fleet(&origin, PAY, &redis).await;
    let held = origin.hold(POSTED);
    let mut clicks = JoinSet::new();
    for number in 0..50 {
        let client = fleet[number % 2].client();
        clicks.spawn(async move { client.post(PAYMENTS, json!({"lease_id": 7})).await });
    }
    origin.reached(POSTED, 1).await;
    for answer in [clicks.join_next().await, clicks.join_next().await] {
        answer.unwrap().unwrap().expect_status(409);
    }
    while clicks.len() > 1 {
        clicks.join_next().await.unwrap().unwrap().expect_status(409);
    }
    assert!(redis.cli(&["get", "dousell:lock:{payment:7}"]).contains(':'), "readable in redis-cli");
    held.release();
    clicks.join_next().await.unwrap().unwrap().expect_status(201);
    origin.saw(POSTED).times(1);
    let first: u64 = origin.saw(POSTED).last().header("x-larder-fence").parse().unwrap();
    fleet[0].client().post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(201);
    let second: u64 = origin.saw(POSTED).last().header("x-larder-fence").parse().unwrap();
    assert!(first < second && second < 9_007_199_254_740_992);
}

#[tokio::test]
async fn a_lock_of_one_proxy_is_seen_renewed_and_freed_through_another() {
    let (redis, origin) = (Redis::start(&[]), origin().table("payments").start().await);
    let [one, other] = fleet(&origin, PAY, &redis).await;
    let taken =
        order(&one, Method::POST, "/api/locks/payment:7", json!({"hold": "1s"})).await.expect_status(201);
    let token = json!({"token": taken.json()["token"], "hold": "10s"});
    order(&other, Method::PUT, "/api/locks/payment:7", token.clone()).await.expect_status(200);
    let left: i64 = redis.cli(&["pttl", "dousell:lock:{payment:7}"]).parse().unwrap();
    assert!((9_000..=10_000).contains(&left), "{left}");
    let listed = order(&other, Method::GET, "/api/locks", json!({})).await.json();
    assert_eq!(
        (&listed["locks"][0]["key"], &listed["locks"][0]["fence"]),
        (&json!("payment:7"), &taken.json()["fence"])
    );
    other.client().post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(409);
    let stranger = json!({"token": "0".repeat(32)});
    order(&other, Method::DELETE, "/api/locks/payment:7", stranger).await.expect_status(409);
    order(&other, Method::DELETE, "/api/locks/payment:7", token.clone()).await.expect_status(200);
    order(&one, Method::PUT, "/api/locks/payment:7", token).await.expect_status(409);
    one.client().post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(201);
}

#[tokio::test]
async fn a_fence_rises_even_if_the_store_lost_everything() {
    let (mut redis, origin) = (Redis::start(&[]), origin().table("payments").start().await);
    let [one, _other] = fleet(&origin, PAY, &redis).await;
    let mut last = 0;
    for lost in [false, true, true] {
        if lost {
            redis.start_again();
            reaches_store(&one).await;
        }
        one.client().post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(201);
        let fence: u64 = origin.saw(POSTED).last().header("x-larder-fence").parse().unwrap();
        assert!(last < fence);
        last = fence;
    }
}

#[tokio::test]
async fn without_its_store_a_locked_write_is_refused_unless_its_rule_says_otherwise() {
    let (mut redis, origin) = (Redis::start(&[]), origin().table("payments").table("notes").start().await);
    let rules = format!(
        "{PAY}- {{ match: /rest/v1/notes, lock: {{ key: \"note:{{id}}\", store_down: allow }} }}\n\
         limits: [{{ name: local, match: /rest/v1/notes, by: ip, rate: 2/1m }},\n\
                  {{ name: refuse, match: /rest/v1/closed, by: ip, rate: 2/1m, store_down: refuse }}]"
    );
    let [one, _other] = fleet(&origin, &rules, &redis).await;
    let client = one.client();
    redis.pause();
    let refused = client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(503);
    assert_eq!(refused.expect_header("retry-after", "1").json()["code"], "LARDER503");
    redis.kill();
    for _ in 0..10 {
        let asked = tokio::time::Instant::now();
        client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(503);
        assert!(asked.elapsed() < Duration::from_secs(1), "nobody waits for a store that is away");
    }
    origin.saw(POSTED).times(0);

    for status in [201, 201, 429] {
        client.post("/rest/v1/notes", json!({"id": 1})).await.expect_status(status);
    }
    assert_eq!(origin.saw("POST /rest/v1/notes").times(2).last().header("x-larder-lock"), "");
    client.get("/rest/v1/closed").await.expect_status(503);

    redis.start_again();
    reaches_store(&one).await;
    client.post(PAYMENTS, json!({"lease_id": 7})).await.expect_status(201);
}

#[tokio::test]
async fn an_answer_survives_the_proxy_that_gave_it() {
    let (redis, origin) =
        (Redis::start(&[]), origin().route(POSTED, (201, json!([{"id": 1}]))).start().await);
    let rules = "writes: [{ match: /rest/v1/payments, idempotency: { keep: 1h } }]";
    let [one, other] = fleet(&origin, rules, &redis).await;
    let with_key = |proxy: &Proxy, key: &str| proxy.client().with("idempotency-key", key);
    let body = json!({"lease_id": 7, "note": "Thiès 🙂"});
    with_key(&one, "k").post(PAYMENTS, body.clone()).await.expect_status(201);
    assert_eq!(one.shutdown().await, Drained::Everything, "the store holds up no end");
    let again = with_key(&other, "k").post(PAYMENTS, body).await.expect_status(201);
    again
        .expect_header("idempotent-replayed", "true")
        .expect_header("content-type", contains("json"))
        .expect_json(&json!([{"id": 1}]));
    with_key(&other, "k").post(PAYMENTS, json!({})).await.expect_status(422);
    origin.saw(POSTED).times(1);

    origin.now(POSTED, (500, json!({})));
    with_key(&other, "in*doubt").post(PAYMENTS, json!({})).await.expect_status(500);
    let doubtful = with_key(&other, "in*doubt").post(PAYMENTS, json!({})).await.expect_status(409);
    assert_eq!(doubtful.json()["message"], "outcome unknown");
    let listed = order(&other, Method::GET, "/api/operations", json!({})).await.json();
    let keys: Vec<_> =
        listed["operations"].as_array().unwrap().iter().map(|kept| kept["key"].clone()).collect();
    assert_eq!(keys, ["in*doubt", "k"], "what has no outcome first");
    order(&other, Method::DELETE, "/api/operations/in%2Adoubt", json!({}))
        .await
        .expect_json(&json!({"forgotten": 1}));
    with_key(&other, "in*doubt").post(PAYMENTS, json!({})).await.expect_status(500);
    origin.saw(POSTED).times(3);
}

#[tokio::test]
async fn two_proxies_share_one_budget() {
    let (redis, origin) = (Redis::start(&[]), origin().table("todos").start().await);
    let rules = "limits: [{ name: fleet, match: /rest/v1/todos, by: ip, rate: 20/1h, window: sliding },\n\
                          { name: posts, match: /rest/v1/todos, methods: [POST], by: ip, rate: 1/1h, window: fixed }]";
    let fleet = fleet(&origin, rules, &redis).await;
    fleet[0].client().post("/rest/v1/todos", json!({})).await.expect_status(201);
    for proxy in [&fleet[0], &fleet[1], &fleet[1]] {
        let refused = proxy.client().post("/rest/v1/todos", json!({})).await.expect_status(429);
        refused.expect_header("ratelimit", contains("\"posts\";r=0"));
    }
    let mut asking = JoinSet::new();
    for number in 0..60 {
        let client = fleet[number % 2].client();
        asking.spawn(async move { client.get("/rest/v1/todos").await.status.as_u16() });
    }
    let statuses = asking.join_all().await;
    let passed = statuses.iter().filter(|status| **status == 200).count();
    // refused POSTs may have stood in the way for a moment, but were given back before their answers
    assert_eq!((passed, statuses.len()), (19, 60), "the first POST was the twentieth");
    origin.saw("GET /rest/v1/todos").times(19);
    redis.go_on();
}
