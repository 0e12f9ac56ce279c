//! In what do the protocols over a shared store differ?

use crate::words::Promise;

/// One protocol, the faults it meets, and the promise that is checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    pub(crate) promise: Promise,
    pub(crate) before_forwarding: Before,
    pub(crate) after_commit: After,
    pub(crate) acknowledges: Acknowledges,
    pub(crate) valid_if: ValidIf,
    pub(crate) numbering: Numbering,
    pub(crate) lookup: Lookup,
    pub(crate) missing: Missing,
    pub(crate) memory: MemoryTier,
    pub(crate) waits: Waits,
    pub(crate) writes: Writes,
    pub(crate) faults: Faults,
}

/// What a writer does before the write goes upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// The entry is deleted, as many cache-aside libraries do.
    DeleteEntry,
    /// A marker is set, and the tag gets a new generation, in one step.
    Mark,
}

/// What a writer does when the write has been committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    DeleteEntry,
    /// The tag gets a new generation; the marker, if any, goes in the same step.
    RenewGeneration,
    /// The tag's generation is deleted; the next reader makes a new one.
    DeleteGeneration,
}

/// When the client hears that its write succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledges {
    AfterInvalidating,
    BeforeInvalidating,
}

/// Which entries may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValidIf {
    /// Any entry that is found.
    Present,
    /// Only one whose generations are all current, and only while no marker is set.
    GenerationsCurrent,
    /// The same, and it was stored in this run of the store.
    GenerationsAndRunCurrent,
    /// A mistake: of several tags only the first is compared.
    FirstGenerationCurrent,
}

/// Where new generations come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// Random: never the same value twice.
    Unique,
    /// `INCR`: a lost counter begins again.
    Counted,
}

/// In how many round trips a reader looks at the entry and at its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    AtOnce,
    EntryFirst,
    GenerationsFirst,
}

/// What a reader does about a tag that has no generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It makes one, in a second round trip. Where another was quicker it takes
    /// nothing over, and does not fill.
    CreateOrDoNotFill,
    /// It makes one, and where another was quicker it takes over what it finds.
    CreateOrAdopt,
}

/// A tier in the proxy's own memory, above the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryTier {
    None,
    /// Each hit compares the entry's generations with the store's.
    AskingTheStore,
    /// New generations are pushed; an entry is valid if it has those last heard of.
    HearingGenerations,
    /// A mistake: a push removes the entry, and nothing is compared.
    RemovingOnPush,
}

/// When a writer waits until every memory tier has confirmed the invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    Never,
    BeforeAcknowledging,
    BeforeForwardingAndAcknowledging,
}

/// Who writes. An entry depends on both tags always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// One write, invalidating the first tag.
    One,
    /// Two writes, both invalidating the first tag.
    Two,
    /// One write, invalidating the second tag.
    OneOnSecondTag,
    /// Two writes, each invalidating a tag of its own.
    TwoOnTwoTags,
}

/// What may go wrong, each at most once unless said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A writing proxy is killed at any point; its write may be committed later.
    pub(crate) kill: bool,
    /// The store is unreachable when a write should be invalidated; the write is
    /// acknowledged all the same. (Any number of times.)
    pub(crate) invalidation_fails: bool,
    /// Markers expire although their write is not over. (Any number of times.)
    pub(crate) marker_expires_early: bool,
    /// The store evicts a generation.
    pub(crate) generation_evicted: bool,
    /// The store evicts the markers.
    pub(crate) markers_evicted: bool,
    /// `FLUSHALL`, or a restart without data.
    pub(crate) emptied: bool,
    /// A replica that lags behind takes over; all proxies move at once.
    pub(crate) lossy_failover: bool,
}

/// The protocol for `strict`: a marker and a new generation before forwarding, entries that
/// carry the generations read before their fetch, a new generation after the commit.
pub(crate) const MARKED: Protocol = Protocol {
    promise: Promise::FreshAfterAcknowledgement,
    before_forwarding: Before::Mark,
    after_commit: After::RenewGeneration,
    acknowledges: Acknowledges::AfterInvalidating,
    valid_if: ValidIf::GenerationsCurrent,
    numbering: Numbering::Unique,
    lookup: Lookup::AtOnce,
    missing: Missing::CreateOrDoNotFill,
    memory: MemoryTier::None,
    waits: Waits::Never,
    writes: Writes::One,
    faults: NO_FAULTS,
};

/// The protocol for `fresh`: generations, but no marker.
pub(crate) const STAMPED: Protocol = Protocol { before_forwarding: Before::Nothing, ..MARKED };

/// What most caches in front of a database do: get, set, and delete after a write.
pub(crate) const CACHE_ASIDE: Protocol = Protocol {
    before_forwarding: Before::Nothing,
    after_commit: After::DeleteEntry,
    valid_if: ValidIf::Present,
    ..MARKED
};

pub(crate) const NO_FAULTS: Faults = Faults {
    kill: false,
    invalidation_fails: false,
    marker_expires_early: false,
    generation_evicted: false,
    markers_evicted: false,
    emptied: false,
    lossy_failover: false,
};
