//! Locks of this process alone.

use std::collections::HashMap;
use std::fmt;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq;

use crate::clock::Clock;
use crate::key::LockName;

use super::super::token::Token;
use super::super::{Doing, StoreDown};
use super::{Attempt, LockStore, Released, Renewed, TakenLock};

/// Most locks that are held at a time: an app holds as many as it has writes under way.
const LOCKS_MAX: usize = 100_000;

/// Locks in this process's memory.
pub struct MemoryLocks {
    /// A plain mutex: held for one look-up and one insertion.
    taken: Mutex<Table>,
    clock: Clock,
}

#[derive(Default)]
struct Table {
    locks: HashMap<LockName, Entry>,
    /// The last fence given.
    fence: u64,
}

struct Entry {
    token: Token,
    fence: u64,
    ends: Instant,
}

impl MemoryLocks {
    /// Nobody holds anything.
    pub fn new(clock: Clock) -> Self {
        Self { taken: Mutex::default(), clock }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // nothing in here can panic half way
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, name: &LockName, token: &Token, hold: Duration) -> Attempt {
        let (now, micros) = (self.clock.now(), self.clock.unix_micros());
        let mut table = self.table();
        if let Some(entry) = table.locks.get(name).filter(|entry| entry.ends > now) {
            return Attempt::Busy { left: entry.ends - now };
        }
        if table.locks.len() >= LOCKS_MAX {
            table.locks.retain(|_, entry| entry.ends > now);
        }
        if table.locks.len() >= LOCKS_MAX {
            return Attempt::Unknown;
        }
        // The time is the least: after a restart, too, every fence is higher than those before.
        let fence = micros.max(table.fence + 1);
        table.fence = fence;
        table.locks.insert(name.clone(), Entry { token: token.clone(), fence, ends: now + hold });
        Attempt::Taken { fence }
    }

    fn prolong(&self, name: &LockName, token: &Token, hold: Duration) -> Renewed {
        let now = self.clock.now();
        match self.table().locks.get_mut(name) {
            Some(entry) if entry.is_held_by(token, now) => {
                entry.ends = now + hold;
                Renewed::Held
            }
            Some(_) | None => Renewed::Lost,
        }
    }

    fn free(&self, name: &LockName, token: &Token) -> Released {
        let now = self.clock.now();
        let mut table = self.table();
        if table.locks.get(name).is_some_and(|entry| entry.is_held_by(token, now)) {
            table.locks.remove(name);
            return Released::Freed;
        }
        Released::NotHeld
    }
}

impl Entry {
    fn is_held_by(&self, token: &Token, now: Instant) -> bool {
        let is_own: bool = self.token.as_str().as_bytes().ct_eq(token.as_str().as_bytes()).into();
        is_own && self.ends > now
    }

    fn shown(&self, name: &LockName, now: Instant) -> Option<TakenLock> {
        let left = self.ends.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some(TakenLock { name: name.to_string(), fence: self.fence, left })
    }
}

impl LockStore for MemoryLocks {
    fn acquire<'a>(&'a self, name: &'a LockName, token: &'a Token, hold: Duration) -> Doing<'a, Attempt> {
        Box::pin(ready(self.take(name, token, hold)))
    }

    fn renew<'a>(&'a self, name: &'a LockName, token: &'a Token, hold: Duration) -> Doing<'a, Renewed> {
        Box::pin(ready(self.prolong(name, token, hold)))
    }

    fn release<'a>(&'a self, name: &'a LockName, token: &'a Token) -> Doing<'a, Released> {
        Box::pin(ready(self.free(name, token)))
    }

    fn look<'a>(&'a self, name: &'a LockName) -> Doing<'a, Result<Option<TakenLock>, StoreDown>> {
        let now = self.clock.now();
        Box::pin(ready(Ok(self.table().locks.get(name).and_then(|entry| entry.shown(name, now)))))
    }

    fn list(&self, max: usize) -> Doing<'_, Result<Vec<TakenLock>, StoreDown>> {
        let now = self.clock.now();
        let table = self.table();
        let mut names: Vec<&LockName> = table.locks.keys().collect();
        names.sort();
        let shown = names.into_iter().filter_map(|name| table.locks.get(name)?.shown(name, now));
        Box::pin(ready(Ok(shown.take(max).collect())))
    }

    fn remove<'a>(&'a self, name: &'a LockName) -> Doing<'a, Result<bool, StoreDown>> {
        let now = self.clock.now();
        Box::pin(ready(Ok(self.table().locks.remove(name).is_some_and(|entry| entry.ends > now))))
    }
}

/// No names and no tokens.
impl fmt::Debug for MemoryLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLocks").field("held", &self.table().locks.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Acquired, Held, Locks};
    use super::*;

    const HOLD: Duration = Duration::from_secs(30);

    fn locks() -> (Locks, Clock) {
        let clock = Clock::default();
        (Locks::new(Arc::new(MemoryLocks::new(clock.clone())), clock.clone()), clock)
    }

    fn name(text: &str) -> LockName {
        LockName::parse(text).unwrap()
    }

    async fn held(locks: &Locks, lock: &str) -> Held {
        match locks.acquire(&name(lock), HOLD).await {
            Acquired::Held(held) => held,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_second_holder_waits_for_the_first() {
        let (locks, _clock) = locks();
        let first = held(&locks, "payment:5").await;
        assert!(
            matches!(locks.acquire(&name("payment:5"), HOLD).await, Acquired::Busy(left) if left <= HOLD)
        );
        let other = held(&locks, "payment:6").await;
        assert_eq!(first.release().await, Released::Freed);
        let second = held(&locks, "payment:5").await;
        assert!(second.fence() > other.fence());
        assert_eq!(locks.list(10).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_dropped_lock_stays_until_its_hold_ends() {
        let (locks, clock) = locks();
        let fence = held(&locks, "payment:5").await.fence();
        clock.advance(HOLD - Duration::from_millis(100));
        assert!(matches!(locks.acquire(&name("payment:5"), HOLD).await, Acquired::Busy(_)));
        clock.advance(Duration::from_millis(100));
        assert!(held(&locks, "payment:5").await.fence() > fence);
    }

    #[tokio::test]
    async fn only_the_holder_renews_and_releases() {
        let (locks, clock) = locks();
        let first = held(&locks, "payment:5").await;
        clock.advance(HOLD / 2);
        assert_eq!(first.renew().await, Renewed::Held);
        clock.advance(HOLD / 2 + Duration::from_secs(1));
        assert!(locks.look(&name("payment:5")).await.unwrap().is_some(), "it was renewed");
        let stranger = locks.claimed(name("payment:5"), Token::random().unwrap(), HOLD);
        assert_eq!(stranger.renew().await, Renewed::Lost);
        assert_eq!(stranger.release().await, Released::NotHeld);

        clock.advance(HOLD);
        assert_eq!(first.renew().await, Renewed::Lost, "too late");
        let second = held(&locks, "payment:5").await;
        assert_eq!(first.release().await, Released::NotHeld, "not what another holds now");
        assert_eq!(second.renew().await, Renewed::Held);
        assert_eq!(locks.remove(&name("payment:5")).await, Ok(true), "an operator may");
        assert_eq!(locks.remove(&name("payment:5")).await, Ok(false));
    }

    #[tokio::test]
    async fn what_has_no_room_is_not_held() {
        let (locks, clock) = locks();
        for number in 0..LOCKS_MAX {
            let _kept = held(&locks, &number.to_string()).await;
        }
        assert!(matches!(locks.acquire(&name("one more"), HOLD).await, Acquired::Unknown));
        clock.advance(HOLD);
        let _kept = held(&locks, "one more").await;
    }

    #[tokio::test]
    async fn a_fence_is_higher_after_a_restart() {
        let (before, _) = locks();
        let last = held(&before, "payment:5").await.fence();
        let (after, _) = locks();
        assert!(held(&after, "payment:5").await.fence() > last);
    }
}
