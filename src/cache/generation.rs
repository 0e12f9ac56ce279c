//! Is what an entry depends on still as it was?
//!
//! Every tag has a current generation, a value never used before. An entry
//! carries the generations that were current *before* its fetch began and is
//! valid only while all of them still are. A fill that a write overtook is thus
//! never valid, and no lock or comparison on the way in is needed to say so.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use crate::key::Tag;
use crate::sabotage::{self, Bug};

/// How many locks the table is divided among: misses and writes on different
/// tags rarely meet.
const SHARDS: usize = 64;

/// A shard is swept when it has doubled since the last sweep, but not below this size.
const SWEEP_TAGS_MIN: usize = 256;

/// What one tag costs an entry: a pointer to its cell and the generation it saw.
const SEEN_BYTES: usize = 16;

/// What a tag costs that only one entry has: its cell, its text, its slot in the table.
const OWN_TAG_BYTES: usize = 224;

/// The current generation of one tag, shared by all entries that depend on it.
#[derive(Debug)]
struct Cell {
    tag: Tag,
    generation: AtomicU64,
    /// Its generation in a store that others share, as far as this process has heard: worth
    /// something while it was learned under what [`Seen::under`] says.
    there: AtomicU64,
    /// The same, mixed with what it was learned under: halves of two things that were learned at
    /// the same moment do not fit together.
    there_mixed: AtomicU64,
}

impl Cell {
    fn new(tag: Tag, generation: u64) -> Arc<Self> {
        // no tag ever has the generation 0
        Arc::new(Self {
            tag,
            generation: AtomicU64::new(generation),
            there: AtomicU64::new(0),
            there_mixed: AtomicU64::new(0),
        })
    }
}

/// A tag's generation at the moment it was looked at.
#[derive(Clone, Debug)]
struct Seen {
    cell: Arc<Cell>,
    generation: u64,
}

impl Seen {
    fn is_current(&self) -> bool {
        self.cell.generation.load(Ordering::Acquire) == self.generation
    }

    /// A number that is never the same again once the tag has changed or an era has ended: both
    /// are numbered from one count, so the later of the two is new.
    fn under(&self, era: u64) -> u64 {
        self.generation.max(era)
    }

    /// What a shared store said, if nothing has been heard of since.
    fn there(&self, era: u64) -> Option<u64> {
        let there = self.cell.there.load(Ordering::Acquire);
        let learned_under = there ^ self.cell.there_mixed.load(Ordering::Acquire);
        (learned_under == self.under(era)).then_some(there)
    }

    /// A shared store said this, asked after the tag was seen here. Whatever is heard of later
    /// makes it worth nothing.
    fn learn(&self, there: u64, era: u64) {
        self.cell.there.store(there, Ordering::Release);
        self.cell.there_mixed.store(there ^ self.under(era), Ordering::Release);
    }
}

/// What has become of the tags of an answer since it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing has changed.
    Current,
    /// Only soft tags have: it may be served once more.
    Softened,
    /// It is no answer any more.
    Overtaken,
}

/// The generations of all tags of one answer, read before it is fetched.
#[derive(Clone)]
pub struct Stamp {
    /// As this process knows them, those of soft tags last.
    here: Box<[Seen]>,
    /// How many of them are of soft tags.
    soft: usize,
    /// Since when this process has heard of everything.
    era: u64,
    /// As a store that others share knows them, if it was asked.
    there: Option<There>,
}

/// What a shared store said of the generations of all tags of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct There {
    /// Which run of which server said so: another one's word on these means nothing.
    pub(super) server: u64,
    /// The generations, in the order of the tags.
    pub(super) generations: Box<[u64]>,
}

impl Stamp {
    /// Are all generations still current, as far as this process has heard?
    pub(super) fn is_current(&self) -> bool {
        self.here.iter().all(Seen::is_current) || sabotage::is(Bug::GenerationsIgnored)
    }

    /// What has become of the tags, as far as this process has heard?
    pub(super) fn standing(&self) -> Standing {
        if self.is_current() {
            return Standing::Current;
        }
        let is_standing = self.soft > 0 && self.hard(&self.here).iter().all(Seen::is_current);
        if is_standing { Standing::Softened } else { Standing::Overtaken }
    }

    /// Whether a shared store said the same of all tags but the soft ones.
    pub(super) fn is_softened(&self, then: &[u64], now: &[u64]) -> bool {
        self.soft > 0 && then.len() == now.len() && self.hard(then) == self.hard(now)
    }

    /// Of a list in the order of the tags, what is not of soft ones.
    fn hard<'l, T>(&self, list: &'l [T]) -> &'l [T] {
        &list[..list.len().saturating_sub(self.soft)]
    }

    /// The stamp that an entry carries: the one from before its fetch.
    pub(super) fn to_keep(&self) -> Self {
        let mut kept = self.clone();
        if sabotage::is(Bug::StampAfterFetch) {
            kept.here
                .iter_mut()
                .for_each(|seen| seen.generation = seen.cell.generation.load(Ordering::Acquire));
        }
        kept
    }

    /// The generations alone: what tells one state of the world from another.
    pub(super) fn generations(&self) -> Box<[u64]> {
        let here = self.here.iter().map(|seen| seen.generation);
        let there = self.there.iter().flat_map(|there| there.generations.iter().copied());
        here.chain(there).collect()
    }

    /// What a shared store says of the generations, as far as this process has heard.
    pub(super) fn known_there(&self) -> Option<Box<[u64]>> {
        self.here.iter().map(|seen| seen.there(self.era)).collect()
    }

    /// Remembers what a shared store said of the generations, asked after this stamp was made.
    pub(super) fn learn(&self, there: &[u64]) {
        for (seen, there) in self.here.iter().zip(there) {
            seen.learn(*there, self.era);
        }
    }

    /// The same, with what a shared store said.
    pub(super) fn with(self, there: There) -> Self {
        Self { there: Some(there), ..self }
    }

    /// What a shared store said, which only it needs to remember.
    pub(super) fn take_there(&mut self) -> Option<There> {
        self.there.take()
    }

    /// What it is of, in order, and whether each is as it was.
    pub(super) fn tags(&self) -> impl Iterator<Item = (&Tag, bool)> {
        self.here.iter().map(|seen| (&seen.cell.tag, seen.is_current()))
    }

    /// What it occupies in memory, and what is kept because of it.
    pub(super) fn bytes(&self) -> usize {
        // nothing else depends on it yet: one reference is the table's, one is ours
        let own = self.here.iter().filter(|seen| Arc::strong_count(&seen.cell) <= 2).count();
        self.here.len() * SEEN_BYTES + own * OWN_TAG_BYTES
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stamp").field(&self.generations()).finish()
    }
}

/// The current generation of every tag that some entry or fetch depends on.
pub(super) struct Generations {
    shards: Box<[Mutex<Shard>]>,
    /// Chooses the shard of a tag.
    sharding: RandomState,
    /// The last generation handed out. Never handing out the same one twice is
    /// what makes a forgotten tag harmless: it can only come back as a new one.
    last: AtomicU64,
    /// When a new era began: of what was learned before it, nothing is known any more.
    era: AtomicU64,
}

/// Guarded by a plain mutex: held for a few look-ups in memory, never across an await.
#[derive(Default)]
struct Shard {
    cells: HashMap<Tag, Arc<Cell>, RandomState>,
    sweep_at: usize,
}

impl Generations {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            sharding: RandomState::default(),
            last: AtomicU64::new(0),
            era: AtomicU64::new(0),
        }
    }

    /// Reads the generation of each tag, creating those that nothing depended on.
    pub(super) fn stamp(&self, tags: &[Tag]) -> Stamp {
        let era = self.era.load(Ordering::Acquire);
        let seen = tags.iter().map(|tag| {
            let mut shard = self.shard(tag);
            let cell = match shard.cells.get(tag) {
                Some(cell) => Arc::clone(cell),
                None => {
                    shard.sweep_if_grown();
                    let cell = Cell::new(tag.clone(), self.next());
                    shard.cells.insert(tag.clone(), Arc::clone(&cell));
                    cell
                }
            };
            let generation = cell.generation.load(Ordering::Acquire);
            Seen { cell, generation }
        });
        let soft = tags.iter().rev().take_while(|tag| tag.is_soft()).count();
        Stamp { here: seen.collect(), soft, era, there: None }
    }

    /// Gives each tag a generation it never had; says how many anything depended on.
    ///
    /// A tag without a cell has no entry and no fetch under way: whoever asks
    /// from now on sees what is there after this.
    pub(super) fn bump(&self, tags: &[Tag]) -> usize {
        let mut known = 0;
        for tag in tags {
            if let Some(cell) = self.shard(tag).cells.get(tag) {
                cell.generation.store(self.next(), Ordering::Release);
                known += 1;
            }
        }
        known
    }

    /// Begins a new era: something may not have been heard of. Nothing that any store said counts
    /// any more, and every entry is overtaken.
    pub(super) fn begin_era(&self) {
        self.era.store(self.next(), Ordering::Release);
        self.bump(&[Tag::everything()]);
    }

    /// How many tags are remembered.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).cells.len()).sum()
    }

    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn shard(&self, tag: &Tag) -> MutexGuard<'_, Shard> {
        let hash = self.sharding.hash_one(tag);
        lock(&self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)])
    }
}

impl Shard {
    /// Forgets tags that no entry and no fetch holds any more. A cell that
    /// somebody holds stays: a bump must find it. Cells are only ever handed out
    /// under this lock, so a count of one cannot rise meanwhile.
    fn sweep_if_grown(&mut self) {
        if self.cells.len() >= self.sweep_at.max(SWEEP_TAGS_MIN) {
            self.cells.retain(|_, cell| Arc::strong_count(cell) > 1);
            self.sweep_at = self.cells.len() * 2;
        }
    }
}

/// A poisoned lock still guards whole values: every critical section here is one
/// map operation.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Generations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generations").field("tags", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: &str) -> Tag {
        Tag::namespace(name)
    }

    #[test]
    fn a_stamp_is_current_until_one_of_its_tags_is_bumped() {
        let generations = Generations::new();
        let both = generations.stamp(&[tag("a"), tag("b")]);
        let other = generations.stamp(&[tag("c")]);
        assert!(both.is_current());
        assert_eq!(generations.bump(&[tag("b"), tag("nobody")]), 1);
        assert!(!both.is_current());
        assert!(other.is_current());
        assert!(generations.stamp(&[tag("a"), tag("b")]).is_current());
    }

    #[test]
    fn what_only_soft_tags_have_overtaken_still_stands() {
        let generations = Generations::new();
        let soft = tag("list").softly();
        let stamp = generations.stamp(&[tag("a"), tag("list"), soft.clone()]);
        assert_eq!(stamp.standing(), Standing::Current);
        generations.bump(&[soft]);
        assert_eq!(stamp.standing(), Standing::Softened);
        assert!(stamp.is_softened(&[1, 2, 3], &[1, 2, 4]) && !stamp.is_softened(&[1, 2, 3], &[1, 4, 4]));
        generations.bump(&[tag("a")]);
        assert_eq!(stamp.standing(), Standing::Overtaken);
        let hard = generations.stamp(&[tag("a")]);
        generations.bump(&[tag("a")]);
        assert_eq!(hard.standing(), Standing::Overtaken);
        assert!(!hard.is_softened(&[1], &[1]), "nothing about it is soft");
    }

    #[test]
    fn what_a_store_said_counts_until_something_is_heard_or_may_not_have_been() {
        let generations = Generations::new();
        let tags = [Tag::everything(), tag("a")];
        let known = || generations.stamp(&tags).known_there();
        let learn = || generations.stamp(&tags).learn(&[7, 8]);
        assert_eq!(known(), None);
        learn();
        assert_eq!(known().as_deref(), Some(&[7, 8][..]));
        generations.bump(&[tag("a")]);
        assert_eq!(known(), None);
        learn();
        let asked_before = generations.stamp(&tags);
        generations.begin_era();
        asked_before.learn(&[9, 9]);
        assert_eq!(known(), None, "an answer to a question from before counts for nothing");
        // one of them is learned anew, of the other only what was said before is known
        generations.stamp(&tags[..1]).learn(&[10]);
        assert_eq!(known(), None);
    }

    #[test]
    fn a_forgotten_tag_comes_back_as_a_new_one() {
        let generations = Generations::new();
        let early = generations.stamp(&[tag("held")]);
        let forgotten = generations.stamp(&[tag("lost")]).generations();
        for i in 0..SWEEP_TAGS_MIN * SHARDS * 2 {
            generations.stamp(&[tag(&i.to_string())]);
        }
        assert!(generations.len() < SWEEP_TAGS_MIN * SHARDS * 2, "tags that nothing holds are forgotten");
        assert_ne!(generations.stamp(&[tag("lost")]).generations(), forgotten);
        assert_eq!(generations.bump(&[tag("held")]), 1, "a held tag is never forgotten");
        assert!(!early.is_current());
    }
}
