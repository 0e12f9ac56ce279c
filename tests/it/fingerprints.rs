//! Does an equal fingerprint mean a byte-identical request to the upstream, whatever clients send?
//!
//! Random reads, and others that say nearly the same, go through the proxy to an upstream that keeps every
//! byte and forbids keeping its answers, so that each read arrives there. Their fingerprints are those of
//! the same rules and keys. Whatever two reads of one fingerprint were, what arrived must be equal: all of
//! it under `scope: token` and `public`; all but `Authorization` where callers are verified to be alike.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use larder::identity::{ApiKeys, IGNORED_CLAIMS, Issuers, Keys, Verifier};
use larder::key::{Fingerprint, Scope};
use larder::plan::{Framing, Plan, Planner};
use larder::rules::{Context, RuleSet};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::support::token::{SECRET, signed};
use crate::support::{Proxy, proxy};

const RULES: &str = r#"reads:
  - { name: mine, match: /rest/v1/mine, ttl: 1h, key: "by:{claims.sub}:{query}" }
  - { name: items, match: /rest/v1/items, ttl: 1h, vary: [x-app, accept-language] }
  - { name: open, match: /rest/v1/open, ttl: 1h, scope: public }
  - { name: team, match: /rest/v1/team, ttl: 1h, scope: { claims: [app_metadata.tenant] } }
  - { name: role, match: /rest/v1/role, ttl: 1h, scope: role }
  - { name: own, match: /rest/v1/own, ttl: 1h, scope: token }
  - { name: call, match: /rest/v1/rpc/call, ttl: 1h }
"#;
const PUBLIC: &str = "sb_publishable_abc";
const CASES: u32 = 1_000;
/// So many of 100 variations must ask the same, or the property is empty.
const EQUAL_PERCENT_MIN: u32 = 20;

/// What a client sends; names as they stand on the wire.
#[derive(Clone, Debug)]
struct Sent {
    path: &'static str,
    query: Vec<&'static str>,
    headers: Vec<(String, String)>,
}

/// One way to say nearly the same.
#[derive(Clone, Debug)]
enum Change {
    SwapParameters(Index, Index),
    RepeatParameter(Index),
    SwapHeaders(Index, Index),
    ShoutHeader(Index),
    RepeatHeader(Index),
    DropHeader(Index),
    Add((String, String)),
    SplitPrefer,
}

/// Two people of one tenant, the first with a refreshed token too, and the signed-out caller.
fn bearers() -> Vec<String> {
    let person = |sub: &str, iat: u64| {
        let claims = format!(
            r#"{{"role":"authenticated","sub":"{sub}","app_metadata":{{"tenant":"acme"}},"iat":{iat},"exp":4102444800}}"#
        );
        format!("Bearer {}", signed(&claims))
    };
    vec![person("ann", 1), person("ann", 2), person("bo", 1), format!("Bearer {PUBLIC}")]
}

fn header() -> impl Strategy<Value = (String, String)> {
    let values = |name: &'static str, values: Vec<&'static str>| {
        select(values).prop_map(move |value| (name.to_owned(), value.to_owned()))
    };
    prop_oneof![
        2 => values("accept", vec!["*/*", "application/json", "text/csv;q=0.5, application/json", "application/json,text/csv", "application/vnd.pgrst.object+json"]),
        2 => values("accept-profile", vec!["public", "tenant2"]),
        4 => values("prefer", vec!["count=exact", "timezone=UTC", "count=exact, timezone=UTC", "return=minimal", "handling=strict, foo", "count=exact,count=planned", ""]),
        2 => values("range", vec!["0-9", "bytes=0-9", "5-", "items=0-9"]),
        1 => values("x-app", vec!["1", "2"]),
        1 => values("accept-language", vec!["fr", "en, fr;q=0.5"]),
        4 => select(vec!["user-agent", "x-client-info", "accept-encoding", "if-none-match", "origin", "x-forwarded-for", "cache-control", "referer", "traceparent", "content-profile", "range-unit"])
            .prop_map(|name| (name.to_owned(), "1.2.3.4".to_owned())),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let path = select(vec![
        "/rest/v1/mine",
        "/rest/v1/items",
        "/rest/v1/open",
        "/rest/v1/team",
        "/rest/v1/role",
        "/rest/v1/own",
        "/rest/v1/rpc/call",
        "/rest/v1/%69tems",
    ]);
    let query = prop::collection::vec(
        select(vec![
            "select=id,name",
            "select=a:t(*),t(*)",
            "select=id)x",
            "id=eq.1",
            "id=eq.01",
            "name=eq.a%20b",
            "name=eq.a+b",
            "name=eq.a%2Bb",
            "name=eq.a%2bb",
            "order=a",
            "order=b",
            "limit=1",
            "limit=2",
            "or=(a.eq.1,b.eq.2)",
            "t.x=eq.1",
            "a.x=eq.1",
            "%69d=eq.1",
            "v=1",
            "v=2",
            "x",
            "x=",
            "",
        ]),
        0..5,
    );
    let headers = prop::collection::vec(header(), 0..5);
    (path, query, headers, select(bearers())).prop_map(|(path, query, mut headers, bearer)| {
        headers.push(("authorization".into(), bearer));
        headers.push(("apikey".into(), PUBLIC.into()));
        Sent { path, query, headers }
    })
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        3 => (index(), index()).prop_map(|(one, other)| Change::SwapParameters(one, other)),
        1 => index().prop_map(Change::RepeatParameter),
        3 => (index(), index()).prop_map(|(one, other)| Change::SwapHeaders(one, other)),
        3 => index().prop_map(Change::ShoutHeader),
        1 => index().prop_map(Change::RepeatHeader),
        1 => index().prop_map(Change::DropHeader),
        3 => header().prop_map(Change::Add),
        2 => Just(Change::SplitPrefer),
    ]
}

impl Sent {
    fn changed(&self, changes: &[Change]) -> Self {
        let mut sent = self.clone();
        for change in changes {
            sent.change(change);
        }
        sent
    }

    fn change(&mut self, change: &Change) {
        let (query, headers) = (&mut self.query, &mut self.headers);
        match change {
            Change::SwapParameters(one, other) if !query.is_empty() => {
                let length = query.len();
                query.swap(one.index(length), other.index(length));
            }
            Change::RepeatParameter(which) if !query.is_empty() => {
                let again = query[which.index(query.len())];
                query.push(again);
            }
            Change::SwapParameters(..) | Change::RepeatParameter(_) => {}
            Change::SwapHeaders(one, other) => {
                let length = headers.len();
                headers.swap(one.index(length), other.index(length));
            }
            Change::ShoutHeader(which) => {
                let which = which.index(headers.len());
                headers[which].0 = headers[which].0.to_uppercase();
            }
            Change::RepeatHeader(which) => {
                let again = headers[which.index(headers.len())].clone();
                headers.push(again);
            }
            Change::DropHeader(which) if headers.len() > 1 => {
                headers.remove(which.index(headers.len()));
            }
            Change::DropHeader(_) => {}
            Change::Add(header) => headers.insert(0, header.clone()),
            Change::SplitPrefer => {
                let split = |(name, value): (String, String)| -> Vec<(String, String)> {
                    match name.eq_ignore_ascii_case("prefer") {
                        true => value.split(',').map(|part| (name.clone(), part.to_owned())).collect(),
                        false => vec![(name, value)],
                    }
                };
                *headers = std::mem::take(headers).into_iter().flat_map(split).collect();
            }
        }
    }

    fn target(&self) -> String {
        if self.query.is_empty() {
            self.path.to_owned()
        } else {
            format!("{}?{}", self.path, self.query.join("&"))
        }
    }

    fn bytes(&self) -> String {
        let lines = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("GET {} HTTP/1.1\r\nHost: h\r\n{}\r\n", self.target(), lines.collect::<String>())
    }

    /// How it is planned; `None` if it passes through or is refused.
    fn planned(&self, planner: &Planner) -> Option<(Fingerprint, Scope)> {
        let request = Request::get(self.target());
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        match planner.plan(&request.body(()).unwrap().into_parts().0, Framing::default(), 1_000_000_000) {
            Plan::Read(plan) => Some((plan.fingerprint, plan.rule.scope.clone())),
            Plan::Write(_) | Plan::Pass(_) | Plan::Refuse(_) => None,
        }
    }
}

/// An upstream that keeps the bytes of every head and lets no answer be kept; it ends with the set.
async fn recorder(tasks: &mut JoinSet<()>) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heads, seen) = mpsc::unbounded_channel();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(record(stream, heads.clone()));
        }
    });
    (address, seen)
}

async fn record(mut stream: TcpStream, heads: mpsc::UnboundedSender<String>) -> std::io::Result<()> {
    let mut head = Vec::new();
    loop {
        head.push(stream.read_u8().await?);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let head = String::from_utf8_lossy(&std::mem::take(&mut head)).into_owned();
        let is_for_keys = head.starts_with("GET /auth/v1/");
        let body = if is_for_keys { r#"{"keys":[]}"# } else { "[]" };
        if !is_for_keys {
            let _the_test_is_over = heads.send(head);
        }
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\ncache-control: no-store\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// Sends a read and takes what of it arrived; `None` if larder refused it.
async fn ask(proxy: &Proxy, seen: &mut mpsc::UnboundedReceiver<String>, sent: &Sent) -> Option<String> {
    let mut client = proxy.raw().await;
    client.send(sent.bytes()).await;
    let answer = client.answer("GET").await.expect("an answer");
    let arrived = seen.try_recv().ok();
    assert_eq!(answer.status == 200, arrived.is_some(), "{sent:?}: {}", answer.head);
    assert!(seen.try_recv().is_err(), "asked twice: {sent:?}");
    arrived
}

/// A head without its `Authorization`.
fn without_bearer(head: &str) -> String {
    head.split_inclusive("\r\n").filter(|line| !line.starts_with("authorization:")).collect()
}

fn planner(upstream: SocketAddr) -> Planner {
    let context = Context {
        upstream: format!("http://{upstream}"),
        ignored_claims: IGNORED_CLAIMS.map(String::from).into(),
        ..Context::default()
    };
    let (rules, _) = RuleSet::parse(&format!("version: 1\n{RULES}"), &context).unwrap();
    let keys = Keys::new(&[SECRET], Issuers::Any).unwrap();
    Planner::new(rules, Some(Arc::new(Verifier::new(keys, ApiKeys::new(&[PUBLIC]).unwrap()))))
}

#[test]
fn an_equal_fingerprint_is_a_byte_identical_request() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut tasks = JoinSet::new();
    let (upstream, seen) = runtime.block_on(recorder(&mut tasks));
    let proxy = proxy(&upstream)
        .rules(RULES)
        .variable("SUPABASE_JWT_SECRET", SECRET)
        .variable("SUPABASE_PUBLISHABLE_KEY", PUBLIC);
    let proxy = runtime.block_on(proxy.start());
    let planner = planner(upstream);
    let (seen, known) = (RefCell::new(seen), RefCell::new(HashMap::<Fingerprint, (String, Sent)>::new()));
    let (planned, equal) = (Cell::new(0), Cell::new(0));

    let look = |sent: &Sent| -> Result<Option<Fingerprint>, TestCaseError> {
        let arrived = runtime.block_on(ask(&proxy, &mut seen.borrow_mut(), sent));
        let (Some(arrived), Some((fingerprint, scope))) = (arrived, sent.planned(&planner)) else {
            return Ok(None);
        };
        let arrived = match scope {
            Scope::Token | Scope::Public => arrived,
            Scope::Role | Scope::User | Scope::Claims(_) => without_bearer(&arrived),
        };
        let mut known = known.borrow_mut();
        let (first, by) = known.entry(fingerprint).or_insert_with(|| (arrived.clone(), sent.clone()));
        prop_assert_eq!(&*first, &arrived, "one fingerprint, two requests: {:?}", by);
        Ok(Some(fingerprint))
    };
    let strategy = (sent(), prop::collection::vec(change(), 1..6));
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let held = runner.run(&strategy, |(one, changes)| {
        let (one, other) = (look(&one)?, look(&one.changed(&changes))?);
        planned.set(planned.get() + u32::from(one.is_some() && other.is_some()));
        equal.set(equal.get() + u32::from(one.is_some() && one == other));
        Ok(())
    });
    held.unwrap_or_else(|failure| panic!("{failure}"));
    let (planned, equal) = (planned.get(), equal.get());
    println!("{equal} of {planned} pairs ask the same, {} fingerprints", known.borrow().len());
    assert!(planned > CASES / 4 && equal * 100 >= planned * EQUAL_PERCENT_MIN, "{equal} of {planned} pairs");
}
