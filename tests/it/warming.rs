//! Is the cache filled before the traffic comes, and nothing ever changed?

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::origin::{Origin, status};
use crate::support::{contains, origin, proxy};

const RULES: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]";
const KEY: &str = "sb_publishable_warm";

/// A list that is removed at its end.
struct List(PathBuf);

impl List {
    fn of(text: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("larder-warm-{}-{number}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

/// Runs the program beside the proxy, which this thread serves.
async fn warm(arguments: &[&str]) -> (i32, String, Output) {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
        command.arg("warm").args(arguments).env_clear().env("SUPABASE_PUBLISHABLE_KEY", KEY).output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap(), text, output)
}

async fn upstream() -> Origin {
    origin().table("todos").table("other").route("GET /rest/v1/broken", status(500)).start().await
}

#[tokio::test]
async fn what_a_list_names_is_there_when_the_first_client_comes() {
    let origin = upstream().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    let url = format!("http://{}", proxy.address());
    let list = List::of(
        "# the front page\n/rest/v1/todos?id=eq.1\n/rest/v1/todos?id=eq.2\n/rest/v1/todos?id=eq.2\n\
         {\"target\": \"/rest/v1/todos?id=eq.3\", \"headers\": {\"accept\": \"application/json\"}}\n/rest/v1/other\n",
    );
    let file = list.0.to_str().unwrap();
    let (code, text, output) = warm(&[file, "--to", &url, "--json"]).await;
    let told: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((code, &told["asked"], &told["filled"]), (0, &json!(4), &json!(3)), "{told:#}");
    assert_eq!((&told["unkept"], &told["failed"]), (&json!({"no-rule": 1}), &json!({})));
    let seen = origin.saw("*").times(4).last().clone();
    assert_eq!((seen.header("apikey").as_str(), seen.header("authorization").as_str()), (KEY, ""));

    let client = Client::new(proxy.address()).with("apikey", KEY);
    client.get("/rest/v1/todos?id=eq.2").await.expect_header("cache-status", contains("; hit;"));
    let (code, text, _) = warm(&[file, "--to", &url]).await;
    assert!(code == 0 && text.contains("there before   3\n"), "{text}");
    origin.saw("GET /rest/v1/todos").times(3);
    let (_, text, _) = warm(&[file, "--to", &url, "--limit", "1", "--concurrency", "1"]).await;
    assert!(text.contains("asked          1\n"), "{text}");
}

#[tokio::test]
async fn a_log_is_asked_for_by_how_often_it_asked_and_as_whom_one_says() {
    let origin = upstream().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    let url = format!("http://{}", proxy.address());
    let log = List::of(
        "{\"request_uri\":\"/rest/v1/todos?id=eq.1\",\"request_method\":\"GET\"}\n{\"request_uri\":\"/rest/v1/todos\",\"request_method\":\"POST\"}\n\
         {\"request_uri\":\"/rest/v1/todos?id=eq.2\"}\n{\"request_uri\":\"/rest/v1/todos?id=eq.2\"}\n",
    );
    let token = List::of("opaque-token\n");
    let caller = format!("@{}", token.0.display());
    let line = [
        "--from-log",
        log.0.to_str().unwrap(),
        "--to",
        &url,
        "--as",
        &caller,
        "--limit",
        "1",
        "-H",
        "prefer: count=exact",
    ];
    let (code, text, output) = warm(&line).await;
    assert!(code == 0 && text.contains("filled         1\n"), "{output:?}");
    let seen = origin.saw("*").times(1).last().clone();
    assert_eq!(seen.target, "/rest/v1/todos?id=eq.2", "the most frequent");
    assert_eq!(
        (seen.header("authorization").as_str(), seen.header("prefer").as_str()),
        ("Bearer opaque-token", "count=exact")
    );
}

#[tokio::test]
async fn what_goes_wrong_is_told_by_the_exit_code() {
    let origin = upstream().await;
    let proxy = proxy(&origin).rules(RULES).start().await;
    let url = format!("http://{}", proxy.address());
    let direct = format!("http://{}", origin.address);
    let (broken, write, odd) = (
        List::of("/rest/v1/broken\n/rest/v1/todos\n"),
        List::of("{\"method\":\"DELETE\",\"target\":\"/rest/v1/todos\"}"),
        List::of("/a\nb\n"),
    );
    let path = |list: &List| list.0.to_str().unwrap().to_owned();
    for (file, to, code, said) in [
        (path(&broken), url.as_str(), 1, "1 500"),
        (path(&broken), direct.as_str(), 1, "hint: --to"),
        (path(&write), url.as_str(), 78, "only GET is asked"),
        (path(&odd), url.as_str(), 78, "line 2 is no request target"),
        ("no-such-list".to_owned(), url.as_str(), 78, "cannot read"),
        (path(&broken), "http://127.0.0.1:9", 69, "nobody-there"),
        (path(&broken), "nowhere", 64, "--to"),
    ] {
        let (found, text, output) = warm(&[&file, "--to", to]).await;
        let all = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!((found, all.contains(said)), (code, true), "{file} {to}: {all}");
    }
    origin.saw("DELETE /rest/v1/todos").times(0);
}
