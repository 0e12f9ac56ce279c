//! Does a limit keep its word in every window, where two proxies count in one Redis?
//!
//! Judged by when each request was sent and answered: it was counted somewhere between, on the clock of the
//! same machine. So what is asserted holds however slow that is, and the clients ask for as long as it takes to
//! see the limit at work in a hundred windows.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::clock::Clock;
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::support::client::Client;
use crate::support::{Proxy, origin, proxy};

/// Requests in a second that the limit lets through.
const RATE: usize = 3;

/// Microseconds of a window.
const WINDOW: u64 = 1_000_000;

/// Callers with budgets of their own, and seconds in which each is refused something: a hundred windows.
const CALLERS: usize = 20;
const SECONDS: usize = 5;

/// A request that the limit decided upon, in microseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Decided {
    through: usize,
    sent: u64,
    answered: u64,
    is_admitted: bool,
}

impl Decided {
    /// It was counted in this stretch, whenever that was between its question and its answer.
    fn is_within(&self, from: u64, to: u64) -> bool {
        self.sent >= from && self.answered < to
    }

    /// It may have been.
    fn may_be_within(&self, from: u64, to: u64) -> bool {
        self.answered >= from && self.sent < to
    }
}

/// Asks for one caller through one proxy, again and again, until this caller was refused in enough seconds.
async fn ask(client: Client, through: usize, refused_in: Arc<Mutex<BTreeSet<u64>>>) -> Vec<Decided> {
    let (clock, mut decided) = (Clock::default(), Vec::new());
    while refused_in.lock().unwrap().len() < SECONDS {
        let sent = clock.unix_micros();
        let status = client.get("/rest/v1/todos").await.status.as_u16();
        let answered = clock.unix_micros();
        assert!(matches!(status, 200 | 429), "the store decides: {status}");
        decided.push(Decided { through, sent, answered, is_admitted: status == 200 });
        if status == 429 {
            refused_in.lock().unwrap().insert(sent / WINDOW);
        }
    }
    decided
}

/// What became of the requests of each caller, who asks through both proxies at once.
async fn decided(window: &str) -> Vec<Vec<Decided>> {
    let (redis, origin) = (Redis::start(&[]), origin().table("todos").start().await);
    let rules = format!(
        "limits: [{{ name: each, match: /rest/v1/todos, by: {{ header: x-device }}, rate: {RATE}/1s, \
         window: {window}, store_down: refuse }}]"
    );
    let start = async || {
        let patient = proxy(&origin).rules(&rules).flags(|flags| flags.store.store_timeout = "10s".into());
        patient.guards_in(&redis.url()).start().await
    };
    let fleet: [Proxy; 2] = [start().await, start().await];
    for proxy in &fleet {
        let admin = Client::new(proxy.admin());
        crate::support::soon("the store", async { while admin.get("/api/locks").await.status != 200 {} })
            .await;
    }
    let mut asking = JoinSet::new();
    for caller in 0..CALLERS {
        let refused_in = Arc::default();
        for (through, proxy) in fleet.iter().enumerate() {
            let client = proxy.client().with("x-device", &caller.to_string());
            let asked = ask(client, through, Arc::clone(&refused_in));
            asking.spawn(async move { (caller, asked.await) });
        }
    }
    let asked = tokio::time::timeout(Duration::from_secs(120), asking.join_all()).await.expect("an end");
    let mut by_caller = vec![Vec::new(); CALLERS];
    for (caller, decided) in asked {
        by_caller[caller].extend(decided);
    }
    for through in 0..fleet.len() {
        let is_used = |decided: &Decided| decided.is_admitted && decided.through == through;
        assert!(by_caller.iter().flatten().any(is_used), "both proxies let some through");
    }
    by_caller
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sliding_window_never_lets_more_than_the_rate_through_wherever_it_begins() {
    for caller in decided("sliding").await {
        let admitted = |from, to, counts: fn(&Decided, u64, u64) -> bool| {
            caller.iter().filter(|decided| decided.is_admitted && counts(decided, from, to)).count()
        };
        for first in caller.iter().filter(|decided| decided.is_admitted) {
            let within = admitted(first.sent, first.sent + WINDOW, Decided::is_within);
            assert!(within <= RATE, "{within} in the second from {}", first.sent);
        }
        // and nobody is refused for what was counted longer ago than a window and a sixtieth
        for refused in caller.iter().filter(|decided| !decided.is_admitted) {
            let counts_from = refused.sent - WINDOW - WINDOW / 60;
            let counted = admitted(counts_from, refused.answered, Decided::may_be_within);
            assert!(counted >= RATE, "refused at {} after {counted}", refused.sent);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_window_lets_exactly_the_rate_through() {
    let mut windows = 0;
    for caller in decided("fixed").await {
        let seconds: BTreeSet<u64> = caller.iter().map(|decided| decided.sent / WINDOW).collect();
        for from in seconds.into_iter().map(|second| second * WINDOW) {
            let of = |is_admitted, counts: fn(&Decided, u64, u64) -> bool| {
                let here = |decided: &&Decided| counts(decided, from, from + WINDOW);
                caller.iter().filter(|decided| decided.is_admitted == is_admitted).filter(here).count()
            };
            let certainly = of(true, Decided::is_within);
            assert!(certainly <= RATE, "{certainly} in the second from {from}");
            if of(false, Decided::is_within) > 0 {
                let perhaps = of(true, Decided::may_be_within);
                assert!(perhaps >= RATE, "refused with {perhaps} in the second from {from}");
                windows += 1;
            }
        }
    }
    assert!(windows > 0, "somebody was refused and nobody knows in which second");
}
