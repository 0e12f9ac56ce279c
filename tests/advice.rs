//! Does the log say, once, what should be changed about a shared store?

use std::thread;
use std::time::{Duration, Instant};

#[path = "started/redis.rs"]
#[allow(dead_code, reason = "this server is not made to fail")]
mod redis;
#[allow(dead_code, reason = "this test needs no upstream")]
mod started;

use redis::Redis;
use started::Larder;

/// For a slow machine under load; a healthy one needs a second.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The log up to where it is in touch with others, and has been heard to say this, if anything.
fn log_of(redis: &Redis, said: Option<&str>) -> String {
    // nobody is asked
    let larder = Larder::start("rules.yaml", "http://127.0.0.1:9", &[("REDIS_URL", &redis.url())]);
    #[allow(clippy::disallowed_methods, reason = "a deadline of this test")]
    let begun = Instant::now();
    loop {
        let log = larder.last_lines();
        if log.contains("in touch with the other processes") && said.is_none_or(|said| log.contains(said)) {
            return log;
        }
        assert!(begun.elapsed() < WAIT_MAX, "waited for {said:?}:\n{log}");
        thread::yield_now();
    }
}

#[test]
fn a_store_that_would_grow_without_end_is_warned_of_once() {
    let log = log_of(&Redis::start(&[]), Some("maxmemory is 0"));
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("the shared store: ")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("\"WARN\"") && warnings[0].contains("volatile-lru"), "{log}");
}

#[test]
fn each_remark_has_its_line() {
    let full = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let log = log_of(&Redis::start(&full), Some("the shared store: maxmemory-policy is allkeys-lru"));
    assert!(!log.contains("maxmemory is 0"), "{log}");
}
