//! Is every bug found? Each with the plan under which it shows.

use std::path::Path;
use std::time::{Duration, Instant};

use larder::sabotage::Bug;

use super::judge::{Consistency, Violation};
use super::options::{Plan, StoreKind, faults};
use super::run::check;
use super::screen::Screen;
use super::world::Trouble;

/// A bug that is not found within this time is not found.
const FOUND_MAX: Duration = Duration::from_secs(60);

/// One bug, and whether it was found.
#[derive(Debug)]
pub(crate) struct Hunt {
    pub(crate) bug: Bug,
    /// What gave it away, and after how long.
    pub(crate) found: Option<(Violation, Duration)>,
    pub(crate) story: String,
}

/// Looks for one bug.
pub(crate) async fn hunt(bug: Bug, larder: &Path, seed: u64, screen: &mut Screen) -> Result<Hunt, Trouble> {
    let plan = plan(bug, larder, seed);
    screen.say(bug.as_str());
    let began = Instant::now();
    let checked = check(&plan, screen, true).await?;
    let took = began.elapsed();
    let found = checked.figures.first.map(|violation| (violation, took));
    let story = checked.stories.into_iter().next().map(|(_, story)| story).unwrap_or_default();
    Ok(Hunt { bug, found, story })
}

/// The table of several.
pub(crate) fn hunts(hunts: &[Hunt]) -> String {
    let lines = hunts.iter().map(|hunt| {
        let found = match hunt.found {
            Some((violation, took)) => format!("{:5.1} s  {}", took.as_secs_f64(), violation.as_str()),
            None => format!("  NOT FOUND in {} s", FOUND_MAX.as_secs()),
        };
        format!("{:34}{found}\n", hunt.bug.as_str())
    });
    lines.collect()
}

/// Where a bug can show: with which store, promise and faults.
fn plan(bug: Bug, larder: &Path, seed: u64) -> Plan {
    let (proxies, store, consistency, names) = match bug {
        Bug::FlightWithoutGenerations
        | Bug::StampAfterFetch
        | Bug::GenerationsIgnored
        | Bug::AcknowledgedFirst
        | Bug::WriteEndsWithClient
        | Bug::UnpinnedLeft
        | Bug::IdentityLeftOut => (1, StoreKind::Memory, Consistency::Fresh, "none"),
        Bug::UnknownOutcomeIgnored => (1, StoreKind::Memory, Consistency::Fresh, "unanswered"),
        // who is far from the store hears of a change late, and is waited for
        Bug::ConfirmationsNotAwaited => (3, StoreKind::Redis, Consistency::Fresh, "store-late"),
        Bug::GenerationsKept | Bug::CountedGenerations | Bug::LoadUnchecked => {
            (3, StoreKind::Redis, Consistency::Fresh, "none")
        }
        Bug::MarkerLeftOut => (3, StoreKind::Redis, Consistency::Strict, "none"),
        Bug::MarkerClearedOn504 => (3, StoreKind::Redis, Consistency::Strict, "given-up"),
        Bug::MemoryKeptWithoutSubscription => {
            (3, StoreKind::Redis, Consistency::Fresh, "store-cut,redis-clients")
        }
        Bug::LeaseNeverEnds => {
            (3, StoreKind::Redis, Consistency::Bounded, "store-held,store-one-way,proxy-stop")
        }
        Bug::RunIdIgnored => (3, StoreKind::Redis, Consistency::Fresh, "redis-old"),
        Bug::IntentsNotSwept => (3, StoreKind::Redis, Consistency::Fresh, "die-answered"),
        Bug::JournalNotReplayed => (3, StoreKind::Redis, Consistency::Fresh, "store-held,store-cut"),
    };
    // where nothing but the next write to a row would make good what is missing, there must be few
    let write_percent = match bug {
        Bug::WriteEndsWithClient
        | Bug::UnknownOutcomeIgnored
        | Bug::MarkerClearedOn504
        | Bug::IntentsNotSwept
        | Bug::JournalNotReplayed
        | Bug::MemoryKeptWithoutSubscription
        | Bug::RunIdIgnored
        | Bug::LeaseNeverEnds => 1,
        // enough to overtake what is loaded, and few enough that it is read again before the next
        Bug::LoadUnchecked => 2,
        _ => 10,
    };
    // under `strict` a mark on a whole table hides what is kept of it, and what is written again soon hides what a
    // dead proxy left: few clients leave time in which nothing is under way
    let clients = match bug {
        Bug::MarkerClearedOn504 | Bug::IntentsNotSwept => 8,
        _ => 64,
    };
    let arguments = match bug {
        Bug::IntentsNotSwept => vec!["--intent-deadline=1s".to_owned()],
        // memory is emptied when a question goes unanswered: before that, nothing but the lease ends it
        Bug::LeaseNeverEnds => vec!["--store-timeout=4s".to_owned()],
        _ => Vec::new(),
    };
    Plan {
        proxies,
        store,
        consistency,
        schedules: 1,
        seconds: FOUND_MAX.as_secs(),
        seed,
        faults: faults(names, store).unwrap_or_default(),
        clients,
        write_percent,
        larder: larder.to_owned(),
        arguments,
        bug: Some(bug),
    }
}
