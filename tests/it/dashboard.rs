//! Does the dashboard show what happens, in a real browser, and is its stream as it should be?
//!
//! The stories are those of `tests/dashboard`; screenshots stay in `target/dashboard`.

use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::process::Command;

use crate::support::client::Client;
use crate::support::{Proxy, contains, origin, proxy, soon};

const RULES: &str = r#"reads:
- { name: todo, match: /rest/v1/todos, where: { id: eq.* }, namespace: todos, key: "detail:{id}", ttl: 60s, scope: token }
- { name: todos, match: /rest/v1/todos, namespace: todos, key: "list:{query}", ttl: 60s, scope: token }
writes: [{ name: todo-changed, match: /rest/v1/todos, invalidate: ["todos:detail:{id}"] }]"#;
const TOKEN: &str = "a-token-that-opens-the-dashboard";

/// Debian's name, and those of others.
fn chromium() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).collect::<Vec<_>>();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.into_iter().find(|program| program.exists()).expect("chromium is missing: run scripts/test once")
}

/// Plays the stories for a proxy that asks for this token, or for none.
async fn play(proxy: &Proxy, token: &str) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        repository.join("tests/dashboard/node_modules").exists(),
        "packages of tests/ are missing: run scripts/test once"
    );
    let stories = Command::new("node")
        .arg(repository.join("tests/dashboard/run.mjs"))
        .env("ADMIN", format!("http://{}", proxy.admin()))
        .env("PROXY", format!("http://{}", proxy.address()))
        .env("CHROMIUM", chromium())
        .env("ARTEFACTS", Path::new(env!("CARGO_TARGET_TMPDIR")).join("../dashboard"))
        .env("TOKEN", token)
        .kill_on_drop(true)
        .output()
        .await
        .expect("node runs");
    assert!(
        stories.status.success(),
        "{}{}",
        String::from_utf8_lossy(&stories.stdout),
        String::from_utf8_lossy(&stories.stderr)
    );
}

#[tokio::test]
async fn a_person_sees_what_happens_and_can_do_what_is_offered() {
    let origin = origin().table("todos").start().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    play(&proxy, "").await;
    let purged = proxy.counted("larder_invalidations_total", &[]).await;
    assert_eq!(purged, 3.0, "a write and two purges; what was refused took nothing away");
}

#[tokio::test]
async fn a_person_without_the_token_sees_nothing() {
    let origin = origin().table("todos").start().await;
    let proxy = proxy(&origin).rules(RULES).variable("LARDER_ADMIN_TOKEN", TOKEN).start().await;
    play(&proxy, TOKEN).await;

    // the page is nobody's secret; what it shows is
    let stranger = Client::new(proxy.admin());
    let page = stranger.get("/").await.expect_status(200);
    let page = page.expect_header("content-security-policy", contains("default-src 'none'"));
    page.expect_header("cache-control", "no-store").expect_header("x-content-type-options", "nosniff");
    for path in ["/api/live", "/metrics", "/api/cache/stats", "/index.html", "//"] {
        stranger.get(path).await.expect_status(401);
    }
    stranger.delete("/").await.expect_status(405);
}

/// The events of a stream, one after the other.
struct Events {
    body: hyper::body::Incoming,
    rest: String,
}

impl Events {
    async fn open(proxy: &Proxy) -> Result<Self, u16> {
        let pool: Pool<HttpConnector, Empty<bytes::Bytes>> = Pool::builder(TokioExecutor::new()).build_http();
        let uri = format!("http://{}/api/live", proxy.admin()).parse().unwrap();
        let answer = soon("a stream", pool.get(uri)).await.expect("an answer");
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(status);
        }
        assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
        Ok(Self { body: answer.into_body(), rest: String::new() })
    }

    /// The next event; none when the stream has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let (name, data) = event.split_once('\n').expect("two lines");
                let name = name.strip_prefix("event: ").expect("a name").to_owned();
                let data = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
                self.rest = rest.to_owned();
                return Some((name, data));
            }
            let frame = soon("an event", self.body.frame()).await?.ok()?;
            self.rest += std::str::from_utf8(&frame.into_data().ok()?).expect("whole letters");
        }
    }
}

#[tokio::test]
async fn the_stream_tells_every_second_what_came_and_ends_with_the_process() {
    let origin = origin().table("todos").start().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    for _ in 0..3 {
        proxy.client().get("/rest/v1/todos?id=eq.5").await.expect_status(200);
    }
    let mut events = Events::open(&proxy).await.unwrap();
    let (name, hello) = events.next().await.unwrap();
    assert_eq!((&*name, &hello["stats"]["hits"], &hello["stats"]["misses"]), ("hello", &2.into(), &1.into()));
    assert_eq!(hello["missed"][0]["key"], "todos:detail:5");
    assert_eq!(hello["missed"][0]["reasons"][0][0], "new");
    assert!(hello["waited_s"]["todo"].as_f64().unwrap() > 0.0, "{hello:#}");
    for _ in 0..2 {
        let (name, tick) = events.next().await.unwrap();
        assert_eq!(name, "tick");
        assert_eq!(tick["frame"]["rates"].as_array().unwrap().len(), 6);
    }
    assert!(proxy.shutdown().await == larder::server::Drained::Everything);
    while events.next().await.is_some() {}
}

#[tokio::test]
async fn there_are_only_so_many_listeners_and_one_who_leaves_makes_room() {
    let origin = origin().table("todos").start().await;
    let proxy = proxy(&origin).start().await;
    let mut listeners = Vec::new();
    for _ in 0..16 {
        listeners.push(Events::open(&proxy).await.unwrap());
    }
    assert_eq!(Events::open(&proxy).await.err(), Some(503));
    listeners.pop();
    let room = async { while Events::open(&proxy).await.is_err() {} };
    soon("a free place", room).await;
}
