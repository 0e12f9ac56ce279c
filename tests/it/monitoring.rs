//! Do the alerts and the Grafana dashboard of `deploy/` ask for what is served, and is there a bound to it?
//!
//! A real Prometheus, which scripts/test installs, scrapes a real fleet and answers every query of the dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::Bytes;
use http::Method;
use larder::metrics::Metrics;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::redis::Redis;
use crate::support::client::Client;
use crate::support::origin::text;
use crate::support::{Proxy, origin, proxy, soon};

/// Most series of one proxy, whatever clients send.
const SERIES_MAX: usize = 2_000;

/// Distinct paths that are asked for here; each distinct one goes the same way.
const PATHS: usize = 20_000;

/// Queries that this test brings no data for: nobody reloads rules or asks canaries here, no database is
/// looked at or tells of changes, no network stands in front, and nothing is audited.
const WITHOUT_DATA: [&str; 7] = [
    "larder_rules_reloads_total",
    "larder_canaries_total",
    "larder_schema_looks_total",
    "larder_cdn_purges_total",
    "larder_changes_total",
    "larder_audits_total",
    "larder_audit_stale_total",
];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A metric as a query names it: with the labels that it is narrowed by and their values.
#[derive(Debug)]
struct Selector<'q> {
    name: &'q str,
    labels: Vec<(&'q str, Vec<&'q str>)>,
}

/// Every metric of ours that a text names.
fn selectors(text: &str) -> Vec<Selector<'_>> {
    let starts = text.match_indices("larder_").map(|(at, _)| at);
    let starts = starts.filter(|at| !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    let selector = |at: usize| {
        let end =
            text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len() - at);
        let (name, rest) = text[at..].split_at(end);
        let inside =
            rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(inside, _)| inside);
        let labels = inside.split("\",").filter_map(|label| {
            let (name, value) = label.split_once(['=', '!'])?;
            let value = value.trim_start_matches(['=', '~']).trim_matches('"');
            Some((name.trim(), value.split('|').collect()))
        });
        Selector { name, labels: labels.collect() }
    };
    starts.map(selector).collect()
}

/// Every query of the Grafana dashboard, with the title of its panel.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/larder.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let queries = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        let title = panel["title"].as_str().expect("a title").to_owned();
        targets
            .iter()
            .map(move |target| (title.clone(), target["expr"].as_str().expect("a query").to_owned()))
    });
    queries.collect()
}

#[test]
fn every_query_names_what_is_served_and_documented() {
    let served: BTreeSet<String> = Metrics::new().names().into_iter().collect();
    let documents = read("docs/metrics.md") + &read("docs/explain.md");
    let mut texts: Vec<String> = queries().into_iter().map(|(_, query)| query).collect();
    assert!(texts.len() > 40, "{} queries", texts.len());
    texts.push(read("deploy/prometheus/alerts.yml"));
    let named: Vec<Selector<'_>> = texts.iter().flat_map(|text| selectors(text)).collect();
    let mut asked = BTreeSet::new();
    for Selector { name, labels } in &named {
        let is_part = |end: &str| name.strip_suffix(end).filter(|name| served.contains(*name));
        let whole = ["_bucket", "_count", "_sum"].into_iter().find_map(is_part).unwrap_or(name);
        assert!(served.contains(whole), "{name} is not served");
        asked.insert(whole.to_owned());
        let row =
            documents.lines().find(|line| line.starts_with(&format!("| `{whole}`"))).expect("documented");
        for (label, values) in labels.iter().filter(|(label, _)| !["job", "instance"].contains(label)) {
            assert!(row.contains(&format!("`{label}`")), "{whole} has no label {label}");
            for value in values.iter().filter(|value| **value != "-") {
                assert!(documents.contains(&format!("`{value}`")), "{whole}: {label} is never {value}");
            }
        }
    }
    let unseen: Vec<&String> = served.iter().filter(|name| !asked.contains(*name)).collect();
    assert_eq!(unseen, Vec::<&String>::new(), "a metric that neither a panel nor an alert looks at");
}

/// A program of Prometheus.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: run scripts/test once"))
}

#[tokio::test]
async fn each_alert_fires_when_it_should_and_none_on_a_good_day() {
    let (alerts, stories) = (read("deploy/prometheus/alerts.yml"), read("tests/prometheus/alerts.yml"));
    let names = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for name in names {
        assert!(stories.contains(&format!("- name: {name}\n")), "{name} is never made to fire");
    }
    let promtool = program("promtool");
    for arguments in [
        ["check", "rules", "deploy/prometheus/alerts.yml"].as_slice(),
        &["check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"],
        &["test", "rules", "tests/prometheus/alerts.yml"],
    ] {
        let checked =
            Command::new(&promtool).args(arguments).current_dir(repository("")).output().await.unwrap();
        let said = [checked.stdout, checked.stderr].concat();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

/// A real Prometheus that scrapes these proxies every second; it ends with this value.
struct Prometheus {
    _process: Child,
    client: Client,
    _folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone_already = fs::remove_dir_all(&self.0);
    }
}

impl Prometheus {
    async fn start(program: &Path, scraped: &[&Proxy]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap().port();
        let folder =
            Folder(std::env::temp_dir().join(format!("larder-prometheus-{}-{port}", std::process::id())));
        fs::create_dir_all(&folder.0).unwrap();
        let targets: Vec<String> = scraped.iter().map(|proxy| proxy.admin().to_string()).collect();
        // YAML takes JSON as it is
        let config = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [repository("deploy/prometheus/alerts.yml")],
            "scrape_configs": [{ "job_name": "larder", "static_configs": [{ "targets": targets }] }],
        });
        let file = folder.0.join("prometheus.yml");
        fs::write(&file, config.to_string()).unwrap();
        let process = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.0.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus runs");
        let client = Client::new(([127, 0, 0, 1], port).into());
        let ready = async {
            loop {
                let answer = client.try_ask(Method::GET, "/-/ready", Bytes::new()).await;
                if answer.is_ok_and(|answer| answer.status == 200) {
                    break;
                }
            }
        };
        soon("Prometheus", ready).await;
        Self { _process: process, client, _folder: folder }
    }

    /// How many series a query brings.
    async fn series(&self, query: &str) -> usize {
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let answer = self.client.get(&format!("/api/v1/query?query={query}")).await;
        let told = answer.expect_status(200).json();
        told["data"]["result"].as_array().expect("a result").len()
    }
}

const EVERYTHING: &str = r#"reads:
- { name: todos, match: /rest/v1/todos, ttl: 60s, scope: token, refresh_ahead: 59s }
- { name: people, match: /rest/v1/people, ttl: 60s, scope: user }
- { name: cookies, match: /rest/v1/cookies, ttl: 60s, scope: token }
writes:
- { match: /rest/v1/todos, methods: [POST], lock: { key: "todo" }, idempotency: { header: Idempotency-Key, keep: 1h } }
limits:
- { name: few, match: /rest/v1/limited, by: ip, rate: 1/1h }"#;

/// Does one of everything that is counted.
async fn live(proxy: &Proxy) {
    let client = proxy.client();
    for _ in 0..3 {
        client.get("/rest/v1/todos?select=*,users(*)").await;
        client.get("/rest/v1/cookies").await;
        client.get("/rest/v1/limited").await;
    }
    client
        .with("authorization", "Bearer forged")
        .with("apikey", "sb_publishable_test")
        .get("/rest/v1/people")
        .await;
    client.with("idempotency-key", "0123456789abcdef").post("/rest/v1/todos", json!({"id": 1})).await;
}

#[tokio::test]
async fn a_real_prometheus_has_data_for_every_panel() {
    let program = program("prometheus");
    let redis = Redis::start(&[]);
    let origin = origin().table("todos").table("limited");
    let origin = origin.route("GET /rest/v1/cookies", text("x").header("set-cookie", "a=1")).start().await;
    let start = async || {
        let proxy = proxy(&origin).rules(EVERYTHING).guards_in(&redis.url());
        let proxy = proxy.variable("REDIS_URL", &redis.url());
        proxy.variable("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_test").start().await
    };
    let (one, other) = (start().await, start().await);
    live(&one).await;
    let prometheus = Prometheus::start(&program, &[&one, &other]).await;
    for (title, query) in queries() {
        if WITHOUT_DATA.iter().any(|name| query.contains(name)) {
            continue;
        }
        let asked = query.replace("$job", "larder").replace("$instance", ".*");
        let asked = asked.replace("$__rate_interval", "10s").replace("$__range", "1m");
        let found = async {
            while prometheus.series(&asked).await == 0 {
                live(&one).await;
            }
        };
        soon(&format!("data for {title}: {asked}"), found).await;
    }
    soon("the alerts", async { while prometheus.series("count({__name__=~\"ALERTS|up\"})").await == 0 {} })
        .await;
}

#[tokio::test]
async fn the_number_of_series_has_a_bound_whatever_clients_send() {
    let origin = origin().table("todos").start().await;
    let proxy =
        proxy(&origin).rules("reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s }]").start().await;
    let series = async || {
        let page = Client::new(proxy.admin()).get("/metrics").await.expect_status(200);
        String::from_utf8_lossy(&page.body).lines().filter(|line| !line.starts_with('#')).count()
    };
    let ask = async |numbers: std::ops::Range<usize>| {
        let mut asking = tokio::task::JoinSet::new();
        for part in 0..8 {
            let (client, numbers) = (proxy.client(), numbers.clone());
            asking.spawn(async move {
                for number in numbers.filter(|number| number % 8 == part) {
                    let client = client.with("authorization", &format!("Bearer caller-{number}"));
                    client.get(&format!("/rest/v1/table{number}/{number}?name=eq.{number}")).await;
                }
            });
        }
        asking.join_all().await;
    };
    for kind in ["DELETE", "PATCH", "BREW", "M-SEARCH"] {
        proxy.client().ask(kind.parse().unwrap(), "/rest/v1/todos?id=eq.1", "{}".into()).await;
    }
    proxy.client().get("/rest/v1/todos?id=eq.1").await;
    ask(0..PATHS / 10).await;
    let early = series().await;
    ask(PATHS / 10..PATHS).await;
    let late = series().await;
    assert_eq!(early, late, "a series for what a client sent");
    assert!(late < SERIES_MAX, "{late} series");
    let asked = proxy.counted("larder_requests_total", &[]).await;
    assert!(asked >= PATHS as f64, "{asked} requests");
}
