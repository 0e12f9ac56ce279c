//! Does `larder explain --live` say what the running proxy would do, and nothing to anybody else?

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Proxy, origin, proxy};

const RULES: &str = r#"reads: [{ name: items, match: /rest/v1/items, ttl: 60s, key: "of:{claims.sub}" }]"#;
const TOKEN: &str = "correct horse battery staple";
const CANARY: &str = "apikey: canary-of-a-key";

/// Runs the program beside the proxy, which this thread serves.
async fn explain(admin: String, token: &'static str, more: &'static [&'static str]) -> Output {
    let run = move || {
        Command::new(env!("CARGO_BIN_EXE_larder"))
            .args(["explain", "--live", "--admin", &admin, "get", "/rest/v1/items?select=id", "-H", CANARY])
            .args(more)
            .env_clear()
            .env("LARDER_ADMIN_TOKEN", token)
            .output()
            .unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn started() -> Proxy {
    let origin = origin().table("items").start().await;
    proxy(&origin).rules(RULES).variable("LARDER_ADMIN_TOKEN", TOKEN).start().await
}

#[tokio::test]
async fn a_running_proxy_explains_by_its_own_rules() {
    let proxy = started().await;
    let admin = proxy.admin().to_string();
    let people = explain(admin.clone(), TOKEN, &[]).await;
    let said = text(&people.stdout);
    assert_eq!(people.status.code(), Some(0), "{}", text(&people.stderr));
    assert!(said.contains("passes through, uncached (no-value)"), "{said}");

    let machines = explain(admin, TOKEN, &["--json"]).await;
    let told: Value = serde_json::from_slice(&machines.stdout).unwrap();
    assert_eq!((&told["outcome"], &told["reason"]), (&"pass".into(), &"no-value".into()));
    assert!(!said.contains("canary") && !told.to_string().contains("canary"));
}

#[tokio::test]
async fn whoever_does_not_answer_is_named() {
    let proxy = started().await;
    let wrong = explain(proxy.admin().to_string(), "another token of some length", &[]).await;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("set LARDER_ADMIN_TOKEN"), "{}", text(&wrong.stderr));

    let clients = explain(proxy.address().to_string(), TOKEN, &[]).await;
    assert_eq!(clients.status.code(), Some(1), "the address for clients explains nothing");

    let nobody = explain("127.0.0.1:1".to_owned(), TOKEN, &[]).await;
    assert_eq!(nobody.status.code(), Some(69));
    let nowhere = explain("nowhere".to_owned(), TOKEN, &[]).await;
    assert_eq!(nowhere.status.code(), Some(64));
    for output in [wrong, clients, nobody, nowhere] {
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!said.contains("canary") && !said.contains(TOKEN), "{said}");
    }
}
