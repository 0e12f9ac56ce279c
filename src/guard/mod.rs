//! No double payment, no double booking, no flood: locks, operations and limits.
//!
//! A [`Held`] lock is a value: only who has it can renew or release it, and
//! whoever drops it keeps it until its hold ends, because what it guarded may
//! still be going on. An operation that has begun ([`Running`]) is finished with
//! its answer, or withdrawn where it is certain that nothing was done; dropped,
//! its outcome stays unknown. A limit only counts.
//!
//! Behind one small seam for each kind stands a store: this process's memory, or
//! one that a fleet shares. Nothing here knows about HTTP requests or rules files.

mod limit;
mod lock;
mod operation;
mod shared;
mod token;

pub use limit::{Allowance, LimitStore, Limits, MemoryLimits, Taken, Verdict};
pub use lock::{Acquired, Attempt, Held, LockStore, Locks, MemoryLocks, Released, Renewed, TakenLock};
pub use operation::{
    Beginning, Begun, KeptOperation, MemoryOperations, OperationState, OperationStore, Operations, Running,
    StoredAnswer,
};
pub use shared::{SharedLimits, SharedLocks, SharedOperations};
pub use token::Token;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::clock::Clock;
use crate::redis::Redis;

/// A future behind the seams where stores are exchanged.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The store could not be asked, or had no room: nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store of locks cannot be asked")]
pub struct StoreDown;

/// All guards of one process.
#[derive(Debug)]
pub struct Guards {
    /// One at a time.
    pub locks: Locks,
    /// Each once.
    pub operations: Operations,
    /// Not too many.
    pub limits: Limits,
}

impl Guards {
    /// Guards of all processes that share a store; names in it begin with the prefix.
    pub fn shared(redis: &Redis, prefix: &str, clock: &Clock) -> Self {
        let limits = Arc::new(SharedLimits::new(redis.clone(), prefix));
        Self {
            locks: Locks::new(Arc::new(SharedLocks::new(redis.clone(), prefix)), clock.clone()),
            operations: Operations::new(Arc::new(SharedOperations::new(redis.clone(), prefix))),
            limits: Limits::new(limits, clock.clone()),
        }
    }

    /// Guards of this process alone.
    pub fn in_memory(clock: &Clock) -> Self {
        Self {
            locks: Locks::new(Arc::new(MemoryLocks::new(clock.clone())), clock.clone()),
            operations: Operations::new(Arc::new(MemoryOperations::new(clock.clone()))),
            limits: Limits::new(Arc::new(MemoryLimits::new(clock.clone())), clock.clone()),
        }
    }
}
