//! Are reads through Larder ever stale? The short form of `larder-check-coherence`, and proof that it would tell.

#![allow(clippy::disallowed_methods, reason = "a test owns its tasks, processes and clock")]
#![allow(clippy::print_stdout, reason = "a run's figures, shown where a test's output is asked for")]

mod checker;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use checker::{Ended, Screen, run};

/// One run at a time: each brings a database server and wants the machine for itself.
static TURN: Mutex<()> = Mutex::new(());

fn check(flags: &str) -> Ended {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let arguments = ["larder-check-coherence"].into_iter().chain(flags.split_whitespace()).map(Into::into);
    let ended = run(arguments, Path::new(env!("CARGO_BIN_EXE_larder")), Screen::new(None));
    println!("{}{}", ended.said, ended.complaint);
    ended
}

/// The number in the report's line that begins with these words.
fn number(ended: &Ended, words: &str) -> u64 {
    let line = ended.said.lines().find_map(|line| line.strip_prefix(words));
    let word = line.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    word.parse().unwrap_or_else(|_| panic!("no number after `{words}` in\n{}", ended.said))
}

/// What no machine can excuse, however busy it is. How fast all is well again is for runs that have one to themselves.
const NEVER: [&str; 9] = [
    "P1: stale after an acknowledgement",
    "P2: older than an earlier read",
    "P2: one question went back",
    "read before it was written",
    "P3: somebody else's row",
    "P3: a canary that does not fit",
    "a write carried out twice",
    "acknowledged and not carried out",
    "refused and carried out",
];

fn assert_true(ended: &Ended) {
    for words in NEVER {
        let line = ended.said.lines().find(|line| line.trim_end().ends_with(words));
        let is_none = line.is_some_and(|line| line.trim_start().starts_with("0 in "));
        assert!(is_none, "{words}: {}{}", ended.said, ended.complaint);
    }
}

#[test]
fn one_proxy_is_never_stale_whatever_is_done_to_it() {
    let ended = check("--proxies 1 --store memory --schedules 2 --seconds 15 --faults all");
    assert_true(&ended);
    assert!(ended.code == 0 && ended.said.contains("no violation"), "{}{}", ended.said, ended.complaint);
    let (reads, writes) = (number(&ended, "reads checked"), number(&ended, "writes"));
    assert!(reads > 5_000 && writes > 200 && number(&ended, "faults") > 2, "no proof: {}", ended.said);
}

#[test]
fn a_fleet_is_never_stale_whatever_is_done_to_it() {
    let ended = check("--schedules 4 --seconds 30 --writes 2 --faults all");
    assert_true(&ended);
    let (reads, writes) = (number(&ended, "reads checked"), number(&ended, "writes"));
    // a machine that has nothing else to do checks ten times as many
    assert!(reads > 20_000 && writes > 500 && number(&ended, "faults") > 8, "no proof: {}", ended.said);
}

/// A proxy that ends itself in the midst of its third write, at each of the five points where that may matter.
#[test]
fn a_write_whose_proxy_dies_leaves_nothing_stale() {
    let points = "die-announcing,die-announced,die-forwarded,die-answered,die-changed";
    let ended = check(&format!("--schedules 2 --seconds 30 --faults {points}"));
    assert_true(&ended);
    let deaths = ended.said.split(" proxies ended in the middle of a write").next().unwrap_or_default();
    let deaths = deaths.split_whitespace().next_back().and_then(|word| word.parse::<u64>().ok());
    assert!(deaths > Some(4), "no proof: {}", ended.said);
}

/// What the checker is for: proxies that do not hear of each other's writes.
#[test]
fn several_memories_are_found_to_be_stale() {
    let ended = check("--proxies 3 --store memory --schedules 1 --seconds 20 --faults none --first");
    assert_eq!(ended.code, 1, "{}{}", ended.said, ended.complaint);
    for words in
        ["P1: stale after an acknowledgement", "acknowledged (write", "[hit]", "--seed 1 --faults none"]
    {
        assert!(ended.said.contains(words), "{words} in\n{}", ended.said);
    }
}

#[test]
fn what_is_not_understood_is_said_and_nothing_is_started() {
    for (flags, words) in [
        ("--faults tea", "no fault is called `tea`"),
        ("--store memory --faults redis-stop", "needs --store redis"),
        ("--sabotage tea", "no bug is called `tea`"),
        ("--proxies 0", "--proxies"),
    ] {
        let ended = check(flags);
        assert_eq!(ended.code, 64, "{flags}");
        assert!(ended.complaint.contains(words), "{flags}: {}", ended.complaint);
    }
    let faults = check("--faults list").said;
    assert!(faults.contains("proxy-kill\n") && faults.contains("die-answered\n"), "{faults}");
    assert!(check("--help").said.contains("docs/coherence.md"));
}
