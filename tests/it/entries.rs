//! Can an operator see what is remembered, and never what stands in it?

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::redis::Redis;
use crate::support::client::Client;
use crate::support::command::larder;
use crate::support::origin::Origin;
use crate::support::{Proxy, origin, proxy, soon};

const RULES: &str = r#"reads:
- { name: todo, match: /rest/v1/todos, where: { id: eq.* }, namespace: todos, key: "detail:{id}", ttl: 60s, scope: token }
- { name: users, match: /rest/v1/users, ttl: 60s, scope: token }"#;
const USERS: &str = "/rest/v1/users?select=id";

fn todo(id: u32) -> String {
    format!("/rest/v1/todos?id=eq.{id}")
}

/// Rows that no operator may see.
async fn rows() -> Origin {
    let row = json!([{ "id": 5, "title": "canary" }]);
    let origin = origin().table("todos").table("users").start().await;
    origin.now("GET /rest/v1/todos", row);
    origin
}

async fn page(proxy: &Proxy, path: &str, status: u16) -> Value {
    let answer = Client::new(proxy.admin()).get(path).await.expect_status(status);
    assert!(!String::from_utf8_lossy(&answer.body).contains("canary"), "{path} shows a row: {answer:?}");
    answer.json()
}

/// Keys of all pages, each with its validity.
async fn listed(proxy: &Proxy, query: &str) -> Vec<(String, Value)> {
    let (mut keys, mut cursor) = (Vec::new(), String::new());
    for _ in 0..1_000 {
        let told = page(proxy, &format!("/api/cache/entries?{query}{cursor}"), 200).await;
        for entry in told["entries"].as_array().unwrap() {
            assert_eq!((&entry["status"], &entry["sealed"]), (&json!(200), &json!(false)), "{entry}");
            let (age, ttl) = (entry["age"].as_f64().unwrap(), entry["ttl"].as_f64().unwrap());
            assert!((59.0..61.0).contains(&(age + ttl)) && age >= 0.0, "{entry}");
            assert!(entry["bytes"].as_u64().unwrap() > 0, "{entry}");
            keys.push((entry["key"].as_str().unwrap().to_owned(), entry["valid"].clone()));
        }
        match told["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return keys,
        }
    }
    panic!("the list of {query} has no end");
}

fn names(listed: &[(String, Value)]) -> Vec<&str> {
    listed.iter().map(|(key, _)| key.as_str()).collect()
}

#[tokio::test]
async fn what_is_remembered_is_listed_by_key_and_never_shown() {
    let origin = rows().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    for id in 1..=7 {
        proxy.client().get(&todo(id)).await.expect_status(200);
    }
    proxy.client().get(USERS).await.expect_status(200);
    proxy.client().with("accept-language", "fr").with("accept", "application/json").get(&todo(5)).await;

    let all = listed(&proxy, "limit=3").await;
    let details: Vec<String> =
        [1, 2, 3, 4, 5, 5, 6, 7].iter().map(|id| format!("todos:detail:{id}")).collect();
    assert_eq!(names(&all)[..8], details, "by key, and two that are asked in two ways");
    assert!(all[8].0.starts_with("users:") && all.len() == 9 && all.iter().all(|(_, valid)| *valid == true));
    assert_eq!(names(&listed(&proxy, "pattern=*:6").await), ["todos:detail:6"]);
    assert_eq!(names(&listed(&proxy, "key=todos:detail:2&key=todos:detail:9").await), ["todos:detail:2"]);
    assert_eq!(listed(&proxy, "pattern=nothing*").await, []);
    let before = origin.saw("*").times(9).last().route.clone();

    let told = page(&proxy, "/api/cache/entries/todos:detail:6", 200).await;
    let entry = &told["entries"][0];
    assert_eq!(
        (&told["complete"], &entry["in"], &entry["valid"]),
        (&json!(true), &json!("memory"), &json!(true))
    );
    let tags: Vec<&str> =
        entry["tags"].as_array().unwrap().iter().map(|tag| tag["tag"].as_str().unwrap()).collect();
    assert!(tags.contains(&"everything") && tags.contains(&"table:public.todos"), "{tags:?}");
    assert!(entry["headers"].to_string().contains("application/json"), "{entry:#}");
    assert_eq!(
        page(&proxy, "/api/cache/entries/todos:detail:5", 200).await["entries"].as_array().unwrap().len(),
        2
    );

    proxy.client().patch("/rest/v1/todos?id=eq.6", json!({"done": true})).await.expect_status(204);
    let entry = &page(&proxy, "/api/cache/entries/todos:detail:6", 200).await["entries"][0];
    let changed = entry["tags"].as_array().unwrap().iter().find(|tag| tag["valid"] == false).unwrap();
    assert_eq!((&entry["valid"], &changed["tag"]), (&json!(false), &json!("table:public.todos")));
    assert_eq!(before, "GET /rest/v1/todos");
    assert_eq!(proxy.counted("larder_requests_total", &["outcome=\"hit\""]).await, 0.0, "looking is no hit");
}

#[tokio::test]
async fn one_key_exists_until_it_is_taken_away() {
    let origin = rows().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    let admin = Client::new(proxy.admin());
    let path = "/api/cache/entries/todos:detail:5";
    admin.head(path).await.expect_status(404);
    proxy.client().get(&todo(5)).await.expect_status(200);
    admin.head(path).await.expect_status(200);
    admin.delete(path).await.expect_status(200);
    proxy.client().get(&todo(5)).await.expect_header("cache-status", crate::support::contains("fwd=miss"));
    origin.saw("GET /rest/v1/todos").times(2);
    admin.ask(Method::POST, path, "{}".into()).await.expect_status(405);
    for (path, status, part) in [
        ("/api/cache/entries/nokey", 400, "is no key"),
        ("/api/cache/entries/todos:none", 404, "larder keys"),
        ("/api/cache/entries?limit=0", 400, "from 1 to 1000"),
        ("/api/cache/entries?in=store", 400, "this process's memory"),
        ("/api/cache/entries?cursor=eA", 400, "cursor"),
        ("/api/cache/entries/todos:detail:5?body=true", 403, "--admin-bodies show"),
    ] {
        assert!(page(&proxy, path, status).await.to_string().contains(part), "{path}");
    }
}

#[tokio::test]
async fn stored_bodies_are_shown_where_a_setting_allows_it() {
    let origin = rows().await;
    let proxy = proxy(&origin).rules(RULES).flags(|flags| flags.admin_bodies = "show".into()).start().await;
    proxy.client().get(&todo(5)).await.expect_status(200);
    page(&proxy, "/api/cache/entries/todos:detail:5", 200).await;
    let shown = Client::new(proxy.admin()).get("/api/cache/entries/todos:detail:5?body=true").await.json();
    assert_eq!(shown["entries"][0]["body"], r#"[{"id":5,"title":"canary"}]"#);
}

#[tokio::test]
async fn a_shared_store_is_listed_whoever_filled_it() {
    let (mut redis, origin) = (Redis::start(&[]), rows().await);
    // on a busy machine, too, everything that is fetched is kept
    let patient = || proxy(&origin).rules(RULES).flags(|flags| flags.store.store_timeout = "5s".into());
    let start = async || patient().variable("REDIS_URL", &redis.url()).start().await;
    let [one, other] = [start().await, start().await];
    for proxy in [&one, &other] {
        let alone = async { while page(proxy, "/readyz", 200).await["fleet"]["members"] != 2 {} };
        soon("two proxies that know of each other", alone).await;
    }
    for id in 0..25 {
        one.client().get(&todo(id)).await.expect_status(200);
    }
    other.client().get(USERS).await.expect_status(200);
    // an answer is there before its entry is
    let filled = async {
        while redis.cli(&["keys", "larder:*"]).lines().count() < 26 {
            tokio::task::yield_now().await;
        }
    };
    soon("26 entries in the store", filled).await;
    redis.cli(&["set", "larder:todos:detail:99#0123456789abcdef0123456789abcdef", "not a record"]);
    redis.cli(&["set", "larder:todos:odd", "neither"]);
    redis.cli(&["hset", "larder:todos:hash#0123456789abcdef0123456789abcdef", "field", "no text"]);

    let seen = listed(&other, "pattern=todos:*&limit=10").await;
    let expected: BTreeSet<String> = (0..25).map(|id| format!("todos:detail:{id}")).collect();
    assert_eq!(seen.iter().map(|(key, _)| key.clone()).collect::<BTreeSet<_>>(), expected);
    assert!(seen.iter().all(|(_, valid)| *valid == true), "though it holds none of them: {seen:?}");
    assert!(listed(&one, "pattern=todos:*").await.iter().all(|(_, valid)| *valid == true));
    assert_eq!(listed(&other, "in=memory").await.len(), 1, "what it holds itself");
    let entry = &page(&other, "/api/cache/entries/todos:detail:7", 200).await["entries"][0];
    assert_eq!((&entry["in"], &entry["valid"]), (&json!("store"), &json!(true)));
    let table = json!({ "tag": "table:public.todos", "valid": true });
    assert!(entry["tags"].as_array().unwrap().contains(&table), "{entry:#}");

    other.client().patch("/rest/v1/todos?id=eq.7", json!({"done": true})).await.expect_status(204);
    for proxy in [&one, &other] {
        let after = listed(proxy, "pattern=todos:*").await;
        assert!(after.iter().all(|(_, valid)| *valid == false), "whoever holds it: {after:?}");
        assert_eq!(listed(proxy, "pattern=users:*").await.len(), 1);
        assert!(listed(proxy, "pattern=users:*").await.iter().all(|(_, valid)| *valid == true));
    }
    let entry = &page(&other, "/api/cache/entries/todos:detail:7", 200).await["entries"][0];
    let table = json!({ "tag": "table:public.todos", "valid": false });
    assert!(entry["tags"].as_array().unwrap().contains(&table), "why it is not valid: {entry:#}");
    redis.kill();
    assert!(page(&one, "/api/cache/entries", 503).await["hint"].as_str().unwrap().contains("in=memory"));
    page(&one, "/api/cache/entries?in=memory", 200).await;
}

#[tokio::test]
async fn larder_keys_and_get_ask_the_running_proxy() {
    let origin = rows().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    for id in 1..=5 {
        proxy.client().get(&todo(id)).await.expect_status(200);
    }
    let admin = proxy.admin().to_string();
    for (arguments, code, lines) in [
        (&["keys"][..], 0, 6),
        (&["keys", "todos:*:3"], 0, 2),
        (&["keys", "--json", "--limit", "4"], 0, 4),
        (&["keys", "other:*"], 0, 0),
        (&["get", "todos:detail:9"], 1, 0),
        (&["get", "todos:detail:5", "--body"], 1, 0),
    ] {
        let done = larder(arguments, admin.clone()).await;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(
            (done.status.code(), text.lines().count()),
            (Some(code), lines),
            "{arguments:?}: {done:?}"
        );
        assert!(
            !arguments.contains(&"--json")
                || text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok())
        );
    }
    let shown = larder(&["get", "todos:detail:5"], admin.clone()).await;
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("tag        table:public.todos (as it was)") && !text.contains("canary"), "{text}");
    assert_eq!(larder(&["keys"], "127.0.0.1:9".to_owned()).await.status.code(), Some(69));
}
