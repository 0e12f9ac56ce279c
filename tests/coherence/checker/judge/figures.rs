//! What was counted and measured while the judge listened?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Nanos, Violation};

/// Steps of a spread for each doubling: a step is at most 9 % wide.
const STEPS: u32 = 8;
/// From a nanosecond to five centuries.
const BUCKETS: usize = (64 * STEPS) as usize;

/// How long things took, in steps of at most 9 %.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    counts: Box<[u64; BUCKETS]>,
    count: u64,
    max: Nanos,
}

impl Default for Spread {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), count: 0, max: 0 }
    }
}

impl Spread {
    pub(crate) fn note(&mut self, took: Nanos) {
        let place = ((took.max(1) as f64).log2() * f64::from(STEPS)) as usize;
        self.counts[place.min(BUCKETS - 1)] += 1;
        self.count += 1;
        self.max = self.max.max(took);
    }

    /// So many of 100 took no longer.
    pub(crate) fn percentile(&self, percent: u64) -> Nanos {
        let wanted = (self.count * percent).div_ceil(100).max(1);
        let mut sum = 0;
        let place = self.counts.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        let upper = place.map_or(0.0, |place| ((place + 1) as f64 / f64::from(STEPS)).exp2());
        (upper as Nanos).min(self.max)
    }

    pub(crate) fn max(&self) -> Nanos {
        self.max
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

/// What one proxy did.
#[derive(Clone, Debug, Default)]
pub(crate) struct OfProxy {
    pub(crate) reads: Spread,
    pub(crate) writes: Spread,
}

/// Everything that was counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Answered reads that were judged.
    pub(crate) reads: u64,
    /// Registers that they showed.
    pub(crate) seen: u64,
    pub(crate) hits: u64,
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    pub(crate) unknown: u64,
    /// Writes that a proxy would not forward without its store.
    pub(crate) closed: u64,
    /// Reads without an answer while a fault explains it.
    pub(crate) excused_reads: u64,
    /// Acknowledged without the store, where the mode allows that: P1 is asked for once the store has heard of it.
    pub(crate) excused_acks: u64,
    /// How often the machine itself kept a proxy from its store.
    pub(crate) slow: u64,
    /// Executed writes after which a later read showed, or had to show, the new version.
    pub(crate) settled: u64,
    /// P2 where the mode does not promise it.
    pub(crate) flaps: u64,
    /// Of these, between two answers to the very same question.
    pub(crate) entry_flaps: u64,
    /// By what `Cache-Status` says, without key and time.
    pub(crate) by_status: BTreeMap<Arc<str>, u64>,
    pub(crate) by_proxy: BTreeMap<usize, OfProxy>,
    /// How late stale answers were.
    pub(crate) late: Spread,
    pub(crate) violations: BTreeMap<Violation, u64>,
    /// The first by which somebody was told something wrong.
    pub(crate) first: Option<Violation>,
}

impl Figures {
    pub(crate) fn violations(&self) -> u64 {
        self.violations.values().sum()
    }

    pub(crate) fn of(&self, violation: Violation) -> u64 {
        self.violations.get(&violation).copied().unwrap_or_default()
    }

    /// Adds those of another schedule.
    pub(crate) fn add(&mut self, other: &Self) {
        self.reads += other.reads;
        self.seen += other.seen;
        self.hits += other.hits;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.closed += other.closed;
        self.excused_reads += other.excused_reads;
        self.excused_acks += other.excused_acks;
        self.slow += other.slow;
        self.settled += other.settled;
        self.flaps += other.flaps;
        self.entry_flaps += other.entry_flaps;
        for (status, count) in &other.by_status {
            *self.by_status.entry(status.clone()).or_default() += count;
        }
        for (proxy, theirs) in &other.by_proxy {
            let ours = self.by_proxy.entry(*proxy).or_default();
            ours.reads.add(&theirs.reads);
            ours.writes.add(&theirs.writes);
        }
        self.late.add(&other.late);
        self.first = self.first.or(other.first);
        for (violation, count) in &other.violations {
            *self.violations.entry(*violation).or_default() += count;
        }
    }
}

impl Spread {
    fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.counts.iter_mut().zip(other.counts.iter()) {
            *ours += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_tenth() {
        let mut spread = Spread::default();
        (1..=1000).for_each(|took| spread.note(took * 1000));
        for (percent, exact) in [(50, 500_000), (99, 990_000), (100, 1_000_000)] {
            let found = spread.percentile(percent);
            assert!(found >= exact && found <= exact * 11 / 10, "p{percent} is {found}");
        }
        assert_eq!(Spread::default().percentile(99), 0);
    }
}
