//! Where entries live.

mod memory;
pub mod record;

pub use memory::MemoryStore;

use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use crate::key::{Fingerprint, Key, Tag};

use super::entry::Entry;
use super::generation::Stamp;

/// A future behind the one seam where stores are exchanged.
pub(super) type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What names one answer, and what that answer depends on.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    /// For people and patterns.
    pub key: &'a Key,
    /// What keeps it apart from all others.
    pub fingerprint: &'a Fingerprint,
    /// Knows everything the answer depends on.
    pub answer: &'a dyn Dependent,
}

/// Something that depends on tags, and can say on which. Asked only by whom it matters to.
pub trait Dependent: Sync {
    /// Everything it depends on.
    fn tags(&self) -> &[Tag];
}

impl Dependent for Vec<Tag> {
    fn tags(&self) -> &[Tag] {
        self
    }
}

impl Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({} {})", self.key, self.fingerprint)
    }
}

/// What a store answers to a look-up.
#[derive(Debug)]
pub enum Found {
    /// An entry that is alive and whose generations are all current.
    Valid(Arc<Entry>),
    /// None; these are the generations a fill must carry.
    Missing(Stamp),
}

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
}

/// A place where entries live. A store that fails answers `Missing` and drops
/// what it is given: no method can fail a request.
pub trait Store: Send + Sync + Debug {
    /// Gets an entry that is at hand in this process and certainly valid. A store
    /// that has to ask somebody else has none.
    fn recall(&self, fingerprint: &Fingerprint, now: Instant) -> Option<Arc<Entry>>;

    /// Gets the entry and the generations of its tags, together, so that a
    /// remote store needs one round trip.
    fn look_up<'a>(&'a self, name: &'a Name<'a>, now: Instant) -> Doing<'a, Found>;

    /// Keeps an entry, which carries the generations read before its fetch. If one of
    /// them is no longer current the entry is simply never valid.
    fn fill(&self, fingerprint: Fingerprint, entry: Entry) -> Doing<'_, ()>;

    /// Gives each tag a new generation; returns when every later look-up sees it.
    fn bump<'a>(&'a self, tags: &'a [Tag]) -> Doing<'a, ()>;

    /// How full it is.
    fn usage(&self) -> Usage;
}
