//! What is counted about things outside the process: a shared store, a network in front, the line before
//! the upstream. And how anything that is counted is declared.

use prometheus::{CounterVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// How it goes with a store that several processes share; all 0 with the embedded one.
#[derive(Clone, Debug)]
pub struct StoreGauges {
    /// 1 where a shared store is set.
    pub configured: IntGauge,
    /// 1 while it can be asked.
    pub up: IntGauge,
    /// 1 while it is not asked, because it failed too often.
    pub breaker_open: IntGauge,
    /// Look-ups that it was asked.
    pub look_ups: IntGauge,
    /// Those that found a valid entry.
    pub hits: IntGauge,
    /// Calls that brought nothing of use.
    pub failures: IntGauge,
    /// Records that were not what they should have been.
    pub rejected_records: IntGauge,
    /// Entries that it did not take.
    pub lost_fills: IntGauge,
    /// Changes that it has not been told yet.
    pub owed: IntGauge,
    /// Writes that were forwarded without its knowing.
    pub unannounced: IntGauge,
    /// Processes that share it.
    pub members: IntGauge,
    /// For how long this process may still believe its memory.
    pub lease_millis: IntGauge,
}

impl StoreGauges {
    pub(crate) fn declare(declare: &Declare<'_>) -> Self {
        Self {
            configured: declare.gauge("larder_store_configured", "1 where a shared store is set."),
            up: declare.gauge("larder_store_up", "1 while the shared store can be asked."),
            breaker_open: declare.gauge(
                "larder_store_breaker_open",
                "1 while the shared store is left alone because it failed too often.",
            ),
            look_ups: declare.gauge("larder_store_look_ups", "Look-ups in the shared store since the start."),
            hits: declare
                .gauge("larder_store_hits", "Look-ups in the shared store that found a valid entry."),
            failures: declare.gauge("larder_store_failures", "Calls to the shared store that failed."),
            rejected_records: declare.gauge(
                "larder_store_rejected_records",
                "Records in the shared store that were foreign, old, cut or damaged.",
            ),
            lost_fills: declare
                .gauge("larder_store_lost_fills", "Entries that the shared store did not take."),
            owed: declare.gauge("larder_store_owed", "Changes that the shared store has not been told yet."),
            unannounced: declare.gauge(
                "larder_unannounced_writes",
                "Writes that were forwarded while the shared store could not note them.",
            ),
            members: declare
                .gauge("larder_fleet_members", "Processes that share the store, this one included."),
            lease_millis: declare.gauge(
                "larder_lease_milliseconds",
                "For how long this process may still believe its memory.",
            ),
        }
    }
}

/// How it goes with a content delivery network in front.
#[derive(Clone, Debug)]
pub struct CdnMetrics {
    calls: IntCounterVec,
    /// Labels that it has not been told yet.
    pub pending: IntGauge,
    /// How often more waited than fits, so that it was told to forget everything.
    pub overflows: IntCounter,
}

impl CdnMetrics {
    pub(crate) fn declare(declare: &Declare<'_>) -> Self {
        Self {
            calls: declare.counters(
                "larder_cdn_purges_total",
                "Calls that tell the network in front what to forget, by result.",
                &["result"],
            ),
            pending: declare
                .gauge("larder_cdn_pending", "Labels that the network in front has not been told yet."),
            overflows: declare.counter(
                "larder_cdn_overflows_total",
                "Times that so much waited to be told that it became everything.",
            ),
        }
    }

    /// Makes every name known, for the documentation's test.
    pub(crate) fn show(&self) {
        self.calls.with_label_values(&["ok"]);
    }

    /// Counts a call: `ok` or `failed`.
    pub fn call(&self, result: &str) {
        self.calls.with_label_values(&[result]).inc();
    }
}

/// How long the line of reads is that wait for their turn to ask the upstream.
#[derive(Clone, Debug)]
pub struct LineMetrics {
    /// How many stand in it.
    pub waiting: IntGauge,
    /// Reads that did not get a turn.
    pub turned_away: IntCounter,
}

impl LineMetrics {
    pub(crate) fn declare(declare: &Declare<'_>) -> Self {
        Self {
            waiting: declare.gauge("larder_reads_waiting", "Reads that wait for their turn to ask Supabase."),
            turned_away: declare.counter(
                "larder_reads_turned_away_total",
                "Reads answered with 503 because too many waited for Supabase.",
            ),
        }
    }
}

/// Declares metrics, each once.
#[derive(Debug)]
pub(crate) struct Declare<'r>(pub(crate) &'r Registry);

impl Declare<'_> {
    /// A name that is wrong or taken is a mistake in this file, found by the first test.
    #[allow(clippy::expect_used, reason = "names are literals of this file")]
    pub(crate) fn register<C: prometheus::core::Collector + Clone + 'static>(
        &self,
        collector: prometheus::Result<C>,
    ) -> C {
        let collector = collector.expect("a valid metric");
        self.0.register(Box::new(collector.clone())).expect("a new metric");
        collector
    }

    pub(crate) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    pub(crate) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    pub(crate) fn seconds(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        self.register(CounterVec::new(Opts::new(name, help), labels))
    }

    pub(crate) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }
}
