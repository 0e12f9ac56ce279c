//! Counting hits, which must cost next to nothing: each thread counts for itself,
//! and the sums are made when somebody asks.

use std::fmt;
use std::time::Duration;

use prometheus::local::{LocalHistogram, LocalIntCounter};
use prometheus::{Histogram, IntCounter};

use crate::stripe::Striped;

/// Hits since the start, by rule.
pub struct HitCounts {
    counts: Striped<Counts>,
}

/// What was counted since somebody last asked.
struct Counts {
    by_rule: Vec<LocalIntCounter>,
    saved_bytes: LocalIntCounter,
    seconds: LocalHistogram,
}

impl HitCounts {
    /// What is told in the end: the rules' counters by their places, and those of all rules.
    pub fn new(by_rule: &[IntCounter], saved_bytes: &IntCounter, seconds: &Histogram) -> Self {
        let counts = || Counts {
            by_rule: by_rule.iter().map(IntCounter::local).collect(),
            saved_bytes: saved_bytes.local(),
            seconds: seconds.local(),
        };
        Self { counts: Striped::new(counts) }
    }

    /// Counts a hit of the rule at this place, and what it saved.
    pub fn count(&self, rule: usize, took: Duration, bytes: u64) {
        let counts = self.counts.own();
        if let Some(hits) = counts.by_rule.get(rule) {
            hits.inc();
        }
        counts.saved_bytes.inc_by(bytes);
        counts.seconds.observe(took.as_secs_f64());
    }

    /// Adds what was counted to what is told.
    pub fn tell(&self) {
        for counts in self.counts.each() {
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
