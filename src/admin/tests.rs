//! Is an operator told what `larder explain` tells, and nobody else anything?

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use serde_json::Value;

use crate::cache::{Cache, MemoryStore};
use crate::clock::Clock;
use crate::doctor::{Examined, Report};
use crate::explain::{Asked, Explanation};
use crate::feed::Feed;
use crate::guard::Guards;
use crate::invalidation::Invalidator;
use crate::metrics::Metrics;
use crate::plan::Planner;
use crate::rules::{Context, RuleSet};

use super::*;

const TOKEN: &str = "correct horse battery staple";
const RULES: &str = "version: 1\nreads: [{ name: all, match: /rest/v1/properties, ttl: 1m }]\n";

fn planner() -> Planner {
    let context = Context { upstream: "http://up".into(), ..Context::default() };
    Planner::new(RuleSet::parse(RULES, &context).unwrap().0, None)
}

fn admin() -> Admin {
    let (planner, purging, telling) = (planner(), planner(), planner());
    let cache = Arc::new(Cache::new(
        Arc::new(MemoryStore::new(1 << 20, Duration::from_secs(130), Clock::default())),
        Clock::default(),
    ));
    let metrics = Metrics::new();
    let invalidator = Invalidator::new(Arc::clone(&cache), metrics.clone());
    let plans = Box::new(move |look: &mut dyn FnMut(&Planner)| look(&telling));
    let tasks = tokio_util::task::TaskTracker::new();
    let sources = Sources {
        health: Health::default(),
        feed: Feed::new(plans, invalidator.clone(), metrics.clone(), tasks.clone()),
        invalidator,
        resolve: Box::new(move |wanted| wanted.resolve(purging.rules())),
        tasks,
        cache,
        clock: Clock::default(),
        metrics,
        refresh: Box::new(|_| {}),
        explain: Box::new(move |asked| Explanation::of(&planner, asked, 1_000)),
        guards: Arc::new(Guards::in_memory(&Clock::default())),
        examine: Box::new(|| Box::pin(async { Report::new(Examined::Proxy, &[], "now".into()) })),
        rules: Box::new(|| Value::Null),
        reload: Box::new(|| Box::pin(async { None })),
        limits: Box::new(|| Value::Null),
        bodies: Bodies::Hidden,
    };
    let tokens = Tokens { operator: Some(Token::new(TOKEN).unwrap()), changes: None };
    Admin::new(tokens, sources)
}

async fn ask(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
    let request =
        headers.iter().fold(Request::builder().method(method).uri(target), |request, (name, value)| {
            request.header(*name, *value)
        });
    let answer = admin().handle(request.body(Full::from(body.to_owned())).unwrap()).await;
    let status = answer.status();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

fn known() -> (&'static str, String) {
    ("authorization", format!("Bearer {TOKEN}"))
}

async fn post(body: &str) -> (StatusCode, String) {
    let (name, value) = known();
    ask("POST", "/api/explain", &[(name, &value), ("content-type", "application/json; charset=utf-8")], body)
        .await
}

#[tokio::test]
async fn an_explanation_is_the_one_of_the_command() {
    let body =
        r#"{"target":"/rest/v1/properties?id=eq.5","headers":{"apikey":"canary","accept":["text/csv"]}}"#;
    let (status, text) = post(body).await;
    let headers = [("apikey", "canary"), ("accept", "text/csv")];
    let asked = Asked::new("get", "/rest/v1/properties?id=eq.5", headers, None).unwrap();
    let expected = serde_json::to_value(Explanation::of(&planner(), &asked, 1_000)).unwrap();
    assert_eq!((status, serde_json::from_str::<Value>(&text).unwrap()), (StatusCode::OK, expected));
    assert!(!text.contains("canary"), "{text}");

    let (name, value) = known();
    let target = "/api/explain?method=delete&target=/rest/v1/properties%3Fid%3Deq.5%26x%3D%2525";
    let (status, text) = ask("GET", target, &[(name, &value)], "").await;
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (status, &told["method"], &told["outcome"]),
        (StatusCode::OK, &"DELETE".into(), &"write".into())
    );
    assert_eq!(told["target"], "/rest/v1/properties?id=eq.5&x=%25");
}

#[tokio::test]
async fn a_write_is_explained_with_its_body() {
    let body = r#"{"method":"POST","target":"/rest/v1/properties","body":"{\"id\":7}"}"#;
    let (_, text) = post(body).await;
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["action"], &told["derived"]), (&"insert".into(), &"public.properties".into()));
}

#[tokio::test]
async fn what_is_no_question_is_refused_without_repeating_it() {
    let long = format!(r#"{{"target":"/{}"}}"#, "x".repeat(300 * 1024));
    for (body, status) in [
        ("", StatusCode::BAD_REQUEST),
        (r#"{"target":5,"canary":1}"#, StatusCode::BAD_REQUEST),
        (r#"{"target":"/","headers":{"apikey":"canary\u0007"}}"#, StatusCode::BAD_REQUEST),
        (r#"{"target":"/","headers":{"apikey":5}}"#, StatusCode::BAD_REQUEST),
        (r#"{"target":"properties"}"#, StatusCode::BAD_REQUEST),
        (&long, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let (found, text) = post(body).await;
        assert_eq!(found, status, "{body:.80}: {text:.200}");
        assert!(!text.contains("canary") && text.contains("LARDER4"), "{text:.200}");
    }
    let (name, value) = known();
    for (method, target, media, status) in [
        ("GET", "/api/explain", "", 400),
        ("GET", "/api/explain?target=%ff", "", 400),
        ("POST", "/api/explain", "text/plain", 415),
        ("OPTIONS", "/api/explain", "", 405),
        ("PUT", "/api/explain", "application/json", 405),
        ("POST", "/metrics", "application/json", 405),
    ] {
        let (found, text) = ask(method, target, &[(name, &value), ("content-type", media)], "{}").await;
        assert_eq!(found, status, "{method} {target}: {text}");
    }
}

#[tokio::test]
async fn nobody_else_is_told_anything() {
    let body = r#"{"target":"/rest/v1/properties"}"#;
    for wrong in ["", "Bearer correct horse battery", "Basic x"] {
        let headers = [("authorization", wrong), ("content-type", "application/json")];
        let (status, text) = ask("POST", "/api/explain", &headers, body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{text}");
        assert!(!text.contains("properties"), "{text}");
    }
}
