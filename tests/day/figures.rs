//! What came of a day, and is it what was promised?

use std::fmt::Write;
use std::time::Duration;

/// What is noted while a day goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    reads: Vec<Duration>,
    hits: u64,
    old: u64,
    pub(crate) writes: u64,
    /// Requests that reached the upstream, writes among them.
    pub(crate) asked: u64,
    pub(crate) dashboards: Vec<Duration>,
    pub(crate) direct_dashboards: Vec<Duration>,
}

/// What a run is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bars {
    /// All that was promised.
    Promised,
    /// What a short day shows on a slow machine: few visitors share what was fetched first.
    Short,
}

impl Figures {
    pub(crate) fn read(&mut self, took: Duration, is_hit: bool, is_old: bool) {
        self.reads.push(took);
        self.hits += u64::from(is_hit);
        self.old += u64::from(is_old);
    }

    fn requests(&self) -> u64 {
        self.reads.len() as u64 + self.writes
    }

    fn hit_rate(&self) -> f64 {
        self.hits as f64 / self.reads.len() as f64
    }

    fn asked_share(&self) -> f64 {
        self.asked as f64 / self.requests() as f64
    }

    fn dashboard_share(&self) -> f64 {
        mean(&self.dashboards).as_secs_f64() / mean(&self.direct_dashboards).as_secs_f64()
    }

    /// One table in Markdown.
    pub(crate) fn table(&self, name: &str) -> String {
        let (reads, writes) = (self.reads.len(), self.writes);
        let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1_000.0);
        let rows = [
            ("requests", format!("{} ({writes} writes)", self.requests()), String::new()),
            (
                "p50, p95, p99",
                [50, 95, 99].map(|at| ms(quantile(&self.reads, at))).join(", "),
                "p50 < 5 ms".into(),
            ),
            ("hit rate", format!("{:.1} % of {reads} reads", self.hit_rate() * 100.0), "≥ 92 %".into()),
            (
                "upstream requests",
                format!("{} (−{:.1} %), writes among them", self.asked, (1.0 - self.asked_share()) * 100.0),
                "−95 %".into(),
            ),
            ("old answers", self.old.to_string(), "0".into()),
            (
                "dashboard of 5 queries, mean",
                format!("{}, directly {}", ms(mean(&self.dashboards)), ms(mean(&self.direct_dashboards))),
                "a fifth".into(),
            ),
        ];
        let mut table = format!("\n| {name} | | bar |\n|---|---:|---:|\n");
        for (figure, value, bar) in rows {
            let _infallible = writeln!(table, "| {figure} | {value} | {bar} |");
        }
        table
    }

    pub(crate) fn judge(&self, bars: Bars) {
        assert_eq!(self.old, 0, "answers from before a write that was acknowledged");
        assert!(self.writes > 0 && !self.dashboards.is_empty(), "something happens");
        assert!(self.hit_rate() >= 0.92, "hit rate {}", self.hit_rate());
        if bars == Bars::Promised {
            assert!(self.asked_share() <= 0.05, "{} of all requests reach the upstream", self.asked_share());
            let median = quantile(&self.reads, 50);
            assert!(median < Duration::from_millis(5), "half of all reads take {median:?}");
            let share = self.dashboard_share();
            assert!(share <= 0.2, "a dashboard takes {share} of what it took");
        }
    }
}

fn quantile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / u32::try_from(times.len().max(1)).unwrap()
}
