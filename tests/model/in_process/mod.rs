//! Which promises hold for the memory store of a single proxy?
//!
//! The store as it is built: generations that are never used twice, no marker,
//! invalidation after the commit and before the acknowledgement, fetches that are
//! shared by readers who saw the same generations. Nothing here takes a snapshot:
//! tags are looked at, and renewed, one after the other.
//!
//! One row shown by one or two URLs, two tags that every entry depends on, one or two
//! writes, two or three readers; an entry and a tag may be forgotten. Readers are alike, so they start in
//! order; a reader that is done is forgotten.

mod reading;
mod world;
mod writing;

use crate::explore::Model;
use crate::words::{Generation, Promise, TAGS, Version};
use world::{Flight, READERS, Reader, Step, URLS, World, Writer};

/// One way to build it, and the promise that is checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryStore {
    pub(crate) promise: Promise,
    pub(crate) urls: Urls,
    pub(crate) acknowledges: Acknowledges,
    pub(crate) joins: Joins,
    pub(crate) stamps: Stamps,
    pub(crate) compares: Compares,
    pub(crate) before_flight: BeforeFlight,
    pub(crate) lands: Lands,
    pub(crate) writes: Writes,
    pub(crate) forgets: Forgets,
    pub(crate) readers: Readers,
}

/// How many read: one to be overtaken and one to be deceived are enough for P1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    Two,
    Three,
}

/// Who writes. An entry depends on both tags always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// One write, invalidating the second tag.
    OneOnSecondTag,
    /// One write, invalidating both tags, one after the other.
    OneOnBothTags,
    /// Both of these.
    Two,
}

/// What a bounded memory lets go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgets {
    Nothing,
    /// Each at any moment.
    OneEntryAndOneTag,
}

/// How many URLs show the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urls {
    One,
    Two,
}

/// When the client hears that its write succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledges {
    AfterInvalidating,
    BeforeInvalidating,
}

/// Which running fetch a reader may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joins {
    /// Only one that began with the generations that the reader has read.
    EqualGenerations,
    /// A mistake: any of the same URL.
    AnyOfTheUrl,
}

/// Which generations a fill carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamps {
    /// Those read before the fetch began.
    BeforeFetching,
    /// A mistake: those that are current when the answer is stored.
    WhenStoring,
}

/// What an entry must show to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compares {
    AllTags,
    /// A mistake.
    FirstTagOnly,
    /// A mistake: what is stored is served.
    Nothing,
}

/// What a reader that missed does before it starts a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BeforeFlight {
    /// Under the lock of the flights it looks once more: a flight may just have landed.
    LooksAgain,
    /// It starts one at once.
    Nothing,
}

/// In which order a finished fetch takes its leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lands {
    /// The answer is stored, then the flight can no longer be joined.
    StoresThenLeaves,
    /// The other way round: for a moment there is neither.
    LeavesThenStores,
}

/// The store as it is built.
pub(crate) const AS_BUILT: MemoryStore = MemoryStore {
    promise: Promise::FreshAfterAcknowledgement,
    urls: Urls::One,
    acknowledges: Acknowledges::AfterInvalidating,
    joins: Joins::EqualGenerations,
    stamps: Stamps::BeforeFetching,
    compares: Compares::AllTags,
    before_flight: BeforeFlight::LooksAgain,
    lands: Lands::StoresThenLeaves,
    writes: Writes::OneOnBothTags,
    forgets: Forgets::Nothing,
    readers: Readers::Three,
};

impl Model for MemoryStore {
    type State = World;
    type Step = Step;

    fn start(&self) -> World {
        let writers = match self.writes {
            Writes::OneOnSecondTag => [Writer::Ready, Writer::Away],
            Writes::OneOnBothTags => [Writer::Away, Writer::Ready],
            Writes::Two => [Writer::Ready, Writer::Ready],
        };
        let third_reader = match self.readers {
            Readers::Two => Reader::Away,
            Readers::Three => Reader::Ready,
        };
        let readers = [Reader::Ready, Reader::Ready, third_reader];
        World {
            row: Version::default(),
            generations: [Generation::FIRST; TAGS],
            entries: [None; URLS],
            flights: [Flight::None; READERS],
            readers,
            writers,
            acknowledged: Version::default(),
            returned: [Version::default(); URLS],
            unused: [Generation::FIRST.next(); TAGS],
            entry_forgotten: false,
            tag_forgotten: false,
            promise_broken: false,
        }
    }

    fn steps(&self, world: &World, happens: &mut dyn FnMut(Step, World)) {
        let mut happens = |step, next: World| happens(step, next.renamed());
        self.writers_go_on(world, &mut happens);
        self.readers_go_on(world, &mut happens);
        self.flights_go_on(world, &mut happens);
        if self.forgets == Forgets::OneEntryAndOneTag {
            self.memory_is_short(world, &mut happens);
        }
    }

    fn is_broken(&self, world: &World) -> bool {
        world.promise_broken
    }
}

impl MemoryStore {
    /// A bounded store forgets. A forgotten tag comes back with a generation of its own.
    fn memory_is_short(&self, world: &World, happens: &mut dyn FnMut(Step, World)) {
        if !world.entry_forgotten && world.entries[0].is_some() {
            let mut next = *world;
            next.entries[0] = None;
            next.entry_forgotten = true;
            happens(Step::EntryForgotten, next);
        }
        if !world.tag_forgotten {
            let mut next = *world;
            next.renew(0);
            next.tag_forgotten = true;
            happens(Step::TagForgotten, next);
        }
    }
}
