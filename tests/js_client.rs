//! Does the JavaScript client do what it says, against the real product?

use std::process::Command;

#[allow(dead_code, reason = "this test needs no upstream")]
mod started;

use started::{Larder, in_repository, node};

const TOKEN: &str = "a token of sixteen bytes or more";

#[test]
fn the_javascript_client_takes_and_frees_locks() {
    // nobody is asked: locks are Larder's own
    let larder = Larder::start("rules.yaml", "http://127.0.0.1:9", &[("LARDER_ADMIN_TOKEN", TOKEN)]);
    let played = Command::new(node())
        .args(["--test", "--test-reporter=tap"])
        .arg(in_repository("clients/js/test.mjs"))
        .env("LARDER_ADMIN_URL", &larder.admin)
        .env("LARDER_ADMIN_TOKEN", TOKEN)
        .output()
        .expect("node runs");
    assert!(
        played.status.success(),
        "{}{}\nthe end of Larder's log:\n{}",
        String::from_utf8_lossy(&played.stdout),
        String::from_utf8_lossy(&played.stderr),
        larder.last_lines()
    );
}
