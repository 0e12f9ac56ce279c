//! What happened to a request? One value feeds `Cache-Status`, metrics and the log.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::cache::Refusal;
use crate::hit_counts::Unsent;
use crate::plan::Pass;

/// The header of RFC 9211.
pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What happened to one request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Served from memory: how long it may still be served, and how large it is.
    Hit { left: Duration, bytes: u64, unsent: Unsent },
    /// Served past its time: how long past it, how large it is, and why.
    Stale { past: Duration, bytes: u64, staleness: Staleness, unsent: Unsent },
    /// Fetched, and kept if it arrives whole.
    Stored { unsent: Unsent },
    /// It was past its time, and the upstream said that it is still so.
    Renewed { unsent: Unsent },
    /// Shared a fetch that somebody else had begun.
    Joined { unsent: Unsent },
    /// Fetched for a rule, but not to be kept.
    Unkept { refusal: Refusal },
    /// Passed through.
    Passed(Pass),
    /// A write, and how many tags it took away.
    Written { tags: usize },
    /// Answered as it was before.
    Replayed,
    /// Not forwarded.
    Refused(&'static str),
    /// Forwarded without an answer.
    Failed(&'static str),
}

/// Why an answer is served past its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Staleness {
    /// Another one is being fetched.
    Revalidating,
    /// A write has taken it away softly, and another one is being fetched.
    Softened,
    /// The upstream was asked and had none.
    UpstreamFailed,
    /// It had none a moment ago and is not asked with every request.
    UpstreamResting,
}

impl Staleness {
    fn as_str(self) -> &'static str {
        match self {
            Self::Revalidating => "stale-while-revalidate",
            Self::Softened => "softly-invalidated",
            Self::UpstreamFailed | Self::UpstreamResting => "stale-if-error",
        }
    }
}

impl Outcome {
    /// Served from memory, in its time.
    pub(super) fn is_hit(&self) -> bool {
        matches!(self, Self::Hit { .. })
    }

    /// The kind, for the latency histogram.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Stale { staleness: Staleness::UpstreamFailed, .. } => Kind::Miss,
            Self::Hit { .. } | Self::Stale { .. } => Kind::Hit,
            Self::Stored { .. } | Self::Renewed { .. } | Self::Joined { .. } | Self::Unkept { .. } => {
                Kind::Miss
            }
            Self::Passed(_) => Kind::Pass,
            Self::Written { .. } | Self::Replayed => Kind::Write,
            Self::Refused(_) | Self::Failed(_) => Kind::Refused,
        }
    }

    /// For labels and log lines; bounded, because every word of it is ours.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Hit { .. } => "hit",
            Self::Stale { .. } => "stale",
            Self::Stored { .. } => "miss",
            Self::Renewed { .. } => "renewed",
            Self::Joined { .. } => "joined",
            Self::Unkept { .. } => "unkept",
            Self::Passed(pass) => pass.as_str(),
            Self::Written { .. } => "write",
            Self::Replayed => "replayed",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
        }
    }

    /// What of the answer's body was not sent.
    pub(super) fn unsent(&self) -> Unsent {
        match self {
            Self::Hit { unsent, .. }
            | Self::Stale { unsent, .. }
            | Self::Stored { unsent }
            | Self::Renewed { unsent }
            | Self::Joined { unsent } => *unsent,
            Self::Unkept { .. }
            | Self::Passed(_)
            | Self::Written { .. }
            | Self::Replayed
            | Self::Refused(_)
            | Self::Failed(_) => Unsent::Nothing,
        }
    }

    /// Why, where the outcome alone does not say.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Unkept { refusal } => refusal.as_str(),
            Self::Stale { staleness, .. } => staleness.as_str(),
            Self::Refused(reason) | Self::Failed(reason) => reason,
            Self::Hit { .. }
            | Self::Stored { .. }
            | Self::Renewed { .. }
            | Self::Joined { .. }
            | Self::Passed(_)
            | Self::Written { .. }
            | Self::Replayed => "",
        }
    }

    /// What the client is told; of a read with its key.
    pub(super) fn cache_status(&self, key: &str) -> HeaderValue {
        let mut number = itoa::Buffer::new();
        let text = match self {
            Self::Hit { left, .. } => return hit_status(left.as_secs(), key),
            Self::Stale { past, staleness, .. } => {
                let found = if *staleness == Staleness::UpstreamFailed { "fwd=stale" } else { "hit" };
                let past = number.format(past.as_secs());
                let why = staleness.as_str();
                ["larder; ", found, "; ttl=-", past, "; key=\"", key, "\"; detail=", why].concat()
            }
            Self::Stored { .. } => ["larder; fwd=miss; stored; key=\"", key, "\""].concat(),
            Self::Renewed { .. } => ["larder; fwd=stale; fwd-status=304; stored; key=\"", key, "\""].concat(),
            Self::Joined { .. } => ["larder; fwd=miss; collapsed; key=\"", key, "\""].concat(),
            Self::Unkept { refusal } => {
                ["larder; fwd=miss; key=\"", key, "\"; detail=", refusal.as_str()].concat()
            }
            Self::Passed(pass) => ["larder; fwd=bypass; detail=", pass.as_str()].concat(),
            Self::Written { tags } => {
                ["larder; fwd=method; detail=\"invalidated ", number.format(*tags), "\""].concat()
            }
            Self::Replayed => "larder; detail=replayed".to_owned(),
            Self::Refused(reason) => ["larder; detail=refused-", reason].concat(),
            Self::Failed(reason) => ["larder; fwd=miss; detail=", reason].concat(),
        };
        status(text)
    }
}

/// What the client is told of a hit that may be served for so many seconds more.
pub(super) fn hit_status(left: u64, key: &str) -> HeaderValue {
    let mut number = itoa::Buffer::new();
    status(["larder; hit; ttl=", number.format(left), "; key=\"", key, "\""].concat())
}

fn status(text: String) -> HeaderValue {
    // keys are escaped to printable ASCII without quotes, everything else is ours
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("larder"))
}

/// Kinds of outcome that take about equally long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// From memory.
    Hit,
    /// Fetched for a rule.
    Miss,
    /// Passed through.
    Pass,
    /// A write.
    Write,
    /// Refused or failed.
    Refused,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub(super) const ALL: [Self; 5] = [Self::Hit, Self::Miss, Self::Pass, Self::Write, Self::Refused];

    /// For the histogram's label.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Pass => "pass",
            Self::Write => "write",
            Self::Refused => "refused",
        }
    }
}
