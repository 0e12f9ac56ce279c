//! `larder stats`: how much does a running proxy answer from its cache, and by which rules?

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::Value;

use super::exit::{Exit, say};
use super::running::RunningProxy;
use super::serve::chain;

/// Between two looks of `--watch`: as often as a person reads.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Back to the first line, and nothing below it.
const CLEAR_SCREEN: &str = "\x1b[H\x1b[2J";

#[derive(Args, Debug)]
pub(super) struct Flags {
    /// Again every second, until interrupted
    #[arg(long)]
    watch: bool,
    /// For machines; with --watch an object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    running: RunningProxy,
}

/// Shows it.
pub(super) fn run(flags: &Flags) -> Exit {
    let mut out = io::stdout();
    let clears = flags.watch && !flags.json && out.is_terminal();
    loop {
        let text = match flags.running.ask(&Method::GET, "/api/cache/stats") {
            Ok(text) => text,
            Err(error) => {
                say(&chain(&error));
                return error.exit();
            }
        };
        let told: Value = serde_json::from_str(&text).unwrap_or_default();
        let shown = match (flags.json, flags.watch) {
            (true, true) => format!("{told}\n"),
            (true, false) => text,
            (false, _) => table(&told),
        };
        let shown = if clears { [CLEAR_SCREEN, &shown].concat() } else { shown };
        let written = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
        // nobody reads any more
        if !flags.watch || written.is_err() {
            return Exit::Success;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn table(told: &Value) -> String {
    let stats = &told["stats"];
    let number = |name: &str| stats[name].as_u64().unwrap_or_default();
    let mut text = String::new();
    let lines = [
        ("hit rate", rate(&stats["hit_rate"])),
        ("hits, misses", format!("{}, {}", number("hits"), number("misses"))),
        ("bytes saved", bytes(number("bytes_saved"))),
        ("asked of upstream", number("upstream_requests").to_string()),
        ("entries in memory", number("keys").to_string()),
        ("memory", format!("{} of {}", bytes(number("memory")), bytes(number("memory_max")))),
        ("evictions", number("evictions").to_string()),
        ("invalidations", number("invalidations").to_string()),
    ];
    for (name, value) in lines {
        let _infallible = writeln!(text, "{name:<18} {value}");
    }
    for (kind, latency) in stats["latency_ms"].as_object().into_iter().flatten() {
        if latency["count"].as_u64().is_some_and(|count| count > 0) {
            let [p50, p95, p99] =
                ["p50", "p95", "p99"].map(|name| latency[name].as_f64().unwrap_or_default());
            let _infallible = writeln!(
                text,
                "{:<18} p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms",
                format!("{kind} latency")
            );
        }
    }
    let held = |namespace: &Value| {
        let number = |name: &str| namespace[name].as_u64().unwrap_or_default();
        format!(" {:>10} {:>10}", number("keys"), bytes(number("memory")))
    };
    let held_heads = format!(" {:>10} {:>10}", "ENTRIES", "MEMORY");
    text.push_str(&reads(("NAMESPACE", "namespace", &held_heads), &stats["namespaces"], held));
    text.push_str(&reads(("RULE", "rule", ""), &stats["rules"], |_| String::new()));
    text
}

/// A table of what reads of each brought, and of what more is known.
fn reads(
    (head, name, more_heads): (&str, &str, &str),
    of: &Value,
    more: impl Fn(&Value) -> String,
) -> String {
    let mut text = String::new();
    let of = of.as_array().map(Vec::as_slice).unwrap_or_default();
    if !of.is_empty() {
        let heads = format!("{:>10} {:>10} {:>9}", "HITS", "MISSES", "HIT RATE");
        let _infallible = writeln!(text, "\n{head:<40} {heads}{more_heads}");
    }
    for reads in of {
        let name = reads[name].as_str().unwrap_or_default();
        let count = |of: &str| reads[of].as_u64().unwrap_or_default();
        let (hits, misses, rate) = (count("hits"), count("misses"), rate(&reads["hit_rate"]));
        let _infallible = writeln!(text, "{name:<40} {hits:>10} {misses:>10} {rate:>9}{}", more(reads));
    }
    text
}

fn rate(rate: &Value) -> String {
    rate.as_f64().map_or_else(|| "-".to_owned(), |rate| format!("{:.1}%", rate * 100.0))
}

pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_sees_which_rule_answers_how_much() {
        let rules = json!([{ "rule": "list", "hits": 9, "misses": 1, "hit_rate": 0.9 }, { "rule": "idle", "hits": 0, "misses": 0, "hit_rate": null }]);
        let text = table(&json!({ "stats": {
            "hits": 9, "misses": 1, "hit_rate": 0.9, "bytes_saved": 1536, "memory": 100, "memory_max": 1u64 << 30, "rules": rules,
            "namespaces": [{ "namespace": "todos", "keys": 3, "memory": 2048, "hits": 9, "misses": 1, "hit_rate": 0.9 }],
            "latency_ms": { "hit": { "count": 9, "p50": 0.04, "p95": 0.2, "p99": 1.0 }, "pass": { "count": 0, "p50": null } }
        }}));
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["hit", "rate", "90.0%"]);
        assert_eq!(lines[2], ["bytes", "saved", "1.5", "KiB"]);
        assert_eq!(lines[5], ["memory", "100", "B", "of", "1.0", "GiB"]);
        assert_eq!(lines[8].join(" "), "hit latency p50 0.04 ms, p95 0.20 ms, p99 1.00 ms");
        assert_eq!(lines[11], ["todos", "9", "1", "90.0%", "3", "2.0", "KiB"]);
        assert_eq!(lines[14], ["list", "9", "1", "90.0%"]);
        assert_eq!(lines[15], ["idle", "0", "0", "-"]);
    }
}
