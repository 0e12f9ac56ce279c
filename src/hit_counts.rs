//! Counting hits, which must cost next to nothing: each thread counts for itself,
//! and the sums are made when somebody asks.

use std::fmt;
use std::time::Duration;

use prometheus::local::{LocalHistogram, LocalIntCounter};
use prometheus::{Histogram, IntCounter};

use crate::stripe::Striped;

/// What of an answer's body was not sent, because it was not needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// All of it was sent.
    Nothing,
    /// So many bytes fewer, because of a coding.
    Coded(u64),
    /// None of so many bytes: the client has them already.
    NotModified(u64),
}

/// What is told of all rules together.
#[derive(Clone, Debug)]
pub struct OfAllRules {
    /// Bytes of bodies that were served without asking the upstream.
    pub saved_bytes: IntCounter,
    /// Answers without a body, because the client has it.
    pub not_modified: IntCounter,
    /// The bytes of those bodies.
    pub unsent_not_modified: IntCounter,
    /// Bytes that codings spared.
    pub unsent_coded: IntCounter,
    /// How long hits took.
    pub seconds: Histogram,
}

/// Hits since the start, by rule.
pub struct HitCounts {
    counts: Striped<Counts>,
}

/// What was counted since somebody last asked.
struct Counts {
    by_rule: Vec<LocalIntCounter>,
    saved_bytes: LocalIntCounter,
    not_modified: LocalIntCounter,
    unsent_not_modified: LocalIntCounter,
    unsent_coded: LocalIntCounter,
    seconds: LocalHistogram,
}

impl HitCounts {
    /// What is told in the end: the rules' counters by their places, and those of all rules.
    pub fn new(by_rule: &[IntCounter], all: &OfAllRules) -> Self {
        let counts = || Counts {
            by_rule: by_rule.iter().map(IntCounter::local).collect(),
            saved_bytes: all.saved_bytes.local(),
            not_modified: all.not_modified.local(),
            unsent_not_modified: all.unsent_not_modified.local(),
            unsent_coded: all.unsent_coded.local(),
            seconds: all.seconds.local(),
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

    /// Counts what was not sent of an answer, hit or not.
    pub fn count_unsent(&self, unsent: Unsent) {
        match unsent {
            Unsent::Nothing => {}
            Unsent::Coded(bytes) => self.counts.own().unsent_coded.inc_by(bytes),
            Unsent::NotModified(bytes) => {
                let counts = self.counts.own();
                counts.not_modified.inc();
                counts.unsent_not_modified.inc_by(bytes);
            }
        }
    }

    /// Adds what was counted to what is told.
    pub fn tell(&self) {
        for counts in self.counts.each() {
            counts.by_rule.iter().for_each(LocalIntCounter::flush);
            counts.saved_bytes.flush();
            counts.not_modified.flush();
            counts.unsent_not_modified.flush();
            counts.unsent_coded.flush();
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
