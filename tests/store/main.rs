//! Does the shared store keep its promises, over a real Redis?

#![allow(clippy::disallowed_methods, reason = "tasks of a test end with its runtime")]
#![allow(clippy::print_stdout, reason = "a run's figures, shown where a test's output is asked for")]
#![allow(clippy::unwrap_used, reason = "a test fails where what it takes for granted is not so")]

#[path = "../started/redis.rs"]
mod redis;

mod cluster;
mod crowds;
mod faults;
mod garbage;
mod guards;
mod refusals;
mod sentinel;
mod servers;
mod sockets;
mod speaking;
mod upstash;

use std::time::Duration;

use larder::redis::{Address, Manners, Redis as Store};
use larder::workers::Workers;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// As in production; a machine that runs all tests at once has its own idea of 50 ms.
fn manners() -> Manners {
    Manners { timeout: Duration::from_millis(50), connections: 2, workers: Workers::here() }
}

fn store(url: &str) -> Store {
    store_at(Address::parse(url).unwrap())
}

fn store_at(address: Address) -> Store {
    Store::new(address, manners(), &TaskTracker::new(), &CancellationToken::new())
}

async fn becomes_up(store: &Store) {
    tokio::time::timeout(Duration::from_secs(20), store.up()).await.expect("the store is reached");
}

/// Asks until it is so.
async fn becomes<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// How often a server has been connected to, by what it says of itself.
fn connected(stats: &str) -> u64 {
    let line = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.and_then(|count| count.trim().parse().ok()).expect("a server counts its connections")
}

/// A command and its arguments.
fn command(words: &[&str]) -> larder::redis::Cmd {
    let mut command = larder::redis::cmd(words[0]);
    command.arg(&words[1..]);
    command
}
