//! `/api/cache/stats`: how much is answered from the cache, by which rules, and how fast?
//!
//! Pure, over what was counted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cache::{Cache, Held, Usage};
use crate::metrics::{Counted, Latency, NO_RULE};

use super::spread::quantile;

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

    fn told(self, what: &str, name: &str) -> Value {
        json!({ what: name, "hits": self.hits, "misses": self.misses, "hit_rate": self.hit_rate() })
    }

    /// The share of hits, to a hundredth of a percent; none where nobody has read yet.
    pub(super) fn hit_rate(self) -> Option<f64> {
        let reads = self.hits + self.misses;
        (reads > 0).then(|| (self.hits as f64 / reads as f64 * 10_000.0).round() / 10_000.0)
    }
}

/// Everything since the start of this process; keys and memory are those that it holds now. Namespaces
/// are those of the rules in use, and those of which something is held.
pub(super) fn stats(cache: &Cache, counted: &Counted, rules: &Value, timestamp: &str) -> Value {
    shown(&cache.usage(), &cache.namespaces(), counted, rules, timestamp)
}

fn shown(usage: &Usage, held: &[(String, Held)], counted: &Counted, rules: &Value, timestamp: &str) -> Value {
    let (mut all, mut by_rule) = (Reads::default(), BTreeMap::<&str, Reads>::new());
    let mut by_namespace: BTreeMap<&str, (Held, Reads)> =
        held.iter().map(|(namespace, held)| (namespace.as_str(), (*held, Reads::default()))).collect();
    let in_use = rules["reads"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_rule: BTreeMap<&str, &str> = in_use
        .iter()
        .filter(|rule| !rule["ttl"].is_null())
        .filter_map(|rule| Some((rule["name"].as_str()?, rule["namespace"].as_str()?)))
        .collect();
    let of_rules = counted.requests.iter().filter(|requests| requests.rule != NO_RULE);
    for requests in of_rules {
        all.add(&requests.outcome, requests.count);
        by_rule.entry(&requests.rule).or_default().add(&requests.outcome, requests.count);
        if let Some(namespace) = of_rule.get(requests.rule.as_str()) {
            by_namespace.entry(namespace).or_default().1.add(&requests.outcome, requests.count);
        }
    }
    let latencies = counted.latencies.iter().map(|latency| (latency.kind.clone(), quantiles(latency)));
    let namespaces = by_namespace.into_iter().map(|(namespace, (held, reads))| {
        let mut told = reads.told("namespace", namespace);
        told["keys"] = held.entries.into();
        told["memory"] = held.bytes.into();
        told
    });
    let rules = by_rule.into_iter().map(|(rule, reads)| reads.told("rule", rule));
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
        "latency_ms": Value::Object(latencies.collect()),
        "rules": rules.collect::<Vec<_>>(),
        "namespaces": namespaces.collect::<Vec<_>>(),
    });
    if let Some(shared) = &usage.shared {
        stats["store"] =
            json!({ "look_ups": shared.look_ups, "hits": shared.hits, "failures": shared.failures });
    }
    json!({ "stats": stats, "timestamp": timestamp })
}

/// The usual quantiles, in milliseconds.
fn quantiles(latency: &Latency) -> Value {
    let millis = |share| quantile(&latency.took, share).map(|seconds| (seconds * 1e6).round() / 1e3);
    let count = latency.took.last().map_or(0, |(_, count)| *count);
    json!({ "count": count, "p50": millis(0.5), "p95": millis(0.95), "p99": millis(0.99) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::metrics::{Metrics, observe};

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
        let rules = json!({ "reads": [
            { "name": "list", "namespace": "todos", "ttl": 60.0 },
            { "name": "detail", "namespace": "todos", "ttl": 60.0 },
            { "name": "never", "namespace": "bank", "ttl": null },
        ] });
        let held = [("todos", 2, 700), ("gone", 1, 300)]
            .map(|(namespace, entries, bytes)| (namespace.to_owned(), Held { entries, bytes }));
        let told = shown(&Usage::default(), &held, &metrics.counted(), &rules, "now");
        let told = &told["stats"];
        assert_eq!(
            (&told["hits"], &told["misses"], &told["hit_rate"]),
            (&json!(5), &json!(3), &json!(0.625))
        );
        let rule = |index: usize| (&told["rules"][index]["rule"], &told["rules"][index]["hit_rate"]);
        assert_eq!(rule(0), (&json!("detail"), &json!(null)));
        assert_eq!(rule(1), (&json!("list"), &json!(0.625)));
        assert_eq!(told["rules"].as_array().unwrap().len(), 2);
        assert_eq!(
            told["namespaces"],
            json!([
                { "namespace": "gone", "keys": 1, "memory": 300, "hits": 0, "misses": 0, "hit_rate": null },
                { "namespace": "todos", "keys": 2, "memory": 700, "hits": 5, "misses": 3, "hit_rate": 0.625 },
            ])
        );
    }

    #[test]
    fn a_quantile_lies_where_its_bucket_does() {
        let metrics = Metrics::new();
        let hits = metrics.latency("hit");
        for (millis, times) in [(2, 90), (20, 9), (60_000, 1)] {
            (0..times).for_each(|_| observe(&hits, Duration::from_millis(millis)));
        }
        let counted = metrics.counted();
        let latency = counted.latencies.iter().find(|latency| latency.kind == "hit").unwrap();
        let within = |share, low, high| {
            let found = quantile(&latency.took, share).unwrap();
            assert!((low..=high).contains(&found), "{share}: {found}");
        };
        within(0.5, 0.001, 0.002_5);
        within(0.95, 0.01, 0.025);
        within(0.99, 0.01, 0.025);
        within(0.999, 10.0, 10.0);
        let upstream = counted.latencies.iter().find(|latency| latency.kind == "upstream").unwrap();
        assert_eq!(quantile(&upstream.took, 0.5), None);
        assert_eq!(quantiles(upstream)["p99"], Value::Null);
    }
}
