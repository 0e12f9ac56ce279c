//! What is there at one moment: the database, the store, the memory tier, writers and readers?

use std::fmt;

use crate::words::{Generations, Version, rename};

pub(super) const WRITERS: usize = 2;
pub(super) const READERS: usize = 3;

/// Everything, at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// The newest committed version of the row.
    pub(super) row: Version,
    pub(super) store: Store,
    /// What a replica of the store has received, where there is one.
    pub(super) replica: Option<Store>,
    pub(super) memory: Memory,
    pub(super) writers: [Writer; WRITERS],
    pub(super) readers: [Reader; READERS],
    /// Writes that were forwarded and may still be committed, whatever became of their proxy.
    pub(super) at_upstream: Writers,
    /// The newest version whose writer was told so.
    pub(super) acknowledged: Version,
    /// The newest version that a read has returned.
    pub(super) returned: Version,
    /// For each tag a value that nothing here has, where generations are unique.
    pub(super) unused: Generations,
    pub(super) happened: Happened,
    /// A read returned less than what was promised to it.
    pub(super) promise_broken: bool,
}

impl World {
    /// The same state with its generations renamed in order.
    pub(super) fn renamed(mut self) -> Self {
        let current = std::iter::once(&mut self.store.generations);
        let replicated = self.replica.iter_mut().flat_map(|replica| {
            let stored = replica.entry.iter_mut().map(|entry| &mut entry.stamp.generations);
            std::iter::once(&mut replica.generations).chain(stored)
        });
        let heard = std::iter::once(&mut self.memory.heard);
        let entries = self.store.entry.iter_mut().chain(self.memory.entry.iter_mut());
        let stored = entries.map(|entry| &mut entry.stamp.generations);
        let reading =
            self.readers.iter_mut().filter_map(Reader::stamp_mut).map(|stamp| &mut stamp.generations);
        self.unused = rename(current.chain(replicated).chain(heard).chain(stored).chain(reading));
        self
    }
}

impl Reader {
    fn stamp_mut(&mut self) -> Option<&mut Stamp> {
        match self {
            Self::SawEntry { entry, .. } => entry.as_mut().map(|entry| &mut entry.stamp),
            Self::SawGenerations { stamp, .. }
            | Self::LacksGeneration { stamp, .. }
            | Self::Fetching { stamp, .. }
            | Self::Fetched { stamp, .. } => Some(stamp),
            Self::Ready | Self::Started { .. } | Self::Done => None,
        }
    }
}

/// The store all proxies share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Store {
    pub(super) generations: Generations,
    /// Writers whose marker is set.
    pub(super) markers: Writers,
    pub(super) entry: Option<Entry>,
    pub(super) run: Run,
}

impl Store {
    /// A replica that took over: what it holds, in a run of its own.
    pub(super) fn promoted(self) -> Self {
        Self { run: Run(self.run.0 + 1), ..self }
    }
}

/// Which life of the store this is: a failover or restart begins another.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Run(u8);

/// A stored answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) version: Version,
    pub(super) stamp: Stamp,
}

/// What the store said before a fetch began.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    pub(super) generations: Generations,
    pub(super) run: Run,
}

/// The tier in a proxy's own memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Memory {
    pub(super) entry: Option<Entry>,
    /// The generations it was last told of.
    pub(super) heard: Generations,
}

/// How far a write has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Writer {
    /// Does not take part in this variant.
    Away,
    Ready,
    /// What comes before forwarding is done.
    Prepared,
    Forwarded,
    Committed(Version),
    /// The tags are renewed, or that was given up; the client has not heard yet.
    Invalidated(Version),
    /// The client has heard, the tags are not renewed yet: the wrong order.
    AcknowledgedFirst,
    Done,
    Killed,
}

/// How far a read has come. `floor` is the oldest version that it may return.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reader {
    Ready,
    Started {
        floor: Version,
    },
    /// Two round trips: the entry is read, the generations are not.
    SawEntry {
        floor: Version,
        entry: Option<Entry>,
    },
    /// Two round trips: the generations are read, the entry is not.
    SawGenerations {
        floor: Version,
        stamp: Stamp,
        marked: bool,
    },
    /// A tag has no generation; the reader is about to make one.
    LacksGeneration {
        floor: Version,
        stamp: Stamp,
    },
    Fetching {
        floor: Version,
        stamp: Stamp,
        fills: Fills,
    },
    Fetched {
        floor: Version,
        stamp: Stamp,
        fills: Fills,
        version: Version,
    },
    Done,
}

/// May what was fetched be stored?
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fills {
    Yes,
    /// A write is in flight, or the generations are not the reader's own.
    No,
}

/// A set of writers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Writers(u8);

impl Writers {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn has(self, writer: usize) -> bool {
        self.0 & (1 << writer) != 0
    }

    pub(super) fn with(self, writer: usize) -> Self {
        Self(self.0 | (1 << writer))
    }

    pub(super) fn without(self, writer: usize) -> Self {
        Self(self.0 & !(1 << writer))
    }
}

/// Which of the faults that come once have come.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Happened {
    pub(super) kill: bool,
    pub(super) eviction: bool,
    pub(super) marker_eviction: bool,
    pub(super) emptying: bool,
    pub(super) failover: bool,
}

/// What happens between two moments.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Prepares { writer: usize },
    Forwards { writer: usize },
    Commits { writer: usize, version: Version },
    Invalidates { writer: usize },
    FailsToInvalidate { writer: usize },
    Acknowledges { writer: usize },
    IsKilled { writer: usize },
    MarkerExpires { writer: usize },
    GenerationEvicted,
    MarkersEvicted,
    StoreEmptied,
    Replicates,
    FailsOver,
    MemoryHears,
    Starts { reader: usize, floor: Version },
    HitsMemory { reader: usize, version: Version },
    LooksAtEntry { reader: usize },
    LooksAtGenerations { reader: usize },
    Hits { reader: usize, version: Version },
    Misses { reader: usize },
    CreatesGenerations { reader: usize },
    Fetches { reader: usize, version: Version },
    Returns { reader: usize, version: Version },
    ReturnsAndFills { reader: usize, version: Version },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Prepares { writer } => write!(f, "writer {writer} prepares its write (marker or deletion)"),
            Self::Forwards { writer } => write!(f, "writer {writer} forwards"),
            Self::Commits { writer, version } => write!(f, "upstream commits {version} of writer {writer}"),
            Self::Invalidates { writer } => write!(f, "writer {writer} invalidates"),
            Self::FailsToInvalidate { writer } => {
                write!(f, "writer {writer} cannot reach the store to invalidate")
            }
            Self::Acknowledges { writer } => write!(f, "writer {writer} tells its client"),
            Self::IsKilled { writer } => write!(f, "writer {writer} is killed"),
            Self::MarkerExpires { writer } => write!(f, "the marker of writer {writer} expires"),
            Self::GenerationEvicted => write!(f, "the store evicts a generation"),
            Self::MarkersEvicted => write!(f, "the store evicts the markers"),
            Self::StoreEmptied => write!(f, "the store is emptied"),
            Self::Replicates => write!(f, "the replica catches up"),
            Self::FailsOver => write!(f, "the replica takes over"),
            Self::MemoryHears => write!(f, "the memory tier hears of new generations"),
            Self::Starts { reader, floor } => write!(f, "reader {reader} starts, must see {floor} or newer"),
            Self::HitsMemory { reader, version } => write!(f, "reader {reader} gets {version} from memory"),
            Self::LooksAtEntry { reader } => write!(f, "reader {reader} looks at the entry"),
            Self::LooksAtGenerations { reader } => write!(f, "reader {reader} looks at the generations"),
            Self::Hits { reader, version } => write!(f, "reader {reader} gets {version} from the store"),
            Self::Misses { reader } => write!(f, "reader {reader} misses"),
            Self::CreatesGenerations { reader } => write!(f, "reader {reader} creates missing generations"),
            Self::Fetches { reader, version } => write!(f, "upstream reads {version} for reader {reader}"),
            Self::Returns { reader, version } => write!(f, "reader {reader} returns {version}"),
            Self::ReturnsAndFills { reader, version } => {
                write!(f, "reader {reader} fills with {version} and returns it")
            }
        }
    }
}
