//! Is an operator told how it is with the store, and with those who share it?

use serde_json::{Value, json};

use crate::redis::Redis;
use crate::support::client::Client;
use crate::support::origin::Origin;
use crate::support::{Proxy, origin, proxy, soon};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]";
const TARGET: &str = "/rest/v1/todos";

async fn page(proxy: &Proxy, path: &str, status: u16) -> Value {
    Client::new(proxy.admin()).get(path).await.expect_status(status).json()
}

/// Asks for a page until it says what it should.
async fn until(proxy: &Proxy, path: &str, status: u16, is_so: fn(&Value) -> bool) -> Value {
    let admin = Client::new(proxy.admin());
    let asking = async {
        loop {
            let answer = admin.get(path).await;
            if answer.status.as_u16() == status && is_so(&answer.json()) {
                return answer.json();
            }
        }
    };
    soon(path, asking).await
}

/// Two proxies that share a store and know of each other.
async fn two(origin: &Origin, redis: &Redis, rules: &str) -> [Proxy; 2] {
    let start = async || proxy(origin).rules(rules).variable("REDIS_URL", &redis.url()).start().await;
    let proxies = [start().await, start().await];
    for proxy in &proxies {
        until(proxy, "/readyz", 200, |ready| ready["fleet"]["members"] == 2).await;
    }
    proxies
}

#[tokio::test]
async fn a_fleet_is_shown_by_each_of_its_members() {
    let (redis, origin) = (Redis::start(&[]), origin().table("todos").start().await);
    let [one, other] = two(&origin, &redis, CACHED).await;
    for proxy in [&one, &other] {
        proxy.client().get(TARGET).await.expect_status(200);
    }
    let (seen, by_other) = (page(&one, "/api/fleet", 200).await, page(&other, "/api/fleet", 200).await);
    assert_eq!((&seen["store"], &seen["owed"]), (&json!("up"), &json!(0)));
    assert!((1..=1_000).contains(&seen["lease_ms"].as_u64().unwrap()), "{seen:#}");
    let names = |page: &Value| -> Vec<Value> {
        page["members"].as_array().unwrap().iter().map(|member| member["id"].clone()).collect()
    };
    assert_eq!(names(&seen), names(&by_other), "both see the same two");
    assert!(names(&seen).contains(&seen["member"]) && names(&seen).contains(&by_other["member"]));
    let own = seen["members"].as_array().unwrap().iter().filter(|member| member["self"] == true);
    assert_eq!(own.map(|member| &member["id"]).collect::<Vec<_>>(), [&seen["member"]]);
    assert_eq!((&seen["look_ups"], &seen["hits"]), (&json!(1), &json!(0)), "one asked, and fetched");
    assert_eq!((&by_other["look_ups"], &by_other["hits"]), (&json!(1), &json!(1)), "the other found it");
    origin.saw("GET /rest/v1/todos").times(1);

    other.shutdown().await;
    until(&one, "/api/fleet", 200, |fleet| fleet["members"].as_array().unwrap().len() == 1).await;
}

#[tokio::test]
async fn a_lost_store_is_degraded_and_clients_are_still_sent_here() {
    let (mut redis, origin) = (Redis::start(&[]), origin().table("todos").start().await);
    let [one, _other] = two(&origin, &redis, CACHED).await;
    assert_eq!(page(&one, "/readyz", 200).await["store"], "up");
    let health = page(&one, "/api/health/redis", 200).await;
    assert_eq!((&health["status"], &health["redis"]), (&json!("ok"), &json!("connected")));
    assert!(health["timestamp"].as_str().unwrap().ends_with('Z'));

    redis.kill();
    let health = until(&one, "/api/health/redis", 503, |health| health["redis"] == "disconnected").await;
    assert_eq!(health["status"], "degraded");
    let ready = page(&one, "/readyz", 200).await;
    assert_eq!((&ready["status"], &ready["store"]), (&json!("ready"), &json!("degraded")));
    one.client().post(TARGET, json!({"id": 1})).await.expect_status(201);
    let ready = page(&one, "/readyz", 200).await;
    assert!(ready["fleet"]["owed"].as_u64().unwrap() > 0, "what was written is owed: {ready:#}");

    redis.start_again();
    until(&one, "/readyz", 200, |ready| ready["store"] == "up" && ready["fleet"]["owed"] == 0).await;
    page(&one, "/api/health/redis", 200).await;
}

#[tokio::test]
async fn a_store_of_ones_own_is_never_away() {
    let origin = origin().start().await;
    let proxy = proxy(&origin).start().await;
    assert_eq!(page(&proxy, "/readyz", 200).await, json!({ "status": "ready", "rules": "in use" }));
    assert_eq!(page(&proxy, "/api/health/redis", 200).await["redis"], "not configured");
    let fleet = page(&proxy, "/api/fleet", 200).await;
    assert_eq!((&fleet["store"], &fleet["members"]), (&json!("memory"), &json!([])));
}
