//! Does a change that the database tells of take away what a write through the proxy would?

use http::Method;
use serde_json::{Value, json};

use crate::redis::Redis;
use crate::support::client::{Answer, Client};
use crate::support::{Proxy, contains, origin, proxy, soon};

const TOKEN: &str = "a token for the database";
const RULES: &str = r#"reads:
- { name: todo, match: /rest/v1/todos, where: { id: eq.* }, namespace: todos, key: "detail:{id}", ttl: 60s, scope: token }
- { name: todos, match: /rest/v1/todos, namespace: todos, key: "list:{query}", ttl: 60s, scope: token }
- { name: cards, match: /rest/v1/cards, ttl: 60s, scope: token }
- { name: notes, match: /rest/v1/notes, ttl: 60s, scope: token }
- { name: leases, match: /rest/v1/leases, where: { owner: eq.* }, namespace: leases, key: "of:{owner}", ttl: 60s, scope: token }
writes:
- { name: lease-changed, match: /rest/v1/leases, invalidate: ["leases:of:{owner}"] }
schema:
  rows: { todos: [id] }
  views: { cards: [todos] }
  policies: { notes: [members] }
  cascades: { users: [notes] }"#;
const FIVE: &str = "/rest/v1/todos?id=eq.5";
const SIX: &str = "/rest/v1/todos?id=eq.6";
const LIST: &str = "/rest/v1/todos?select=id";
const CARDS: &str = "/rest/v1/cards?select=id";
const NOTES: &str = "/rest/v1/notes?select=id";
const ANNS: &str = "/rest/v1/leases?owner=eq.ann";
const BOBS: &str = "/rest/v1/leases?owner=eq.bob";
const ALL: [&str; 7] = [FIVE, SIX, LIST, CARDS, NOTES, ANNS, BOBS];

fn change(deed: &str, table: &str, old: &Value, new: &Value) -> Value {
    json!({ "type": deed, "schema": "public", "table": table, "record": new, "old_record": old })
}

async fn tell(proxy: &Proxy, change: &Value) -> Answer {
    let database = Client::new(proxy.admin()).with("authorization", &format!("Bearer {TOKEN}"));
    let database = database.with("content-type", "application/json; charset=utf-8");
    database.ask(Method::POST, "/api/changes", change.to_string().into()).await
}

/// Which of these a proxy answers anew.
async fn gone(proxy: &Proxy) -> Vec<&'static str> {
    let mut gone = Vec::new();
    for target in ALL {
        let answer = proxy.client().get(target).await.expect_status(200);
        if !answer.headers["cache-status"].to_str().unwrap().contains("; hit;") {
            gone.push(target);
        }
    }
    gone
}

async fn upstream() -> crate::support::origin::Origin {
    origin().table("todos").table("cards").table("notes").table("leases").start().await
}

#[tokio::test]
async fn a_change_takes_away_what_a_write_would() {
    let origin = upstream().await;
    let proxy = proxy(&origin).rules(RULES).variable("LARDER_CHANGES_TOKEN", TOKEN).start().await;
    let (five, six) = (json!({"id": 5, "title": "a"}), json!({"id": 6, "title": "b"}));
    let lease = |owner: &str| json!({ "id": 1, "owner": owner });
    let none = Value::Null;
    let changes = [
        // the rows that are named, and what names none
        (change("UPDATE", "todos", &five, &five), vec![FIVE, LIST, CARDS]),
        (change("INSERT", "todos", &none, &six), vec![SIX, LIST, CARDS]),
        (change("DELETE", "todos", &five, &none), vec![FIVE, LIST, CARDS]),
        // a row that moves is both
        (change("UPDATE", "todos", &five, &six), vec![FIVE, SIX, LIST, CARDS]),
        // a side that is not shown is any
        (change("UPDATE", "todos", &none, &six), vec![FIVE, SIX, LIST, CARDS]),
        (change("UPDATE", "todos", &json!({"title": "a"}), &six), vec![FIVE, SIX, LIST, CARDS]),
        (change("TRUNCATE", "todos", &none, &none), vec![FIVE, SIX, LIST, CARDS]),
        // what a policy looks at, and what a cascade reaches
        (change("INSERT", "members", &none, &json!({"id": 1})), vec![NOTES]),
        (change("DELETE", "users", &json!({"id": 1}), &none), vec![NOTES]),
        // what a write rule says instead
        (change("UPDATE", "leases", &lease("ann"), &lease("ann")), vec![ANNS]),
        (change("UPDATE", "leases", &lease("ann"), &lease("bob")), vec![ANNS, BOBS]),
        (change("TRUNCATE", "leases", &none, &none), vec![ANNS, BOBS]),
        (change("INSERT", "elsewhere", &none, &five), vec![]),
        (
            json!([change("INSERT", "todos", &none, &six), change("INSERT", "leases", &none, &lease("bob"))]),
            vec![SIX, LIST, CARDS, BOBS],
        ),
    ];
    gone(&proxy).await;
    assert_eq!(gone(&proxy).await, [] as [&str; 0]);
    for (change, expected) in &changes {
        for _twice in 0..2 {
            let applied = tell(&proxy, change).await.expect_status(200).json();
            assert_eq!(applied["applied"]["read"], true, "{applied}");
        }
        assert_eq!(gone(&proxy).await, *expected, "{change}");
    }
    assert_eq!(proxy.counted("larder_changes_total", &["deed=\"truncate\""]).await, 4.0);
    assert_eq!(proxy.counted("larder_changes_total", &[]).await, 30.0, "each as often as it was told");
    origin.saw("POST /rest/v1/todos").times(0);
}

#[tokio::test]
async fn a_write_of_the_same_row_takes_away_the_same() {
    let origin = upstream().await;
    let proxy = proxy(&origin).rules(RULES).variable("LARDER_CHANGES_TOKEN", TOKEN).start().await;
    let client = proxy.client().with("prefer", "return=representation");
    gone(&proxy).await;
    for (table, target, row) in [
        ("todos", "/rest/v1/todos?id=eq.5", json!({"id": 5, "done": true})),
        ("leases", "/rest/v1/leases?owner=eq.ann", json!({"id": 1, "owner": "ann", "rent": 1})),
    ] {
        origin.now(&format!("PATCH /rest/v1/{table}"), json!([row]));
        client.patch(target, json!({ "done": true })).await.expect_status(200);
        let by_write = gone(&proxy).await;
        tell(&proxy, &change("UPDATE", table, &row, &row)).await.expect_status(200);
        assert_eq!(gone(&proxy).await, by_write, "{table}");
        assert!(!by_write.is_empty());
    }
}

#[tokio::test]
async fn only_the_database_may_tell_and_it_may_do_nothing_else() {
    let origin = upstream().await;
    let silent = proxy(&origin).rules(RULES).start().await;
    let told =
        tell(&silent, &change("TRUNCATE", "todos", &Value::Null, &Value::Null)).await.expect_status(403);
    assert!(told.json()["hint"].as_str().unwrap().contains("LARDER_CHANGES_TOKEN"));

    let operators = "a token for operators";
    let proxy = proxy(&origin)
        .rules(RULES)
        .variable("LARDER_CHANGES_TOKEN", TOKEN)
        .variable("LARDER_ADMIN_TOKEN", operators)
        .start()
        .await;
    gone(&proxy).await;
    let admin = |token: &str| {
        let client = Client::new(proxy.admin()).with("content-type", "application/json");
        client.with("authorization", &format!("Bearer {token}"))
    };
    let message = change("TRUNCATE", "todos", &Value::Null, &Value::Null).to_string();
    for token in [operators, "", "a token for the databas"] {
        admin(token).ask(Method::POST, "/api/changes", message.clone().into()).await.expect_status(401);
    }
    for page in ["/api/cache/stats", "/metrics", "/api/cache/entries", "/healthz"] {
        admin(TOKEN).get(page).await.expect_status(401);
        admin(operators).get(page).await.expect_status(200);
    }
    let clear = r#"{"all":true}"#;
    admin(TOKEN).ask(Method::POST, "/api/cache/clear", clear.into()).await.expect_status(401);
    for (body, media, status) in [
        ("canary", "application/json", 400),
        (r#"{"type":"UPDATE","schema":"public","table":"todos","record":"canary"}"#, "text/plain", 415),
        (r#"{"type":"DROP","schema":"public","table":"todos"}"#, "application/json", 400),
    ] {
        let database = Client::new(proxy.admin()).with("authorization", &format!("Bearer {TOKEN}"));
        let answer =
            database.with("content-type", media).ask(Method::POST, "/api/changes", body.into()).await;
        assert!(!String::from_utf8_lossy(&answer.body).contains("canary"), "{answer:?}");
        answer.expect_status(status);
    }
    admin(TOKEN).get("/api/changes").await.expect_status(405).expect_header("allow", "POST");
    assert_eq!(gone(&proxy).await, [] as [&str; 0], "nothing of that took anything away");
    let counted = admin(operators).get("/metrics").await.expect_status(200).body;
    assert!(String::from_utf8_lossy(&counted).contains("larder_invalidations_total 0\n"));
}

#[tokio::test]
async fn what_cannot_be_read_takes_everything_away() {
    let origin = upstream().await;
    let proxy = proxy(&origin).rules(RULES).variable("LARDER_CHANGES_TOKEN", TOKEN).start().await;
    gone(&proxy).await;
    let large = change("UPDATE", "todos", &json!({"id": 5}), &json!({"id": 5, "text": "x".repeat(5 << 20)}));
    let applied = tell(&proxy, &large).await.expect_status(200).json();
    assert_eq!(applied["applied"], json!({ "changes": 1, "tags": 1, "read": false }));
    assert_eq!(gone(&proxy).await, ALL);
}

#[tokio::test]
async fn a_burst_is_carried_out_together_and_seen_by_the_whole_fleet() {
    const BURST: usize = 200;
    let (redis, origin) = (Redis::start(&[]), upstream().await);
    let start = async || {
        let proxy = proxy(&origin).rules(RULES).variable("LARDER_CHANGES_TOKEN", TOKEN);
        proxy.variable("REDIS_URL", &redis.url()).start().await
    };
    let [one, other] = [start().await, start().await];
    for proxy in [&one, &other] {
        let admin = Client::new(proxy.admin());
        let known = async { while admin.get("/readyz").await.json()["fleet"]["members"] != 2 {} };
        soon("two proxies that know of each other", known).await;
        gone(proxy).await;
    }
    let row = |id: usize| json!({ "id": id });
    let changes: Vec<Value> = (0..BURST).map(|id| change("UPDATE", "todos", &row(id), &row(id))).collect();
    let answers = futures_util::future::join_all(changes.iter().map(|change| tell(&one, change))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(gone(&other).await, [FIVE, SIX, LIST, CARDS]);
    let batches = one.counted("larder_invalidations_total", &[]).await;
    assert!((1.0..100.0).contains(&batches), "{BURST} changes in {batches} steps");
    assert_eq!(one.counted("larder_changes_total", &[]).await, 200.0);
    one.client().get(FIVE).await.expect_header("cache-status", contains("key=\"todos:detail:5\""));
}
