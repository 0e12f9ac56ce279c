//! With which mistake was this process built on purpose, so that the coherence checker can prove that it sees it?
//!
//! Each [`Bug`] is one line where the real code would be right. A [`Death`] is no bug: the process ends itself in the
//! middle of a write, and nothing may come of it. A debug build reads `LARDER_SABOTAGE` once; in a release build
//! [`is`] is the constant `false`, so that none of this is in it. See `docs/coherence.md`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::error;

/// What names the bug, or the death, or both: names, comma separated.
pub const VARIABLE: &str = "LARDER_SABOTAGE";

/// A process that is to die in the middle of a write lives through so many first: its caches have
/// filled by then, and others hold what it changed.
const WRITES_BEFORE_DEATH: u64 = 2;

/// By then a request has left this machine and its answer has mostly not come.
const ON_ITS_WAY: Duration = Duration::from_millis(1);

/// A mistake that a cache in front of a database can be built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A read joins any fetch of its question, one that began before the last write included.
    FlightWithoutGenerations,
    /// A fill carries the generations from after its fetch, so that it outlives a write that overtook it.
    StampAfterFetch,
    /// An entry is served whatever has become of its generations.
    GenerationsIgnored,
    /// The client hears of its write first; what the write changed goes a moment later.
    AcknowledgedFirst,
    /// A write's task ends when its client leaves, and what the write changed stays.
    WriteEndsWithClient,
    /// A 5xx or a cut connection is taken for a write that did not happen.
    UnknownOutcomeIgnored,
    /// A write to known rows leaves the lists, which name no row.
    UnpinnedLeft,
    /// Who asks is no part of the fingerprint.
    IdentityLeftOut,
    /// A change is told to every memory, and its generations stay in the shared store.
    GenerationsKept,
    /// A generation of the shared store that was lost or deleted comes back as it was.
    CountedGenerations,
    /// `strict` forwards a write without its marker.
    MarkerLeftOut,
    /// A gateway's 504 clears the marker and withdraws the intent, as if the write had ended.
    MarkerClearedOn504,
    /// What comes from the shared store enters memory, whatever was heard about its tags meanwhile.
    LoadUnchecked,
    /// Memory is kept when the subscription is lost.
    MemoryKeptWithoutSubscription,
    /// Memory answers however long ago the subscription was last proven.
    LeaseNeverEnds,
    /// A write is acknowledged before the fleet has confirmed.
    ConfirmationsNotAwaited,
    /// Entries of another run of the shared store count as valid.
    RunIdIgnored,
    /// Nobody carries out the intents of proxies that died.
    IntentsNotSwept,
    /// What was written while the shared store was away is never told to it.
    JournalNotReplayed,
}

impl Bug {
    /// Every bug, those of one process first.
    pub const ALL: [Self; 19] = [
        Self::FlightWithoutGenerations,
        Self::StampAfterFetch,
        Self::GenerationsIgnored,
        Self::AcknowledgedFirst,
        Self::WriteEndsWithClient,
        Self::UnknownOutcomeIgnored,
        Self::UnpinnedLeft,
        Self::IdentityLeftOut,
        Self::GenerationsKept,
        Self::CountedGenerations,
        Self::MarkerLeftOut,
        Self::MarkerClearedOn504,
        Self::LoadUnchecked,
        Self::MemoryKeptWithoutSubscription,
        Self::LeaseNeverEnds,
        Self::ConfirmationsNotAwaited,
        Self::RunIdIgnored,
        Self::IntentsNotSwept,
        Self::JournalNotReplayed,
    ];

    /// As `LARDER_SABOTAGE` and the checker name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FlightWithoutGenerations => "flight-without-generations",
            Self::StampAfterFetch => "stamp-after-fetch",
            Self::GenerationsIgnored => "generations-ignored",
            Self::AcknowledgedFirst => "acknowledged-first",
            Self::WriteEndsWithClient => "write-ends-with-client",
            Self::UnknownOutcomeIgnored => "unknown-outcome-ignored",
            Self::UnpinnedLeft => "unpinned-left",
            Self::IdentityLeftOut => "identity-left-out",
            Self::GenerationsKept => "generations-kept",
            Self::CountedGenerations => "counted-generations",
            Self::MarkerLeftOut => "marker-left-out",
            Self::MarkerClearedOn504 => "marker-cleared-on-504",
            Self::LoadUnchecked => "load-unchecked",
            Self::MemoryKeptWithoutSubscription => "memory-kept-without-subscription",
            Self::LeaseNeverEnds => "lease-never-ends",
            Self::ConfirmationsNotAwaited => "confirmations-not-awaited",
            Self::RunIdIgnored => "run-id-ignored",
            Self::IntentsNotSwept => "intents-not-swept",
            Self::JournalNotReplayed => "journal-not-replayed",
        }
    }

    /// The bug of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.as_str() == name)
    }
}

/// A moment of a write at which a process ends as if it had been killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    /// Before anybody knows of the write.
    Announcing,
    /// Everybody knows of it; the upstream does not.
    Announced,
    /// The upstream has it, and has not answered.
    Forwarded,
    /// The upstream has answered; what the write changed is still there.
    Answered,
    /// What it changed is gone; the client has not heard.
    Changed,
}

impl Death {
    /// Every death, in the order of a write.
    pub const ALL: [Self; 5] =
        [Self::Announcing, Self::Announced, Self::Forwarded, Self::Answered, Self::Changed];

    /// As `LARDER_SABOTAGE` and the checker name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announcing => "die-announcing",
            Self::Announced => "die-announced",
            Self::Forwarded => "die-forwarded",
            Self::Answered => "die-answered",
            Self::Changed => "die-changed",
        }
    }

    /// The death of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|death| death.as_str() == name)
    }
}

/// What a process was started with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Chosen {
    bug: Option<Bug>,
    death: Option<Death>,
}

impl Chosen {
    fn named(names: &str) -> Self {
        let mut names = names.split(',');
        Self { bug: names.clone().find_map(Bug::named), death: names.find_map(Death::named) }
    }
}

/// Was this process started with this bug? Never, in a release build.
#[inline]
pub fn is(bug: Bug) -> bool {
    cfg!(debug_assertions) && chosen().bug == Some(bug)
}

/// Ends the process, if it was started to end at this moment of a write and has lived through some.
#[inline]
pub fn die_at(death: Death) {
    if dies_at(death) {
        std::process::abort();
    }
}

/// Does something; where the process is to end at this moment, it ends while that is under way.
pub async fn die_during<T>(death: Death, doing: impl Future<Output = T>) -> T {
    if !dies_at(death) {
        return doing.await;
    }
    tokio::select! {
        done = doing => done,
        () = tokio::time::sleep(ON_ITS_WAY) => std::process::abort(),
    }
}

/// Is this the moment? Counts the writes that come to it. Never, in a release build.
#[inline]
fn dies_at(death: Death) -> bool {
    static CAME: AtomicU64 = AtomicU64::new(0);
    cfg!(debug_assertions)
        && chosen().death == Some(death)
        && CAME.fetch_add(1, Ordering::Relaxed) >= WRITES_BEFORE_DEATH
}

fn chosen() -> Chosen {
    static CHOSEN: OnceLock<Chosen> = OnceLock::new();
    if cfg!(debug_assertions) {
        *CHOSEN.get_or_init(|| {
            std::env::var(VARIABLE).map_or_else(|_| Chosen::default(), |names| Chosen::named(&names))
        })
    } else {
        Chosen::default()
    }
}

/// Says loudly what this process was started with, once the log is there.
pub fn announce() {
    let Some(asked) = std::env::var_os(VARIABLE) else { return };
    let Chosen { bug, death } = chosen();
    if let Some(bug) = bug {
        error!(bug = bug.as_str(), "SABOTAGED: this process serves wrong answers on purpose");
    }
    if let Some(death) = death {
        error!(at = death.as_str(), "SABOTAGED: this process ends in the middle of a write on purpose");
    }
    if !cfg!(debug_assertions) {
        error!("{VARIABLE} means nothing to a release build: nothing is sabotaged");
    } else if bug.is_none() && death.is_none() {
        error!(?asked, "{VARIABLE} names nothing known: nothing is sabotaged");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_has_a_name_of_its_own() {
        for bug in Bug::ALL {
            assert_eq!(Bug::named(bug.as_str()), Some(bug));
        }
        assert_eq!(Bug::named("none"), None);
        for death in Death::ALL {
            assert_eq!(Death::named(death.as_str()), Some(death));
        }
    }

    #[test]
    fn a_bug_and_a_death_can_be_asked_for_together() {
        let both = Chosen { bug: Some(Bug::IntentsNotSwept), death: Some(Death::Answered) };
        assert_eq!(Chosen::named("intents-not-swept,die-answered"), both);
        assert_eq!(Chosen::named("die-answered"), Chosen { bug: None, ..both });
        assert_eq!(Chosen::named("tea"), Chosen::default());
    }

    #[test]
    fn nobody_sabotages_what_was_not_asked_for() {
        assert!(Bug::ALL.into_iter().all(|bug| !is(bug)), "the tests run without {VARIABLE}");
        assert!(Death::ALL.into_iter().all(|death| !dies_at(death)));
    }
}
