//! The one door through which entries disappear.
//!
//! Whoever learns of a change, a write through the proxy, an operator, later
//! the database, reports its tags here and waits: when this returns, no look-up
//! that starts later finds an answer from before the change.

use std::sync::Arc;

use crate::cache::Cache;
use crate::key::Tag;
use crate::metrics::Metrics;

/// Takes away what depends on something that changed.
#[derive(Clone, Debug)]
pub struct Invalidator {
    cache: Arc<Cache>,
    metrics: Metrics,
}

impl Invalidator {
    /// The door to one cache.
    pub fn new(cache: Arc<Cache>, metrics: Metrics) -> Self {
        Self { cache, metrics }
    }

    /// Takes away everything that depends on these tags.
    pub async fn changed(&self, tags: &[Tag]) {
        if tags.is_empty() {
            return;
        }
        self.cache.bump(tags).await;
        self.metrics.invalidated(tags.len());
    }
}
