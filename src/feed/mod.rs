//! The database tells of a change that did not come through the proxy.
//!
//! [`Change`] is what a webhook says, [`Feed`] takes away what a write through the proxy would have
//! taken away. Told twice, a change takes nothing away that is still right: the second time costs
//! a fetch at most. Whatever comes in while one change is carried out is carried out together.

mod change;

pub use change::{CHANGES_MAX, Change, NoChange, read};

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;

use crate::consistency::Consistency;
use crate::invalidation::Invalidator;
use crate::key::Tag;
use crate::metrics::Metrics;
use crate::plan::{Planner, TableChange};

/// Most tags by which one message names rows; beyond it tables are named instead.
const TAGS_MAX: usize = 10_000;

/// Looks at the planner in use.
pub type Plans = Box<dyn Fn(&mut dyn FnMut(&Planner)) + Send + Sync>;

/// What a message took away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Changes that it told of.
    pub changes: usize,
    /// Generations that ended because of it.
    pub tags: usize,
}

/// Carries out what the database tells.
pub struct Feed {
    plans: Plans,
    invalidator: Invalidator,
    metrics: Metrics,
    /// Who owns what goes on when the messenger has hung up.
    tasks: TaskTracker,
    /// Held for moving tags in and out, never across an await.
    waiting: Mutex<Waiting>,
    /// The number of the last batch that was carried out; whoever holds it carries out the next.
    turn: tokio::sync::Mutex<u64>,
}

/// What is carried out next, together.
#[derive(Debug, Default)]
struct Waiting {
    tags: BTreeSet<Tag>,
    consistency: Consistency,
    /// Batches before this one.
    before: u64,
}

impl Feed {
    /// A feed that takes away through this door.
    pub fn new(plans: Plans, invalidator: Invalidator, metrics: Metrics, tasks: TaskTracker) -> Arc<Self> {
        let (waiting, turn) = (Mutex::default(), tokio::sync::Mutex::new(0));
        Arc::new(Self { plans, invalidator, metrics, tasks, waiting, turn })
    }

    /// Takes away what these changes touched, and returns when no later read can see it; nothing
    /// where nobody knows whether that was done. Not cancelled with whoever asked.
    pub async fn apply(self: &Arc<Self>, changes: Vec<Change>) -> Option<Applied> {
        for change in &changes {
            self.metrics.change(change.deed_word());
        }
        let (tags, consistency) = self.reach(&changes);
        self.take_away(tags, consistency, changes.len()).await
    }

    /// Takes everything away: something changed, and what it was cannot be read.
    pub async fn apply_unread(self: &Arc<Self>) -> Option<Applied> {
        self.metrics.change("unread");
        let (_, consistency) = self.reach(&[]);
        self.take_away(BTreeSet::from([Tag::everything()]), consistency, 1).await
    }

    async fn take_away(
        self: &Arc<Self>,
        tags: BTreeSet<Tag>,
        consistency: Consistency,
        changes: usize,
    ) -> Option<Applied> {
        let (feed, applied) = (Arc::clone(self), Applied { changes, tags: tags.len() });
        let carrying = self.tasks.spawn(async move { feed.carry_out(tags, consistency).await });
        carrying.await.ok().map(|()| applied)
    }

    /// What these changes take away, and what those who read it rely on.
    fn reach(&self, changes: &[Change]) -> (BTreeSet<Tag>, Consistency) {
        let (mut tags, mut consistency) = (BTreeSet::new(), Consistency::default());
        (self.plans)(&mut |planner| {
            consistency = planner.rules().strictest();
            tags = reach(planner, changes.iter().map(Change::seen));
            if tags.len() > TAGS_MAX {
                tags = reach(planner, changes.iter().map(Change::unseen));
            }
        });
        (tags, consistency)
    }

    /// Puts these to what waits, and carries out all of it when it is their turn, unless somebody
    /// before them did.
    async fn carry_out(&self, tags: BTreeSet<Tag>, consistency: Consistency) {
        let number = {
            let mut waiting = self.waiting();
            waiting.tags.extend(tags);
            waiting.consistency = waiting.consistency.max(consistency);
            waiting.before + 1
        };
        let mut done = self.turn.lock().await;
        if *done >= number {
            return;
        }
        let batch = {
            let mut waiting = self.waiting();
            let next = Waiting { before: waiting.before + 1, ..Waiting::default() };
            std::mem::replace(&mut *waiting, next)
        };
        let tags: Vec<Tag> = batch.tags.into_iter().collect();
        self.invalidator.changed(&tags, batch.consistency).await;
        *done = batch.before + 1;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reach<'c>(planner: &Planner, changes: impl Iterator<Item = TableChange<'c>>) -> BTreeSet<Tag> {
    changes.flat_map(|change| planner.reach_of_change(change).tags).collect()
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("waiting", &self.waiting().tags.len()).finish_non_exhaustive()
    }
}
