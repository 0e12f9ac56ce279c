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
mod list;
mod look_up;
mod message;
mod names;
mod scripts;
mod seam;
mod turns;

pub use keeping::Keeping;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::redis::Redis;
use crate::sabotage::{self, Bug};

use super::memory::MemoryStore;
use super::record::Codec;
use super::{Store, Writing};
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
    /// Our turns to fetch that are over.
    turns: mpsc::Sender<turns::Ended>,
    counts: Counts,
}

impl SharedStore {
    /// A store, and what has to run to keep it in touch with others.
    pub fn new(memory: MemoryStore, sharing: Sharing) -> (Arc<Self>, Keeping) {
        let Sharing { redis, prefix, clock, codec, sealing } = sharing;
        let (turns, ended) = turns::ended();
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
            turns,
            counts: Counts::default(),
        });
        let keeping = Keeping::new(Arc::clone(&store), ended);
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
