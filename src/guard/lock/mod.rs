//! One at a time: who holds a lock, and for how long?

mod memory;

pub use memory::MemoryLocks;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::clock::Clock;
use crate::key::LockName;

use super::token::Token;
use super::{Doing, StoreDown};

/// Most writes that wait for locks at a time in one process. Each holds a connection and a body;
/// whoever comes then is told that the lock is taken.
const WAITERS_MAX: usize = 1_000;

/// What became of an attempt to take a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It is taken now, by the token that was given.
    Taken {
        /// Higher than that of everybody before.
        fence: u64,
    },
    /// Somebody else has it.
    Busy {
        /// At most so long, unless it is renewed.
        left: Duration,
    },
    /// Nobody knows.
    Unknown,
}

/// What became of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It is held for another hold.
    Held,
    /// It ran out, and may have been taken by somebody else.
    Lost,
    /// Nobody knows; it may be held still.
    Unknown,
}

/// What became of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// It is free.
    Freed,
    /// It was not held by this token.
    NotHeld,
    /// Nobody knows; at the latest it is free when its hold ends.
    Unknown,
}

/// A lock that somebody holds, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenLock {
    /// What it is called.
    pub name: String,
    /// The number of this acquisition.
    pub fence: u64,
    /// Until it ends by itself.
    pub left: Duration,
}

/// A place where locks live. Every method is one round trip.
pub trait LockStore: Send + Sync + Debug {
    /// Takes a lock that nobody holds.
    fn acquire<'a>(&'a self, name: &'a LockName, token: &'a Token, hold: Duration) -> Doing<'a, Attempt>;

    /// Holds it for another hold, from now, if this token has it.
    fn renew<'a>(&'a self, name: &'a LockName, token: &'a Token, hold: Duration) -> Doing<'a, Renewed>;

    /// Frees it, if this token has it.
    fn release<'a>(&'a self, name: &'a LockName, token: &'a Token) -> Doing<'a, Released>;

    /// Who has it?
    fn look<'a>(&'a self, name: &'a LockName) -> Doing<'a, Result<Option<TakenLock>, StoreDown>>;

    /// Locks that are held, at most so many.
    fn list(&self, max: usize) -> Doing<'_, Result<Vec<TakenLock>, StoreDown>>;

    /// Frees it, whoever has it; says whether anybody had.
    fn remove<'a>(&'a self, name: &'a LockName) -> Doing<'a, Result<bool, StoreDown>>;
}

/// What asking for a lock came to.
#[derive(Debug)]
pub enum Acquired {
    /// It is held.
    Held(Held),
    /// Somebody else has it, at most so long, unless it is renewed.
    Busy(Duration),
    /// The store could not be asked.
    Unknown,
}

/// A lock that is held. Dropping it keeps it until its hold ends: what it guards may still be going on.
#[derive(Debug)]
#[must_use = "a lock that is not released stays until its hold ends"]
pub struct Held {
    name: LockName,
    token: Token,
    fence: u64,
    hold: Duration,
    /// Asked for: from then on it is certainly held for its hold.
    since: Instant,
    store: Arc<dyn LockStore>,
}

impl Held {
    /// What it is called.
    pub fn name(&self) -> &LockName {
        &self.name
    }

    /// What proves that it is one's own.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Higher than that of everybody who had it before.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// How long it outlives its holder.
    pub fn hold(&self) -> Duration {
        self.hold
    }

    /// Whether it may have run out since it was asked for, without a renewal.
    pub fn may_have_ended(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= self.hold
    }

    /// Holds it for another hold.
    pub async fn renew(&self) -> Renewed {
        self.store.renew(&self.name, &self.token, self.hold).await
    }

    /// Frees it.
    pub async fn release(self) -> Released {
        self.store.release(&self.name, &self.token).await
    }
}

/// All locks.
#[derive(Debug)]
pub struct Locks {
    store: Arc<dyn LockStore>,
    clock: Clock,
    waiters: Semaphore,
}

impl Locks {
    /// Locks in a store.
    pub fn new(store: Arc<dyn LockStore>, clock: Clock) -> Self {
        Self { store, clock, waiters: Semaphore::new(WAITERS_MAX) }
    }

    /// Asks for a lock once.
    pub async fn acquire(&self, name: &LockName, hold: Duration) -> Acquired {
        let since = self.clock.now();
        let Some(token) = Token::random() else { return Acquired::Unknown };
        match self.store.acquire(name, &token, hold).await {
            Attempt::Taken { fence } => {
                let store = Arc::clone(&self.store);
                Acquired::Held(Held { name: name.clone(), token, fence, hold, since, store })
            }
            Attempt::Busy { left } => Acquired::Busy(left),
            Attempt::Unknown => Acquired::Unknown,
        }
    }

    /// What somebody says they hold; whether they do is for the store to say.
    pub fn claimed(&self, name: LockName, token: Token, hold: Duration) -> Held {
        let (since, store) = (self.clock.now(), Arc::clone(&self.store));
        Held { name, token, fence: 0, hold, since, store }
    }

    /// A place among those who wait, if there is one.
    pub fn wait(&self) -> Option<SemaphorePermit<'_>> {
        self.waiters.try_acquire().ok()
    }

    /// Who has it?
    pub async fn look(&self, name: &LockName) -> Result<Option<TakenLock>, StoreDown> {
        self.store.look(name).await
    }

    /// Locks that are held, at most so many.
    pub async fn list(&self, max: usize) -> Result<Vec<TakenLock>, StoreDown> {
        self.store.list(max).await
    }

    /// Frees a lock, whoever has it; says whether anybody had.
    pub async fn remove(&self, name: &LockName) -> Result<bool, StoreDown> {
        self.store.remove(name).await
    }
}
