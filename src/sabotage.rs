//! With which mistake was this process built on purpose, so that the coherence checker can prove that it sees it?
//!
//! Each [`Bug`] is one line where the real code would be right. A debug build reads `LARDER_SABOTAGE` once; in a
//! release build [`is`] is the constant `false`, so that none of this is in it. See `docs/coherence.md`.

use std::sync::OnceLock;

use tracing::error;

/// What names the bug.
pub const VARIABLE: &str = "LARDER_SABOTAGE";

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

/// Was this process started with this bug? Never, in a release build.
#[inline]
pub fn is(bug: Bug) -> bool {
    cfg!(debug_assertions) && chosen() == Some(bug)
}

/// The bug that this process was started with, if any.
pub fn chosen() -> Option<Bug> {
    static CHOSEN: OnceLock<Option<Bug>> = OnceLock::new();
    if cfg!(debug_assertions) {
        *CHOSEN.get_or_init(|| Bug::named(&std::env::var(VARIABLE).ok()?))
    } else {
        None
    }
}

/// Says loudly what this process was started with, once the log is there.
pub fn announce() {
    let Some(asked) = std::env::var_os(VARIABLE) else { return };
    match chosen() {
        Some(bug) => error!(bug = bug.as_str(), "SABOTAGED: this process serves wrong answers on purpose"),
        None if cfg!(debug_assertions) => error!(?asked, "{VARIABLE} names no bug: nothing is sabotaged"),
        None => error!("{VARIABLE} means nothing to a release build: nothing is sabotaged"),
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
    }

    #[test]
    fn nobody_sabotages_what_was_not_asked_for() {
        assert!(Bug::ALL.into_iter().all(|bug| !is(bug)), "the tests run without {VARIABLE}");
    }
}
