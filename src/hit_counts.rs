//! Counting hits, which must cost next to nothing.
//!
//! Two processors that count in one place wait for each other. So each thread
//! counts for itself, and the sums are made when somebody asks.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::local::{LocalHistogram, LocalIntCounter};
use prometheus::{Histogram, IntCounter};

/// More than there are threads on most machines; threads that share one count one after the other.
const STRIPES: usize = 16;

/// Hits since the start, by rule.
pub struct HitCounts {
    stripes: Vec<Stripe>,
}

/// What some threads have counted since somebody last asked. Nothing else lies on its cache lines.
#[repr(align(128))]
struct Stripe(Mutex<Counts>);

struct Counts {
    by_rule: Vec<LocalIntCounter>,
    saved_bytes: LocalIntCounter,
    seconds: LocalHistogram,
}

impl HitCounts {
    /// What is told in the end: the rules' counters by their places, and those of all rules.
    pub fn new(by_rule: &[IntCounter], saved_bytes: &IntCounter, seconds: &Histogram) -> Self {
        let stripe = || {
            Stripe(Mutex::new(Counts {
                by_rule: by_rule.iter().map(IntCounter::local).collect(),
                saved_bytes: saved_bytes.local(),
                seconds: seconds.local(),
            }))
        };
        Self { stripes: (0..STRIPES).map(|_| stripe()).collect() }
    }

    /// Counts a hit of the rule at this place, and what it saved.
    pub fn count(&self, rule: usize, took: Duration, bytes: u64) {
        let counts = self.stripes[stripe_of_this_thread()].counts();
        if let Some(hits) = counts.by_rule.get(rule) {
            hits.inc();
        }
        counts.saved_bytes.inc_by(bytes);
        counts.seconds.observe(took.as_secs_f64());
    }

    /// Adds what was counted to what is told.
    pub fn tell(&self) {
        for stripe in &self.stripes {
            let counts = stripe.counts();
            counts.by_rule.iter().for_each(LocalIntCounter::flush);
            counts.saved_bytes.flush();
            counts.seconds.flush();
        }
    }
}

impl fmt::Debug for HitCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HitCounts")
    }
}

/// Rules that were replaced take nothing along.
impl Drop for HitCounts {
    fn drop(&mut self) {
        self.tell();
    }
}

impl Stripe {
    /// A plain mutex: held to add to a few numbers.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stripe_of_this_thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    STRIPE.with(|stripe| *stripe)
}
