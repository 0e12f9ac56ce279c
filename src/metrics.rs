//! What is counted? Every metric of the process, declared in one place.
//!
//! Label values are rule names and words from closed enums, so that the number
//! of series is bounded by the rules file, never by what clients send.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use prometheus::core::Metric;
use prometheus::{
    Counter, CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    Registry, TextEncoder,
};

pub use crate::gauges::{CdnMetrics, LineMetrics, StoreGauges};

use crate::gauges::Declare;
use crate::hit_counts::{HitCounts, OfAllRules};
use crate::lately::Lately;

/// Bounds of the latency histograms, in seconds: from a memory hit's tens of
/// microseconds to the longest answer Supabase gives.
const LATENCY_BUCKETS: [f64; 17] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0, 10.0,
];

/// Label of requests that no rule matched.
pub const NO_RULE: &str = "-";

/// Every metric, with handles that cost a few nanoseconds.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    labelled: Labelled,
    /// Of the rules in use, and of those before them while requests still run under them.
    hits: Arc<Mutex<Vec<Weak<HitCounts>>>>,
    /// Time until the head of the upstream's answer.
    pub upstream_seconds: Histogram,
    /// Bytes of bodies that were served without asking the upstream.
    pub saved_bytes: IntCounter,
    /// Answers without a body, because the client has it.
    pub not_modified: IntCounter,
    /// Entries that came into the store and say that there is nothing.
    pub negative_fills: IntCounter,
    /// Requests that were sent upstream.
    pub upstream_requests: IntCounter,
    /// Requests to the upstream that got no answer.
    pub upstream_failures: IntCounter,
    /// Reads that wait for their turn.
    pub line: LineMetrics,
    /// Entries that came into the store.
    pub fills: IntCounter,
    /// Writes that invalidated something or everything.
    pub invalidations: IntCounter,
    /// Tags that writes named.
    pub invalidated_tags: IntCounter,
    /// Entries held.
    pub entries: IntGauge,
    /// Bytes held, with headers, keys and tags.
    pub entry_bytes: IntGauge,
    /// Bytes that may be held.
    pub entry_bytes_max: IntGauge,
    /// Tags remembered.
    pub tags: IntGauge,
    /// Entries pushed out to make room.
    pub evictions: IntGauge,
    /// Forms of entries made for callers that take less.
    pub forms: IntGauge,
    /// Forms that could not be made when they were asked for.
    pub forms_put_off: IntGauge,
    /// Fetches under way that others can join.
    pub flights: IntGauge,
    /// How it goes with a shared store.
    pub store: StoreGauges,
    /// How it goes with a network in front.
    pub cdn: CdnMetrics,
    /// Client connections open.
    pub connections: IntGauge,
    /// Log lines that were dropped.
    pub lost_log_lines: IntGauge,
    /// Handlers that panicked: each is a bug.
    pub panics: IntCounter,
    /// Keys that tokens are verified with.
    pub token_keys: IntGauge,
    /// Whether the database is another than the one that schema.yaml tells of.
    pub schema_moved_on: IntGauge,
    /// Spans that did not reach the collector.
    pub lost_spans: IntCounter,
    /// What has too many names for series.
    pub lately: Arc<Lately>,
}

/// How long something took, how often: each bound in seconds, and how many took no longer than that.
/// The last bound is infinite.
pub type Durations = Vec<(f64, u64)>;

/// What was counted since the start, for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// Requests by rule and outcome.
    pub requests: Vec<Requests>,
    /// Bytes of bodies that were served without asking the upstream.
    pub saved_bytes: u64,
    /// Requests that were sent upstream.
    pub upstream_requests: u64,
    /// Entries that came into the store.
    pub fills: u64,
    /// Changes that took something away.
    pub invalidations: u64,
    /// How long answers took, by kind; `upstream` is the upstream's own.
    pub latencies: Vec<Latency>,
}

/// How long the answers of one kind took until their heads.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// `hit`, `miss`, `pass`, `write`, `refused`, or `upstream`.
    pub kind: String,
    /// How long they took.
    pub took: Durations,
}

/// The requests of one rule that had one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    /// The rule's name, or [`NO_RULE`].
    pub rule: String,
    /// The outcome's word.
    pub outcome: String,
    /// How many.
    pub count: u64,
}

/// The metrics that have labels.
#[derive(Clone)]
struct Labelled {
    requests: IntCounterVec,
    refused_fills: IntCounterVec,
    reloads: IntCounterVec,
    unverified: IntCounterVec,
    unresolved_fills: IntCounterVec,
    key_fetches: IntCounterVec,
    schema_looks: IntCounterVec,
    locks: IntCounterVec,
    operations: IntCounterVec,
    limited: IntCounterVec,
    refreshes: IntCounterVec,
    unsent_bytes: IntCounterVec,
    waited: CounterVec,
    audits: IntCounterVec,
    audit_stale: IntCounterVec,
    canaries: IntCounterVec,
    changes: IntCounterVec,
    latency: HistogramVec,
}

impl Labelled {
    fn declare(declare: &Declare<'_>) -> Self {
        let by_result = |name, help| declare.counters(name, help, &["result"]);
        Self {
            requests: declare.counters(
                "larder_requests_total",
                "Requests by rule and outcome.",
                &["rule", "outcome"],
            ),
            refused_fills: declare.counters(
                "larder_refused_fills_total",
                "Answers that a rule wanted kept but that could not be, by reason.",
                &["reason"],
            ),
            reloads: by_result("larder_rules_reloads_total", "Reloads of the rules file by result."),
            unverified: declare.counters(
                "larder_unverified_callers_total",
                "Reads that passed through because their caller could not be verified, by reason.",
                &["reason"],
            ),
            unresolved_fills: declare.counters(
                "larder_unresolved_fills_total",
                "Answers kept that depend on every table, because no schema knows something they read.",
                &["rule"],
            ),
            key_fetches: by_result("larder_jwks_fetches_total", "Fetches of issuers' key sets by result."),
            schema_looks: by_result(
                "larder_schema_looks_total",
                "Looks at the database's definitions by result.",
            ),
            locks: by_result("larder_locks_total", "Locks that writes asked for, by result."),
            operations: by_result("larder_operations_total", "Writes with an idempotency key, by result."),
            limited: declare.counters(
                "larder_limited_total",
                "Requests that a limit did not let through, by limit and result.",
                &["limit", "result"],
            ),
            refreshes: by_result(
                "larder_refreshes_total",
                "Answers to be fetched again before or after their time, or after a write, by result.",
            ),
            unsent_bytes: declare.counters(
                "larder_unsent_bytes_total",
                "Bytes of bodies that did not have to be sent to clients, by what spared them.",
                &["by"],
            ),
            audits: by_result("larder_audits_total", "Hits compared with the upstream, by result."),
            audit_stale: declare.counters(
                "larder_audit_stale_total",
                "Audited hits that said something else than the upstream though nothing was known to have changed.",
                &["rule"],
            ),
            canaries: by_result("larder_canaries_total", "Canaries of rules by what they found."),
            waited: declare.seconds(
                "larder_waited_seconds_total",
                "Seconds that reads of a rule waited because they were no hits.",
                &["rule"],
            ),
            changes: declare.counters(
                "larder_changes_total",
                "Changes that the database told of, by what was done.",
                &["deed"],
            ),
            latency: declare.register(HistogramVec::new(
                buckets("larder_request_seconds", "Time until the head of the answer, by kind of outcome."),
                &["kind"],
            )),
        }
    }
}

/// A histogram of latencies.
fn buckets(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS.to_vec())
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Declares every metric.
    pub fn new() -> Self {
        let registry = Registry::new();
        let declare = Declare(&registry);
        Self {
            labelled: Labelled::declare(&declare),
            hits: Arc::default(),
            upstream_seconds: declare.register(Histogram::with_opts(buckets(
                "larder_upstream_seconds",
                "Time until the head of the upstream's answer.",
            ))),
            saved_bytes: declare
                .counter("larder_saved_bytes_total", "Bytes of bodies served without asking the upstream."),
            not_modified: declare
                .counter("larder_not_modified_total", "Answers without a body: clients have it."),
            negative_fills: declare
                .counter("larder_negative_fills_total", "Answers kept that there is nothing."),
            upstream_requests: declare.counter("larder_upstream_requests_total", "Requests sent upstream."),
            upstream_failures: declare
                .counter("larder_upstream_failures_total", "Requests sent upstream that got no answer."),
            line: LineMetrics::declare(&declare),
            fills: declare.counter("larder_fills_total", "Answers that came into the store."),
            invalidations: declare
                .counter("larder_invalidations_total", "Writes that invalidated something."),
            invalidated_tags: declare
                .counter("larder_invalidated_tags_total", "Tags that were given a new generation."),
            entries: declare.gauge("larder_entries", "Entries held."),
            entry_bytes: declare.gauge("larder_entry_bytes", "Bytes held, with headers, keys and tags."),
            entry_bytes_max: declare.gauge("larder_entry_bytes_max", "Bytes that may be held (--memory)."),
            tags: declare.gauge("larder_tags", "Tags that some entry depends on."),
            evictions: declare.gauge("larder_evictions", "Entries pushed out to make room since the start."),
            forms: declare.gauge("larder_forms", "Compressed forms of answers made since the start."),
            forms_put_off: declare
                .gauge("larder_forms_put_off", "Compressed forms that could not be made at once."),
            flights: declare.gauge("larder_flights", "Fetches under way that others can join."),
            store: StoreGauges::declare(&declare),
            cdn: CdnMetrics::declare(&declare),
            connections: declare.gauge("larder_connections", "Client connections open."),
            lost_log_lines: declare.gauge(
                "larder_lost_log_lines",
                "Log lines dropped since the start because standard output was too slow.",
            ),
            panics: declare.counter("larder_panics_total", "Handlers that panicked: each is a bug."),
            token_keys: declare.gauge("larder_token_keys", "Keys that callers' tokens are verified with."),
            schema_moved_on: declare.gauge(
                "larder_schema_moved_on",
                "1 while the database is another than schema.yaml tells of.",
            ),
            lost_spans: declare.counter("larder_lost_spans_total", "Spans that did not reach the collector."),
            lately: Arc::default(),
            registry,
        }
    }

    /// The counter of one rule's requests with one outcome.
    pub fn requests(&self, rule: &str, outcome: &str) -> IntCounter {
        self.labelled.requests.with_label_values(&[rule, outcome])
    }

    /// The histogram of one kind of outcome: `hit`, `miss`, `pass`, `write` or `refused`.
    pub fn latency(&self, kind: &str) -> Histogram {
        self.labelled.latency.with_label_values(&[kind])
    }

    /// The counter of bytes that were not sent to clients: because they have them, `not-modified`, or because
    /// of a `coding`.
    fn unsent_bytes(&self, by: &str) -> IntCounter {
        self.labelled.unsent_bytes.with_label_values(&[by])
    }

    /// What counts the hits of these rules.
    pub fn hit_counts<'r>(&self, rules: impl Iterator<Item = &'r str>) -> Arc<HitCounts> {
        let by_rule: Vec<IntCounter> = rules.map(|rule| self.requests(rule, "hit")).collect();
        let all = OfAllRules {
            saved_bytes: self.saved_bytes.clone(),
            not_modified: self.not_modified.clone(),
            unsent_not_modified: self.unsent_bytes("not-modified"),
            unsent_coded: self.unsent_bytes("coding"),
            seconds: self.latency("hit"),
        };
        let counts = Arc::new(HitCounts::new(&by_rule, &all));
        let mut all = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|counts| counts.strong_count() > 0);
        all.push(Arc::downgrade(&counts));
        counts
    }

    /// Counts an answer that could not be kept.
    pub fn refused_fill(&self, reason: &str) {
        self.labelled.refused_fills.with_label_values(&[reason]).inc();
    }

    /// Counts a reload of the rules: `ok` or `failed`.
    pub fn reloaded(&self, result: &str) {
        self.labelled.reloads.with_label_values(&[result]).inc();
    }

    /// Counts a read whose caller could not be verified.
    pub fn unverified_caller(&self, reason: &str) {
        self.labelled.unverified.with_label_values(&[reason]).inc();
    }

    /// Counts an answer of this rule that every write to any table takes away.
    pub fn unresolved_fill(&self, rule: &str) {
        self.labelled.unresolved_fills.with_label_values(&[rule]).inc();
    }

    /// Counts a fetch of a key set: `ok` or `failed`.
    pub fn key_fetch(&self, result: &str) {
        self.labelled.key_fetches.with_label_values(&[result]).inc();
    }

    /// Counts a look at the database's definitions: `same`, `changed` or `failed`.
    pub fn looked_at_schema(&self, result: &str) {
        self.labelled.schema_looks.with_label_values(&[result]).inc();
    }

    /// Counts what became of a lock: `taken`, `busy`, `crowded`, `unknown`, `kept` or `lost`.
    pub fn lock(&self, result: &str) {
        self.labelled.locks.with_label_values(&[result]).inc();
    }

    /// Counts what became of an operation: `first`, `replayed`, `in-progress`, `doubtful`, `other`,
    /// `unknown`, `kept-in-doubt` or `not-kept`.
    pub fn operation(&self, result: &str) {
        self.labelled.operations.with_label_values(&[result]).inc();
    }

    /// Counts a request that a limit did not let through: `refused`, or `unknown` without its store.
    pub fn limited(&self, limit: &str, result: &str) {
        self.labelled.limited.with_label_values(&[limit, result]).inc();
    }

    /// Counts an answer that was to be fetched again: `kept`, `gone`, `failed`, `overtaken`
    /// by a write, `ended` with its token, or `left` to somebody else.
    pub fn refreshed(&self, result: &str) {
        self.labelled.refreshes.with_label_values(&[result]).inc();
    }

    /// Counts a hit that was compared with the upstream: `same`, `stale`, `overtaken` or `failed`.
    pub fn audited(&self, result: &str) {
        self.labelled.audits.with_label_values(&[result]).inc();
    }

    /// Counts a canary: `apart`, `shared`, `leak`, `open` or `unjudged`.
    pub fn canary(&self, result: &str) {
        self.labelled.canaries.with_label_values(&[result]).inc();
    }

    /// Counts a hit of this rule that turned out to be stale.
    pub fn audit_stale(&self, rule: &str) {
        self.labelled.audit_stale.with_label_values(&[rule]).inc();
    }

    /// The time that reads of this rule waited because they were no hits, in seconds.
    pub fn waited(&self, rule: &str) -> Counter {
        self.labelled.waited.with_label_values(&[rule])
    }

    /// How long reads of each rule waited in all, in seconds.
    pub fn waited_by_rule(&self) -> Vec<(String, f64)> {
        let families = prometheus::core::Collector::collect(&self.labelled.waited);
        let series = families.iter().flat_map(|family| family.get_metric());
        let rule = |series: &prometheus::proto::Metric| {
            series.get_label().first().map_or("", |label| label.value()).to_owned()
        };
        series.map(|series| (rule(series), series.get_counter().get_value())).collect()
    }

    /// How long requests of one kind took until now.
    pub fn durations(&self, kind: &str) -> Durations {
        self.tell_hits();
        durations(&self.latency(kind))
    }

    /// Counts a change that the database told of: `insert`, `update`, `delete`, `truncate`, or `unread`.
    pub fn change(&self, deed: &str) {
        self.labelled.changes.with_label_values(&[deed]).inc();
    }

    /// Counts an invalidation of this many tags.
    pub fn invalidated(&self, tags: usize) {
        self.invalidations.inc();
        self.invalidated_tags.inc_by(tags as u64);
    }

    /// The names of all metrics, for the documentation's test.
    pub fn names(&self) -> Vec<String> {
        // vectors without a series are not gathered: give each one
        self.requests(NO_RULE, "hit");
        self.labelled.refused_fills.with_label_values(&["status"]);
        self.labelled.reloads.with_label_values(&["ok"]);
        self.labelled.unverified.with_label_values(&["signature"]);
        self.labelled.unresolved_fills.with_label_values(&[NO_RULE]);
        self.labelled.key_fetches.with_label_values(&["ok"]);
        self.labelled.schema_looks.with_label_values(&["same"]);
        self.labelled.locks.with_label_values(&["taken"]);
        self.labelled.operations.with_label_values(&["first"]);
        self.labelled.limited.with_label_values(&[NO_RULE, "refused"]);
        self.labelled.refreshes.with_label_values(&["kept"]);
        self.labelled.waited.with_label_values(&[NO_RULE]);
        self.labelled.audits.with_label_values(&["same"]);
        self.labelled.audit_stale.with_label_values(&[NO_RULE]);
        self.labelled.canaries.with_label_values(&["apart"]);
        self.labelled.changes.with_label_values(&["insert"]);
        self.latency("hit");
        self.unsent_bytes("not-modified");
        self.cdn.show();
        self.registry.gather().iter().map(|family| family.name().to_owned()).collect()
    }

    /// What was counted until now.
    pub fn counted(&self) -> Counted {
        self.tell_hits();
        let requests = series(&self.labelled.requests).into_iter().filter_map(|(labels, count)| {
            // in the order of the labels' names
            let [outcome, rule] = <[String; 2]>::try_from(labels).ok()?;
            Some(Requests { rule, outcome, count })
        });
        Counted {
            requests: requests.collect(),
            saved_bytes: self.saved_bytes.get(),
            upstream_requests: self.upstream_requests.get(),
            fills: self.fills.get(),
            invalidations: self.invalidations.get(),
            latencies: self.latencies(),
        }
    }

    /// What became of locks, operations and limits until now: `lock`, `operation` or a limit's name, the
    /// result, how often.
    pub fn guarded(&self) -> Vec<(String, String, u64)> {
        let Labelled { locks, operations, limited, .. } = &self.labelled;
        let mut told = Vec::new();
        for (what, counters) in [("lock", locks), ("operation", operations), ("", limited)] {
            for (mut labels, count) in series(counters) {
                let Some(result) = labels.pop() else { continue };
                told.push((labels.pop().unwrap_or_else(|| what.to_owned()), result, count));
            }
        }
        told
    }

    fn latencies(&self) -> Vec<Latency> {
        let by_kind = prometheus::core::Collector::collect(&self.labelled.latency);
        let upstream = prometheus::core::Collector::collect(&self.upstream_seconds);
        let series = by_kind.iter().chain(&upstream).flat_map(|family| family.get_metric());
        let latencies = series.map(|series| {
            let kind = series.get_label().first().map_or("upstream", |label| label.value());
            Latency { kind: kind.to_owned(), took: took(series) }
        });
        latencies.collect()
    }

    /// Hits are counted by each thread for itself.
    fn tell_hits(&self) {
        let all = self.hits.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.iter().filter_map(Weak::upgrade).for_each(|counts| counts.tell());
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.tell_hits();
        // the only failure is a writer's, and a string does not fail
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

/// The values of each series' labels, in the order of their names, and what it counted.
fn series(counters: &IntCounterVec) -> Vec<(Vec<String>, u64)> {
    let families = prometheus::core::Collector::collect(counters);
    let all = families.iter().flat_map(|family| family.get_metric());
    let told = all.map(|series| {
        let labels = series.get_label().iter().map(|label| label.value().to_owned()).collect();
        // counts are whole numbers below 2^53
        (labels, series.get_counter().get_value() as u64)
    });
    told.collect()
}

/// What a histogram of latencies holds.
pub fn durations(histogram: &Histogram) -> Durations {
    took(&histogram.metric())
}

fn took(series: &prometheus::proto::Metric) -> Durations {
    let told = series.get_histogram();
    let within = told.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    within.chain([(f64::INFINITY, told.get_sample_count())]).collect()
}

/// Observes a duration in seconds.
pub fn observe(histogram: &Histogram, took: Duration) {
    histogram.observe(took.as_secs_f64());
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_of_all_threads_and_of_former_rules_are_told() {
        let metrics = Metrics::new();
        let took = Duration::from_micros(10);
        let former = metrics.hit_counts(["list"].into_iter());
        former.count(0, took, 100);
        drop(former);
        let counts = metrics.hit_counts(["list", "detail"].into_iter());
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| counts.count(1, took, 10));
            }
        });
        for _ in 0..2 {
            let text = metrics.render();
            for line in [
                "larder_requests_total{outcome=\"hit\",rule=\"list\"} 1\n",
                "larder_requests_total{outcome=\"hit\",rule=\"detail\"} 40\n",
                "larder_saved_bytes_total 500\n",
                "larder_request_seconds_count{kind=\"hit\"} 41\n",
            ] {
                assert!(text.contains(line), "{line}{text}");
            }
        }
    }

    #[test]
    fn every_metric_is_declared_once_and_rendered() {
        let metrics = Metrics::new();
        metrics.requests("properties", "hit").inc();
        metrics.invalidated(3);
        let text = metrics.render();
        assert!(text.contains("larder_requests_total{outcome=\"hit\",rule=\"properties\"} 1"));
        assert!(text.contains("larder_invalidated_tags_total 3"));
    }
}
