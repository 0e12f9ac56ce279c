//! Can a request be followed through Larder, and does nobody learn from its trace what is nobody's business?
//!
//! The collector is `tests/otlp/collector.py`, which reads spans with OpenTelemetry's own definitions.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::client::Client;
use crate::support::origin::{Builder as OriginBuilder, Origin};
use crate::support::{Proxy, contains, origin, proxy, soon};

const RULES: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNTRACED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

struct Collector {
    _process: Child,
    spans: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Collector {
    async fn start() -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut process = Command::new(repository.join("target/deploy/bin/python"))
            .arg(repository.join("tests/otlp/collector.py"))
            .stdin(Stdio::piped()) // it runs until this ends, even if we are killed
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("packages of tests/ are missing: run scripts/test once");
        let mut spans = BufReader::new(process.stdout.take().expect("a piped stdout")).lines();
        let port = soon("a port", spans.next_line()).await.unwrap().expect("a port");
        Self { _process: process, spans, url: format!("http://127.0.0.1:{port}") }
    }

    async fn next(&mut self) -> Value {
        let line = soon("a span", self.spans.next_line()).await.unwrap().expect("a span");
        serde_json::from_str(&line).expect("JSON")
    }
}

async fn traced(origin: &Origin, collector: &Collector, ratio: fn(&mut larder::server::Flags)) -> Proxy {
    let proxy = proxy(origin).rules(RULES).flags(ratio);
    let proxy = proxy.variable("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
    proxy.variable("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collector").start().await
}

fn todos() -> OriginBuilder {
    origin().table("todos")
}

#[tokio::test]
async fn a_request_is_a_span_of_its_callers_trace_and_what_it_asks_of_the_upstream_one_below_it() {
    let (origin, mut collector) = (todos().start().await, Collector::start().await);
    let proxy = traced(&origin, &collector, |flags| flags.traces.trace_ratio = Some("0".to_owned())).await;
    let caller = proxy.client().with("traceparent", CALLER).with("authorization", "Bearer canary");
    caller.get("/rest/v1/todos?name=eq.canary").await.expect_status(200);
    caller.get("/rest/v1/todos?name=eq.canary").await.expect_header("cache-status", contains("; hit;"));
    caller.post("/rest/v1/todos", json!({"name": "canary"})).await.expect_status(201);
    proxy.client().get("/rest/v1/todos").await;
    proxy.client().with("traceparent", UNTRACED).get("/rest/v1/todos?id=eq.1").await;
    caller.get("/rest/v1/other").await;

    let mut spans = Vec::new();
    for _ in 0..7 {
        spans.push(collector.next().await);
    }
    let (calls, requests): (Vec<Value>, Vec<Value>) = spans.into_iter().partition(|span| span["kind"] == 3);
    let [miss, hit, write, other] = <[Value; 4]>::try_from(requests).expect("four requests");
    let [missed, written, passed] = <[Value; 3]>::try_from(calls).expect("three of them asked the upstream");
    for (call, request) in [(&missed, &miss), (&written, &write), (&passed, &other)] {
        assert_eq!((&call["trace"], &call["parent"]), (&request["trace"], &request["span"]), "{call:#}");
        assert_eq!(
            (&call["name"], &call["words"]["server.address"]),
            (&json!("upstream"), &json!("127.0.0.1"))
        );
        let statuses = [call, request].map(|span| &span["words"]["http.response.status_code"]);
        assert_eq!(statuses[0], statuses[1], "{call:#}");
        assert!(call["nanos"].as_u64() <= request["nanos"].as_u64(), "{call:#}{request:#}");
        assert!(!call.to_string().contains("canary"), "{call:#}");
    }
    for (span, name, outcome) in [
        (&miss, "GET todos", "miss"),
        (&hit, "GET todos", "hit"),
        (&write, "POST write", "write"),
        (&other, "GET no-rule", "no-rule"),
    ] {
        assert_eq!(
            (&span["name"], &span["words"]["larder.outcome"]),
            (&json!(name), &json!(outcome)),
            "{span:#}"
        );
        assert_eq!(
            (&span["trace"], &span["parent"]),
            (&json!(TRACE), &json!("b7ad6b7169203331")),
            "{span:#}"
        );
        assert_eq!((&span["kind"], &span["service"]["service.name"]), (&json!(2), &json!("larder")));
        assert_eq!(span["authorization"], "Bearer collector");
        assert!(!span.to_string().contains("canary"), "{span:#}");
    }
    assert_eq!(miss["words"]["url.path"], "/rest/v1/todos");
    assert_eq!(miss["words"]["http.response.status_code"], 200);
    assert!(miss["nanos"].as_u64().unwrap() > hit["nanos"].as_u64().unwrap(), "{miss:#}{hit:#}");

    // a write and what passes through go on in the trace; a read that is kept is asked in nobody's name
    let told = origin.saw("POST /rest/v1/todos").last().header("traceparent");
    assert_eq!(told, format!("00-{TRACE}-{}-01", written["span"].as_str().unwrap()));
    let told = origin.saw("GET /rest/v1/other").last().header("traceparent");
    assert_eq!(told, format!("00-{TRACE}-{}-01", passed["span"].as_str().unwrap()));
    assert_eq!(origin.saw("GET /rest/v1/todos").last().header("traceparent"), "");
    assert_eq!(proxy.counted("larder_lost_spans_total", &[]).await, 0.0);
}

#[tokio::test]
async fn whoever_brings_no_trace_gets_one_of_its_own_and_the_last_spans_are_sent_at_the_end() {
    let (origin, mut collector) = (todos().start().await, Collector::start().await);
    let proxy = traced(&origin, &collector, |flags| flags.traces.trace_ratio = Some("1".to_owned())).await;
    for _ in 0..3 {
        proxy.client().get("/rest/v1/todos").await.expect_status(200);
    }
    proxy.shutdown().await;
    let mut seen = Vec::new();
    let call = collector.next().await;
    for _ in 0..3 {
        let span = collector.next().await;
        assert_eq!(span["parent"], "", "the first of its trace");
        assert!(!seen.contains(&span["trace"]), "a trace for each");
        seen.push(span["trace"].clone());
    }
    assert_eq!(call["trace"], seen[0], "the upstream was asked for the first alone");
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let origin = todos().start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let builder = proxy(&origin).rules(RULES).flags(|flags| flags.traces.trace_ratio = Some("1".to_owned()));
    let proxy = builder.variable("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{nobody}")).start().await;
    for _ in 0..5 {
        proxy.client().get("/rest/v1/todos").await.expect_status(200);
    }
    // five requests, and one call to the upstream
    proxy.until_counted("larder_lost_spans_total", &[], |lost| lost == 6.0).await;
    Client::new(proxy.admin()).get("/readyz").await.expect_status(200);
}

#[tokio::test]
async fn nobody_is_traced_where_nothing_is_set() {
    let origin = todos().start().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    proxy
        .client()
        .with("traceparent", CALLER)
        .post("/rest/v1/todos", json!({"id": 1}))
        .await
        .expect_status(201);
    assert_eq!(
        origin.saw("POST /rest/v1/todos").last().header("traceparent"),
        CALLER,
        "passed on as it came"
    );
}
