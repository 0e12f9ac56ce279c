//! What has happened between this process and the store that it shares?

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::SharedUsage;

/// What happened, since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) look_ups: AtomicU64,
    pub(super) hits: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) rejected_records: AtomicU64,
    pub(super) lost_fills: AtomicU64,
    pub(super) unannounced: AtomicU64,
}

impl Counts {
    /// All of it.
    pub(super) fn so_far(&self) -> SharedUsage {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SharedUsage {
            look_ups: count(&self.look_ups),
            hits: count(&self.hits),
            failures: count(&self.failures),
            rejected_records: count(&self.rejected_records),
            lost_fills: count(&self.lost_fills),
            unannounced: count(&self.unannounced),
            ..SharedUsage::default()
        }
    }
}

/// Once more.
pub(super) fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
