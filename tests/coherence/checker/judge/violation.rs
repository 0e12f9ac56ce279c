//! Which promises can be seen to break?

use super::{Nanos, SECOND};

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Violation {
    /// A read that began after an acknowledgement returned an older version.
    Stale,
    /// A read that began after another had ended returned an older version than that one.
    WentBack,
    /// The same, and both were the very same question.
    EntryWentBack,
    /// A version was read that nobody had written yet.
    FromNowhere,
    /// Somebody was shown a row of somebody else's.
    SomebodyElses,
    /// A row is not as it was written: its canary does not fit.
    Garbled,
    /// A write was carried out, and long after it the cache still shows what was before.
    NeverSeen,
    /// A write was carried out twice.
    SentTwice,
    /// A write was acknowledged and not carried out.
    NotDone,
    /// A write was refused, which says that nothing has changed, and was carried out.
    RefusedAndDone,
    /// A request failed for which the upstream had an answer.
    Failed,
    /// Some seconds after the last fault, requests fail or hits do not come back.
    NotAlive,
}

impl Violation {
    pub(crate) const ALL: [Self; 12] = [
        Self::Stale,
        Self::WentBack,
        Self::EntryWentBack,
        Self::FromNowhere,
        Self::SomebodyElses,
        Self::Garbled,
        Self::NeverSeen,
        Self::SentTwice,
        Self::NotDone,
        Self::RefusedAndDone,
        Self::Failed,
        Self::NotAlive,
    ];

    /// Was somebody told something wrong? Every bug here is one that makes an answer wrong: that a request fails
    /// may have another cause, and proves no bug.
    pub(crate) fn is_wrong_answer(self) -> bool {
        !matches!(self, Self::Failed | Self::NotAlive)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "P1: stale after an acknowledgement",
            Self::WentBack => "P2: older than an earlier read",
            Self::EntryWentBack => "P2: one question went back",
            Self::FromNowhere => "read before it was written",
            Self::SomebodyElses => "P3: somebody else's row",
            Self::Garbled => "P3: a canary that does not fit",
            Self::NeverSeen => "a write without an invalidation",
            Self::SentTwice => "a write carried out twice",
            Self::NotDone => "acknowledged and not carried out",
            Self::RefusedAndDone => "refused and carried out",
            Self::Failed => "failed without the upstream's doing",
            Self::NotAlive => "not alive after healing",
        }
    }
}

/// What the proxies were told to promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Consistency {
    /// Late by at most a second.
    Bounded,
    /// Never stale after an acknowledgement.
    Fresh,
    /// Neither that, nor ever back.
    Strict,
}

/// How late a read may be where lateness is promised to be bounded.
pub(crate) const LATE_MAX: Nanos = SECOND;

impl Consistency {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bounded => "bounded",
            Self::Fresh => "fresh",
            Self::Strict => "strict",
        }
    }

    /// How late a read may be.
    pub(crate) fn late_max(self) -> Nanos {
        match self {
            Self::Bounded => LATE_MAX,
            Self::Fresh | Self::Strict => 0,
        }
    }
}
