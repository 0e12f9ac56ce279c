//! What happened to a request? One value feeds `Cache-Status`, metrics and the log.

use std::fmt::Write;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::cache::Refusal;
use crate::key::Key;
use crate::plan::Pass;

/// The header of RFC 9211.
pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What happened to one request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Served from memory.
    Hit { key: Key, left: Duration },
    /// Fetched, and kept if it arrives whole.
    Stored { key: Key },
    /// Shared a fetch that somebody else had begun.
    Joined { key: Key },
    /// Fetched for a rule, but not to be kept.
    Unkept { key: Key, refusal: Refusal },
    /// Passed through.
    Passed(Pass),
    /// A write, and how many tags it took away.
    Written { tags: usize },
    /// Not forwarded.
    Refused(&'static str),
    /// Forwarded without an answer.
    Failed(&'static str),
}

impl Outcome {
    /// The kind, for the latency histogram.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Hit { .. } => Kind::Hit,
            Self::Stored { .. } | Self::Joined { .. } | Self::Unkept { .. } => Kind::Miss,
            Self::Passed(_) => Kind::Pass,
            Self::Written { .. } => Kind::Write,
            Self::Refused(_) | Self::Failed(_) => Kind::Refused,
        }
    }

    /// For labels and log lines; bounded, because every word of it is ours.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Hit { .. } => "hit",
            Self::Stored { .. } => "miss",
            Self::Joined { .. } => "joined",
            Self::Unkept { .. } => "unkept",
            Self::Passed(pass) => pass.as_str(),
            Self::Written { .. } => "write",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
        }
    }

    /// Why, where the outcome alone does not say.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Unkept { refusal, .. } => refusal.as_str(),
            Self::Refused(reason) | Self::Failed(reason) => reason,
            Self::Hit { .. }
            | Self::Stored { .. }
            | Self::Joined { .. }
            | Self::Passed(_)
            | Self::Written { .. } => "",
        }
    }

    /// The key, where a rule gave one.
    pub(super) fn key(&self) -> Option<&Key> {
        match self {
            Self::Hit { key, .. }
            | Self::Stored { key }
            | Self::Joined { key }
            | Self::Unkept { key, .. } => Some(key),
            Self::Passed(_) | Self::Written { .. } | Self::Refused(_) | Self::Failed(_) => None,
        }
    }

    /// What the client is told.
    pub(super) fn cache_status(&self) -> HeaderValue {
        let mut text = String::with_capacity(96);
        let _infallible = match self {
            Self::Hit { key, left } => write!(text, "larder; hit; ttl={}; key=\"{key}\"", left.as_secs()),
            Self::Stored { key } => write!(text, "larder; fwd=miss; stored; key=\"{key}\""),
            Self::Joined { key } => write!(text, "larder; fwd=miss; collapsed; key=\"{key}\""),
            Self::Unkept { key, refusal } => {
                write!(text, "larder; fwd=miss; key=\"{key}\"; detail={}", refusal.as_str())
            }
            Self::Passed(pass) => write!(text, "larder; fwd=bypass; detail={}", pass.as_str()),
            Self::Written { tags } => write!(text, "larder; fwd=method; detail=\"invalidated {tags}\""),
            Self::Refused(reason) => write!(text, "larder; detail=refused-{reason}"),
            Self::Failed(reason) => write!(text, "larder; fwd=miss; detail={reason}"),
        };
        // keys are escaped to printable ASCII without quotes, everything else is ours
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("larder"))
    }
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
