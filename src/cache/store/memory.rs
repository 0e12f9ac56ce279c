//! The embedded store: in this process, bounded by bytes.

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use crate::clock::Clock;
use crate::consistency::Consistency;
use crate::key::{Fingerprint, Tag};

use super::super::entry::Entry;
use super::super::generation::{Generations, Stamp, Standing};
use super::super::listing::Walk;
use super::changes::Changes;
use super::doubts::Doubts;
use super::tally::{Held, Tally};
use super::writers::Writers;
use super::{Announced, Change, Closed, Doing, Found, Name, Store, Turn, Usage, Writing};

/// Typical size of an entry, from which tables are sized at the start.
const TYPICAL_ENTRY_BYTES: u64 = 4 * 1024;

/// Most slots reserved at the start; more grow on demand.
const RESERVED_ENTRIES_MAX: u64 = 100_000;

/// A shard must hold several bodies of the largest size, or large ones would
/// push each other out; small stores therefore have few shards.
const SHARD_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// An entry, and its weight when it came or got another form.
#[derive(Clone)]
struct Kept {
    entry: Arc<Entry>,
    weight: u32,
}

impl Kept {
    fn weighed(entry: Arc<Entry>) -> Self {
        let weight = u32::try_from(entry.bytes()).unwrap_or(u32::MAX);
        Self { entry, weight }
    }
}

/// Entries in this process.
pub struct MemoryStore {
    entries: Cache<Fingerprint, Kept, ByWeight, Prehashed, CountLeaving>,
    /// Held while one entry comes in, so that none is exchanged for an older one. Hits do without.
    exchange: Mutex<()>,
    generations: Generations,
    doubts: Doubts,
    writers: Writers,
    changes: Changes,
    bytes_max: u64,
    evictions: Arc<AtomicU64>,
    tally: Arc<Tally>,
}

impl MemoryStore {
    /// A store that holds at most this many bytes, headers, keys and tags included. A write that nobody
    /// heard of may still be committed for `commit_deadline`.
    pub fn new(bytes_max: u64, commit_deadline: Duration, clock: Clock) -> Self {
        let (evictions, tally) = (Arc::new(AtomicU64::new(0)), Arc::new(Tally::default()));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let affordable = usize::try_from(bytes_max / SHARD_BYTES_MIN).unwrap_or(usize::MAX);
        let reserved = (bytes_max / TYPICAL_ENTRY_BYTES).clamp(16, RESERVED_ENTRIES_MAX);
        let options = OptionsBuilder::new()
            .shards(affordable.clamp(1, cores * 4))
            .estimated_items_capacity(usize::try_from(reserved).unwrap_or(16))
            .weight_capacity(bytes_max)
            .build();
        let lifecycle = CountLeaving { evictions: Arc::clone(&evictions), tally: Arc::clone(&tally) };
        let entries = match options {
            Ok(options) => Cache::with_options(options, ByWeight, Prehashed, lifecycle),
            // both required options are set above
            Err(_) => Cache::with(16, bytes_max, ByWeight, Prehashed, lifecycle),
        };
        let doubts = Doubts::new(commit_deadline);
        let (exchange, generations) = (Mutex::default(), Generations::new());
        let (writers, changes) = (Writers::default(), Changes::new(clock));
        Self { entries, exchange, generations, doubts, writers, changes, bytes_max, evictions, tally }
    }
}

impl MemoryStore {
    /// An entry that is of some use, and whether nothing that it depends on has changed.
    fn held(&self, fingerprint: &Fingerprint, now: Instant) -> Option<(Arc<Entry>, bool)> {
        let kept = self.entries.get(fingerprint)?;
        let (lifetime, standing) = (kept.entry.lifetime, kept.entry.stamp.standing());
        let is_of_use = match standing {
            Standing::Current => lifetime.is_alive(now),
            Standing::Softened => lifetime.is_fresh(now),
            Standing::Overtaken => false,
        };
        if is_of_use {
            return Some((kept.entry, standing == Standing::Current));
        }
        // Only this very entry: a newer one may have come in meanwhile.
        if let Some((_, gone)) =
            self.entries.remove_if(fingerprint, |held| Arc::ptr_eq(&held.entry, &kept.entry))
        {
            self.tally.take(&gone.entry.key, gone.weight);
        }
        None
    }
}

/// What a store with others behind it does with the one in this process.
impl MemoryStore {
    /// The generations of these tags, as this process knows them.
    pub(in super::super) fn stamp(&self, tags: &[Tag]) -> Stamp {
        self.generations.stamp(tags)
    }

    /// Keeps an entry unless it has been overtaken.
    pub(super) fn keep(&self, fingerprint: Fingerprint, entry: Arc<Entry>) {
        // An overtaken answer could never be served: it must not take the place of a newer one.
        if entry.stamp.standing() != Standing::Overtaken {
            let kept = Kept::weighed(entry);
            let _one_at_a_time = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
            let held = self.entries.peek(&fingerprint);
            // one that is to be served once more is newer than others of its kind, and no newer than a current one
            let is_newer =
                kept.entry.stamp.is_current() || held.is_none_or(|held| !held.entry.stamp.is_current());
            if is_newer && let Err((fingerprint, kept)) = self.replace(fingerprint, kept, false) {
                self.entries.insert(fingerprint, kept);
            }
        }
    }

    /// Puts an entry where another of its question is. Where none is, it comes back, counted already.
    fn replace(
        &self,
        fingerprint: Fingerprint,
        kept: Kept,
        is_no_use: bool,
    ) -> Result<(), (Fingerprint, Kept)> {
        self.tally.add(&kept.entry.key, kept.weight);
        self.entries.replace(fingerprint, kept, is_no_use)?;
        // the one that it was exchanged for was counted as pushed out
        self.evictions.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    /// Gives each tag a new generation in this process.
    pub(super) fn bump(&self, tags: &[Tag]) {
        self.changes.note(tags);
        self.generations.bump(tags);
    }

    /// Something may not have been heard of: nothing that is remembered counts any more.
    pub(super) fn begin_era(&self) {
        self.changes.note_everything();
        self.generations.begin_era();
    }

    /// Remembers who writes.
    pub(super) fn note_writer_here(&self, writer: &[u8; 32], until: Instant, now: Instant) {
        self.writers.note(writer, until, now);
    }

    /// Whether somebody may have written through this process.
    pub(super) fn has_written_here(&self, caller: &[u8; 32], now: Instant) -> bool {
        self.writers.has(caller, now)
    }

    /// How long after its announcement a write may still be committed.
    pub(super) fn commit_deadline(&self) -> Duration {
        self.doubts.deadline()
    }

    /// Remembers what may still change.
    pub(super) fn doubt(&self, tags: Box<[Tag]>, now: Instant) {
        self.doubts.leave(tags, now);
    }

    /// What was in doubt and can no longer change.
    pub(super) fn settled(&self, now: Instant) -> Vec<Tag> {
        self.doubts.due(now)
    }
}

impl Store for MemoryStore {
    fn recall(&self, fingerprint: &Fingerprint, now: Instant) -> Option<Arc<Entry>> {
        let (entry, is_current) = self.held(fingerprint, now)?;
        (is_current && entry.lifetime.is_fresh(now)).then_some(entry)
    }

    fn look_up<'a>(&'a self, name: &'a Name<'a>, now: Instant) -> Doing<'a, Found> {
        Box::pin(std::future::ready(match self.held(name.fingerprint, now) {
            Some((entry, true)) if entry.lifetime.is_fresh(now) => Found::Valid(entry),
            Some((entry, true)) => Found::Stale(entry, self.stamp(name.answer.tags())),
            Some((entry, false)) => Found::Softened(entry, self.stamp(name.answer.tags())),
            None => Found::Missing(self.stamp(name.answer.tags()), Turn::Free),
        }))
    }

    fn stands(&self, entry: &Entry) -> bool {
        entry.stamp.is_current()
    }

    fn keep_changes_for(&self, time: Duration) {
        self.changes.keep_for(time);
    }

    fn has_changed_lately(&self, tags: &[Tag], time: Duration) -> bool {
        self.changes.has_any_of(tags, time)
    }

    fn renew<'a>(&'a self, name: &'a Name<'a>) -> Doing<'a, Option<Stamp>> {
        Box::pin(std::future::ready(Some(self.stamp(name.answer.tags()))))
    }

    fn fill(&self, fingerprint: Fingerprint, entry: Entry, _: Writing) -> Option<Doing<'_, ()>> {
        self.keep(fingerprint, Arc::new(entry));
        None
    }

    fn holds(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>) -> bool {
        let held = self.entries.peek(fingerprint).is_some_and(|held| Arc::ptr_eq(&held.entry, entry));
        held && entry.stamp.is_current()
    }

    fn weigh_again(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>) {
        let _one_at_a_time = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        if self.holds(fingerprint, entry) {
            // makes room where there is too little, and does not count as a use
            let replaced = self.replace(*fingerprint, Kept::weighed(Arc::clone(entry)), true);
            if let Err((_, gone)) = replaced {
                self.tally.take(&gone.entry.key, gone.weight);
            }
        }
    }

    fn announce(&self, tags: Vec<Tag>, consistency: Consistency) -> Doing<'_, Result<Announced, Closed>> {
        // what is remembered here goes with the process: there is nobody to tell
        let announced = Announced { id: 0, tags: tags.into(), consistency };
        Box::pin(std::future::ready(Ok(announced)))
    }

    fn change<'a>(&'a self, change: Change<'a>) -> Doing<'a, ()> {
        self.bump(change.tags);
        Box::pin(std::future::ready(()))
    }

    fn note_writer<'a>(&'a self, writer: &'a [u8; 32], lasts: Duration, now: Instant) -> Doing<'a, bool> {
        self.note_writer_here(writer, now + lasts, now);
        Box::pin(std::future::ready(true))
    }

    fn has_written<'a>(&'a self, caller: &'a [u8; 32], now: Instant) -> Doing<'a, bool> {
        Box::pin(std::future::ready(self.has_written_here(caller, now)))
    }

    fn withdraw(&self, _: Announced) -> Doing<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn leave(&self, announced: Announced, now: Instant) {
        self.doubt(announced.tags, now);
    }

    fn sweep(&self, now: Instant) -> Doing<'_, Vec<Tag>> {
        let settled = self.settled(now);
        self.bump(&settled);
        Box::pin(std::future::ready(settled))
    }

    fn walk(&self, walk: &mut Walk<'_>) {
        // each step holds a shard for reading, for as long as it takes to copy one pointer
        for (fingerprint, kept) in self.entries.iter() {
            walk.meet(&fingerprint, &kept.entry);
        }
    }

    fn usage(&self) -> Usage {
        Usage {
            entries: self.entries.len() as u64,
            bytes: self.entries.weight(),
            bytes_max: self.bytes_max,
            tags: self.generations.len() as u64,
            evictions: self.evictions.load(Ordering::Relaxed),
            ..Usage::default()
        }
    }

    fn namespaces(&self) -> Vec<(String, Held)> {
        self.tally.now()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("usage", &self.usage()).finish()
    }
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Fingerprint, Kept> for ByWeight {
    fn weight(&self, _: &Fingerprint, kept: &Kept) -> u64 {
        u64::from(kept.weight)
    }
}

#[derive(Clone)]
struct CountLeaving {
    evictions: Arc<AtomicU64>,
    tally: Arc<Tally>,
}

impl Lifecycle<Fingerprint, Kept> for CountLeaving {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: Fingerprint, gone: Kept) {
        self.evictions.fetch_add(1, Ordering::Relaxed);
        self.tally.take(&gone.entry.key, gone.weight);
    }
}

/// A fingerprint is a cryptographic hash: its first eight bytes are as good a
/// hash as any, and nobody can choose them.
#[derive(Clone, Default)]
struct Prehashed;

impl BuildHasher for Prehashed {
    type Hasher = FirstBytes;

    fn build_hasher(&self) -> FirstBytes {
        FirstBytes(0)
    }
}

struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // an array's hash begins with its length, which says nothing here
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
