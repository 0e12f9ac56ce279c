//! How full is a store, and how does it go with one that others share?

use std::time::Duration;

/// How full a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Entries, dead ones included until they are swept.
    pub entries: u64,
    /// Bytes they occupy, with headers, keys and tags.
    pub bytes: u64,
    /// Bytes they may occupy.
    pub bytes_max: u64,
    /// Tags remembered.
    pub tags: u64,
    /// Entries pushed out to make room, since the start.
    pub evictions: u64,
    /// Forms of entries made for callers that take less, since the start.
    pub forms_made: u64,
    /// Forms that were not made when somebody would have taken one, because too many waited to be.
    pub forms_put_off: u64,
    /// How it goes with a store that others share, if there is one.
    pub shared: Option<SharedUsage>,
}

/// How it goes with a store that several processes share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedUsage {
    /// It can be asked.
    pub is_up: bool,
    /// It is not asked for a while, because it failed too often.
    pub is_left_alone: bool,
    /// Processes that share it and may remember something, this one included.
    pub members: u64,
    /// For how long this process may still believe what it remembers.
    pub lease_left: Duration,
    /// Changes that the store has not been told yet.
    pub owed: u64,
    /// Look-ups that reached it, since the start.
    pub look_ups: u64,
    /// Those that found a valid entry.
    pub hits: u64,
    /// Calls that brought nothing of use.
    pub failures: u64,
    /// Records that were not what they should have been.
    pub rejected_records: u64,
    /// Entries that it did not take.
    pub lost_fills: u64,
    /// Writes that were forwarded without its knowing.
    pub unannounced: u64,
}
