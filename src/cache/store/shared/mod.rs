//! Entries in a store that several processes share, with the memory of this one above it.
//!
//! The store holds the current generation of every tag, and entries with the generations that were
//! current before their fetch. Memory holds what was lately used; each process hears of every
//! change, and believes its memory only under a [`Lease`]. Whoever changes something waits until
//! everybody who may believe otherwise has heard of it.
//!
//! A store that fails is a miss, and what it could not be told is owed to it.

mod change;
mod confirm;
mod counts;
mod journal;
mod keeping;
mod lease;
mod look_up;
mod message;
mod names;
mod scripts;

pub use keeping::Keeping;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::consistency::Consistency;
use crate::key::{Fingerprint, Tag};
use crate::redis::Redis;
use crate::sabotage::{self, Bug};

use super::super::entry::Entry;
use super::memory::MemoryStore;
use super::record::Codec;
use super::{Announced, Change, Closed, Doing, Fleet, Found, Name, SharedUsage, Store, Usage, Writing};
use confirm::Confirmations;
use counts::Counts;
use journal::Journal;
use lease::Lease;
use names::Names;

/// What sharing needs.
#[derive(Debug)]
pub struct Sharing {
    /// The store that others share.
    pub redis: Redis,
    /// What stands before every name in it.
    pub prefix: String,
    /// What time it is.
    pub clock: Clock,
    /// How entries are written there.
    pub codec: Codec,
    /// How those are written that are sealed, if there are keys for that.
    pub sealing: Option<Codec>,
}

/// A shared store, and the memory of this process above it.
pub struct SharedStore {
    memory: MemoryStore,
    redis: Redis,
    names: Names,
    codec: Codec,
    sealing: Option<Codec>,
    clock: Clock,
    /// Who we are among those who share the store.
    own: String,
    lease: Lease,
    confirmations: Confirmations,
    journal: Journal,
    /// Since when the store has not answered us, as time since the machine started; 0 while it does.
    silent_since: AtomicU64,
    counts: Counts,
}

impl SharedStore {
    /// A store, and what has to run to keep it in touch with others.
    pub fn new(memory: MemoryStore, sharing: Sharing) -> (Arc<Self>, Keeping) {
        let Sharing { redis, prefix, clock, codec, sealing } = sharing;
        let store = Arc::new(Self {
            memory,
            redis,
            names: Names::new(&prefix),
            codec,
            sealing,
            lease: Lease::new(clock.clone()),
            clock,
            own: format!("{:016x}", random()),
            confirmations: Confirmations::default(),
            journal: Journal::default(),
            silent_since: AtomicU64::new(0),
            counts: Counts::default(),
        });
        let keeping = Keeping::new(Arc::clone(&store));
        (store, keeping)
    }

    /// How such an entry is written; one that is to be sealed is never written otherwise.
    fn codec(&self, writing: Writing) -> Option<&Codec> {
        match writing {
            Writing::Plain => Some(&self.codec),
            Writing::Sealed => self.sealing.as_ref(),
        }
    }

    /// Nothing that this process remembers is believed any more.
    fn forget(&self) {
        if sabotage::is(Bug::MemoryKeptWithoutSubscription) {
            return;
        }
        self.memory.begin_era();
    }
}

impl Store for SharedStore {
    fn recall(&self, fingerprint: &Fingerprint, now: Instant) -> Option<Arc<Entry>> {
        if self.lease.holds() { self.memory.recall(fingerprint, now) } else { None }
    }

    fn look_up<'a>(&'a self, name: &'a Name<'a>, now: Instant) -> Doing<'a, Found> {
        Box::pin(self.find(name, now))
    }

    fn fill(&self, fingerprint: Fingerprint, entry: Entry, writing: Writing) -> Doing<'_, ()> {
        Box::pin(self.keep(fingerprint, entry, writing))
    }

    fn holds(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>) -> bool {
        self.memory.holds(fingerprint, entry)
    }

    fn weigh_again(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>) {
        self.memory.weigh_again(fingerprint, entry);
    }

    fn announce(&self, tags: Vec<Tag>, consistency: Consistency) -> Doing<'_, Result<Announced, Closed>> {
        Box::pin(self.note(tags, consistency))
    }

    fn change<'a>(&'a self, change: Change<'a>) -> Doing<'a, ()> {
        Box::pin(self.carry_out(change))
    }

    fn withdraw(&self, announced: Announced) -> Doing<'_, ()> {
        Box::pin(self.take_back(announced))
    }

    fn leave(&self, announced: Announced, now: Instant) {
        // one that the store knows stays there, and whoever is alive at its deadline carries it out
        if !announced.is_recorded() {
            self.memory.doubt(announced.tags, now);
        }
    }

    fn sweep(&self, now: Instant) -> Doing<'_, Vec<Tag>> {
        Box::pin(self.carry_out_overdue(now))
    }

    fn usage(&self) -> Usage {
        let shared = SharedUsage {
            is_up: self.redis.is_up(),
            members: self.confirmations.members() as u64,
            lease_left: self.lease.left(),
            owed: self.journal.len() as u64,
            ..self.counts.so_far()
        };
        Usage { shared: Some(shared), ..self.memory.usage() }
    }

    fn fleet(&self) -> Option<Fleet> {
        Some(Fleet { own: self.own.clone(), members: self.confirmations.live() })
    }
}

/// A number that nobody used before: chance sees to that.
fn random() -> u64 {
    let mut bytes = [0; 8];
    // a machine without randomness could not have spoken TLS either
    let _filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    u64::from_le_bytes(bytes)
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore").field("usage", &self.usage()).finish_non_exhaustive()
    }
}
