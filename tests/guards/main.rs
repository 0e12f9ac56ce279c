//! Is nothing paid twice, in a real PostgreSQL, through two real proxies with one real Redis, one of
//! which is killed while the store stands still?
//!
//! `paid` has an exclusion constraint: two payments of one lease at overlapping times would be refused by
//! the database with 23P01, and would be seen here.

#![allow(clippy::unwrap_used, reason = "a test fails where what it takes for granted is not so")]
#![allow(clippy::print_stdout, reason = "a run's figures, shown where a test's output is asked for")]

mod client;
#[allow(dead_code, reason = "other tests start a store again")]
#[path = "../started/redis.rs"]
mod redis;
#[allow(dead_code, reason = "other tests read the log")]
#[path = "../started/mod.rs"]
mod started;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use client::{Answer, Client};
use redis::Redis;
use started::{Larder, Upstream, in_repository};

/// Leases that are paid, and clicks on each.
const LEASES: i32 = 200;
const CLICKS: usize = 50;

/// How long one payment takes in the database.
const PAYING: f64 = 0.02;

/// Everything that a test needs.
struct Stage {
    _upstream: Upstream,
    redis: Redis,
    proxies: Vec<Larder>,
    direct: Client,
    database: String,
    key: String,
}

impl Stage {
    /// A store that is slow because the machine is busy refuses clicks; where every click is counted it may
    /// take its time.
    fn start(store_timeout: &str) -> Self {
        let sql = ["docs/guards.sql", "tests/guards/paying.sql"]
            .map(|file| fs::read_to_string(in_repository(file)).unwrap());
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let more = std::env::temp_dir().join(format!("larder-guards-{}-{count}.sql", std::process::id()));
        fs::write(&more, sql.concat()).unwrap();
        let upstream = Upstream::start(&["--more", more.to_str().unwrap()]);
        fs::remove_file(more).unwrap();
        let told: Value = serde_json::from_str(&upstream.keys).unwrap();
        let redis = Redis::start(&["--maxmemory-policy", "noeviction"]);
        let url = redis.url();
        let start = || {
            Larder::start(
                "tests/guards/rules.yaml",
                &upstream.servers[0],
                &[("LARDER_GUARD_STORE", &url), ("LARDER_STORE_TIMEOUT", store_timeout)],
            )
        };
        let proxies = vec![start(), start()];
        let key = told["publishableKey"].as_str().unwrap().to_owned();
        Self {
            direct: Client::new(&upstream.servers[0], &key),
            database: told["databases"][0].as_str().unwrap().to_owned(),
            _upstream: upstream,
            redis,
            proxies,
            key,
        }
    }

    fn clients(&self) -> Vec<Client> {
        self.proxies.iter().map(|proxy| Client::new(&proxy.address, &self.key)).collect()
    }

    /// Payments by lease, and how often the database saw two at one time.
    async fn paid(&self) -> BTreeMap<i32, i64> {
        let (database, connection) = tokio_postgres::connect(&self.database, NoTls).await.unwrap();
        let asking = database.query("select lease, count(*) from paid group by lease", &[]);
        tokio::pin!(connection);
        let rows = tokio::select! {
            rows = asking => rows.unwrap(),
            ended = &mut connection => panic!("{ended:?}"),
        };
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

impl Stage {
    /// Waits until so many payments are in the database.
    async fn has_paid(&self, payments: i64) {
        let paying = async {
            while self.paid().await.values().sum::<i64>() < payments {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), paying).await.expect("payments go on");
    }
}

/// Waits until every proxy has reached the store.
async fn reached(stage: &Stage) {
    for proxy in &stage.proxies {
        let admin = Client::new(&proxy.admin, &stage.key);
        while admin.get("/api/locks").await.is_none_or(|answer| answer.status != 200) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What became of many clicks, by status and code.
#[derive(Debug, Default)]
struct Tally {
    by_outcome: BTreeMap<String, usize>,
}

impl Tally {
    fn add(&mut self, answer: Option<&Answer>) {
        let outcome = match answer {
            None => "no answer".to_owned(),
            Some(answer) if answer.is_replay => format!("{} replayed", answer.status),
            Some(answer) => format!("{} {}", answer.status, answer.body["code"].as_str().unwrap_or("")),
        };
        *self.by_outcome.entry(outcome).or_default() += 1;
    }

    fn of(&self, outcome: &str) -> usize {
        self.by_outcome.get(outcome).copied().unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clicks_on_each_of_two_hundred_leases_pay_each_once() {
    let stage = Stage::start("5s");
    reached(&stage).await;
    let clients = stage.clients();
    let mut tally = Tally::default();
    for lease in 0..LEASES {
        let mut clicks = JoinSet::new();
        for click in 0..CLICKS {
            let client = clients[click % clients.len()].clone();
            let order = json!({"lease": lease, "seconds": PAYING});
            clicks.spawn(async move {
                client.post("/rest/v1/rpc/pay", &order, Some(&format!("lease-{lease}"))).await
            });
        }
        for answer in clicks.join_all().await {
            tally.add(answer.as_ref());
        }
    }
    let paid = stage.paid().await;
    println!("{} clicks: {:?}", LEASES as usize * CLICKS, tally.by_outcome);
    assert_eq!(paid.len(), LEASES as usize, "every lease was paid");
    assert!(paid.values().all(|payments| *payments == 1), "and none twice: {paid:?}");
    let expected = tally.of("200 ") + tally.of("200 replayed") + tally.of("409 LARDER409");
    assert_eq!(expected, LEASES as usize * CLICKS, "{:?}", tally.by_outcome);
    assert_eq!(tally.of("200 "), LEASES as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_payments_of_one_lease_overlap_while_a_proxy_dies_and_the_store_stands_still() {
    let mut stage = Stage::start("50ms");
    reached(&stage).await;
    let clients = stage.clients();
    let until = tokio::time::Instant::now() + Duration::from_secs(14);
    let mut users = JoinSet::new();
    for user in 0..40_usize {
        let client = clients[user % clients.len()].clone();
        users.spawn(async move {
            let (lease, mut tally) = (user / 8, Tally::default());
            while tokio::time::Instant::now() < until {
                // some take longer than the lock's hold of five seconds
                let seconds = if user % 8 == 0 && lease == 0 { 6.0 } else { 0.05 };
                let order = json!({"lease": lease, "seconds": seconds});
                let answer = client.post("/rest/v1/rpc/pay", &order, None).await;
                tally.add(answer.as_ref());
                if answer.is_none() {
                    break; // its proxy is gone
                }
            }
            tally
        });
    }
    stage.has_paid(10).await;
    stage.redis.pause();
    // as long as threats of this kind last; that nothing is paid meanwhile is told by the refusals below
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.redis.go_on();
    let before = stage.paid().await.values().sum::<i64>();
    stage.has_paid(before + 5).await;
    drop(stage.proxies.remove(1)); // kill -9
    let mut all = Tally::default();
    for tally in users.join_all().await {
        for (outcome, count) in tally.by_outcome {
            *all.by_outcome.entry(outcome).or_default() += count;
        }
    }
    println!("outcomes {:?}; payments {:?}", all.by_outcome, stage.paid().await);
    // an overlap would be an answer of the database: 23P01, in whatever form the upstream tells it
    let expected = ["200 ", "409 LARDER409", "503 LARDER503", "no answer"];
    let others: Vec<_> =
        all.by_outcome.keys().filter(|outcome| !expected.contains(&outcome.as_str())).collect();
    assert!(others.is_empty(), "{all:?}");
    assert!(all.of("200 ") > 20 && all.of("409 LARDER409") > 100, "{all:?}");
    assert!(all.of("503 LARDER503") > 0, "while the store stood still nothing was paid unlocked: {all:?}");
    assert!(all.of("no answer") > 0, "a proxy was killed: {all:?}");
    assert!(stage.paid().await.contains_key(&0));
}

#[tokio::test]
async fn sql_refuses_a_write_whose_lock_somebody_else_took_since() {
    let stage = Stage::start("5s");
    reached(&stage).await;
    let through = &stage.clients()[0];
    let order = json!({"lease": 7});
    for _ in 0..2 {
        assert_eq!(through.post("/rest/v1/rpc/pay_fenced", &order, None).await.unwrap().status, 200);
    }
    // as a proxy would that stood still between taking the lock and sending the write
    let late = stage.direct.with("x-larder-lock", "lease:7").with("x-larder-fence", "17");
    let refused = late.post("/rest/v1/rpc/pay_fenced", &order, None).await.unwrap();
    assert!(refused.status >= 400, "{refused:?}");
    assert!(refused.body.to_string().contains("taken by somebody else"), "{refused:?}");
    assert_eq!(stage.paid().await[&7], 2);
    assert_eq!(through.post("/rest/v1/rpc/pay_fenced", &order, None).await.unwrap().status, 200);
}

#[test]
fn the_documentation_shows_the_very_sql_that_is_tested() {
    let page = fs::read_to_string(in_repository("docs/guards.md")).unwrap();
    let sql = fs::read_to_string(in_repository("docs/guards.sql")).unwrap();
    let function = sql.split("-- Refuses").nth(1).unwrap().trim_end();
    assert!(page.contains(function), "docs/guards.md shows another function than docs/guards.sql");
}
