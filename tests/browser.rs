//! Does a browser with the real supabase-js get 304s by itself, and every change at once?
//!
//! A real Chromium opens a page that reads and writes through Larder; `tests/e2e/browser.mjs` looks at what goes over the
//! wire. What it says is shown when it fails.

mod started;

use std::process::Command;

use started::{Larder, Upstream, in_repository, node};

#[test]
fn a_page_keeps_what_it_read_and_sees_every_change() {
    let upstream = Upstream::start(&["--servers", "1"]);
    let keys: serde_json::Value = serde_json::from_str(&upstream.keys).expect("a line of JSON");
    let key = keys["publishableKey"].as_str().expect("a key");
    let variables = [("SUPABASE_PUBLISHABLE_KEY", key)];
    let larder = Larder::start("tests/e2e/rules.yaml", &upstream.servers[0], &variables);
    let page = Command::new(node())
        .arg(in_repository("tests/e2e/browser.mjs"))
        .env("THROUGH", &larder.address)
        .env("KEYS", &upstream.keys)
        .output()
        .expect("node runs");
    assert!(
        page.status.success(),
        "{}{}\nthe end of Larder's log:\n{}",
        String::from_utf8_lossy(&page.stdout),
        String::from_utf8_lossy(&page.stderr),
        larder.last_lines()
    );
    println!("{}", String::from_utf8_lossy(&page.stdout));
}
