//! `/api/cache/stats`: how much is answered from the cache, and by which rules?
//!
//! Pure, over what was counted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cache::Usage;
use crate::metrics::{Counted, NO_RULE};

/// Outcomes of reads that the cache answered.
const HITS: [&str; 2] = ["hit", "stale"];

/// Outcomes of reads that a rule wanted to answer from the cache and could not.
const MISSES: [&str; 3] = ["miss", "joined", "unkept"];

/// Reads of one rule, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) hits: u64,
    pub(super) misses: u64,
}

impl Reads {
    pub(super) fn add(&mut self, outcome: &str, requests: u64) {
        if HITS.contains(&outcome) {
            self.hits += requests;
        } else if MISSES.contains(&outcome) {
            self.misses += requests;
        }
    }

    /// The share of hits, to a hundredth of a percent; none where nobody has read yet.
    pub(super) fn hit_rate(self) -> Option<f64> {
        let reads = self.hits + self.misses;
        (reads > 0).then(|| (self.hits as f64 / reads as f64 * 10_000.0).round() / 10_000.0)
    }
}

/// Everything since the start of this process; keys and memory are those that it holds now.
pub(super) fn stats(usage: &Usage, counted: &Counted, timestamp: &str) -> Value {
    let (mut all, mut by_rule) = (Reads::default(), BTreeMap::<&str, Reads>::new());
    let of_rules = counted.requests.iter().filter(|requests| requests.rule != NO_RULE);
    for requests in of_rules {
        all.add(&requests.outcome, requests.count);
        by_rule.entry(&requests.rule).or_default().add(&requests.outcome, requests.count);
    }
    let rules = by_rule.into_iter().map(|(rule, reads)| {
        json!({ "rule": rule, "hits": reads.hits, "misses": reads.misses, "hit_rate": reads.hit_rate() })
    });
    let mut stats = json!({
        "keys": usage.entries,
        "memory": usage.bytes,
        "memory_max": usage.bytes_max,
        "hits": all.hits,
        "misses": all.misses,
        "hit_rate": all.hit_rate(),
        "bytes_saved": counted.saved_bytes,
        "upstream_requests": counted.upstream_requests,
        "fills": counted.fills,
        "evictions": usage.evictions,
        "invalidations": counted.invalidations,
        "rules": rules.collect::<Vec<_>>(),
    });
    if let Some(shared) = &usage.shared {
        stats["store"] =
            json!({ "look_ups": shared.look_ups, "hits": shared.hits, "failures": shared.failures });
    }
    json!({ "stats": stats, "timestamp": timestamp })
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    use super::*;

    #[test]
    fn a_hit_rate_is_of_reads_that_a_rule_wanted_to_answer() {
        let metrics = Metrics::new();
        for (rule, outcome, requests) in [
            ("list", "hit", 5),
            ("list", "miss", 1),
            ("list", "joined", 2),
            ("list", "refused", 7),
            ("detail", "hit", 0),
            (NO_RULE, "no-rule", 100),
        ] {
            metrics.requests(rule, outcome).inc_by(requests);
        }
        let told = stats(&Usage::default(), &metrics.counted(), "now");
        let told = &told["stats"];
        assert_eq!(
            (&told["hits"], &told["misses"], &told["hit_rate"]),
            (&json!(5), &json!(3), &json!(0.625))
        );
        let rule = |index: usize| (&told["rules"][index]["rule"], &told["rules"][index]["hit_rate"]);
        assert_eq!(rule(0), (&json!("detail"), &json!(null)));
        assert_eq!(rule(1), (&json!("list"), &json!(0.625)));
        assert_eq!(told["rules"].as_array().unwrap().len(), 2);
    }
}
