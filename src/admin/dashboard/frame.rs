//! What happened in one second? The difference of two looks at what is counted.

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::{Value, json};

use crate::metrics::{Counted, Durations, Metrics, durations};

use super::super::spread::spread;

/// Seconds whose requests a latency is read off: fewer would jump about.
const LATENCY_WINDOW: usize = 10;

/// Groups of outcomes, in the order in which they are told.
pub(super) const GROUPS: [&str; 6] = ["hit", "joined", "miss", "pass", "write", "refused"];

/// What was counted until a moment.
#[derive(Clone, Debug)]
pub(super) struct Look {
    at: Instant,
    at_millis: u64,
    groups: [u64; GROUPS.len()],
    upstream: u64,
    saved_bytes: u64,
    hits: Durations,
    misses: Durations,
    answers: Durations,
}

/// The latest looks, as many as a latency needs.
#[derive(Debug, Default)]
pub(super) struct Looks {
    latest: VecDeque<Look>,
}

impl Look {
    /// Looks at everything that is counted.
    pub(super) fn at(metrics: &Metrics, counted: &Counted, at: Instant, at_millis: u64) -> Self {
        let mut groups = [0; GROUPS.len()];
        for requests in &counted.requests {
            groups[group(&requests.outcome)] += requests.count;
        }
        Self {
            at,
            at_millis,
            groups,
            upstream: counted.upstream_requests,
            saved_bytes: counted.saved_bytes,
            hits: metrics.durations("hit"),
            misses: metrics.durations("miss"),
            answers: durations(&metrics.upstream_seconds),
        }
    }

    /// What came since another look, per second; latencies since a third.
    fn since(&self, before: &Self, long_before: &Self) -> Value {
        let seconds = self.at.saturating_duration_since(before.at).as_secs_f64().max(0.001);
        let rate = |now: u64, then: u64| (now.saturating_sub(then) as f64 / seconds * 10.0).round() / 10.0;
        let groups: Vec<f64> =
            self.groups.iter().zip(before.groups).map(|(now, then)| rate(*now, then)).collect();
        json!({
            "t": self.at_millis,
            "rates": groups,
            "upstream": rate(self.upstream, before.upstream),
            "saved": rate(self.saved_bytes, before.saved_bytes),
            "hit_us": spread(&long_before.hits, &self.hits),
            "miss_us": spread(&long_before.misses, &self.misses),
            "upstream_us": spread(&long_before.answers, &self.answers),
        })
    }
}

impl Looks {
    /// Adds a look; tells what came since the last one, if there was one.
    pub(super) fn add(&mut self, look: Look) -> Option<Value> {
        let frame = self.latest.back().zip(self.latest.front());
        let frame = frame.map(|(last, first)| look.since(last, first));
        if self.latest.len() == LATENCY_WINDOW {
            self.latest.pop_front();
        }
        self.latest.push_back(look);
        frame
    }
}

/// The place of an outcome's group.
fn group(outcome: &str) -> usize {
    match outcome {
        "hit" | "stale" => 0,
        "joined" => 1,
        "miss" | "unkept" => 2,
        "write" | "replayed" => 4,
        "refused" | "failed" => 5,
        _passed => 3,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::clock::Clock;
    use crate::metrics::NO_RULE;

    use super::*;

    #[test]
    fn a_frame_tells_of_one_second_and_of_nothing_before_it() {
        let (metrics, clock, mut looks) = (Metrics::new(), Clock::default(), Looks::default());
        let began = clock.now();
        let mut look = |second| {
            looks.add(Look::at(&metrics, &metrics.counted(), began + Duration::from_secs(second), second))
        };
        metrics.requests("list", "hit").inc_by(1_000);
        assert_eq!(look(0), None, "nothing to compare with");
        for (outcome, times) in [("hit", 8), ("joined", 2), ("unkept", 4), ("write", 6), ("failed", 10)] {
            metrics.requests("list", outcome).inc_by(times);
        }
        metrics.requests(NO_RULE, "no-rule").inc_by(12);
        metrics.saved_bytes.inc_by(500);
        let frame = look(2).unwrap();
        assert_eq!(frame["rates"], json!([4.0, 1.0, 2.0, 6.0, 3.0, 5.0]), "two seconds");
        assert_eq!(
            (&frame["t"], &frame["saved"], &frame["hit_us"]),
            (&json!(2), &json!(250.0), &json!(null))
        );
        assert_eq!(look(3).unwrap()["rates"], json!([0.0, 0.0, 0.0, 0.0, 0.0, 0.0]));
    }
}
