//! Is an operator shown the rules in use, and can those on disk take their place?

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::{contains, origin, proxy};

const RULES: &str = r#"reads:
- { name: todo, match: /rest/v1/todos, where: { id: eq.* }, namespace: todos, key: "detail:{id}", ttl: 60s, scope: token }
- { name: never, match: /rest/v1/bank_*, cache: never }
writes:
- { name: changed, match: /rest/v1/todos, methods: [PATCH], invalidate: [auto, "todos:detail:{id}"] }
limits:
- { name: all, match: "/rest/v1/**", by: ip, rate: 1000/1m }"#;
const FIVE: &str = "/rest/v1/todos?id=eq.5";

#[tokio::test]
async fn the_rules_in_use_are_shown_with_what_they_bring() {
    let origin = origin().table("todos").start().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    for _ in 0..4 {
        proxy.client().get(FIVE).await.expect_status(200);
    }
    let told = Client::new(proxy.admin()).get("/api/rules").await.expect_status(200).json();
    let (todo, never) = (&told["reads"][0], &told["reads"][1]);
    assert_eq!(
        *todo,
        json!({ "name": "todo", "match": "/rest/v1/todos", "where": { "id": "eq.*" }, "namespace": "todos",
            "key": "detail:{id}", "ttl": 60.0, "scope": "token", "consistency": "fresh", "vary": [],
            "encrypt": false, "canary": [], "hits": 3, "misses": 1, "hit_rate": 0.75 })
    );
    assert_eq!((&never["ttl"], &never["hits"], &never["hit_rate"]), (&json!(null), &json!(0), &json!(null)));
    assert_eq!(told["writes"][0]["invalidate"], json!(["auto", "todos:detail:{id}"]));
    assert_eq!(told["limits"][0]["rate"], 1_000);
    origin.saw("GET /rest/v1/todos").times(1);
}

#[tokio::test]
async fn rules_are_read_again_when_an_operator_asks() {
    let origin = origin().table("todos").table("users").start().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    let users = "/rest/v1/users?select=id";
    proxy.client().get(users).await.expect_header("cache-status", contains("fwd=bypass"));
    // The file is looked at once a second, too: should that come first, asking finds nothing new.
    let mut told = Value::Null;
    for number in 0..5 {
        let name = format!("users-{number}");
        proxy.rewrite_rules(&RULES.replace(
            "writes:",
            &format!("- {{ name: {name}, match: /rest/v1/users, ttl: 60s, scope: token }}\nwrites:"),
        ));
        told = proxy.reload(200).await;
        if told["reads"]["added"] == json!([name]) {
            break;
        }
    }
    assert_eq!(told["reads"]["added"].as_array().unwrap().len(), 1, "{told:#}");
    assert_eq!((&told["reloaded"], &told["writes"]["changed"]), (&json!(true), &json!([])));
    // what was asked for is in use when the answer comes
    proxy.client().get(users).await.expect_header("cache-status", contains("stored"));
    proxy.client().get(users).await.expect_header("cache-status", contains("; hit;"));
    assert!(proxy.counted("larder_rules_reloads_total", &["result=\"ok\""]).await >= 1.0);

    proxy.rewrite_rules("reads: [{ name: x, match: /rest/v1/users, ttl: 60 }]");
    let refused = proxy.reload(422).await;
    let mistake = &refused["details"]["mistakes"][0];
    assert_eq!((&refused["code"], &mistake["line"]), (&json!("LARDER422"), &json!(2)), "{refused:#}");
    assert!(mistake["message"].as_str().unwrap().contains("60"), "{refused:#}");
    proxy.client().get(users).await.expect_header("cache-status", contains("; hit;"));
    let ready = Client::new(proxy.admin()).get("/readyz").await.expect_status(200).json();
    assert_eq!(ready["rules"], "refused, older rules in use");
}
