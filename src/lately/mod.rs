//! What happened lately, by name? For people who look: there are too many names for series of metrics.
//!
//! Everything here has a bound and is forgotten within minutes. A hit costs a thread-local
//! countdown, and one of [`HITS_PER_SAMPLE`] a look under a lock that nobody waits for;
//! misses and changes, which wait for somebody else anyway, are all noted.

mod history;
mod top;

pub use history::{Happened, Why};
pub use top::Met;

use std::cell::Cell;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use quick_cache::sync::Cache as Memory;

use crate::chance;

use history::History;
use top::Top;

/// Of so many hits one is noted, on average: a busy proxy has thousands a second, and the most
/// frequent names show in hundreds.
pub const HITS_PER_SAMPLE: u64 = 16;

/// Questions of which it is known until when their answer was kept: 24 bytes each.
const KEPT_MAX: usize = 8_192;

/// A miss of a read that a rule wanted to answer from the cache.
#[derive(Clone, Copy, Debug)]
pub struct Miss<'m> {
    /// Its key.
    pub key: &'m str,
    /// The first bytes of its fingerprint: enough to tell two apart.
    pub question: u64,
    /// Why, where the answer says so itself; otherwise it follows from what was kept.
    pub reason: Option<&'static str>,
    /// For how long the answer will be kept.
    pub lifetime: Duration,
    /// Now.
    pub at: Instant,
}

/// What is known of an answer.
#[derive(Clone, Copy, Debug)]
enum Kept {
    /// It was to be kept until then.
    Until(Instant),
    /// It could not be kept.
    Not(&'static str),
    /// Some answer with this key was kept.
    Key,
}

/// What happened lately.
pub struct Lately {
    hits: Mutex<Windows>,
    misses: Mutex<Windows>,
    kept: Memory<u64, Kept>,
    changes: Mutex<History>,
}

/// This minute and the one before it.
#[derive(Debug, Default)]
struct Windows {
    now: Top,
    before: Top,
}

impl Default for Lately {
    fn default() -> Self {
        let (hits, misses, changes) = Default::default();
        Self { hits, misses, kept: Memory::new(KEPT_MAX), changes }
    }
}

impl Lately {
    /// Notes a hit, if it is one of those that are noted.
    pub fn hit(&self, key: &str) {
        if !is_sampled() {
            return;
        }
        // somebody else notes one at this moment: another sample is as good
        if let Ok(mut hits) = self.hits.try_lock() {
            hits.now.add(key, HITS_PER_SAMPLE, None);
        }
    }

    /// Notes a miss and why it was one.
    pub fn missed(&self, miss: &Miss<'_>) {
        let reason = miss.reason.unwrap_or_else(|| self.why_missed(miss));
        lock(&self.misses).now.add(miss.key, 1, Some(reason));
    }

    /// Notes that an answer could not be kept after all.
    pub fn not_kept(&self, question: u64, reason: &'static str) {
        self.kept.insert(question, Kept::Not(reason));
    }

    /// Notes something that made entries disappear.
    pub fn changed(&self, happened: Happened) {
        lock(&self.changes).add(happened);
    }

    /// Begins another minute.
    pub fn turn(&self) {
        for windows in [&self.hits, &self.misses] {
            let mut windows = lock(windows);
            windows.before = std::mem::take(&mut windows.now);
        }
    }

    /// The keys with the most hits in this minute and the one before it, about.
    pub fn hottest(&self, most: usize) -> Vec<(String, Met)> {
        lock(&self.hits).most(most)
    }

    /// The keys with the most misses in this minute and the one before it.
    pub fn most_missed(&self, most: usize) -> Vec<(String, Met)> {
        lock(&self.misses).most(most)
    }

    /// What made entries disappear after the change of this number.
    pub fn changes_after(&self, number: u64) -> Vec<Happened> {
        lock(&self.changes).after(number)
    }

    /// Why a read that could have been a hit was none.
    fn why_missed(&self, miss: &Miss<'_>) -> &'static str {
        let name = digest(miss.key);
        let reason = match self.kept.get(&miss.question) {
            Some(Kept::Until(until)) if until <= miss.at => "expired",
            Some(Kept::Until(_)) => "taken away",
            Some(Kept::Not(reason)) => reason,
            Some(Kept::Key) | None if self.kept.get(&name).is_some() => "another caller or form",
            Some(Kept::Key) | None => {
                self.kept.insert(name, Kept::Key);
                "new"
            }
        };
        self.kept.insert(miss.question, Kept::Until(miss.at + miss.lifetime));
        reason
    }
}

impl Windows {
    fn most(&self, most: usize) -> Vec<(String, Met)> {
        Top::most([&self.before, &self.now], most)
    }
}

impl fmt::Debug for Lately {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lately")
    }
}

/// Whoever panicked was adding a number or appending a line: what is there stays usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Decides by chance, so that traffic with a rhythm shows as it is.
fn is_sampled() -> bool {
    thread_local! {
        /// Hits until the next sample.
        static LEFT: Cell<u32> = const { Cell::new(0) };
    }
    LEFT.with(|left| match left.get() {
        0 => {
            left.set(chance::next() % (2 * HITS_PER_SAMPLE as u32 - 1));
            true
        }
        more => {
            left.set(more - 1);
            false
        }
    })
}

fn digest(key: &str) -> u64 {
    static SEEDED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    SEEDED.hash_one(key)
}

#[cfg(test)]
mod tests {
    use crate::clock::Clock;

    use super::*;

    const KEY: &str = "todos:list:";

    fn reasons(lately: &Lately) -> Vec<(&'static str, u64)> {
        lately.most_missed(1)[0].1.reasons.clone()
    }

    #[test]
    fn a_miss_says_why_it_was_none() {
        let (lately, now) = (Lately::default(), Clock::default().now());
        let second = Duration::from_secs(1);
        let miss = |question, after: u32, reason| {
            lately.missed(&Miss {
                key: KEY,
                question,
                reason,
                lifetime: 10 * second,
                at: now + after * second,
            });
        };
        miss(1, 0, None);
        miss(2, 0, None);
        miss(1, 5, None);
        miss(1, 15, None);
        lately.not_kept(1, "set-cookie");
        miss(1, 16, None);
        miss(1, 16, Some("joined"));
        assert_eq!(
            reasons(&lately),
            [
                ("new", 1),
                ("another caller or form", 1),
                ("taken away", 1),
                ("expired", 1),
                ("set-cookie", 1),
                ("joined", 1)
            ]
        );
        assert_eq!(lately.most_missed(1)[0].1.times, 6);
    }

    #[test]
    fn what_nobody_asks_for_any_more_is_forgotten_within_two_minutes() {
        let (lately, at) = (Lately::default(), Clock::default().now());
        let miss = Miss { key: KEY, question: 1, reason: None, lifetime: Duration::ZERO, at };
        lately.missed(&miss);
        lately.turn();
        lately.missed(&miss);
        assert_eq!(lately.most_missed(9)[0].1.times, 2, "of both minutes");
        lately.turn();
        assert_eq!(lately.most_missed(9)[0].1.times, 1);
        lately.turn();
        assert!(lately.most_missed(9).is_empty());
    }

    #[test]
    fn hits_are_told_about_as_often_as_they_were() {
        let lately = Lately::default();
        for nth in 0..300_000 {
            lately.hit(if nth % 3 == 0 { "a:1" } else { "a:2" });
        }
        let hottest = lately.hottest(5);
        let (first, second) = (hottest[0].1.times as f64, hottest[1].1.times as f64);
        assert_eq!((&*hottest[0].0, hottest.len()), ("a:2", 2));
        assert!((180_000.0..220_000.0).contains(&first), "{first}");
        assert!((88_000.0..112_000.0).contains(&second), "{second}");
    }
}
