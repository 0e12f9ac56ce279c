//! Do those who share a store hear of one another?

use std::time::Duration;

use super::{Judged, fails, shown, warns, works};

/// How it is with those who share a store, as a running proxy knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// This proxy, and so many others, hear of each other.
    Members { count: u64, lease_left: Duration },
    /// The store was not told of so many changes.
    Owes { changes: u64 },
    /// This proxy may not believe its own memory now.
    NoLease,
}

impl Sharing {
    /// What a proxy's own figures mean.
    pub fn of(members: u64, lease_left: Duration, owed: u64) -> Vec<Self> {
        let first =
            if lease_left.is_zero() { Self::NoLease } else { Self::Members { count: members, lease_left } };
        let owes = (owed > 0).then_some(Self::Owes { changes: owed });
        [first].into_iter().chain(owes).collect()
    }

    pub(super) fn judged(&self) -> Judged {
        match self {
            Self::Members { count: 1, lease_left } => {
                works("alone", format!("this proxy alone uses the store (lease {})", shown(*lease_left)))
            }
            Self::Members { count, lease_left } => {
                works("members", format!("{count} proxies hear of each other (lease {})", shown(*lease_left)))
            }
            Self::Owes { changes } => warns(
                "owed",
                format!("the store has not been told of {changes} changes yet"),
                "they are told within a second of its answering again; until then reads here go upstream",
            ),
            Self::NoLease => fails(
                "no-lease",
                "this proxy has heard nothing from the store for a second, so it answers nothing from memory",
                "is the store reachable, and is this machine so busy that a second passes unnoticed?",
            ),
        }
    }
}
