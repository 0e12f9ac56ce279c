//! Where entries live.

mod changes;
mod doubts;
mod listed;
mod memory;
pub mod record;
mod shared;
mod tally;
mod usage;
mod writers;

pub use listed::NoPage;
pub(super) use listed::{Listing, Stored, StoredPage};
pub use memory::MemoryStore;
use record::Record;
pub use shared::{Keeping, SharedStore, Sharing};
pub use tally::Held;
pub use usage::{SharedUsage, Usage};

use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::consistency::Consistency;
use crate::key::{Fingerprint, Key, KeyGlob, Tag};

use super::admission::Refusal;
use super::entry::Entry;
use super::generation::Stamp;
use super::listing::Walk;

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
    /// What whoever asks relies on.
    pub consistency: Consistency,
    /// How it is written where others can reach it.
    pub writing: Writing,
    /// How long after a change what is fetched may be from before it.
    pub quiet: Duration,
}

/// How an entry is written where others can reach it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writing {
    /// As it is, compressed where that is worth it.
    #[default]
    Plain,
    /// Sealed with a key that only those who share it have.
    Sealed,
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
    /// An entry whose generations are all current and whose time is over; these are the generations
    /// that the next one must carry.
    Stale(Arc<Entry>, Stamp),
    /// An entry that only soft tags have overtaken, whose time is not over; these are the generations that the
    /// next one must carry.
    Softened(Arc<Entry>, Stamp),
    /// None; these are the generations a fill must carry, and this is whose turn it is to fetch it.
    Missing(Stamp, Turn),
    /// None, and an answer that is fetched now may be neither kept nor shared.
    Apart(Refusal),
}

/// Whose turn is it to fetch what nobody has?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nobody keeps turns.
    Free,
    /// This process's, for a moment. The others wait meanwhile.
    Ours,
    /// Another's: what it fetches can be looked up soon.
    Theirs,
    /// Nobody's: another has just found out that the answer cannot be kept.
    Refused,
}

/// A change to what entries depend on.
#[derive(Debug)]
pub struct Change<'a> {
    /// Everything that may be different now.
    pub tags: &'a [Tag],
    /// The announcement that it completes, if it was announced.
    pub announced: Option<Announced>,
    /// What those who wait for this to be carried out will promise.
    pub consistency: Consistency,
}

/// A write that a store knows to be under way. Carried out as a change at its deadline by whoever
/// is alive then, unless it is completed or withdrawn before.
#[derive(Debug)]
#[must_use = "what was announced is completed, withdrawn or left to its deadline"]
pub struct Announced {
    pub(super) id: u64,
    pub(super) tags: Box<[Tag]>,
    pub(super) consistency: Consistency,
}

/// A write that may not be forwarded now, because nothing could keep the promise made about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// Who shares a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// This process, by the name that it has in the store and in logs.
    pub own: String,
    /// Those who are alive, this process included, as it last heard.
    pub members: Vec<Member>,
}

/// One of those who share a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub id: String,
    /// For how long at most others still wait for it, if it is never heard of again.
    pub lease_left: Duration,
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

    /// Whether an entry that was found a while ago is still what depends on nothing that has changed.
    fn stands(&self, entry: &Entry) -> bool;

    /// Remembers for this long what has changed.
    fn keep_changes_for(&self, time: Duration);

    /// Whether any of these has changed within this time, or may have.
    fn has_changed_lately(&self, tags: &[Tag], time: Duration) -> bool;

    /// Asks for the right to fetch again what is still of use: one process of all has it, for a moment. With it
    /// come the generations that the next entry must carry.
    fn renew<'a>(&'a self, name: &'a Name<'a>) -> Doing<'a, Option<Stamp>>;

    /// Our turn to fetch is over: what came is there, nothing came, or it cannot be kept.
    fn end_turn(&self, _: &Fingerprint, _is_refused: bool) {}

    /// Keeps an entry, which carries the generations read before its fetch. If one of
    /// them is no longer current the entry is simply never valid. It is kept here when this returns;
    /// what is returned is left to do so that others have it, too.
    fn fill(&self, fingerprint: Fingerprint, entry: Entry, writing: Writing) -> Option<Doing<'_, ()>>;

    /// Whether this very entry is held in this process, for the next who asks.
    fn holds(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>) -> bool;

    /// This entry has got other forms: it is held, if it still is, by what it weighs now.
    fn weigh_again(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>);

    /// Notes that a write is about to be forwarded, so that what it changes goes even if this
    /// process does not live to see its answer.
    fn announce<'a>(
        &'a self,
        tags: Vec<Tag>,
        consistency: Consistency,
    ) -> Doing<'a, Result<Announced, Closed>>;

    /// Gives each tag a new generation; returns when every later look-up sees it, in every
    /// process as the change's consistency says.
    fn change<'a>(&'a self, change: Change<'a>) -> Doing<'a, ()>;

    /// Notes, before a soft change, who makes it: for so long, nobody serves them what was true before. Says
    /// whether everybody knows.
    fn note_writer<'a>(&'a self, writer: &'a [u8; 32], lasts: Duration, now: Instant) -> Doing<'a, bool>;

    /// Whether somebody may have made a soft change lately.
    fn has_written<'a>(&'a self, caller: &'a [u8; 32], now: Instant) -> Doing<'a, bool>;

    /// Nothing came of what was announced.
    fn withdraw(&self, announced: Announced) -> Doing<'_, ()>;

    /// Something may still come of what was announced: it is changed again at its deadline.
    fn leave(&self, announced: Announced, now: Instant);

    /// Carries out what is past its deadline, and says what that was.
    fn sweep(&self, now: Instant) -> Doing<'_, Vec<Tag>>;

    /// How full it is.
    fn usage(&self) -> Usage;

    /// What this process holds of each namespace, in no order.
    fn namespaces(&self) -> Vec<(String, Held)>;

    /// Who shares it; nobody where it is this process's own.
    fn fleet(&self) -> Option<Fleet> {
        None
    }

    /// Meets every entry that this process holds. No lock is held for longer than it takes to
    /// copy one pointer.
    fn walk(&self, walk: &mut Walk<'_>);

    /// Lists what a store that others share holds.
    fn stored<'a>(&'a self, _: &'a KeyGlob, _: Option<&'a str>, _: usize) -> Listing<'a, StoredPage> {
        Box::pin(std::future::ready(None))
    }

    /// The records of a key in a store that others share, and whether these are all.
    fn records<'a>(&'a self, _: &'a Key, _: usize) -> Listing<'a, (Vec<(Stored, Record)>, bool)> {
        Box::pin(std::future::ready(None))
    }
}
