//! Is every answer through Larder the one that the upstream gives, whatever is asked and whoever asks?
//!
//! Generated reads and writes go to a real Supabase-compatible server, directly and through Larder with
//! everything kept for long. The simplest sound comparison for each kind:
//!
//! - A **read** is asked of the same database twice, directly and through Larder, with no write
//!   between that could change it. So answers must be equal to the byte, clocks and generated ids included.
//! - A **write** can happen once. The same writes go to a second database with the same rows, which Larder
//!   never sees; the answers must be equal but for what a trigger takes from the clock.
//! - With **many clients** there is no such order. See `crowd.rs` for what can be compared all the same.
//!
//! Where everything is derived, callers are told apart by the bytes of their tokens; where rows are matched,
//! they are verified, and share as their rules' scopes say.
//!
//! Reads are repeated at once and after writes, in other words too, and enough of them must be hits:
//! never keeping anything would prove nothing. A difference is told with the seed, the request, both
//! answers and the writes since Larder last fetched that answer.
//!
//! `LARDER_SEED=7 LARDER_STEPS=20000` plays another, longer run; `LARDER_LEAK_ANSWERS=1000000` a longer
//! hunt for leaks; `LARDER_ROW_STEPS=20000` a longer comparison of rows with tables.

#![allow(clippy::print_stdout, reason = "a run's figures, shown where a test's output is asked for")]

mod alone;
mod chance;
mod crowd;
mod filters;
mod journal;
mod leak;
mod people;
#[path = "../started/pull.rs"]
mod pull;
mod reads;
mod rows;
mod spelling;
mod stage;
#[path = "../started/mod.rs"]
mod started;
mod tables;
mod wire;
mod writes;

use std::env;
use std::sync::atomic::Ordering;

use journal::Figures;
use stage::Stage;

/// Any number does; this one is as good as others.
const SEED: u64 = 20_250_101;
const STEPS: usize = 500;
const LEAK_ANSWERS: usize = 20_000;
const ROW_STEPS: usize = 2_000;
/// So many times the hit rate that table-level invalidation leaves.
const ROWS_GAIN_MIN: f64 = 5.0;
/// So many of 100 answerable reads that are repeated at once must be hits.
const HITS_PERCENT_MIN: u32 = 30;
/// So many of 100 answers must be hits, or there was nothing to leak.
const LEAK_HITS_PERCENT_MIN: usize = 30;
const DERIVED: &str = include_str!("derived.yaml");
/// Says that no column tells rows apart, whatever was learned.
const WHOLE_TABLES: &str = include_str!("whole_tables.yaml");

#[test]
fn one_client_gets_equal_answers_where_everything_is_derived() {
    let stage = Stage::start(DERIVED, &["--servers", "2"]);
    check(&stage, |seed, steps| stage.play(alone::run(&stage, seed, steps)));
}

#[test]
fn one_client_gets_equal_answers_where_whole_tables_go() {
    let stage = Stage::verifying(&format!("{DERIVED}{WHOLE_TABLES}"), &["--servers", "2"]);
    check(&stage, |seed, steps| stage.play(alone::run(&stage, seed, steps)));
}

#[test]
fn eight_clients_get_equal_answers_where_everything_is_derived() {
    let stage = Stage::start(DERIVED, &["--servers", "1"]);
    check(&stage, |seed, steps| stage.play(crowd::run(&stage, seed, steps)));
}

#[test]
fn eight_clients_get_equal_answers_where_whole_tables_go() {
    let stage = Stage::verifying(&format!("{DERIVED}{WHOLE_TABLES}"), &["--servers", "1"]);
    check(&stage, |seed, steps| stage.play(crowd::run(&stage, seed, steps)));
}

#[test]
fn nobody_ever_sees_what_is_anothers() {
    let private = started::in_repository("tests/differential/private.sql").display().to_string();
    let stage = Stage::verifying(include_str!("leak.yaml"), &["--more", &private]);
    let answers = number("LARDER_LEAK_ANSWERS").unwrap_or(LEAK_ANSWERS);
    let seed = number("LARDER_SEED").unwrap_or(SEED);
    let seen = stage.play(leak::hunt(&stage, seed, answers)).unwrap_or_else(|found| {
        panic!("LARDER_SEED={seed}\n{found}\nthe end of Larder's log:\n{}", stage.log())
    });
    println!("{seen:?}");
    let hits = seen.hits.load(Ordering::Relaxed);
    assert!(hits * 100 >= answers * LEAK_HITS_PERCENT_MIN, "too few hits for a proof: {seen:?}");
    assert!(
        seen.unbelieved.load(Ordering::Relaxed) > 0 && seen.writes.load(Ordering::Relaxed) > 0,
        "{seen:?}"
    );
}

#[test]
fn rows_keep_five_times_the_hits_and_nothing_stale() {
    let (seed, steps) =
        (number("LARDER_SEED").unwrap_or(SEED), number("LARDER_ROW_STEPS").unwrap_or(ROW_STEPS));
    let play = |rules: &str| {
        let stage = Stage::verifying(rules, &["--servers", "1"]);
        let survived = stage.play(rows::play(&stage, seed, steps));
        println!("{:.1} % hits: {survived:?}", 100.0 * survived.hit_rate());
        assert_eq!(survived.stale, 0, "the end of Larder's log:\n{}", stage.log());
        survived
    };
    let by_table = play(&format!("{DERIVED}{WHOLE_TABLES}"));
    let by_row = play(DERIVED);
    assert_eq!((by_table.reads, by_table.writes), (by_row.reads, by_row.writes), "the same requests");
    let gain = by_row.hit_rate() / by_table.hit_rate();
    println!("{gain:.1} times the hit rate");
    assert!(gain >= ROWS_GAIN_MIN, "{gain:.1} times: {by_row:?} against {by_table:?}");
}

/// Plays a run and asks that it was worth something.
fn check(stage: &Stage, run: impl FnOnce(u64, usize) -> Result<Figures, String>) {
    let (seed, steps) = (number("LARDER_SEED").unwrap_or(SEED), number("LARDER_STEPS").unwrap_or(STEPS));
    let figures = run(seed, steps).unwrap_or_else(|found| {
        panic!("LARDER_SEED={seed}\n{found}\nthe end of Larder's log:\n{}", stage.log())
    });
    println!("{figures:?}");
    assert!(figures.repeated_hits * 100 >= figures.repeated * HITS_PERCENT_MIN, "too few hits: {figures:?}");
    assert!(figures.repeated > 0 && figures.later_hits > 0 && figures.written > 0, "no proof: {figures:?}");
}

/// A number from the environment.
fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}
