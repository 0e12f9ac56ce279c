//! Is an operator told how it is with the store and with those who share it, and can they make entries disappear?

use http::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::redis::Redis;
use crate::support::client::{Answer, Client};
use crate::support::command::larder;
use crate::support::origin::Origin;
use crate::support::{Proxy, contains, origin, proxy, soon};

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

const KEYED: &str = r#"reads:
- { name: todo, match: /rest/v1/todos, where: { id: eq.* }, namespace: todos, key: "detail:{id}", ttl: 60s, scope: token }
- { name: users, match: /rest/v1/users, ttl: 60s, scope: token }
writes: [{ match: /rest/v1/todos, invalidate: ["todos:detail:{id}"] }]"#;
const FIVE: &str = "/rest/v1/todos?id=eq.5";
const SIX: &str = "/rest/v1/todos?id=eq.6";
const USERS: &str = "/rest/v1/users?select=id";

async fn clear(proxy: &Proxy, order: &Value) -> Answer {
    let admin = Client::new(proxy.admin()).with("content-type", "application/json");
    admin.ask(Method::POST, "/api/cache/clear", order.to_string().into()).await
}

/// Which of these a proxy serves without asking anybody.
async fn hits(proxy: &Proxy) -> Vec<&'static str> {
    let mut hits = Vec::new();
    for target in [FIVE, SIX, USERS] {
        if proxy.client().get(target).await.expect_status(200).headers["cache-status"]
            .to_str()
            .unwrap()
            .contains("; hit;")
        {
            hits.push(target);
        }
    }
    hits
}

#[tokio::test]
async fn what_an_operator_clears_through_one_proxy_is_gone_from_the_other() {
    let (redis, origin) = (Redis::start(&[]), origin().table("todos").table("users").start().await);
    let [one, other] = two(&origin, &redis, KEYED).await;
    for (order, left) in [
        (json!({"key": "todos:detail:5"}), vec![SIX, USERS]),
        (json!({"keys": ["todos:detail:5", "todos:detail:6"]}), vec![USERS]),
        (json!({"pattern": "todos:detail:6"}), vec![FIVE, USERS]),
        (json!({"pattern": "todos:detail:{id}"}), vec![USERS]),
        (json!({"tags": ["key:todos:detail:5", "table:public.users"]}), vec![SIX]),
        (json!({"namespace": "todos"}), vec![USERS]),
        (json!({"pattern": "users:*"}), vec![FIVE, SIX]),
        (json!({"table": "public.users"}), vec![FIVE, SIX]),
        (json!({"table": "todos"}), vec![USERS]),
        (json!({"all": true}), vec![]),
    ] {
        for proxy in [&one, &other] {
            hits(proxy).await;
            assert_eq!(hits(proxy).await, [FIVE, SIX, USERS], "all is in memory before {order}");
        }
        let answer = clear(&one, &order).await.expect_status(200).json();
        assert!(
            answer["cleared"]["tags"].as_u64().unwrap() > 0 && answer.get("warnings").is_none(),
            "{answer}"
        );
        assert_eq!(hits(&other).await, left, "{order}");
    }
    assert_eq!(one.counted("larder_invalidations_total", &[]).await, 10.0);
}

#[tokio::test]
async fn an_order_that_means_nothing_clears_nothing() {
    let origin = origin().table("todos").table("users").start().await;
    let proxy = proxy(&origin).rules(KEYED).start().await;
    hits(&proxy).await;
    for order in [
        json!({}),
        json!([]),
        json!({"key": "a:b", "all": true}),
        json!({"pattern": "todos:de*"}),
        json!({"tags": []}),
        json!({"tags": ["todos"]}),
    ] {
        let answer = clear(&proxy, &order).await.expect_status(400).json();
        assert_eq!(answer["code"], "LARDER400", "{order}");
        assert!(!answer["hint"].as_str().unwrap().is_empty());
    }
    let long = json!({"key": "x".repeat(2 << 20)});
    clear(&proxy, &long).await.expect_status(413);
    let admin = Client::new(proxy.admin());
    admin.ask(Method::POST, "/api/cache/clear", r#"{"all":true}"#.into()).await.expect_status(415);
    admin.get("/api/cache/clear").await.expect_status(405).expect_header("allow", contains("POST"));
    assert_eq!(proxy.counted("larder_invalidations_total", &[]).await, 0.0);
    assert_eq!(hits(&proxy).await, [FIVE, SIX, USERS]);
}

#[tokio::test]
async fn what_a_lost_store_could_not_be_told_is_said() {
    let (mut redis, origin) = (Redis::start(&[]), origin().table("todos").start().await);
    let [one, other] = two(&origin, &redis, CACHED).await;
    redis.kill();
    let told = clear(&one, &json!({"all": true})).await.expect_status(200).json();
    assert!(told["warnings"][0].as_str().unwrap().contains("owed"), "{told}");
    redis.start_again();
    for proxy in [&one, &other] {
        until(proxy, "/readyz", 200, |ready| ready["store"] == "up" && ready["fleet"]["members"] == 2).await;
    }
}

#[tokio::test]
async fn an_operator_who_hangs_up_has_cleared_nevertheless() {
    let (mut redis, origin) = (Redis::start(&[]), origin().table("todos").start().await);
    let [one, _other] = two(&origin, &redis, CACHED).await;
    redis.pause();
    let mut operator = TcpStream::connect(one.admin()).await.unwrap();
    let order = "POST /api/cache/clear HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                 content-length: 12\r\n\r\n{\"all\":true}";
    operator.write_all(order.as_bytes()).await.unwrap();
    for _ in 0..10 {
        page(&one, "/healthz", 200).await; // what came before this has been begun
    }
    drop(operator);
    until(&one, "/readyz", 200, |ready| ready["fleet"]["owed"] == 1).await;
    redis.start_again();
    until(&one, "/readyz", 200, |ready| ready["fleet"]["owed"] == 0).await;
}

#[tokio::test]
async fn larder_purge_asks_the_running_proxy() {
    let origin = origin().table("todos").table("users").start().await;
    let proxy = proxy(&origin).rules(KEYED).start().await;
    let admin = proxy.admin().to_string();
    for (arguments, left) in [
        (&["purge", "todos:detail:5"][..], vec![SIX, USERS]),
        (&["purge", "todos:detail:5", "todos:detail:6"], vec![USERS]),
        (&["purge", "todos:*"], vec![USERS]),
        (&["purge", "--table", "users"], vec![FIVE, SIX]),
        (&["purge", "--namespace", "users", "--json"], vec![FIVE, SIX]),
        (&["purge", "--all"], vec![]),
    ] {
        hits(&proxy).await;
        let done = larder(arguments, admin.clone()).await;
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {done:?}");
        if arguments.contains(&"--json") {
            assert_eq!(serde_json::from_slice::<Value>(&done.stdout).unwrap()["cleared"]["tags"], 1);
        }
        assert_eq!(hits(&proxy).await, left, "{arguments:?}");
    }
    for (arguments, code, said) in [
        (&["purge", "todos:de*"][..], 1, "todos:detail:{id}"),
        (&["purge"], 64, "--all"),
        (&["purge", "a:b", "--all"], 64, "cannot be used with"),
    ] {
        let done = larder(arguments, admin.clone()).await;
        let text = String::from_utf8_lossy(&done.stderr);
        assert_eq!((done.status.code(), text.contains(said)), (Some(code), true), "{arguments:?}: {text}");
    }
    let nobody = larder(&["purge", "--all"], "127.0.0.1:9".to_owned()).await;
    assert_eq!(nobody.status.code(), Some(69));
}

#[tokio::test]
async fn what_is_answered_from_the_cache_is_told_by_rule() {
    let origin = origin().table("todos").table("users").table("other").start().await;
    let proxy = proxy(&origin).rules(KEYED).start().await;
    let stats = page(&proxy, "/api/cache/stats", 200).await;
    assert_eq!((&stats["stats"]["hits"], &stats["stats"]["hit_rate"]), (&json!(0), &json!(null)));
    for target in [FIVE, FIVE, FIVE, SIX, "/rest/v1/other"] {
        proxy.client().get(target).await.expect_status(200);
    }
    let told = page(&proxy, "/api/cache/stats", 200).await;
    let stats = &told["stats"];
    assert_eq!((&stats["hits"], &stats["misses"], &stats["hit_rate"]), (&json!(2), &json!(2), &json!(0.5)));
    assert_eq!((&stats["keys"], &stats["upstream_requests"]), (&json!(2), &json!(3)));
    assert_eq!(stats["rules"][0], json!({ "rule": "todo", "hits": 2, "misses": 2, "hit_rate": 0.5 }));
    assert_eq!(stats["rules"][1]["rule"], "users");
    let todos = &stats["namespaces"][0];
    assert_eq!(
        (&todos["namespace"], &todos["keys"], &todos["hits"]),
        (&json!("todos"), &json!(2), &json!(2))
    );
    assert_eq!(todos["memory"], stats["memory"], "nothing else is held");
    for name in ["memory", "bytes_saved"] {
        assert!(stats[name].as_u64().unwrap() > 0, "{name}: {stats:#}");
    }
    assert!(told["timestamp"].is_string() && stats.get("store").is_none());

    let admin = proxy.admin().to_string();
    let shown = larder(&["stats"], admin.clone()).await;
    assert_eq!(shown.status.code(), Some(0));
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("50.0%") && text.contains("todo") && !text.contains('\x1b'), "{text}");
    let shown = larder(&["stats", "--json"], admin).await;
    let again: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(again["stats"], told["stats"]);
    assert_eq!(larder(&["stats", "--watch"], "127.0.0.1:9".to_owned()).await.status.code(), Some(69));
}
