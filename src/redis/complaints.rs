//! What does the log say about a store that refuses or is gone?
//!
//! A store that is full refuses each fill: one line in ten seconds tells it as well as ten
//! thousand do.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::address::Address;
use super::silence::Refusal;

/// Time between two lines about the same.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Kinds of refusal, and one place more for a store that cannot be reached.
const KINDS: usize = 16;

/// What was said when.
#[derive(Debug)]
pub(super) struct Complaints {
    began: Instant,
    /// When each was told last, in milliseconds since the beginning, plus one.
    told: [AtomicU64; KINDS],
}

impl Complaints {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), told: Default::default() }
    }

    /// The store refused something.
    pub(super) fn refused(&self, store: &Address, refusal: Refusal) {
        // scripts are sent whole then: that is no complaint
        if !refusal.is_unknown_script() && self.is_time(refusal as usize) {
            warn!(%store, reason = %refusal, "the store refuses; answers come from the upstream");
        }
    }

    /// No connection was made.
    pub(super) fn unreached(&self, store: &Address, server: &impl fmt::Display, why: &impl fmt::Display) {
        if self.is_time(KINDS - 1) {
            warn!(%store, %server, reason = %why, "the store cannot be reached; answers come from the upstream");
        }
    }

    fn is_time(&self, kind: usize) -> bool {
        let Some(told) = self.told.get(kind) else { return true };
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let every = u64::try_from(TOLD_EVERY.as_millis()).unwrap_or(u64::MAX);
        let is_time = |last: u64| last == 0 || now.saturating_sub(last) >= every;
        let tell = |last| is_time(last).then_some(now);
        told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, tell).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_is_told_once_in_ten_seconds() {
        let complaints = Complaints::new();
        for _ in 0..3 {
            let told = (0..1_000).filter(|_| complaints.is_time(0)).count();
            assert_eq!(told, 1);
            assert!(complaints.is_time(1), "another kind has a line of its own");
            tokio::time::advance(TOLD_EVERY / 2).await;
            assert!(!complaints.is_time(0));
            tokio::time::advance(TOLD_EVERY / 2).await;
        }
    }

    #[test]
    fn each_refusal_has_a_place() {
        assert!((Refusal::Other as usize) < KINDS - 1);
    }
}
