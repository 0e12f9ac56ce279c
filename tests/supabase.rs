//! Does the real supabase-js get the same answers through Larder as directly?
//!
//! Starts two Supabase-compatible servers with the same rows (`tests/upstream`), Larder in front
//! of one of them, and the cases of `tests/e2e`, which compare each answer and read
//! `Cache-Status` and `/metrics`. What the cases print is shown when one of them fails.

mod started;

use std::process::Command;

use started::{Larder, Upstream, in_repository, node};

#[test]
fn the_real_client_gets_equal_answers_and_what_can_be_cached_is() {
    run_cases("tests/e2e/rules.yaml", &[], "answers, Cache-Status and counters");
}

/// The example's rules invalidate by their own lists. What they keep is their business; that no answer
/// is ever old or somebody else's is ours.
#[test]
fn the_real_client_gets_equal_answers_with_the_example_rules() {
    run_cases("rules.yaml", &[], "answers");
}

/// Two people, the service and whoever is signed out, once tokens are verified and scopes count.
#[test]
fn the_real_client_gets_equal_answers_where_callers_are_verified() {
    let keys = [("SUPABASE_JWT_SECRET", "jwtSecret"), ("SUPABASE_PUBLISHABLE_KEY", "publishableKey")];
    run_cases("tests/e2e/rules.yaml", &keys, "answers, Cache-Status and counters");
}

/// Plays every case with one rules file. `variables` are told to Larder, each with the upstream's key of that name.
fn run_cases(rules: &str, variables: &[(&str, &str)], expect: &str) {
    let upstream = Upstream::start(&["--servers", "2"]);
    let keys: serde_json::Value = serde_json::from_str(&upstream.keys).expect("a line of JSON");
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(variable, key)| (*variable, keys[key].as_str().expect("a key"))).collect();
    let larder = Larder::start(rules, &upstream.servers[1], &variables);
    let cases = Command::new(node())
        .arg(in_repository("tests/e2e/run.mjs"))
        .env("DIRECT", &upstream.servers[0])
        .env("THROUGH", &larder.address)
        .env("ADMIN", &larder.admin)
        .env("KEYS", &upstream.keys)
        .env("EXPECT", expect)
        .output()
        .expect("node runs");
    assert!(
        cases.status.success(),
        "cases with {rules} failed\n{}{}\nthe end of Larder's log:\n{}",
        String::from_utf8_lossy(&cases.stdout),
        String::from_utf8_lossy(&cases.stderr),
        larder.last_lines()
    );
}
