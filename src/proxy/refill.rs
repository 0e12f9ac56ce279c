//! `refresh: true`: what was in use and a write took away is fetched again at once.
//!
//! In use means: served from the cache since it was fetched last. It is fetched with the credentials
//! of whoever was served last, or not at all if they have ended. The writer does not wait for it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use futures_util::stream;
use quick_cache::sync::Cache as Memory;
use tokio::sync::Semaphore;

use crate::cache::{Errand, Filled, Lookup};
use crate::key::{Fingerprint, Tag};
use crate::plan::{ReadPlan, WritePlan};

use super::Proxy;
use super::read::{Ended, Planned, name};

/// Most answers known to be in use; the least used are forgotten first.
const IN_USE_MAX: usize = 10_000;

/// Most answers that one write has fetched again, those first that were served most often.
const REFILLS_MAX: usize = 64;

/// Fetches of this kind that go on at the same time: visitors need the upstream too.
const AT_ONCE: usize = 4;

/// How often one answer is tried when writes overtake its fetch.
const TRIES: usize = 3;

/// Which answers are in use, and how many of them may be fetched at a time.
pub(super) struct Refills {
    in_use: Memory<Fingerprint, Arc<InUse>>,
    permits: Semaphore,
}

/// An answer that was served from the cache.
struct InUse {
    plan: Arc<ReadPlan>,
    hits: AtomicU64,
}

impl Refills {
    pub(super) fn new() -> Self {
        Self { in_use: Memory::new(IN_USE_MAX), permits: Semaphore::new(AT_ONCE) }
    }

    /// Notes that an answer was served from the cache.
    pub(super) fn served(&self, plan: &Arc<ReadPlan>) {
        match self.in_use.get(&plan.fingerprint) {
            Some(known) if known.plan.expires >= plan.expires => {
                known.hits.fetch_add(1, Ordering::Relaxed);
            }
            // whoever's token lives longer is whom it is fetched for
            known => {
                let hits = known.map_or(0, |known| known.hits.load(Ordering::Relaxed)) + 1;
                let in_use = InUse { plan: Arc::clone(plan), hits: AtomicU64::new(hits) };
                self.in_use.insert(plan.fingerprint, Arc::new(in_use));
            }
        }
    }

    /// Takes out those that depend on any of these, the most used first.
    fn take(&self, changed: &[Tag]) -> Vec<Arc<ReadPlan>> {
        let changed = changed.iter().collect::<HashSet<_>>();
        let goes = |in_use: &InUse| in_use.plan.tags().iter().any(|tag| changed.contains(tag));
        let mut gone =
            self.in_use.iter().map(|(_, in_use)| in_use).filter(|in_use| goes(in_use)).collect::<Vec<_>>();
        gone.sort_by_key(|in_use| std::cmp::Reverse(in_use.hits.load(Ordering::Relaxed)));
        for in_use in &gone {
            self.in_use.remove(&in_use.plan.fingerprint);
        }
        gone.into_iter().take(REFILLS_MAX).map(|in_use| Arc::clone(&in_use.plan)).collect()
    }
}

impl Proxy {
    /// Has fetched again what a write took away, if one of its rules says so.
    pub(super) fn refill(self: &Arc<Self>, write: &WritePlan, changed: Vec<Tag>) {
        if write.rules.iter().any(|rule| rule.refresh) {
            let proxy = Arc::clone(self);
            self.tasks.spawn(async move { proxy.fetch_all(&changed).await });
        }
    }

    async fn fetch_all(&self, changed: &[Tag]) {
        let plans = self.refills.take(changed);
        stream::iter(plans).for_each_concurrent(AT_ONCE, |plan| self.fetch_taken(plan)).await;
    }

    /// Fetches what was taken away, unless somebody has already.
    async fn fetch_taken(&self, plan: Arc<ReadPlan>) {
        // closed never: it lives as long as the proxy
        let Ok(_permit) = self.refills.permits.acquire().await else { return };
        for _ in 0..TRIES {
            if !plan.is_alive(self.clock.unix_seconds()) {
                return self.metrics.refreshed("ended");
            }
            let answer = Planned(&plan);
            let ticket = match self.cache.look_up(&name(&plan, &answer)).await {
                Lookup::Miss(ticket) | Lookup::Softened(_, Errand::Lead(ticket)) => ticket,
                _ => return self.metrics.refreshed("left"),
            };
            let Ended::Filled(Filled::Kept(_)) = self.fill_unheard(ticket, &plan, None).await else {
                return self.metrics.refreshed("failed");
            };
            if self.cache.recall(&plan.fingerprint, self.clock.now()).is_some() {
                return self.metrics.refreshed("kept");
            }
            self.metrics.refreshed("overtaken");
        }
    }
}

impl fmt::Debug for Refills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refills({} in use)", self.in_use.len())
    }
}
