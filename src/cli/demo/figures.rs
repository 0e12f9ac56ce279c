//! What was counted, and what was measured?
//!
//! Counts come from the proxy's own `/metrics`, latencies from the clients that
//! waited. Nothing is computed from what ought to have happened.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Latencies kept of each kind: enough for a p99, and sorted in a millisecond.
const LATENCIES_MAX: usize = 8192;

/// How an answer came to be, as its `Cache-Status` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// From memory.
    Hit,
    /// Fetched for a rule.
    Miss,
    /// Passed through.
    Passed,
    /// A write.
    Written,
    /// Without Larder: the control group.
    Direct,
}

impl Served {
    const ALL: [Self; 5] = [Self::Hit, Self::Miss, Self::Passed, Self::Written, Self::Direct];

    /// Reads the header; an answer without it did not come through Larder.
    pub(super) fn by(cache_status: Option<&str>) -> Self {
        match cache_status {
            None => Self::Direct,
            Some(status) if status.contains("; hit") => Self::Hit,
            Some(status) if status.contains("fwd=method") => Self::Written,
            Some(status) if status.contains("fwd=bypass") => Self::Passed,
            Some(_) => Self::Miss,
        }
    }
}

/// The middle and the slow end of some latencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) p50: Duration,
    pub(super) p99: Duration,
}

impl Spread {
    fn of(mut latencies: Vec<Duration>) -> Option<Self> {
        latencies.sort_unstable();
        let at =
            |hundredths: usize| latencies.get((latencies.len() * hundredths / 100).min(latencies.len() - 1));
        (!latencies.is_empty()).then_some(())?;
        Some(Self { p50: *at(50)?, p99: *at(99)? })
    }
}

/// What the demo's clients measured. A plain mutex: held to add one number.
#[derive(Debug, Default)]
pub(super) struct Measured(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The latest latencies, in the order of [`Served::ALL`].
    latencies: [VecDeque<Duration>; 5],
    /// Reads through Larder, whatever became of them.
    reads: VecDeque<Duration>,
    failures: u64,
    checked: u64,
    fresh: u64,
    second_clicks: u64,
    refused_clicks: u64,
}

/// A look at what was measured so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Latencies {
    pub(super) hits: Option<Spread>,
    pub(super) misses: Option<Spread>,
    pub(super) passed: Option<Spread>,
    pub(super) writes: Option<Spread>,
    /// The same reads, sent to the upstream directly.
    pub(super) direct: Option<Spread>,
    /// All reads through Larder.
    pub(super) reads: Option<Spread>,
    /// Requests without a usable answer.
    pub(super) failures: u64,
    /// Writes that were read back at once.
    pub(super) checked: u64,
    /// Of those, reads that showed what had been written.
    pub(super) fresh: u64,
    /// Second clicks on one button, at the same time as the first.
    pub(super) second_clicks: u64,
    /// Of those, clicks that were refused.
    pub(super) refused_clicks: u64,
}

impl Measured {
    /// Notes how long an answer took.
    pub(super) fn note(&self, served: Served, took: Duration) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        push(&mut inner.latencies[served as usize], took);
        match served {
            Served::Hit | Served::Miss | Served::Passed => push(&mut inner.reads, took),
            Served::Written | Served::Direct => {}
        }
    }

    /// Notes a request without a usable answer.
    pub(super) fn note_failure(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failures += 1;
    }

    /// Notes whether a read right after a write showed what had been written.
    pub(super) fn note_check(&self, is_fresh: bool) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.checked += 1;
        inner.fresh += u64::from(is_fresh);
    }

    /// Notes whether the second of two clicks was refused.
    pub(super) fn note_second_click(&self, is_refused: bool) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.second_clicks += 1;
        inner.refused_clicks += u64::from(is_refused);
    }

    /// What was measured so far.
    pub(super) fn latencies(&self) -> Latencies {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let copied =
            Served::ALL.map(|served| Vec::from_iter(inner.latencies[served as usize].iter().copied()));
        let reads = Vec::from_iter(inner.reads.iter().copied());
        let (failures, checked, fresh) = (inner.failures, inner.checked, inner.fresh);
        let (second_clicks, refused_clicks) = (inner.second_clicks, inner.refused_clicks);
        drop(inner); // sorting needs no lock
        let [hits, misses, passed, writes, direct] = copied.map(Spread::of);
        let reads = Spread::of(reads);
        Latencies {
            hits,
            misses,
            passed,
            writes,
            direct,
            reads,
            failures,
            checked,
            fresh,
            second_clicks,
            refused_clicks,
        }
    }
}

fn push(latencies: &mut VecDeque<Duration>, took: Duration) {
    if latencies.len() == LATENCIES_MAX {
        latencies.pop_front();
    }
    latencies.push_back(took);
}

/// What the proxy counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) writes: u64,
    /// Refused or failed.
    pub(super) refused: u64,
    /// Refused because somebody else held the lock, as it should be.
    pub(super) busy: u64,
    pub(super) passed: u64,
    /// Requests that were sent to the upstream.
    pub(super) upstream: u64,
    pub(super) invalidations: u64,
    pub(super) invalidated_tags: u64,
    pub(super) saved_bytes: u64,
    pub(super) entries: u64,
    pub(super) entry_bytes: u64,
}

impl Counts {
    /// Reads the text of `/metrics`.
    pub(super) fn read(metrics: &str) -> Self {
        let mut counts = Self::default();
        for line in metrics.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<u64>() else { continue }; // histograms have fractions
            let name = series.split('{').next().unwrap_or_default();
            match name {
                "larder_requests_total" => *counts.of_outcome(series) += value,
                "larder_locks_total" if series.contains("\"busy\"") => counts.busy = value,
                "larder_upstream_requests_total" => counts.upstream = value,
                "larder_invalidations_total" => counts.invalidations = value,
                "larder_invalidated_tags_total" => counts.invalidated_tags = value,
                "larder_saved_bytes_total" => counts.saved_bytes = value,
                "larder_entries" => counts.entries = value,
                "larder_entry_bytes" => counts.entry_bytes = value,
                _ => {}
            }
        }
        counts
    }

    fn of_outcome(&mut self, series: &str) -> &mut u64 {
        let outcome = series.split("outcome=\"").nth(1).and_then(|rest| rest.split('"').next());
        match outcome.unwrap_or_default() {
            "hit" => &mut self.hits,
            "miss" | "joined" | "unkept" => &mut self.misses,
            "write" => &mut self.writes,
            "refused" | "failed" => &mut self.refused,
            _ => &mut self.passed,
        }
    }

    /// Everything that clients asked.
    pub(super) fn requests(&self) -> u64 {
        self.hits + self.misses + self.writes + self.refused + self.passed
    }

    /// Hits among the reads that a rule wants kept.
    pub(super) fn hit_rate(&self) -> Option<f64> {
        let reads = self.hits + self.misses;
        (reads > 0).then(|| self.hits as f64 / reads as f64)
    }
}

/// One look at everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) running: Duration,
    pub(super) counts: Counts,
    pub(super) latencies: Latencies,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_the_metrics_themselves() {
        let metrics = crate::metrics::Metrics::new();
        for (rule, outcome, times) in
            [("a", "hit", 5), ("b", "hit", 4), ("a", "miss", 2), ("a", "joined", 1), ("-", "no-rule", 7)]
        {
            metrics.requests(rule, outcome).inc_by(times);
        }
        metrics.requests("-", "write").inc();
        metrics.upstream_requests.inc_by(10);
        metrics.invalidated(3);
        metrics.saved_bytes.inc_by(1000);
        let counts = Counts::read(&metrics.render());
        let expected = Counts {
            hits: 9,
            misses: 3,
            writes: 1,
            passed: 7,
            upstream: 10,
            invalidations: 1,
            invalidated_tags: 3,
            saved_bytes: 1000,
            ..Counts::default()
        };
        assert_eq!(counts, expected);
        assert_eq!((counts.requests(), counts.hit_rate()), (20, Some(0.75)));
        assert_eq!(Counts::default().hit_rate(), None);
    }

    #[test]
    fn an_answer_says_how_it_came_to_be() {
        for (status, served) in [
            (None, Served::Direct),
            (Some("larder; hit; ttl=3; key=\"a:b\""), Served::Hit),
            (Some("larder; fwd=miss; stored; key=\"a:b\""), Served::Miss),
            (Some("larder; fwd=bypass; detail=no-rule"), Served::Passed),
            (Some("larder; fwd=method; detail=\"invalidated 3\""), Served::Written),
        ] {
            assert_eq!(Served::by(status), served);
        }
    }

    #[test]
    fn latencies_keep_their_kinds_apart() {
        let measured = Measured::default();
        for millis in 1..=100 {
            measured.note(Served::Hit, Duration::from_millis(millis));
        }
        measured.note(Served::Direct, Duration::from_millis(250));
        measured.note_check(true);
        let latencies = measured.latencies();
        let spread =
            |p50, p99| Some(Spread { p50: Duration::from_millis(p50), p99: Duration::from_millis(p99) });
        assert_eq!(latencies.hits, spread(51, 100));
        assert_eq!(latencies.direct, spread(250, 250));
        assert_eq!(latencies.reads, latencies.hits, "the control group is not counted");
        assert_eq!((latencies.misses, latencies.checked, latencies.fresh), (None, 1, 1));
    }
}
