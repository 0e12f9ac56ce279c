//! What may a reader do next?

use super::protocol::{Lookup, MemoryTier, Missing, Numbering, Protocol, ValidIf};
use super::world::{Entry, Fills, READERS, Reader, Stamp, Step, Store, World};
use crate::words::{Generation, Promise, Version};

/// What the store says about the tags at one moment.
#[derive(Clone, Copy)]
struct Tags {
    stamp: Stamp,
    marked: bool,
}

impl Tags {
    fn of(store: &Store) -> Self {
        let stamp = Stamp { generations: store.generations, run: store.run };
        Self { stamp, marked: !store.markers.is_empty() }
    }
}

impl Protocol {
    pub(super) fn readers_go_on(&self, world: &World, happens: &mut dyn FnMut(Step, World)) {
        for reader in 0..READERS {
            let before_it_all_started = reader == 0 || world.readers[reader - 1] != Reader::Ready;
            if before_it_all_started {
                self.reader_goes_on(world, reader, happens);
            }
        }
    }

    fn reader_goes_on(&self, world: &World, reader: usize, happens: &mut dyn FnMut(Step, World)) {
        let mut becomes = |step, phase| {
            let mut next = *world;
            next.readers[reader] = phase;
            happens(step, next);
        };
        match world.readers[reader] {
            Reader::Ready => {
                let floor = self.floor(world);
                becomes(Step::Starts { reader, floor }, Reader::Started { floor });
            }
            Reader::Started { floor } => self.looks(world, reader, floor, happens),
            Reader::SawEntry { floor, entry } => {
                let seen = Tags::of(&world.store);
                self.decides(world, (reader, floor), (entry, seen), happens);
            }
            Reader::SawGenerations { floor, stamp, marked } => {
                let seen = Tags { stamp, marked };
                self.decides(world, (reader, floor), (world.store.entry, seen), happens);
            }
            Reader::LacksGeneration { floor, stamp } => {
                self.creates_generations(world, (reader, floor), stamp, happens);
            }
            Reader::Fetching { floor, stamp, fills } => {
                let version = world.row;
                let phase = Reader::Fetched { floor, stamp, fills, version };
                becomes(Step::Fetches { reader, version }, phase);
            }
            Reader::Fetched { floor, stamp, fills, version } => {
                let entry = Entry { version, stamp };
                self.returns_fetched(world, (reader, floor), (entry, fills), happens);
            }
            Reader::Done => {}
        }
    }

    /// The oldest version that a read starting now may return.
    fn floor(&self, world: &World) -> Version {
        match self.promise {
            Promise::FreshAfterAcknowledgement => world.acknowledged,
            // one URL only in this model, so both say the same
            Promise::NeverBackwards | Promise::NeverBackwardsPerUrl => world.acknowledged.max(world.returned),
        }
    }

    fn looks(&self, world: &World, reader: usize, floor: Version, happens: &mut dyn FnMut(Step, World)) {
        if let Some(entry) = world.memory.entry.filter(|entry| self.is_valid_in_memory(world, entry)) {
            let mut next = *world;
            let version = entry.version;
            answer(&mut next, (reader, floor), version);
            return happens(Step::HitsMemory { reader, version }, next);
        }
        let seen = Tags::of(&world.store);
        let mut next = *world;
        match self.lookup {
            Lookup::AtOnce => self.decides(world, (reader, floor), (world.store.entry, seen), happens),
            Lookup::EntryFirst => {
                next.readers[reader] = Reader::SawEntry { floor, entry: world.store.entry };
                happens(Step::LooksAtEntry { reader }, next);
            }
            Lookup::GenerationsFirst => {
                next.readers[reader] =
                    Reader::SawGenerations { floor, stamp: seen.stamp, marked: seen.marked };
                happens(Step::LooksAtGenerations { reader }, next);
            }
        }
    }

    /// Hit, or miss: all that is needed for it has been read.
    fn decides(
        &self,
        world: &World,
        (reader, floor): (usize, Version),
        (entry, seen): (Option<Entry>, Tags),
        happens: &mut dyn FnMut(Step, World),
    ) {
        let mut next = *world;
        if let Some(entry) = entry.filter(|entry| self.is_valid(entry, &seen)) {
            let version = entry.version;
            answer(&mut next, (reader, floor), version);
            self.keep_in_memory(&mut next, entry);
            return happens(Step::Hits { reader, version }, next);
        }
        let Tags { stamp, marked } = seen;
        let lacks = self.numbering == Numbering::Unique && stamp.generations.contains(&Generation::ABSENT);
        next.readers[reader] = if marked && self.valid_if != ValidIf::Present {
            Reader::Fetching { floor, stamp, fills: Fills::No }
        } else if lacks {
            Reader::LacksGeneration { floor, stamp }
        } else {
            Reader::Fetching { floor, stamp, fills: Fills::Yes }
        };
        happens(Step::Misses { reader }, next);
    }

    /// `SET NX` for what was missing. What is not of the reader's own making may already
    /// belong to a write that is in flight.
    fn creates_generations(
        &self,
        world: &World,
        (reader, floor): (usize, Version),
        seen: Stamp,
        happens: &mut dyn FnMut(Step, World),
    ) {
        let mut next = *world;
        let mut stamp = seen;
        let mut fills = Fills::Yes;
        for tag in 0..seen.generations.len() {
            if seen.generations[tag] != Generation::ABSENT {
                continue;
            }
            if next.store.generations[tag] == Generation::ABSENT {
                self.renew(&mut next, tag);
            } else if self.missing == Missing::CreateOrDoNotFill {
                fills = Fills::No;
            }
            stamp.generations[tag] = next.store.generations[tag];
        }
        next.readers[reader] = Reader::Fetching { floor, stamp, fills };
        happens(Step::CreatesGenerations { reader }, next);
    }

    fn returns_fetched(
        &self,
        world: &World,
        (reader, floor): (usize, Version),
        (entry, fills): (Entry, Fills),
        happens: &mut dyn FnMut(Step, World),
    ) {
        let version = entry.version;
        let mut next = *world;
        answer(&mut next, (reader, floor), version);
        match fills {
            Fills::No => happens(Step::Returns { reader, version }, next),
            Fills::Yes => {
                next.store.entry = Some(entry);
                self.keep_in_memory(&mut next, entry);
                happens(Step::ReturnsAndFills { reader, version }, next);
            }
        }
    }

    fn keep_in_memory(&self, world: &mut World, entry: Entry) {
        if self.memory != MemoryTier::None {
            world.memory.entry = Some(entry);
        }
    }

    fn is_valid(&self, entry: &Entry, seen: &Tags) -> bool {
        let current = entry.stamp.generations == seen.stamp.generations;
        match self.valid_if {
            ValidIf::Present => true,
            ValidIf::GenerationsCurrent => current && !seen.marked,
            ValidIf::GenerationsAndRunCurrent => current && !seen.marked && entry.stamp.run == seen.stamp.run,
            ValidIf::FirstGenerationCurrent => {
                entry.stamp.generations[0] == seen.stamp.generations[0] && !seen.marked
            }
        }
    }

    fn is_valid_in_memory(&self, world: &World, entry: &Entry) -> bool {
        match self.memory {
            MemoryTier::None => false,
            MemoryTier::AskingTheStore => self.is_valid(entry, &Tags::of(&world.store)),
            MemoryTier::HearingGenerations => entry.stamp.generations == world.memory.heard,
            MemoryTier::RemovingOnPush => true,
        }
    }
}

/// The read ends with this version; was that new enough?
fn answer(world: &mut World, (reader, floor): (usize, Version), version: Version) {
    world.readers[reader] = Reader::Done;
    world.returned = world.returned.max(version);
    world.promise_broken = version < floor;
}
