//! Does an answer ever reach somebody else, and does anybody wait for a broken store?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::redis::{Redis as Store, Silence, Value};
use tokio::time::Instant;

use crate::redis::Redis;
use crate::{becomes, becomes_up, command, store};

/// More than the deadline of a call by as much as a busy machine may be late.
const BACK_MAX: Duration = Duration::from_millis(250);

/// What many callers saw.
#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    silent: AtomicU64,
    dropped: AtomicU64,
    foreign: AtomicU64,
    latest: AtomicU64,
}

impl Seen {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn of(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// Each asks for its own number, and some leave before they are answered.
async fn ask(store: &Store, seen: &Seen, number: u64, patience: Option<u32>) {
    let number = number.to_string();
    let asked = Instant::now();
    let leaves = async {
        for _ in 0..patience.unwrap_or(u32::MAX) {
            tokio::task::yield_now().await;
        }
    };
    let echo = command(&["ECHO", &number]);
    let answered = if patience.is_some() {
        tokio::select! {
            answered = store.one(&echo) => Some(answered),
            () = leaves => None,
        }
    } else {
        Some(store.one(&echo).await)
    };
    match answered {
        None => Seen::count(&seen.dropped),
        Some(Ok((_, Value::BulkString(said)))) if said == number.as_bytes() => Seen::count(&seen.answered),
        Some(Ok(_)) => Seen::count(&seen.foreign),
        Some(Err(_)) => Seen::count(&seen.silent),
    }
    let took = u64::try_from(asked.elapsed().as_millis()).unwrap();
    seen.latest.fetch_max(took, Ordering::Relaxed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_dropped_leave_no_answer_to_others() {
    let redis = Redis::start(&[]);
    let store = store(&redis.url());
    becomes_up(&store).await;
    let seen = Arc::new(Seen::default());
    let tasks = (0..64).map(|task: u64| {
        let (store, seen) = (store.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            for round in 0..500 {
                store.up().await;
                let patience = (round % 5 != 0).then_some(u32::try_from(round * 7 + task).unwrap() % 40);
                ask(&store, &seen, task * 1_000_000 + round, patience).await;
            }
        })
    });
    let tasks = tasks.collect::<Vec<_>>();
    // in the midst of it the server stalls, and answers late whom nobody waits for any more
    redis.pause();
    becomes("somebody waited in vain", || async { Seen::of(&seen.silent) > 0 }).await;
    redis.go_on();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(Seen::of(&seen.foreign), 0);
    assert!(Seen::of(&seen.dropped) > 1_000, "{} left early", Seen::of(&seen.dropped));
    becomes_up(&store).await;
    for number in 0..1_000 {
        ask(&store, &seen, number, None).await;
    }
    assert_eq!(Seen::of(&seen.foreign), 0);
    assert!(Seen::of(&seen.answered) > 1_000, "{} answered", Seen::of(&seen.answered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_server_that_stalls() {
    let redis = Redis::start(&[]);
    let store = store(&redis.url());
    becomes_up(&store).await;
    redis.pause();
    let seen = Arc::new(Seen::default());
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        ask(&store, &seen, 1, None).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(Seen::of(&seen.answered) + Seen::of(&seen.foreign), 0);
    let latest = Duration::from_millis(Seen::of(&seen.latest));
    assert!(latest < BACK_MAX, "one came back after {latest:?}");
    assert!(Seen::of(&seen.silent) > 100, "the store was left alone: {}", Seen::of(&seen.silent));
    assert!(store.is_left_alone(), "and says so");
    redis.go_on();
    becomes_up(&store).await;
    assert!(!store.is_left_alone());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cuts_connections_is_not_stormed() {
    let redis = Redis::start(&[]);
    let (asking, watching) = (store(&redis.url()), store(&redis.url()));
    becomes_up(&asking).await;
    becomes_up(&watching).await;
    let connects = |told: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap()
    };
    let before = connects(&redis.cli(&["info", "stats"]));
    let seen = Arc::new(Seen::default());
    let (began, lasts) = (Instant::now(), Duration::from_secs(3));
    let askers = (0..8).map(|task: u64| {
        let (store, seen) = (asking.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            for number in 0.. {
                if began.elapsed() > lasts {
                    return;
                }
                ask(&store, &seen, task << 32 | number, None).await;
                tokio::task::yield_now().await;
            }
        })
    });
    let askers = askers.collect::<Vec<_>>();
    let mut kills = 0;
    while began.elapsed() < lasts {
        redis.cli(&["client", "kill", "type", "normal"]);
        kills += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for asker in askers {
        asker.await.unwrap();
    }
    // those of redis-cli are not ours; the other store's are counted with us
    let connected = connects(&redis.cli(&["info", "stats"])) - before - kills - 1;
    let most = 2 * 20 * lasts.as_secs();
    assert!(connected <= most, "{connected} connections for two stores, {kills} cuts");
    assert!(connected >= 4, "they did come back: {connected}");
    assert_eq!(Seen::of(&seen.foreign), 0);
    assert!(Seen::of(&seen.answered) > 100, "{} answered", Seen::of(&seen.answered));
    becomes_up(&asking).await;
}

#[tokio::test]
async fn a_server_that_is_told_to_pause_is_asked_again_when_it_goes_on() {
    let redis = Redis::start(&[]);
    let store = store(&redis.url());
    becomes_up(&store).await;
    assert_eq!(redis.cli(&["client", "pause", "1000", "all"]), "OK");
    let asked = Instant::now();
    assert_eq!(store.one(&command(&["GET", "a"])).await, Err(Silence::Late));
    assert!(asked.elapsed() < BACK_MAX);
    while store.is_up() {
        let _late = store.one(&command(&["GET", "a"])).await;
    }
    assert!(asked.elapsed() < Duration::from_millis(900), "five in a row are enough");
    becomes_up(&store).await;
    assert_eq!(store.one(&command(&["GET", "a"])).await.unwrap().1, Value::Nil);
}
