//! Does the admin address answer what its OpenAPI document says, on every page and to every method?

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::redis::Redis;
use crate::support::client::{Answer, Client};
use crate::support::{Proxy, origin, proxy};

const OPERATORS: &str = "a token for operators";
const DATABASE: &str = "a token for the database";
const RULES: &str = r#"reads:
- { name: todo, match: /rest/v1/todos, where: { id: eq.* }, namespace: todos, key: "detail:{id}", ttl: 60s, scope: token, vary: [x-app] }
- { name: never, match: /rest/v1/bank, cache: never }
writes:
- { name: pay, match: /rest/v1/pay, methods: [POST], lock: { key: "payment:{body.id}", hold: 30s }, idempotency: { header: idempotency-key, keep: 1h }, invalidate: [auto] }
limits:
- { name: all, match: "/rest/v1/**", by: ip, rate: 1000/1m }"#;

/// What is wrong with a value, by a schema of this document; nothing if it fits.
fn wrong(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return wrong(document, document.pointer(&reference[1..]).unwrap(), value, at);
    }
    for (kind, fits) in [("oneOf", 1..2), ("anyOf", 1..usize::MAX)] {
        if let Some(choices) = schema[kind].as_array() {
            let fitting =
                choices.iter().filter(|choice| wrong(document, choice, value, at).is_empty()).count();
            return if fits.contains(&fitting) {
                Vec::new()
            } else {
                vec![format!("{at}: {fitting} of {kind}")]
            };
        }
    }
    let mut found = Vec::new();
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        kind => panic!("{kind} is no type"),
    };
    let has_type = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(is),
        Value::Null => true,
        kind => is(kind),
    };
    if !has_type {
        return vec![format!("{at}: {value} is no {}", schema["type"])];
    }
    if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        found.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    if value.as_f64().zip(schema["minimum"].as_f64()).is_some_and(|(value, least)| value < least) {
        found.push(format!("{at}: {value} is too small"));
    }
    if schema["format"] == "date-time" && !value.as_str().is_some_and(|text| text.ends_with('Z')) {
        found.push(format!("{at}: {value} is no moment"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(wrong(document, &schema["items"], item, &format!("{at}[{index}]")));
    }
    let Some(fields) = value.as_object() else { return found };
    let names = schema["required"].as_array().into_iter().flatten();
    found.extend(
        names
            .filter(|name| !fields.contains_key(name.as_str().unwrap()))
            .map(|name| format!("{at}: no {name}")),
    );
    for (name, field) in fields {
        let (known, at) = (schema["properties"].get(name), format!("{at}.{name}"));
        match (known, &schema["additionalProperties"]) {
            (Some(schema), _) => found.extend(wrong(document, schema, field, &at)),
            (None, Value::Bool(false)) => found.push(format!("{at} is not described")),
            (None, Value::Object(_)) => {
                found.extend(wrong(document, &schema["additionalProperties"], field, &at));
            }
            (None, _) => {}
        }
    }
    found
}

/// Asks, and holds the answer against what the document says of it.
struct Walker<'p> {
    proxy: &'p Proxy,
    document: Value,
    asked: BTreeSet<String>,
}

impl Walker<'_> {
    async fn ask(&mut self, method: &str, path: &str, with: &str, body: &str) -> Answer {
        let operation = self.document["paths"][path][method.to_ascii_lowercase()].clone();
        assert!(operation.is_object(), "{method} {path} is not described");
        self.asked.insert(format!("{method} {path}"));
        let token = if operation["security"][0].get("database").is_some() { DATABASE } else { OPERATORS };
        let mut client = Client::new(self.proxy.admin()).with("authorization", &format!("Bearer {token}"));
        if !body.is_empty() {
            client = client.with("content-type", "application/json");
        }
        let target = match path.split_once("{key}") {
            Some((before, _)) => format!("{before}{with}"),
            None => format!("{path}{with}"),
        };
        let answer =
            client.ask(Method::try_from(method).unwrap(), &target, Bytes::from(body.to_owned())).await;
        let responses = &operation["responses"];
        let response = responses.get(answer.status.as_str()).unwrap_or(&responses["default"]);
        match &response["content"] {
            Value::Null => assert!(answer.body.is_empty(), "{method} {target}: {answer:?}"),
            content if content.get("application/json").is_none() => {}
            content => {
                let schema = &content["application/json"]["schema"];
                let found = wrong(&self.document, schema, &answer.json(), "");
                assert!(found.is_empty(), "{method} {target} {}: {found:#?}", answer.status);
            }
        }
        answer
    }

    async fn expect(&mut self, (method, path, with): (&str, &str, &str), body: &str, status: u16) -> Value {
        let answer = self.ask(method, path, with, body).await;
        assert_eq!(answer.status, status, "{method} {path}{with}: {answer:?}");
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }
}

async fn walk_entries(walker: &mut Walker<'_>) {
    let key = "todos:detail:5";
    let [entries, entry] = ["/api/cache/entries", "/api/cache/entries/{key}"];
    for query in ["?pattern=*&limit=1&in=memory", "?key=todos:detail:5"] {
        let page = walker.expect(("GET", entries, query), "", 200).await;
        assert_eq!(page["entries"][0]["key"], key, "{page:#}");
    }
    walker.expect(("GET", entries, "?limit=0"), "", 400).await;
    let known = walker.expect(("GET", entry, key), "", 200).await;
    assert!(!known["entries"][0]["tags"].as_array().unwrap().is_empty());
    walker.expect(("HEAD", entry, key), "", 200).await;
    walker.expect(("GET", entry, "todos:none"), "", 404).await;
    walker.expect(("DELETE", entry, key), "", 200).await;
}

async fn walk_orders(walker: &mut Walker<'_>) {
    let clear = "/api/cache/clear";
    walker.expect(("POST", clear, ""), r#"{"namespace":"nothing"}"#, 200).await;
    for order in ["{}", "[null,null,null,null,null,true]"] {
        walker.expect(("POST", clear, ""), order, 400).await;
    }
    let explain = "/api/explain";
    for method in ["GET", "HEAD"] {
        walker.expect((method, explain, "?method=GET&target=/rest/v1/todos%3Fid%3Deq.5"), "", 200).await;
    }
    walker.expect(("GET", explain, ""), "", 400).await;
    for target in ["/rest/v1/todos?id=eq.5", "/rest/v1/other"] {
        walker.expect(("POST", explain, ""), &json!({ "target": target }).to_string(), 200).await;
    }
    walker
        .expect(("POST", explain, ""), r#"{"method":"DELETE","target":"/rest/v1/todos?id=eq.5"}"#, 200)
        .await;
    walker
        .expect(("POST", "/api/changes", ""), r#"{"type":"TRUNCATE","schema":"public","table":"todos"}"#, 200)
        .await;
    walker.expect(("POST", "/api/changes", ""), "[5]", 400).await;
    walker.expect(("POST", "/api/rules/reload", ""), "", 200).await;
}

async fn walk_guards(walker: &mut Walker<'_>) {
    let lock = "/api/locks/{key}";
    let held = walker.expect(("POST", lock, "mine"), r#"{"hold":"30s"}"#, 201).await;
    walker.expect(("POST", lock, "mine"), r#"{"hold":"30s"}"#, 409).await;
    walker.expect(("GET", lock, "mine"), "", 200).await;
    walker.expect(("GET", lock, "nobodys"), "", 200).await;
    walker.expect(("HEAD", lock, "mine"), "", 200).await;
    assert_eq!(walker.expect(("GET", "/api/locks", ""), "", 200).await["locks"].as_array().unwrap().len(), 1);
    let proof = json!({ "token": held["token"] }).to_string();
    walker.expect(("PUT", lock, "mine"), &proof, 200).await;
    walker.expect(("DELETE", lock, "mine"), &proof, 200).await;
    walker.expect(("DELETE", lock, "mine"), &proof, 409).await;
    walker.expect(("DELETE", lock, "mine?force=true"), "[null,null]", 400).await;
    walker.expect(("DELETE", lock, "mine?force=true"), "", 404).await;
    let kept = walker.expect(("GET", "/api/operations", ""), "", 200).await;
    assert_eq!(kept["operations"][0]["key"], "k-1");
    walker.expect(("DELETE", "/api/operations/{key}", "k-1"), "", 200).await;
    walker.expect(("DELETE", "/api/operations/{key}", "k-1"), "", 404).await;
}

async fn walk(proxy: &Proxy) -> BTreeSet<String> {
    let operators = Client::new(proxy.admin()).with("authorization", &format!("Bearer {OPERATORS}"));
    let document = operators.get("/api/openapi.json").await.expect_status(200).json();
    let mut walker = Walker { proxy, document, asked: BTreeSet::new() };
    let client = proxy.client();
    client.get("/rest/v1/todos?id=eq.5").await.expect_status(200);
    client.get("/rest/v1/todos?id=eq.5").await.expect_status(200);
    client.with("idempotency-key", "k-1").post("/rest/v1/pay", json!({"id": 5})).await.expect_status(201);
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/health/redis",
        "/api/fleet",
        "/api/cache/stats",
        "/api/cache/entries",
        "/api/rules",
        "/api/doctor",
        "/api/limits",
        "/api/locks",
        "/api/operations",
        "/api/openapi.json",
    ] {
        for method in ["GET", "HEAD"] {
            walker.expect((method, path, ""), "", 200).await;
        }
    }
    walk_entries(&mut walker).await;
    walk_orders(&mut walker).await;
    walk_guards(&mut walker).await;
    proxy.rewrite_rules("reads: [{ name: x }]");
    let refused = walker.expect(("POST", "/api/rules/reload", ""), "", 422).await;
    assert!(!refused["details"]["mistakes"].as_array().unwrap().is_empty());
    walker.expect(("GET", "/readyz", ""), "", 200).await;
    let described = walker.document["paths"].as_object().unwrap().iter();
    let described: BTreeSet<String> = described
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |method| (path, method)))
        .map(|(path, method)| format!("{} {path}", method.to_ascii_uppercase()))
        .collect();
    // its answer does not end: tests of the dashboard listen to it
    walker.asked.insert("GET /api/live".to_owned());
    assert_eq!(walker.asked, described, "everything that is described was asked");
    described
}

#[tokio::test]
async fn every_page_answers_as_it_is_described() {
    let origin = origin().table("todos").table("pay").start().await;
    let start = async |store: &str| {
        let proxy = proxy(&origin).rules(RULES).guards_in(store);
        let proxy =
            proxy.variable("LARDER_ADMIN_TOKEN", OPERATORS).variable("LARDER_CHANGES_TOKEN", DATABASE);
        if store.is_empty() { proxy.start().await } else { proxy.variable("REDIS_URL", store).start().await }
    };
    let alone = walk(&start("").await).await;
    assert!(alone.len() > 40, "{alone:#?}");
    let redis = Redis::start(&[]);
    let shared = start(&redis.url()).await;
    let admin = Client::new(shared.admin()).with("authorization", &format!("Bearer {OPERATORS}"));
    let ready = async { while admin.get("/readyz").await.json()["fleet"]["members"] != 1 {} };
    crate::support::soon("a store that is up", ready).await;
    assert_eq!(walk(&shared).await, alone);
}

#[test]
fn the_walker_sees_what_is_wrong() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": ["integer", "null"] } }, "required": ["a"],
        "additionalProperties": false });
    for (value, is_wrong) in [
        (json!({ "a": 5 }), false),
        (json!({ "a": null }), false),
        (json!({ "a": "5" }), true),
        (json!({}), true),
        (json!({ "a": 5, "b": 5 }), true),
        (json!([]), true),
    ] {
        assert_eq!(!wrong(&Value::Null, &schema, &value, "").is_empty(), is_wrong, "{value}");
    }
}
