//! What came of it all?

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::super::exit::Exit;
use super::super::stats::bytes;
use super::asking::{Came, Outcome};

/// Targets that are named among those that failed: enough to see what they have in common.
const NAMED_MAX: usize = 5;

/// Everything that came.
#[derive(Debug, Default)]
pub(super) struct Summary {
    filled: u64,
    known: u64,
    /// By reason.
    unkept: BTreeMap<String, u64>,
    /// By status, or by what happened.
    failed: BTreeMap<String, u64>,
    /// Some of those that failed.
    named: Vec<String>,
    nobody: u64,
    bytes: u64,
    slowest: Duration,
}

impl Summary {
    pub(super) fn add(&mut self, came: &Came) {
        self.bytes += came.bytes;
        self.slowest = self.slowest.max(came.took);
        let failure = match &came.outcome {
            Outcome::Filled => return self.filled += 1,
            Outcome::Known => return self.known += 1,
            Outcome::Unkept(reason) => return *self.unkept.entry(reason.clone()).or_default() += 1,
            Outcome::Refused(status) => status.to_string(),
            Outcome::NotLarder => "not-larder".to_owned(),
            Outcome::Broken => "broken-off".to_owned(),
            Outcome::Nobody => {
                self.nobody += 1;
                "nobody-there".to_owned()
            }
        };
        *self.failed.entry(failure).or_default() += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(came.target.clone());
        }
    }

    fn unkept(&self) -> u64 {
        self.unkept.values().sum()
    }

    fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    fn all(&self) -> u64 {
        self.filled + self.known + self.unkept() + self.failed()
    }

    /// For a progress bar.
    pub(super) fn short(&self) -> String {
        format!("{} filled, {} failed", self.filled, self.failed())
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let lines = [
            ("asked", self.all().to_string()),
            ("filled", self.filled.to_string()),
            ("there before", self.known.to_string()),
            ("not kept", counted(&self.unkept)),
            ("failed", counted(&self.failed)),
            ("received", bytes(self.bytes)),
            ("slowest", format!("{:.0} ms", self.slowest.as_secs_f64() * 1_000.0)),
        ];
        for (name, value) in lines {
            let _infallible = writeln!(text, "{name:<14} {value}");
        }
        for target in &self.named {
            let _infallible = writeln!(text, "failed: {target}");
        }
        if self.failed.contains_key("not-larder") {
            text.push_str(
                "not-larder: whoever answered there sends no Cache-Status of larder (hint: --to)\n",
            );
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let all = json!({
            "asked": self.all(),
            "filled": self.filled,
            "known": self.known,
            "unkept": self.unkept,
            "failed": self.failed,
            "failed_targets": self.named,
            "bytes": self.bytes,
            "slowest_ms": self.slowest.as_secs_f64() * 1_000.0,
        });
        format!("{all:#}\n")
    }

    /// All is well where everything was answered, kept or not.
    pub(super) fn exit(&self) -> Exit {
        match self.failed() {
            0 => Exit::Success,
            failed if failed == self.nobody && failed == self.all() => Exit::Unavailable,
            _ => Exit::Failure,
        }
    }
}

/// `3 (2 no-rule, 1 too-large)`.
fn counted(reasons: &BTreeMap<String, u64>) -> String {
    let all: u64 = reasons.values().sum();
    if all == 0 {
        return "0".to_owned();
    }
    let parts: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    format!("{all} ({})", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(outcomes: &[Outcome]) -> Summary {
        let mut summary = Summary::default();
        for outcome in outcomes {
            let came = Came {
                target: "/a".to_owned(),
                outcome: outcome.clone(),
                bytes: 10,
                took: Duration::from_millis(7),
            };
            summary.add(&came);
        }
        summary
    }

    #[test]
    fn all_is_counted_once_and_decides_the_exit_code() {
        let unkept = |reason: &str| Outcome::Unkept(reason.to_owned());
        let well =
            [Outcome::Filled, Outcome::Known, unkept("no-rule"), unkept("no-rule"), unkept("too-large")];
        let told = summary(&well);
        assert_eq!((told.exit(), told.all(), told.bytes), (Exit::Success, 5, 50));
        assert!(told.text().contains("not kept       3 (2 no-rule, 1 too-large)"), "{}", told.text());
        let bad = summary(&[Outcome::Filled, Outcome::Refused(500), Outcome::NotLarder, Outcome::Nobody]);
        assert_eq!((bad.exit(), bad.failed()), (Exit::Failure, 3));
        assert!(
            bad.text().contains("failed         3 (1 500, 1 nobody-there, 1 not-larder)"),
            "{}",
            bad.text()
        );
        assert_eq!(summary(&[Outcome::Nobody, Outcome::Nobody]).exit(), Exit::Unavailable);
        let json: serde_json::Value = serde_json::from_str(&bad.json()).unwrap();
        assert_eq!((&json["asked"], &json["failed"]["500"]), (&json!(4), &json!(1)));
    }
}
