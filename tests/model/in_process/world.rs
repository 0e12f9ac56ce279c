//! What is there at one moment: the database, entries and generations, flights, writers and readers?

use std::fmt;

use crate::words::{Generations, Version, rename};

pub(super) const URLS: usize = 2;
pub(super) const READERS: usize = 3;
pub(super) const WRITERS: usize = 2;

/// Everything, at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// The newest committed version of the row.
    pub(super) row: Version,
    pub(super) generations: Generations,
    /// What is stored for each URL.
    pub(super) entries: [Option<Entry>; URLS],
    /// Running fetches, each in the slot of the reader that began it.
    pub(super) flights: [Flight; READERS],
    pub(super) readers: [Reader; READERS],
    pub(super) writers: [Writer; WRITERS],
    /// The newest version whose writer was told so.
    pub(super) acknowledged: Version,
    /// The newest version that a read of each URL has returned.
    pub(super) returned: [Version; URLS],
    /// For each tag a value that nothing here has.
    pub(super) unused: Generations,
    pub(super) entry_forgotten: bool,
    pub(super) tag_forgotten: bool,
    /// A read returned less than what was promised to it.
    pub(super) promise_broken: bool,
}

impl World {
    /// Gives a tag a generation that none has had.
    pub(super) fn renew(&mut self, tag: usize) {
        self.generations[tag] = self.unused[tag];
    }

    /// The same state with its generations renamed in order.
    pub(super) fn renamed(mut self) -> Self {
        let current = std::iter::once(&mut self.generations);
        let stored = self.entries.iter_mut().flatten().map(|entry| &mut entry.stamp);
        let flying = self.flights.iter_mut().filter_map(Flight::stamp_mut);
        let reading = self.readers.iter_mut().filter_map(Reader::stamp_mut);
        self.unused = rename(current.chain(stored).chain(flying).chain(reading));
        self
    }
}

/// A stored answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) version: Version,
    pub(super) stamp: Generations,
}

/// A fetch that several readers may wait for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Flight {
    None,
    /// The request is on its way.
    Asking {
        url: u8,
        stamp: Generations,
    },
    /// The database has been read; readers may have the answer, the store has it not.
    Answered {
        url: u8,
        stamp: Generations,
        version: Version,
    },
    /// Stored, but still to be joined.
    Stored {
        url: u8,
        stamp: Generations,
        version: Version,
    },
    /// No longer to be joined, but not stored either.
    Leaving {
        url: u8,
        stamp: Generations,
        version: Version,
    },
}

/// How far a write has come. The first writer invalidates the second tag; the second
/// writer invalidates both, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Writer {
    /// Does not take part in this variant.
    Away,
    Ready,
    Committed(Version),
    /// Of two tags the first is renewed.
    HalfInvalidated(Version),
    Invalidated(Version),
    Done,
}

/// What a read has to do, from its beginning.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Request {
    pub(super) url: u8,
    /// The oldest version that it may return.
    pub(super) floor: Version,
}

/// How far a read has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reader {
    /// Does not take part in this variant.
    Away,
    Ready,
    Started(Request),
    /// It holds an entry whose first tag is current.
    HalfCompared(Request, Entry),
    Missed(Request),
    /// It has read the generation of the first tag; the second is still absent.
    HalfStamped(Request, Generations),
    /// It has read the generations of both.
    Stamped(Request, Generations),
    /// It waits for a flight.
    Waiting {
        request: Request,
        flight: u8,
    },
    /// The flight is over, its answer is in hand.
    Holding(Request, Version),
    Done,
}

impl Flight {
    fn stamp_mut(&mut self) -> Option<&mut Generations> {
        match self {
            Self::None => None,
            Self::Asking { stamp, .. }
            | Self::Answered { stamp, .. }
            | Self::Stored { stamp, .. }
            | Self::Leaving { stamp, .. } => Some(stamp),
        }
    }
}

impl Reader {
    fn stamp_mut(&mut self) -> Option<&mut Generations> {
        match self {
            Self::HalfCompared(_, entry) => Some(&mut entry.stamp),
            Self::HalfStamped(_, stamp) | Self::Stamped(_, stamp) => Some(stamp),
            Self::Away
            | Self::Ready
            | Self::Started(_)
            | Self::Missed(_)
            | Self::Waiting { .. }
            | Self::Holding(..)
            | Self::Done => None,
        }
    }
}

/// What happens between two moments.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Commits { writer: usize, version: Version },
    Invalidates { writer: usize, tag: usize },
    Acknowledges { writer: usize },
    EntryForgotten,
    TagForgotten,
    Starts { reader: usize, url: u8, floor: Version },
    FindsFirstTagCurrent { reader: usize },
    Misses { reader: usize },
    ReadsGeneration { reader: usize, tag: usize },
    Hits { reader: usize, version: Version },
    BeginsFlight { reader: usize },
    Joins { reader: usize, flight: u8 },
    Fetches { flight: usize, version: Version },
    Stores { flight: usize },
    Leaves { flight: usize },
    Returns { reader: usize, version: Version },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Commits { writer, version } => write!(f, "upstream commits {version} of writer {writer}"),
            Self::Invalidates { writer, tag } => write!(f, "writer {writer} renews tag {tag}"),
            Self::Acknowledges { writer } => write!(f, "writer {writer} tells its client"),
            Self::EntryForgotten => write!(f, "an entry is evicted"),
            Self::TagForgotten => write!(f, "a tag is forgotten"),
            Self::Starts { reader, url, floor } => {
                write!(f, "reader {reader} of url {url} starts, must see {floor} or newer")
            }
            Self::FindsFirstTagCurrent { reader } => {
                write!(f, "reader {reader} finds an entry, first tag current")
            }
            Self::Misses { reader } => write!(f, "reader {reader} misses"),
            Self::ReadsGeneration { reader, tag } => {
                write!(f, "reader {reader} reads the generation of tag {tag}")
            }
            Self::Hits { reader, version } => write!(f, "reader {reader} gets {version} from memory"),
            Self::BeginsFlight { reader } => write!(f, "reader {reader} begins a flight"),
            Self::Joins { reader, flight } => write!(f, "reader {reader} joins flight {flight}"),
            Self::Fetches { flight, version } => write!(f, "upstream reads {version} for flight {flight}"),
            Self::Stores { flight } => write!(f, "flight {flight} stores its answer"),
            Self::Leaves { flight } => write!(f, "flight {flight} can no longer be joined"),
            Self::Returns { reader, version } => write!(f, "reader {reader} returns {version}"),
        }
    }
}
