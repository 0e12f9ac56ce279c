//! What are operators told from?

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::doctor::Report;
use crate::explain::{Asked, Explanation};
use crate::feed::Feed;
use crate::guard::Guards;
use crate::invalidation::Invalidator;
use crate::metrics::Metrics;
use crate::rules::Remark;

use super::clear::{NoPurge, Purge, Wanted};
use super::health::Health;

/// Brings gauges up to date just before they are shown.
pub type Refresh = Box<dyn Fn(&Metrics) + Send + Sync>;

/// Says what the proxy would do now.
pub type Explain = Box<dyn Fn(&Asked) -> Explanation + Send + Sync>;

/// Says which limits are in use.
pub type ShowLimits = Box<dyn Fn() -> Value + Send + Sync>;

/// Says what there is to take away, under the rules in use.
pub type Resolve = Box<dyn Fn(&Wanted) -> Result<Purge, NoPurge> + Send + Sync>;

/// Something that is being found out.
pub type Finding<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Says which rules are in use.
pub type ShowRules = Box<dyn Fn() -> Value + Send + Sync>;

/// What came of reading the rules again.
#[derive(Clone, Debug)]
pub enum Reloaded {
    /// They are in use.
    Applied {
        /// Those that were in use before.
        before: Value,
        /// Those that are now.
        after: Value,
        /// What works, but hardly as its author thinks.
        warnings: Vec<Remark>,
    },
    /// They cannot be used; those from before stay.
    Refused {
        /// Why, in a sentence.
        message: String,
        /// Each mistake.
        mistakes: Vec<Remark>,
    },
}

/// Reads the rules again; nothing comes of it where that takes too long.
pub type Reload = Box<dyn Fn() -> Finding<Option<Reloaded>> + Send + Sync>;

/// Finds out what works.
pub type Examine = Box<dyn Fn() -> Finding<Report> + Send + Sync>;

/// May operators see what is stored, or only what is said about it?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bodies {
    /// Never: rows are nobody's but their readers'.
    #[default]
    Hidden,
    /// To whoever asks for one.
    Shown,
}

/// What operators are told from.
pub struct Sources {
    /// Whether clients can be answered.
    pub health: Health,
    /// What time it is.
    pub clock: Clock,
    /// What is remembered, and with whom.
    pub cache: Arc<Cache>,
    /// What is counted.
    pub metrics: Metrics,
    /// Brings the gauges up to date.
    pub refresh: Refresh,
    /// Explains a request.
    pub explain: Explain,
    /// The one door through which entries disappear.
    pub invalidator: Invalidator,
    /// Who owns what goes on when an operator has hung up.
    pub tasks: TaskTracker,
    /// What an operator's words mean there.
    pub resolve: Resolve,
    /// Locks and operations.
    pub guards: Arc<Guards>,
    /// Finds out what works.
    pub examine: Examine,
    /// The rules in use.
    pub rules: ShowRules,
    /// Reads them again.
    pub reload: Reload,
    /// The limits in use.
    pub limits: ShowLimits,
    /// Carries out what the database tells.
    pub feed: Arc<Feed>,
    /// Whether stored bodies may be shown.
    pub bodies: Bodies,
}

impl fmt::Debug for Sources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sources").field("health", &self.health).finish_non_exhaustive()
    }
}
