//! What does a day of a rental platform look like through Larder: how fast, how often asked upstream, and is anything
//! ever old, also on a day on which Redis stands still at noon?
//!
//! The real upstream (`tests/upstream`) 250 ms away, two proxies that share a real Redis, and a thousand visitors. A day
//! is squeezed into `LARDER_DAY_SECONDS`, and every lifetime with it, as `bench/day` does; without them it is a short one.

#![allow(clippy::unwrap_used, reason = "a test fails where what it takes for granted is not so")]
#![allow(clippy::print_stdout, reason = "a run's figures, shown where a test's output is asked for")]

#[allow(dead_code, reason = "other tests draw in other ways")]
#[path = "../differential/chance.rs"]
mod chance;
mod distance;
mod figures;
mod judge;
#[allow(dead_code, reason = "other tests ask for people who are not to be believed")]
#[path = "../differential/people.rs"]
mod people;
#[allow(dead_code, reason = "other tests kill a store")]
#[path = "../started/redis.rs"]
mod redis;
#[allow(dead_code, reason = "other tests start more than one server")]
#[path = "../started/mod.rs"]
mod started;
mod visitors;
#[allow(dead_code, reason = "other tests compare whole answers")]
#[path = "../differential/wire.rs"]
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use distance::Distance;
use figures::{Bars, Figures};
use people::Mint;
use redis::Redis;
use started::{Larder, Upstream, in_repository};
use visitors::{Site, visits};
use wire::Side;

/// How many people come in a day.
const VISITORS: usize = 1_000;

/// Where nothing else is asked for, a day is played in so many seconds, and so many come: a debug build among other
/// tests has enough to do with them.
const SHORT: (u64, usize) = (20, 250);

/// Dashboards that are opened without Larder, to compare with.
const DIRECT_DASHBOARDS: usize = 5;

/// One day at a time: each wants the machine for itself.
static TURN: Mutex<()> = Mutex::new(());

/// What becomes of Redis at noon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noon {
    Quiet,
    /// It stands still for ten minutes.
    RedisStopped,
}

#[test]
fn a_day_is_fast_and_nothing_is_old() {
    play("a day", Noon::Quiet);
}

#[test]
fn a_day_on_which_redis_stops_at_noon_is_only_slower() {
    play("a day, Redis stopped from 12:00 to 12:10", Noon::RedisStopped);
}

fn play(name: &str, noon: Noon) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = std::env::var("LARDER_DAY_SECONDS").ok();
    let long = asked.as_deref().map(|seconds| (seconds.parse().expect("a number of seconds"), VISITORS));
    let (seconds, visitors) = long.unwrap_or(SHORT);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let figures = runtime.block_on(day(Duration::from_secs(seconds), visitors, noon));
    println!("{}", figures.table(name));
    figures.judge(if asked.is_some() { Bars::Promised } else { Bars::Short });
}

async fn day(length: Duration, visitors: usize, noon: Noon) -> Figures {
    let upstream = Upstream::start(&[]);
    let keys: Value = serde_json::from_str(&upstream.keys).unwrap();
    let key = |name: &str| keys[name].as_str().unwrap().to_owned();
    let (secret, publishable) = (key("jwtSecret"), key("publishableKey"));
    let distance = Distance::before(&upstream.servers[0]).await;
    let redis = Redis::start(&[]);
    let rules = Rules::squeezed(length);
    let settings = [
        ("SUPABASE_JWT_SECRET", &*secret),
        ("SUPABASE_PUBLISHABLE_KEY", &*publishable),
        ("LARDER_STORE", &redis.url()),
    ];
    let proxies = [(), ()].map(|()| Larder::start(&rules.path, &distance.address, &settings));
    let side = |address: &str| Side::new(address, &publishable);
    let sides = proxies.iter().map(|proxy| side(&proxy.address)).collect();
    let site = Arc::new(Site::new(sides, Mint::new(&secret, &publishable)));
    let direct = side(&distance.address);
    for person in 1..=DIRECT_DASHBOARDS {
        site.open_directly(&direct, person as i64).await;
    }
    let asked_before = distance.asked();
    let mut people = JoinSet::new();
    for visit in visits(length, visitors) {
        let site = Arc::clone(&site);
        people.spawn(async move { site.receive(visit).await });
    }
    let hours = tokio::time::Instant::now();
    let ten_minutes = length / 144;
    if noon == Noon::RedisStopped {
        tokio::time::sleep_until(hours + length / 2).await;
        redis.pause();
        tokio::time::sleep_until(hours + length / 2 + ten_minutes).await;
        redis.go_on();
    }
    while let Some(left) = people.join_next().await {
        left.expect("a visitor gets what is asked for");
    }
    site.figures(distance.asked() - asked_before)
}

/// The rules of the day, with lifetimes as much shorter as the day is.
struct Rules {
    path: String,
}

impl Rules {
    fn squeezed(day: Duration) -> Self {
        let rules = std::fs::read_to_string(in_repository("tests/day/rules.yaml")).unwrap();
        let hour = format!("{}ms", day.as_millis() / 24);
        assert!(rules.contains("24h"), "the rules name the lifetime that is shortened");
        let rules = rules.replace("24h", &format!("{}ms", day.as_millis())).replace("1h", &hour);
        let path = std::env::temp_dir().join(format!("larder-day-{}.yaml", std::process::id()));
        std::fs::write(&path, rules).unwrap();
        Self { path: path.to_string_lossy().into_owned() }
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_file(&self.path);
    }
}
