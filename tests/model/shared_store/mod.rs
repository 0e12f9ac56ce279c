//! Which promises hold when many proxies share one store?
//!
//! One row, one or two writes to it, three reads of one URL whose entry depends on
//! two tags. A fetch may read the database at any moment and fill at any later one;
//! a write may be committed at any moment after it was forwarded, also after its
//! proxy died. Readers are alike, so they start in order; a reader that is done
//! is forgotten.

mod protocol;
mod reading;
mod world;
mod writing;

pub(crate) use protocol::{
    Acknowledges, After, Before, CACHE_ASIDE, Faults, Lookup, MARKED, MemoryTier, Missing, NO_FAULTS,
    Numbering, Protocol, STAMPED, ValidIf, Waits, Writes,
};

use crate::explore::Model;
use crate::words::{Generation, TAGS, Version};
use world::{Happened, Memory, READERS, Reader, Run, Step, Store, World, Writer, Writers};

impl Model for Protocol {
    type State = World;
    type Step = Step;

    fn start(&self) -> World {
        let first = match self.numbering {
            Numbering::Unique => Generation::FIRST,
            Numbering::Counted => Generation::ABSENT,
        };
        let generations = [first; TAGS];
        let store = Store { generations, markers: Writers::default(), entry: None, run: Run::default() };
        let second_writer = match self.writes {
            Writes::One | Writes::OneOnSecondTag => Writer::Away,
            Writes::Two | Writes::TwoOnTwoTags => Writer::Ready,
        };
        World {
            row: Version::default(),
            store,
            replica: self.faults.lossy_failover.then_some(store),
            memory: Memory { entry: None, heard: generations },
            writers: [Writer::Ready, second_writer],
            readers: [Reader::Ready; READERS],
            at_upstream: Writers::default(),
            acknowledged: Version::default(),
            returned: Version::default(),
            unused: [Generation::FIRST.next(); TAGS],
            happened: Happened::default(),
            promise_broken: false,
        }
    }

    fn steps(&self, world: &World, happens: &mut dyn FnMut(Step, World)) {
        let mut happens = |step, next: World| match self.numbering {
            Numbering::Unique => happens(step, next.renamed()),
            Numbering::Counted => happens(step, next),
        };
        self.writers_go_on(world, &mut happens);
        self.readers_go_on(world, &mut happens);
        self.memory_hears(world, &mut happens);
        self.faults_strike(world, &mut happens);
    }

    fn is_broken(&self, world: &World) -> bool {
        world.promise_broken
    }
}

impl Protocol {
    /// Messages come late, but in order: hearing the last one is hearing them all.
    fn memory_hears(&self, world: &World, happens: &mut dyn FnMut(Step, World)) {
        if self.memory == MemoryTier::None || world.memory.heard == world.store.generations {
            return;
        }
        let mut next = *world;
        next.memory.heard = world.store.generations;
        if self.memory == MemoryTier::RemovingOnPush {
            next.memory.entry = None;
        }
        happens(Step::MemoryHears, next);
    }

    fn faults_strike(&self, world: &World, happens: &mut dyn FnMut(Step, World)) {
        let mut strike = |step, change: &dyn Fn(&mut World)| {
            let mut next = *world;
            change(&mut next);
            happens(step, next);
        };
        if self.faults.generation_evicted && !world.happened.eviction {
            strike(Step::GenerationEvicted, &|next| {
                next.store.generations[0] = Generation::ABSENT;
                next.happened.eviction = true;
            });
        }
        if self.faults.markers_evicted && !world.happened.marker_eviction && !world.store.markers.is_empty() {
            strike(Step::MarkersEvicted, &|next| {
                next.store.markers = Writers::default();
                next.happened.marker_eviction = true;
            });
        }
        if self.faults.emptied && !world.happened.emptying {
            strike(Step::StoreEmptied, &|next| {
                next.store.generations = [Generation::ABSENT; TAGS];
                next.store.markers = Writers::default();
                next.store.entry = None;
                next.happened.emptying = true;
            });
        }
        let Some(replica) = world.replica.filter(|_| !world.happened.failover) else { return };
        if replica != world.store {
            strike(Step::Replicates, &|next| next.replica = Some(next.store));
        }
        strike(Step::FailsOver, &|next| {
            next.store = replica.promoted();
            next.replica = Some(next.store);
            next.happened.failover = true;
        });
    }
}
