//! What does a rule guard against: a second click, a repeated request, a flood? Compiled, plain data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method};

use crate::key::Template;

/// `lock`: one write at a time for each rendered key.
#[derive(Clone, Debug)]
pub struct LockRule {
    /// Rendered with exactly one value for each placeholder, or the request is refused.
    pub key: Template,
    /// How long the lock outlives a proxy that died; while the proxy lives it is renewed.
    pub hold: Duration,
    /// What happens to whoever finds it taken.
    pub busy: Busy,
    /// What happens while the store cannot be asked.
    pub store_down: LockWithoutStore,
    /// What whoever finds it taken is told.
    pub message: Arc<str>,
}

/// What happens to a write that finds its lock taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// It is refused at once.
    Reject,
    /// It tries again so often, each time after a pause.
    Wait {
        /// How often.
        retries: u32,
        /// How long each pause is.
        delay: Duration,
    },
}

/// What happens to a locked write while the store of locks cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWithoutStore {
    /// It is refused: nobody knows who holds the lock.
    Refuse,
    /// It goes on without a lock.
    Allow,
}

/// `idempotency`: a repeated request gets the first one's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRule {
    /// The request header that names the operation.
    pub header: HeaderName,
    /// How long an answer can be repeated.
    pub keep: Duration,
    /// Whether a request without the header is refused.
    pub required: bool,
}

/// An entry of `limits`.
#[derive(Clone, Debug)]
pub struct LimitRule {
    /// As in the file: a metric's label and the name of the policy in `RateLimit-Policy`.
    pub name: Arc<str>,
    /// Its place in the file.
    pub index: usize,
    /// Its `match` as written, for `explain`.
    pub path: Arc<str>,
    /// The methods it counts.
    pub methods: Vec<Method>,
    /// Who shares a budget.
    pub by: By,
    /// How large the budget is.
    pub quota: Quota,
    /// What is counted.
    pub counts: Counts,
    /// What happens while the store cannot be asked.
    pub store_down: LimitWithoutStore,
}

/// Who shares a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// One address; for IPv6 one /64, which is what one subscriber has.
    Ip,
    /// A verified user; whoever is none, by address.
    Caller,
    /// Everybody who sends the same `apikey`.
    ApiKey,
    /// Everybody with the same verified role; whoever has none, by address.
    Role,
    /// Everybody with the same verified claim; whoever has none, by address.
    Claim(String),
    /// Everybody who sends the same value; whoever sends none, by address.
    Header(HeaderName),
}

/// How much is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// So many requests …
    pub rate: u32,
    /// … in this time, whole seconds.
    pub window: Duration,
    /// So many of them in any tenth of the window.
    pub burst: Option<u32>,
    /// Where windows begin.
    pub kind: Window,
}

/// Where windows begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// At multiples of their length since 1970: all budgets begin anew together.
    Fixed,
    /// Anywhere: no stretch of that length ever sees more than the rate.
    Sliding,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Every request.
    All,
    /// Only what would be sent upstream: hits and shared fetches are free.
    Misses,
}

/// What happens to a limited request while the store cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitWithoutStore {
    /// Each proxy counts by itself.
    Local,
    /// It goes on, uncounted.
    Allow,
    /// It is refused.
    Refuse,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("ip"),
            Self::Caller => f.write_str("caller"),
            Self::ApiKey => f.write_str("apikey"),
            Self::Role => f.write_str("role"),
            Self::Claim(path) => write!(f, "claim {path}"),
            Self::Header(name) => write!(f, "header {name}"),
        }
    }
}

impl Window {
    /// As in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Sliding => "sliding",
        }
    }
}
