//! What may a writer do next?

use super::world::{Step, WRITERS, World, Writer};
use super::{Acknowledges, MemoryStore};
use crate::words::Version;

impl MemoryStore {
    pub(super) fn writers_go_on(&self, world: &World, happens: &mut dyn FnMut(Step, World)) {
        for writer in 0..WRITERS {
            self.writer_goes_on(world, writer, happens);
        }
    }

    fn writer_goes_on(&self, world: &World, writer: usize, happens: &mut dyn FnMut(Step, World)) {
        let acknowledged_first = self.acknowledges == Acknowledges::BeforeInvalidating;
        let mut next = *world;
        match world.writers[writer] {
            // no marker is set, so nothing sees a write before it is committed
            Writer::Ready => {
                let version = world.row.next();
                next.row = version;
                next.writers[writer] = Writer::Committed(version);
                if acknowledged_first {
                    next.acknowledge(version);
                }
                happens(Step::Commits { writer, version }, next);
            }
            Writer::Committed(version) => {
                let (tag, then) = match writer {
                    0 => (1, Writer::Invalidated(version)),
                    _ => (0, Writer::HalfInvalidated(version)),
                };
                next.renew(tag);
                next.writers[writer] = then;
                happens(Step::Invalidates { writer, tag }, next);
            }
            Writer::HalfInvalidated(version) => {
                next.renew(1);
                next.writers[writer] = Writer::Invalidated(version);
                happens(Step::Invalidates { writer, tag: 1 }, next);
            }
            Writer::Invalidated(version) => {
                next.writers[writer] = Writer::Done;
                next.acknowledge(version);
                happens(Step::Acknowledges { writer }, next);
            }
            Writer::Away | Writer::Done => {}
        }
    }
}

impl World {
    fn acknowledge(&mut self, version: Version) {
        self.acknowledged = self.acknowledged.max(version);
    }
}
