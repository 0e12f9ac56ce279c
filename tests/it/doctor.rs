//! Is it told what works, what does not, and what to do?

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::redis::Redis;
use crate::support::client::Client;
use crate::support::origin::{Origin, status};
use crate::support::{Proxy, origin, proxy};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s }]";
const KEY: &str = "sb_publishable_canary";
const KEYS: &str = "GET /auth/v1/.well-known/jwks.json";
/// Long enough for a secret.
const SECRET: &str = "canary-canary-canary-canary-canary";

async fn project() -> Origin {
    origin().route("GET /rest/v1/", json!({"swagger": "2.0"})).route(KEYS, json!({"keys": []})).start().await
}

async fn started(origin: &Origin) -> Proxy {
    proxy(origin)
        .rules(CACHED)
        .variable("SUPABASE_PUBLISHABLE_KEY", KEY)
        .variable("SUPABASE_JWT_SECRET", SECRET)
        .start()
        .await
}

async fn examined(proxy: &Proxy) -> Value {
    let answer = Client::new(proxy.admin()).get("/api/doctor").await.expect_status(200);
    assert!(!String::from_utf8_lossy(&answer.body).contains("canary"), "no key, no secret: {answer:?}");
    answer.json()
}

/// The verdict about something, by its code.
#[track_caller]
fn verdict<'r>(report: &'r Value, code: &str) -> &'r str {
    let mut findings = report["findings"].as_array().unwrap().iter();
    let found = findings.find(|finding| finding["code"] == code);
    found.unwrap_or_else(|| panic!("no finding {code}: {report:#}"))["verdict"].as_str().unwrap()
}

#[tokio::test]
async fn a_proxy_that_is_well_says_so() {
    let (origin, redis) =
        (project().await, Redis::start(&["--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru"]));
    let proxy = proxy(&origin)
        .rules(CACHED)
        .variable("SUPABASE_PUBLISHABLE_KEY", KEY)
        .variable("SUPABASE_JWT_SECRET", SECRET)
        .variable("REDIS_URL", &redis.url())
        .start()
        .await;
    let report = examined(&proxy).await;
    for code in [
        "name-resolves",
        "connects",
        "answers",
        "clock-agrees",
        "public-key",
        "key-accepted",
        "verifies",
        "rules-compile",
        "store-answers",
        "store-version",
        "store-memory",
        "store-allows",
        "alone",
        "listens",
        "memory",
    ] {
        assert_eq!(verdict(&report, code), "works", "{code}");
    }
    let worst = report["verdict"].as_str().unwrap();
    assert!(["works", "warning"].contains(&worst) && report["examined"] == "proxy", "{report:#}");
    let saw = origin.saw("GET /rest/v1/");
    let last = saw.times(3).last();
    assert_eq!((last.header("apikey").as_str(), last.header("authorization").as_str()), (KEY, ""));
    assert_eq!(redis.cli(&["keys", "*doctor*"]), "", "what was written for a trial is gone");
    assert_eq!(
        proxy.counted("larder_upstream_requests_total", &[]).await,
        0.0,
        "that was no client's request"
    );
}

#[tokio::test]
async fn what_the_upstream_answers_decides() {
    let origin = project().await;
    let proxy = started(&origin).await;
    for (reply, code, expected) in [
        ((404, json!({})), "no-rest", "fails"),
        ((503, json!({})), "unwell", "fails"),
        ((401, json!({"message": "Invalid API key"})), "key-refused", "fails"),
        ((401, json!({"code": "42501"})), "key-not-refused", "works"),
    ] {
        origin.now("GET /rest/v1/", reply);
        assert_eq!(verdict(&examined(&proxy).await, code), expected, "{code}");
    }
    origin.now("GET /rest/v1/", status(200));
    proxy.wait(std::time::Duration::from_secs(90));
    assert_eq!(verdict(&examined(&proxy).await, "clock-apart"), "fails");
    origin.now(KEYS, status(500));
    assert_eq!(verdict(&examined(&proxy).await, "key-set-away"), "fails");
}

#[tokio::test]
async fn a_store_that_forbids_or_is_gone_does_not_work() {
    let (origin, mut redis) = (project().await, Redis::start(&[]));
    redis.cli(&["acl", "setuser", "narrow", "on", ">pass", "~*", "&*", "+@all", "-publish", "-zadd"]);
    let url = redis.url().replace("//", "//narrow:pass@");
    let proxy = proxy(&origin).rules(CACHED).variable("REDIS_URL", &url).start().await;
    let report = examined(&proxy).await;
    assert_eq!(verdict(&report, "store-forbids"), "fails");
    let told = report.to_string();
    assert!(told.contains("ZADD in a script") && told.contains("PUBLISH in a script"), "{report:#}");
    assert!(told.contains("maxmemory is 0") && !told.contains("pass@"), "{report:#}");
    redis.kill();
    let report = examined(&proxy).await;
    assert_eq!(verdict(&report, "store-away"), "fails");
    assert!(report.to_string().contains("refused"), "it says why: {report:#}");
}

/// Runs the program beside what this thread serves.
async fn doctor(arguments: &[&str], variables: &[(&'static str, &str)]) -> Output {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let run = move || {
        let program = env!("CARGO_BIN_EXE_larder");
        Command::new(program).arg("doctor").args(arguments).env_clear().envs(variables).output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test]
async fn the_command_asks_the_proxy_or_looks_for_itself() {
    let origin = project().await;
    let proxy = started(&origin).await;
    let admin = proxy.admin().to_string();
    let asked = doctor(&["--admin", &admin], &[]).await;
    let text = String::from_utf8(asked.stdout).unwrap();
    assert_eq!(asked.status.code(), Some(0), "{text}");
    assert!(text.contains("  works    ") && text.contains("the running proxy: "), "{text}");

    // what only root may listen on is never this test's: 0 is any free port
    let upstream = format!("http://{}", origin.address);
    let line = |listen: &str, admin: &str, rules: &str| {
        let pairs = [("--listen", listen), ("--admin", admin), ("--rules", rules), ("--upstream", &upstream)];
        pairs.iter().flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()]).collect::<Vec<_>>()
    };
    let key = [("SUPABASE_PUBLISHABLE_KEY", KEY)];
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for (arguments, code) in [
        (line("127.0.0.1:0", "off", "rules.yaml"), 0),
        (line(&admin, "off", "rules.yaml"), 1),
        (line("127.0.0.1:0", "off", "no-such.yaml"), 78),
        (line("127.0.0.1:0", &free, "rules.yaml"), 69),
        (line("nowhere", "off", "rules.yaml"), 78),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let done = doctor(&[&arguments[..], &["--json"]].concat(), &key).await;
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {done:?}");
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(report["examined"], "settings");
        let is_asked = String::from_utf8_lossy(&done.stderr).contains("nobody answers on");
        assert_eq!(is_asked, code == 69, "{done:?}");
        if code == 0 {
            assert_eq!(verdict(&report, "port-free"), "works");
        }
    }
    let offline = line("127.0.0.1:0", &free, "rules.yaml");
    let offline: Vec<&str> = offline.iter().map(String::as_str).chain(["--offline"]).collect();
    assert_eq!(doctor(&offline, &key).await.status.code(), Some(0));
    let service = doctor(&offline, &[("SUPABASE_ANON_KEY", "sb_secret_canary")]).await;
    let told = String::from_utf8_lossy(&service.stdout).into_owned();
    assert_eq!(service.status.code(), Some(78));
    assert!(told.contains("service or secret key") && !told.contains("canary"), "{told}");
}
