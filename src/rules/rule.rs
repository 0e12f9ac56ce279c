//! One compiled rule: plain data, decided once when the rules are loaded.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderName, Method};

use crate::consistency::Consistency;
use crate::key::{Pattern, Scope, Template};

use super::downstream::Downstream;
use super::freshness::Freshness;
use super::guarding::{IdempotencyRule, LockRule};
use super::mistake::Remark;

/// What a read rule does with a matching GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Keep the answer, and for how long.
    Keep { ttl: Lasting },
    /// `cache: never`: always ask upstream. Stands before broader rules to take routes out.
    Never,
}

/// How long an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// For at most this long, whatever it says itself.
    For(Duration),
    /// `ttl: origin`: as its own headers say, as RFC 9111 has it.
    AsItSays {
        /// `heuristic: true`: a time is guessed where it says none.
        heuristic: bool,
    },
}

impl Lasting {
    /// The time that the rule gives, where it gives one.
    pub fn given(self) -> Option<Duration> {
        match self {
            Self::For(ttl) => Some(ttl),
            Self::AsItSays { .. } => None,
        }
    }
}

/// A condition on a query parameter, from `where`.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The parameter's only value matches this glob.
    Matches(globset::GlobMatcher),
    /// The parameter is there, whatever its value.
    Present,
    /// The parameter is not there.
    Absent,
}

/// A request that two callers make before the rules are used, and whose answers are compared.
#[derive(Clone, Debug)]
pub struct Canary {
    /// As an app would send it.
    pub target: PathAndQuery,
    /// Where it stands in the file, for what is to be said about it.
    pub place: Remark,
}

/// A compiled entry of `reads`.
#[derive(Clone, Debug)]
pub struct ReadRule {
    /// As in the file, or `reads[2]` where it has no name; bounded, so fit for a metric's label.
    pub name: Arc<str>,
    /// Its place in the file.
    pub index: usize,
    /// Its `match` as written, for `explain`.
    pub path: Arc<str>,
    /// First part of every key; the table's name by default.
    pub namespace: Arc<str>,
    /// Second part of every key; `{query}` by default.
    pub key: Template,
    /// Whether and how long answers are kept.
    pub caching: Caching,
    /// Whom an answer may be shared with.
    pub scope: Scope,
    /// How true it is to writes through other processes.
    pub consistency: Consistency,
    /// Request headers that change the answer; others are not sent upstream for this rule.
    pub vary: Vec<HeaderName>,
    /// What may be served past its time, and what is fetched before it is over.
    pub freshness: Freshness,
    /// How long answers are kept that say that there is nothing; by default they are not.
    pub negative: Option<Duration>,
    /// How long after a write an upstream that reads from a replica may not show it.
    pub replica_quiet: Duration,
    /// What everybody between larder and a reader is told.
    pub downstream: Downstream,
    /// `encrypt: true`: sealed in a store that others can reach.
    pub is_encrypted: bool,
    /// What shows whether its answers are as private as its scope says.
    pub canaries: Vec<Canary>,
    /// What the query must be like.
    pub conditions: Vec<(String, Condition)>,
    /// Log a line for each HIT, MISS and SET.
    pub debug: bool,
    /// The invalidation patterns of all write rules that a key of this rule may fall under.
    pub patterns: Vec<Arc<Pattern>>,
    /// Those of them that are soft in some rule.
    pub soft_patterns: Vec<Arc<Pattern>>,
}

/// What a write rule makes disappear.
#[derive(Clone, Debug, Default)]
pub struct Invalidation {
    /// Also what larder derives from the table itself: `invalidate: [auto, …]`, or no `invalidate` at all.
    pub derived: bool,
    /// The patterns to render and bump.
    pub patterns: Vec<Arc<Pattern>>,
    /// `soft`: those that leave an answer to be served once more, while another is fetched.
    pub soft: Vec<Arc<Pattern>>,
    /// How long what `soft` names may be kept at most.
    pub soft_lasts: Duration,
}

impl Invalidation {
    /// Every pattern, and whether it is a soft one.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<Pattern>, bool)> {
        let hard = self.patterns.iter().map(|pattern| (pattern, false));
        hard.chain(self.soft.iter().map(|pattern| (pattern, true)))
    }
}

/// A compiled entry of `writes`.
#[derive(Clone, Debug)]
pub struct WriteRule {
    /// As in the file, or `writes[2]` where it has no name.
    pub name: Arc<str>,
    /// Its place in the file.
    pub index: usize,
    /// Its `match` as written, for `explain`.
    pub path: Arc<str>,
    /// The methods it applies to; POST, PATCH, PUT and DELETE by default.
    pub methods: Vec<Method>,
    /// What disappears.
    pub invalidation: Invalidation,
    /// One at a time.
    pub lock: Option<Arc<LockRule>>,
    /// `refresh: true`: what was in use and goes is fetched again at once.
    pub refresh: bool,
    /// A repeat gets the first answer.
    pub idempotency: Option<IdempotencyRule>,
    /// Log a line for each write.
    pub debug: bool,
}
