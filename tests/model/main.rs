//! Which protocols keep a cache true to its database, and which only seem to?
//!
//! Every possible course of events is followed (`explore`), for protocols over a store
//! that many proxies share (`shared_store`) and for the memory store of one proxy
//! (`in_process`). The rows below are the expected results. The broken ones matter as
//! much as the others: a model that cannot see a known mistake proves nothing.
//!
//! `cargo test --test model -- --nocapture` shows how many states each row has, and the
//! shortest story of each broken one.

mod explore;
mod in_process;
mod shared_store;
mod words;

use explore::{Model, Verdict, explore};
use words::Promise::{self, FreshAfterAcknowledgement, NeverBackwards, NeverBackwardsPerUrl};

/// What a row says about its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Holds,
    Breaks,
}

use Expected::{Breaks, Holds};

/// Checks every row, then fails with all that came out differently.
#[expect(clippy::print_stdout, reason = "a test's output is shown on request, and is what people read here")]
fn check<M: Model>(rows: &[(&str, Promise, Expected, M)]) {
    let mut surprises = String::new();
    for (name, promise, expected, protocol) in rows {
        let verdict = explore(protocol);
        let found = match &verdict {
            Verdict::Holds { states } => format!("{promise:?} holds ({states} states)"),
            Verdict::Broken { states, story } => format!("{promise:?} breaks ({states} states):\n{story}"),
        };
        println!("{name}: {found}");
        let as_expected = match verdict {
            Verdict::Holds { .. } => *expected == Holds,
            Verdict::Broken { .. } => *expected == Breaks,
        };
        if !as_expected {
            surprises += &format!("{name}: expected {expected:?}, but {found}\n");
        }
    }
    assert!(surprises.is_empty(), "\n{surprises}");
}

mod over_a_shared_store {
    use super::shared_store::{
        Acknowledges, After, Before, CACHE_ASIDE, Faults, Lookup, MARKED, MemoryTier, Missing, NO_FAULTS,
        Numbering, Protocol, STAMPED, ValidIf, Waits, Writes,
    };
    use super::*;

    type Row = (&'static str, Promise, Expected, Protocol);

    fn check_rows(rows: &[Row]) {
        let promised: Vec<Row> = rows
            .iter()
            .map(|&(name, promise, expected, protocol)| {
                (name, promise, expected, Protocol { promise, ..protocol })
            })
            .collect();
        check(&promised);
    }

    const KILL: Faults = Faults { kill: true, ..NO_FAULTS };
    const UNREACHABLE: Faults = Faults { invalidation_fails: true, ..NO_FAULTS };
    const EVICTION: Faults = Faults { generation_evicted: true, ..NO_FAULTS };
    const EMPTIED: Faults = Faults { emptied: true, ..NO_FAULTS };
    const FAILOVER: Faults = Faults { lossy_failover: true, ..NO_FAULTS };

    #[test]
    fn deleting_entries_is_not_enough_however_often() {
        let ack_first = Protocol { acknowledges: Acknowledges::BeforeInvalidating, ..CACHE_ASIDE };
        let twice = Protocol { before_forwarding: Before::DeleteEntry, ..CACHE_ASIDE };
        check_rows(&[
            ("delete after the commit", FreshAfterAcknowledgement, Breaks, CACHE_ASIDE),
            ("delete after the commit", NeverBackwards, Breaks, CACHE_ASIDE),
            ("delete after the acknowledgement", FreshAfterAcknowledgement, Breaks, ack_first),
            ("delete after the acknowledgement", NeverBackwards, Breaks, ack_first),
            ("delete before and after", FreshAfterAcknowledgement, Breaks, twice),
            ("delete before and after", NeverBackwards, Breaks, twice),
        ]);
    }

    #[test]
    fn generations_without_marker_keep_acknowledged_writes_visible() {
        let two = Protocol { writes: Writes::Two, ..STAMPED };
        let ack_first = Protocol { acknowledges: Acknowledges::BeforeInvalidating, ..STAMPED };
        let evicted = Protocol { faults: EVICTION, ..STAMPED };
        let killed = Protocol { faults: KILL, ..STAMPED };
        let unreachable = Protocol { faults: UNREACHABLE, ..STAMPED };
        check_rows(&[
            ("generations", FreshAfterAcknowledgement, Holds, STAMPED),
            ("generations", NeverBackwards, Breaks, STAMPED),
            ("generations, two writers", FreshAfterAcknowledgement, Holds, two),
            ("generations, acknowledged first", FreshAfterAcknowledgement, Breaks, ack_first),
            ("generations, one evicted", FreshAfterAcknowledgement, Holds, evicted),
            ("generations, kill", FreshAfterAcknowledgement, Holds, killed),
            ("generations, kill", NeverBackwards, Breaks, killed),
            ("generations, invalidation fails", FreshAfterAcknowledgement, Breaks, unreachable),
            ("generations, invalidation fails", NeverBackwards, Breaks, unreachable),
        ]);
    }

    #[test]
    fn a_generation_may_be_deleted_instead_of_renewed() {
        let deleting = Protocol { after_commit: After::DeleteGeneration, ..STAMPED };
        let two = Protocol { writes: Writes::Two, ..deleting };
        let adopting = Protocol { missing: Missing::CreateOrAdopt, ..two };
        let evicted = Protocol { faults: EVICTION, ..deleting };
        let counted = Protocol { numbering: Numbering::Counted, ..two };
        check_rows(&[
            ("deleted generations", FreshAfterAcknowledgement, Holds, deleting),
            ("deleted generations, two writers", FreshAfterAcknowledgement, Holds, two),
            ("deleted generations, adopted", FreshAfterAcknowledgement, Holds, adopting),
            ("deleted generations, one evicted", FreshAfterAcknowledgement, Holds, evicted),
            ("deleted generations, counted", FreshAfterAcknowledgement, Breaks, counted),
        ]);
    }

    #[test]
    fn with_a_marker_no_read_goes_backwards() {
        let two = Protocol { writes: Writes::Two, ..MARKED };
        let killed = Protocol { faults: KILL, ..MARKED };
        let unreachable = Protocol { faults: UNREACHABLE, ..MARKED };
        check_rows(&[
            ("marker", FreshAfterAcknowledgement, Holds, MARKED),
            ("marker", NeverBackwards, Holds, MARKED),
            ("marker, two writers", FreshAfterAcknowledgement, Holds, two),
            ("marker, kill", FreshAfterAcknowledgement, Holds, killed),
            ("marker, kill", NeverBackwards, Holds, killed),
            ("marker, invalidation fails", FreshAfterAcknowledgement, Holds, unreachable),
            ("marker, invalidation fails", NeverBackwards, Holds, unreachable),
        ]);
    }

    #[test]
    fn a_lost_marker_costs_only_the_promise_of_not_going_backwards() {
        let early = Protocol { faults: Faults { marker_expires_early: true, ..KILL }, ..MARKED };
        let evicted = Protocol { faults: Faults { markers_evicted: true, ..NO_FAULTS }, ..MARKED };
        check_rows(&[
            ("marker expires early, kill", FreshAfterAcknowledgement, Holds, early),
            ("marker expires early, kill", NeverBackwards, Breaks, early),
            ("marker evicted", FreshAfterAcknowledgement, Holds, evicted),
            ("marker evicted", NeverBackwards, Breaks, evicted),
        ]);
    }

    #[test]
    fn generations_must_be_unique_to_survive_losing_them() {
        let evicted = Protocol { faults: EVICTION, ..MARKED };
        let evicted_two = Protocol { writes: Writes::Two, ..evicted };
        let evicted_counters = Protocol { numbering: Numbering::Counted, ..evicted_two };
        let adopting = Protocol {
            missing: Missing::CreateOrAdopt,
            faults: Faults { generation_evicted: true, ..KILL },
            ..MARKED
        };
        let not_filling = Protocol { missing: Missing::CreateOrDoNotFill, ..adopting };
        check_rows(&[
            ("unique generations, one evicted", FreshAfterAcknowledgement, Holds, evicted),
            ("unique generations, one evicted, two writers", FreshAfterAcknowledgement, Holds, evicted_two),
            ("counters, one evicted, two writers", FreshAfterAcknowledgement, Breaks, evicted_counters),
            ("unique generations, one evicted, kill", NeverBackwards, Holds, not_filling),
            ("the same, adopting what a writer made", NeverBackwards, Breaks, adopting),
        ]);
    }

    #[test]
    fn an_emptied_store_keeps_acknowledged_writes_visible_unless_the_invalidation_is_lost_too() {
        let emptied = Protocol { faults: EMPTIED, ..MARKED };
        let emptied_and_killed = Protocol { faults: Faults { kill: true, ..EMPTIED }, ..MARKED };
        let emptied_and_unreachable = Protocol { faults: Faults { emptied: true, ..UNREACHABLE }, ..MARKED };
        let emptied_counters = Protocol { numbering: Numbering::Counted, ..emptied };
        check_rows(&[
            ("emptied", FreshAfterAcknowledgement, Holds, emptied),
            ("emptied", NeverBackwards, Breaks, emptied),
            ("emptied, kill", FreshAfterAcknowledgement, Holds, emptied_and_killed),
            ("emptied, invalidation fails", FreshAfterAcknowledgement, Breaks, emptied_and_unreachable),
            ("emptied, invalidation fails", NeverBackwards, Breaks, emptied_and_unreachable),
            ("emptied, counters", FreshAfterAcknowledgement, Breaks, emptied_counters),
        ]);
    }

    #[test]
    fn after_a_lossy_failover_entries_must_name_the_run_of_the_store() {
        let lossy = Protocol { faults: FAILOVER, ..MARKED };
        let with_run = Protocol { valid_if: ValidIf::GenerationsAndRunCurrent, ..lossy };
        let with_run_and_kill = Protocol { faults: Faults { kill: true, ..FAILOVER }, ..with_run };
        check_rows(&[
            ("lossy failover", FreshAfterAcknowledgement, Breaks, lossy),
            ("lossy failover", NeverBackwards, Breaks, lossy),
            ("lossy failover, run in the entry", FreshAfterAcknowledgement, Holds, with_run),
            ("lossy failover, run in the entry, kill", FreshAfterAcknowledgement, Holds, with_run_and_kill),
            ("lossy failover, run in the entry, kill", NeverBackwards, Breaks, with_run_and_kill),
        ]);
    }

    #[test]
    fn a_memory_tier_asks_the_store_or_is_waited_for() {
        let pushed = Protocol { memory: MemoryTier::HearingGenerations, ..MARKED };
        let asking = Protocol { memory: MemoryTier::AskingTheStore, faults: KILL, ..MARKED };
        let waited = Protocol { waits: Waits::BeforeAcknowledging, ..pushed };
        let waited_twice = Protocol { waits: Waits::BeforeForwardingAndAcknowledging, ..pushed };
        let unmarked = Protocol { before_forwarding: Before::Nothing, ..waited };
        let removing = Protocol { memory: MemoryTier::RemovingOnPush, ..waited };
        check_rows(&[
            ("memory by push", FreshAfterAcknowledgement, Breaks, pushed),
            ("memory by push", NeverBackwards, Breaks, pushed),
            ("memory asking the store, kill", FreshAfterAcknowledgement, Holds, asking),
            ("memory asking the store, kill", NeverBackwards, Holds, asking),
            ("memory by push, confirmed", FreshAfterAcknowledgement, Holds, waited),
            ("memory by push, confirmed", NeverBackwards, Breaks, waited),
            ("memory by push, confirmed, no marker", FreshAfterAcknowledgement, Holds, unmarked),
            ("memory by push, confirmed twice", FreshAfterAcknowledgement, Holds, waited_twice),
            ("memory by push, confirmed twice", NeverBackwards, Holds, waited_twice),
            ("memory emptied by push, confirmed, a late fill", FreshAfterAcknowledgement, Breaks, removing),
        ]);
    }

    #[test]
    fn a_look_up_may_take_two_round_trips() {
        let entry_first = Protocol { lookup: Lookup::EntryFirst, ..MARKED };
        let generations_first = Protocol { lookup: Lookup::GenerationsFirst, ..MARKED };
        check_rows(&[
            ("entry first", FreshAfterAcknowledgement, Holds, entry_first),
            ("entry first", NeverBackwards, Holds, entry_first),
            ("generations first", FreshAfterAcknowledgement, Holds, generations_first),
            ("generations first", NeverBackwards, Holds, generations_first),
        ]);
    }

    #[test]
    fn of_two_tags_each_is_compared() {
        let second = Protocol { writes: Writes::OneOnSecondTag, ..STAMPED };
        let both = Protocol { writes: Writes::TwoOnTwoTags, ..STAMPED };
        let both_marked = Protocol { writes: Writes::TwoOnTwoTags, ..MARKED };
        let careless = Protocol { valid_if: ValidIf::FirstGenerationCurrent, ..second };
        check_rows(&[
            ("write on the second tag", FreshAfterAcknowledgement, Holds, second),
            ("writes on each tag", FreshAfterAcknowledgement, Holds, both),
            ("writes on each tag, marked", FreshAfterAcknowledgement, Holds, both_marked),
            ("write on the second tag, first compared", FreshAfterAcknowledgement, Breaks, careless),
        ]);
    }
}

mod in_the_memory_of_one_proxy {
    use super::in_process::{
        AS_BUILT, Acknowledges, BeforeFlight, Compares, Forgets, Joins, Lands, MemoryStore, Readers, Stamps,
        Urls, Writes,
    };
    use super::*;

    type Row = (&'static str, Promise, Expected, MemoryStore);

    fn check_rows(rows: &[Row]) {
        let promised: Vec<Row> = rows
            .iter()
            .map(|&(name, promise, expected, store)| {
                (name, promise, expected, MemoryStore { promise, ..store })
            })
            .collect();
        check(&promised);
    }

    #[test]
    fn acknowledged_writes_are_visible_and_one_write_never_makes_a_url_go_backwards() {
        let two_writers = MemoryStore { writes: Writes::Two, readers: Readers::Two, ..AS_BUILT };
        let forgetful = MemoryStore { forgets: Forgets::OneEntryAndOneTag, ..AS_BUILT };
        check_rows(&[
            ("as built", FreshAfterAcknowledgement, Holds, AS_BUILT),
            ("as built", NeverBackwardsPerUrl, Holds, AS_BUILT),
            ("as built, two writers, two readers", FreshAfterAcknowledgement, Holds, two_writers),
            ("as built, short of memory", FreshAfterAcknowledgement, Holds, forgetful),
        ]);
    }

    /// Two flights with different generations may overlap when something else renews a tag
    /// meanwhile: another write, or the bound of the memory. Until the write is
    /// acknowledged, one may then have read the database before it and the other after it.
    #[test]
    fn a_url_may_go_backwards_until_the_write_is_acknowledged_if_a_tag_is_renewed_meanwhile() {
        let forgetful = MemoryStore { forgets: Forgets::OneEntryAndOneTag, ..AS_BUILT };
        let two_writers = MemoryStore { writes: Writes::Two, ..AS_BUILT };
        check_rows(&[
            ("as built, short of memory", NeverBackwardsPerUrl, Breaks, forgetful),
            ("as built, two writers", NeverBackwardsPerUrl, Breaks, two_writers),
        ]);
    }

    #[test]
    fn two_urls_may_differ_until_the_write_is_acknowledged() {
        let two_urls = MemoryStore { urls: Urls::Two, ..AS_BUILT };
        let two_readers = MemoryStore { readers: Readers::Two, ..two_urls };
        check_rows(&[
            ("as built, two urls, two readers", FreshAfterAcknowledgement, Holds, two_readers),
            ("as built, two urls", NeverBackwards, Breaks, two_urls),
        ]);
    }

    #[test]
    fn each_part_of_it_is_needed() {
        let ack_first = MemoryStore { acknowledges: Acknowledges::BeforeInvalidating, ..AS_BUILT };
        let any_flight = MemoryStore { joins: Joins::AnyOfTheUrl, ..AS_BUILT };
        let stamped_late = MemoryStore { stamps: Stamps::WhenStoring, ..AS_BUILT };
        let no_generations = MemoryStore { compares: Compares::Nothing, ..AS_BUILT };
        let one_tag =
            MemoryStore { compares: Compares::FirstTagOnly, writes: Writes::OneOnSecondTag, ..AS_BUILT };
        let all_tags = MemoryStore { compares: Compares::AllTags, ..one_tag };
        check_rows(&[
            ("acknowledged before invalidating", FreshAfterAcknowledgement, Breaks, ack_first),
            ("flight joined regardless of generations", FreshAfterAcknowledgement, Breaks, any_flight),
            ("fill stamped when stored", FreshAfterAcknowledgement, Breaks, stamped_late),
            ("fill stored without generations", FreshAfterAcknowledgement, Breaks, no_generations),
            ("write on the second tag, first compared", FreshAfterAcknowledgement, Breaks, one_tag),
            ("write on the second tag, both compared", FreshAfterAcknowledgement, Holds, all_tags),
        ]);
    }

    #[test]
    fn a_flight_leaves_no_gap_between_itself_and_its_entry() {
        let starts_at_once = MemoryStore { before_flight: BeforeFlight::Nothing, ..AS_BUILT };
        let leaves_first = MemoryStore { lands: Lands::LeavesThenStores, ..AS_BUILT };
        check_rows(&[
            ("no second look before a flight", FreshAfterAcknowledgement, Holds, starts_at_once),
            ("no second look before a flight", NeverBackwardsPerUrl, Breaks, starts_at_once),
            ("flight gone before its entry is stored", FreshAfterAcknowledgement, Holds, leaves_first),
            ("flight gone before its entry is stored", NeverBackwardsPerUrl, Breaks, leaves_first),
        ]);
    }
}
