//! What do guards cost over a real Redis: how many round trips, and how long are they?

use std::sync::Arc;
use std::time::Duration;

use larder::clock::Clock;
use larder::guard::{Acquired, Begun, Guards, Released, StoredAnswer, Verdict};
use larder::key::{LockName, OperationName};
use larder::plan::{BudgetName, Charge};
use larder::redis::{Address, Manners, Redis as Store};
use larder::rules::{Context, RuleSet};
use larder::workers::Workers;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::redis::Redis;

/// So often each step is taken.
const ROUNDS: usize = 2_000;

const HOLD: Duration = Duration::from_secs(30);

async fn guards(redis: &Redis) -> Guards {
    let workers = Workers::here();
    let manners = Manners { timeout: Duration::from_secs(5), connections: 2, workers };
    let address = Address::parse(&redis.url()).unwrap();
    let store = Store::new(address, manners, &TaskTracker::new(), &CancellationToken::new());
    tokio::time::timeout(Duration::from_secs(20), store.up()).await.expect("the store is reached");
    Guards::shared(&store, "cost", &Clock::default())
}

/// Scripts that the server has run.
fn scripts_run(redis: &Redis) -> u64 {
    let stats = redis.cli(&["info", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or_default()
}

fn charge(window: &str) -> Charge {
    let text = format!(
        "version: 1\nlimits: [{{ name: a, match: /**, by: ip, rate: 1000000/1h, window: {window} }}]"
    );
    let context = Context {
        default_schema: "public".into(),
        upstream: String::new(),
        ignored_claims: Vec::new(),
        consistency: larder::consistency::Consistency::default(),
    };
    let (rules, _) = RuleSet::parse(&text, &context).unwrap();
    Charge { rule: Arc::clone(&rules.limit_rules()[0]), budget: BudgetName([7; 16]) }
}

/// Takes a step again and again; says its median, and checks that each was one round trip.
async fn median(redis: &Redis, what: &str, mut step: impl AsyncFnMut(usize)) {
    step(ROUNDS).await; // the server learns the script
    let before = scripts_run(redis);
    let mut took = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let began = Instant::now();
        step(round).await;
        took.push(began.elapsed());
    }
    assert_eq!(scripts_run(redis) - before, ROUNDS as u64, "{what}: one round trip each");
    took.sort_unstable();
    println!("{what:<16} p50 {:?}, p99 {:?}", took[ROUNDS / 2], took[ROUNDS * 99 / 100]);
}

#[tokio::test]
async fn each_step_is_one_round_trip() {
    let redis = Redis::start(&[]);
    let guards = guards(&redis).await;
    let lock = |round: usize| LockName::parse(&format!("lease:{round}")).unwrap();
    let mut held = Vec::new();
    median(&redis, "lock", async |round| match guards.locks.acquire(&lock(round), HOLD).await {
        Acquired::Held(one) => held.push(one),
        other => panic!("{other:?}"),
    })
    .await;
    median(&redis, "renew", async |round| {
        held[round].renew().await;
    })
    .await;
    median(&redis, "release", async |_| assert_eq!(held.pop().unwrap().release().await, Released::Freed))
        .await;

    let operation = |round: usize| OperationName::new(&round.to_string(), &[0; 32], "POST", "/pay").unwrap();
    let mut running = Vec::new();
    median(&redis, "begin", async |round| {
        match guards.operations.begin(&operation(round), &[1; 32], HOLD).await {
            Begun::First(one) => running.push(one),
            other => panic!("{other:?}"),
        }
    })
    .await;
    let answer =
        StoredAnswer { status: http::StatusCode::CREATED, headers: Vec::new(), body: Some("[]".into()) };
    median(&redis, "finish", async |_| running.pop().unwrap().finish(&answer).await.unwrap()).await;
    for window in ["fixed", "sliding"] {
        let charge = [charge(window)];
        median(&redis, &format!("limit, {window}"), async |_| {
            assert!(matches!(guards.limits.take(&charge).await, Verdict::Passed(Some(_))));
        })
        .await;
    }
}

#[tokio::test]
async fn a_shared_sliding_window_never_lets_more_than_the_rate_through() {
    let redis = Redis::start(&[]);
    let guards = guards(&redis).await;
    let text = "version: 1\nlimits: [{ name: a, match: /**, by: ip, rate: 20/1s }]";
    let context = Context {
        default_schema: "public".into(),
        upstream: String::new(),
        ignored_claims: Vec::new(),
        consistency: larder::consistency::Consistency::default(),
    };
    let (rules, _) = RuleSet::parse(text, &context).unwrap();
    let charge = [Charge { rule: Arc::clone(&rules.limit_rules()[0]), budget: BudgetName([9; 16]) }];
    let began = Instant::now();
    let (mut passed, mut asked) = (Vec::new(), 0);
    while began.elapsed() < Duration::from_secs(5) {
        let before = began.elapsed();
        asked += 1;
        if let Verdict::Passed(_) = guards.limits.take(&charge).await {
            passed.push((before, began.elapsed()));
        }
    }
    // the server counted each somewhere between its question and its answer
    for (index, (_, from)) in passed.iter().enumerate() {
        let within =
            passed[index..].iter().filter(|(_, answered)| *answered < *from + Duration::from_secs(1));
        assert!(within.count() <= 21, "more than the rate within a second");
    }
    println!("{} of {asked} passed in 5 s at 20/1s", passed.len());
    assert!((80..=101).contains(&passed.len()), "{}", passed.len());
}
