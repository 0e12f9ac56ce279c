//! What was found? For people, and the same every time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::judge::Violation;
use super::options::{Plan, StoreKind};
use super::run::Checked;
use super::words::{MILLI, Nanos};

/// With no violation in n reads, the true rate is below this many in n, in 95 of 100 cases.
const ZERO_MEANS: f64 = 3.0;

/// The whole report.
pub(crate) fn report(plan: &Plan, checked: &Checked) -> String {
    let mut text = String::new();
    for (seed, story) in &checked.stories {
        let _ok = writeln!(text, "VIOLATION (seed {seed})  {story}  again: {}\n", again(plan, *seed));
    }
    if !checked.stories.is_empty() {
        text += &checked.logs;
        text.push('\n');
    }
    let figures = &checked.figures;
    let seconds = checked.took.as_secs_f64();
    let rate = figures.reads as f64 / seconds.max(0.001);
    let _ok = writeln!(
        text,
        "{} proxies, {} store, {}; {} clients, {} % writes; {} schedules of {} s from seed {}; {seconds:.0} s",
        plan.proxies,
        store(plan.store),
        plan.consistency.as_str(),
        plan.clients,
        plan.write_percent,
        plan.schedules,
        plan.seconds,
        plan.seed,
    );
    let _ok = writeln!(
        text,
        "\nreads checked     {:>10}   {rate:.0}/s, {} rows compared",
        figures.reads, figures.seen
    );
    for (status, count) in &figures.by_status {
        let _ok = writeln!(
            text,
            "  {count:>10}   {:5.1} %   {status}",
            100.0 * *count as f64 / figures.reads.max(1) as f64
        );
    }
    let _ok = writeln!(
        text,
        "writes            {:>10}   acknowledged; {} refused, {} of unknown outcome to their client; {} seen to their end",
        figures.acknowledged, figures.refused, figures.unknown, figures.settled
    );
    text += &excused(checked);
    text += &faults(checked);
    text += "\n            reads p50       p99    writes p50       p99\n";
    for (proxy, spreads) in &figures.by_proxy {
        let of = |nanos: Nanos| format!("{:.2} ms", nanos as f64 / MILLI as f64);
        let (reads, writes) = (&spreads.reads, &spreads.writes);
        let _ok = writeln!(
            text,
            "proxy {proxy:<3} {:>12} {:>9} {:>13} {:>9}",
            of(reads.percentile(50)),
            of(reads.percentile(99)),
            of(writes.percentile(50)),
            of(writes.percentile(99))
        );
    }
    text += &verdict(plan, checked);
    text
}

/// What no promise covers, and how often.
fn excused(checked: &Checked) -> String {
    let (figures, mut text) = (&checked.figures, String::new());
    let _ok = writeln!(
        text,
        "excused           {:>10}   reads without an answer while a fault explains it; {} acknowledgements without the store",
        figures.excused_reads, figures.excused_acks
    );
    let _ok = writeln!(
        text,
        "                  {:>10}   writes refused for want of the store; {} proxies ended in the middle of a write",
        figures.closed, checked.deaths
    );
    let _ok = writeln!(
        text,
        "                  {:>10}   times the machine itself was too slow on the way to the store",
        figures.slow
    );
    text
}

fn faults(checked: &Checked) -> String {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for fault in &checked.faults {
        *counts.entry(fault.as_str()).or_default() += 1;
    }
    let named: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    format!("faults            {:>10}   {}\n", checked.faults.len(), named.join(", "))
}

fn verdict(plan: &Plan, checked: &Checked) -> String {
    let figures = &checked.figures;
    let mut text = "\n".to_owned();
    for violation in Violation::ALL {
        let _ok =
            writeln!(text, "{:>8} in {}   {}", figures.of(violation), figures.reads, violation.as_str());
    }
    let _ok = writeln!(
        text,
        "{:>8} in {}   went back where {} does not promise otherwise, {} of them to one and the same question",
        figures.flaps,
        figures.reads,
        plan.consistency.as_str(),
        figures.entry_flaps
    );
    let millis = |nanos: Nanos| nanos as f64 / MILLI as f64;
    let late = &figures.late;
    if late.count() > 0 {
        let _ok = writeln!(
            text,
            "{:>8} in {}   stale: p50 {:.1}, p99 {:.1}, at most {:.1} ms late; allowed are {:.0}",
            late.count(),
            figures.reads,
            millis(late.percentile(50)),
            millis(late.percentile(99)),
            millis(late.max()),
            millis(plan.consistency.late_max()),
        );
    }
    let bound = ZERO_MEANS / figures.reads.max(1) as f64;
    let _ok = match figures.violations() {
        0 => writeln!(text, "\nno violation: fewer than {bound:.1e} of reads, with 95 % confidence"),
        found => writeln!(text, "\n{found} violations"),
    };
    text
}

/// The command that plays a schedule again.
fn again(plan: &Plan, seed: u64) -> String {
    let faults: Vec<&str> = plan.faults.iter().map(|fault| fault.as_str()).collect();
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(",") };
    let with: String = plan.arguments.iter().map(|argument| format!(" --with {argument}")).collect();
    let bug = plan.bug.map_or(String::new(), |bug| format!(" --sabotage {}", bug.as_str()));
    format!(
        "larder-check-coherence --proxies {} --store {} --consistency {} --clients {} --writes {} --seconds {} \
         --schedules 1 --seed {seed} --faults {faults}{with}{bug}",
        plan.proxies,
        store(plan.store),
        plan.consistency.as_str(),
        plan.clients,
        plan.write_percent,
        plan.seconds,
    )
}

fn store(store: StoreKind) -> &'static str {
    match store {
        StoreKind::Memory => "memory",
        StoreKind::Redis => "redis",
    }
}
