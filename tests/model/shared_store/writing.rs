//! What may a writer do next?

use super::protocol::{Acknowledges, After, Before, MemoryTier, Numbering, Protocol, Waits, Writes};
use super::world::{Step, WRITERS, World, Writer};
use crate::words::{Generation, Version};

impl Protocol {
    pub(super) fn writers_go_on(&self, world: &World, happens: &mut dyn FnMut(Step, World)) {
        for writer in 0..WRITERS {
            self.writer_goes_on(world, writer, happens);
            self.commits(world, writer, happens);
            self.marker_expires(world, writer, happens);
            self.is_killed(world, writer, happens);
        }
    }

    fn writer_goes_on(&self, world: &World, writer: usize, happens: &mut dyn FnMut(Step, World)) {
        match world.writers[writer] {
            Writer::Ready if self.before_forwarding == Before::Nothing => {
                self.forwards(world, writer, happens)
            }
            Writer::Ready => self.prepares(world, writer, happens),
            Writer::Prepared => {
                let waits = self.waits == Waits::BeforeForwardingAndAcknowledging;
                if !waits || self.all_have_heard(world) {
                    self.forwards(world, writer, happens);
                }
            }
            Writer::Committed(version) => self.ends(world, writer, version, happens),
            Writer::Invalidated(version) => {
                if self.waits == Waits::Never || self.all_have_heard(world) {
                    let mut next = *world;
                    next.writers[writer] = Writer::Done;
                    next.acknowledged = version.max(world.acknowledged);
                    happens(Step::Acknowledges { writer }, next);
                }
            }
            Writer::AcknowledgedFirst => self.invalidates(world, writer, Writer::Done, happens),
            Writer::Away | Writer::Forwarded | Writer::Done | Writer::Killed => {}
        }
    }

    fn prepares(&self, world: &World, writer: usize, happens: &mut dyn FnMut(Step, World)) {
        let mut next = *world;
        next.writers[writer] = Writer::Prepared;
        match self.before_forwarding {
            Before::Nothing => {}
            Before::DeleteEntry => next.store.entry = None,
            Before::Mark => {
                next.store.markers = world.store.markers.with(writer);
                self.renew(&mut next, self.tag_of(writer));
            }
        }
        happens(Step::Prepares { writer }, next);
    }

    fn forwards(&self, world: &World, writer: usize, happens: &mut dyn FnMut(Step, World)) {
        let mut next = *world;
        next.writers[writer] = Writer::Forwarded;
        next.at_upstream = world.at_upstream.with(writer);
        happens(Step::Forwards { writer }, next);
    }

    /// At any moment after forwarding, also after the proxy died.
    fn commits(&self, world: &World, writer: usize, happens: &mut dyn FnMut(Step, World)) {
        if !world.at_upstream.has(writer) {
            return;
        }
        let version = world.row.next();
        let mut next = *world;
        next.row = version;
        next.at_upstream = world.at_upstream.without(writer);
        if world.writers[writer] == Writer::Forwarded {
            next.writers[writer] = Writer::Committed(version);
        }
        happens(Step::Commits { writer, version }, next);
    }

    fn ends(&self, world: &World, writer: usize, version: Version, happens: &mut dyn FnMut(Step, World)) {
        match self.acknowledges {
            Acknowledges::AfterInvalidating => {
                self.invalidates(world, writer, Writer::Invalidated(version), happens);
                if self.faults.invalidation_fails {
                    let mut next = *world;
                    next.writers[writer] = Writer::Invalidated(version);
                    happens(Step::FailsToInvalidate { writer }, next);
                }
            }
            Acknowledges::BeforeInvalidating => {
                let mut next = *world;
                next.writers[writer] = Writer::AcknowledgedFirst;
                next.acknowledged = version.max(world.acknowledged);
                happens(Step::Acknowledges { writer }, next);
            }
        }
    }

    fn invalidates(&self, world: &World, writer: usize, then: Writer, happens: &mut dyn FnMut(Step, World)) {
        let mut next = *world;
        next.writers[writer] = then;
        next.store.markers = world.store.markers.without(writer);
        match self.after_commit {
            After::DeleteEntry => next.store.entry = None,
            After::RenewGeneration => self.renew(&mut next, self.tag_of(writer)),
            After::DeleteGeneration => next.store.generations[self.tag_of(writer)] = Generation::ABSENT,
        }
        happens(Step::Invalidates { writer }, next);
    }

    /// A marker that its writer did not take away goes when the write can no longer be
    /// committed, or, where that is the fault, earlier.
    fn marker_expires(&self, world: &World, writer: usize, happens: &mut dyn FnMut(Step, World)) {
        let abandoned =
            matches!(world.writers[writer], Writer::Killed | Writer::Invalidated(_) | Writer::Done);
        let over = self.faults.marker_expires_early || !world.at_upstream.has(writer);
        if world.store.markers.has(writer) && abandoned && over {
            let mut next = *world;
            next.store.markers = world.store.markers.without(writer);
            happens(Step::MarkerExpires { writer }, next);
        }
    }

    fn is_killed(&self, world: &World, writer: usize, happens: &mut dyn FnMut(Step, World)) {
        let at_work = match world.writers[writer] {
            Writer::Prepared
            | Writer::Forwarded
            | Writer::Committed(_)
            | Writer::Invalidated(_)
            | Writer::AcknowledgedFirst => true,
            Writer::Away | Writer::Ready | Writer::Done | Writer::Killed => false,
        };
        if self.faults.kill && !world.happened.kill && at_work {
            let mut next = *world;
            next.writers[writer] = Writer::Killed;
            next.happened.kill = true;
            happens(Step::IsKilled { writer }, next);
        }
    }

    fn all_have_heard(&self, world: &World) -> bool {
        self.memory == MemoryTier::None || world.memory.heard == world.store.generations
    }

    fn tag_of(&self, writer: usize) -> usize {
        match self.writes {
            Writes::One | Writes::Two => 0,
            Writes::OneOnSecondTag => 1,
            Writes::TwoOnTwoTags => writer,
        }
    }

    /// Gives a tag another generation: never used before, or the next number.
    pub(super) fn renew(&self, world: &mut World, tag: usize) {
        match self.numbering {
            Numbering::Unique => world.store.generations[tag] = world.unused[tag],
            Numbering::Counted => world.store.generations[tag] = world.store.generations[tag].next(),
        }
    }
}
