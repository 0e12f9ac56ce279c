//! Remembered answers.
//!
//! A read asks [`Cache::look_up`] and is told to serve, to share a fetch that is
//! under way, or to fetch. Whoever is told to fetch holds a [`Ticket`]; there is
//! one per question and state of the world, and dropping it sends the waiters
//! back to ask again. Only a ticket can fill, and filling consumes it.
//!
//! Nothing here can fail a request: a broken store is a miss. Nothing here knows
//! about PostgREST, rules or connections.

mod admission;
mod body;
mod entry;
mod fill;
mod flight;
mod form;
mod generation;
mod listing;
mod look_up;
mod store;
mod turn;
mod validator;

pub use admission::{Admitted, Authority, Bounds, Refusal, judge};
pub use body::{BodyReader, Interrupted};
pub use entry::{Entry, Hits, Lifetime};
pub use fill::{Fill, Filled, Wish};
pub use flight::{Answer, Flight, Landing, Ticket, Whole};
pub use form::{Coding, Form, Forms, is_text};
pub use listing::{Inspected, Inspection, Listed, Page, Standing, VARIANTS_MAX, Validity, Which};
pub use look_up::{Errand, Lookup};
pub use store::record;
pub use store::{
    Announced, Change, Closed, Dependent, Fleet, Held, Keeping, Member, MemoryStore, Name, NoPage,
    SharedStore, SharedUsage, Sharing, Store, Usage, Writing,
};
pub use validator::Validator;

use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache as Memory;

use crate::clock::Clock;
use crate::consistency::Consistency;
use crate::key::{Fingerprint, Tag};

use fill::Means;
use flight::Flights;
use form::Press;

/// Most questions remembered as refused; the oldest are forgotten first.
const REFUSED_MAX: usize = 10_000;

/// Between two tries to replace an entry that is still of use: an upstream that has no answer is not asked
/// for it with every hit.
const REST: Duration = Duration::from_secs(1);

/// The cache: a store, the fetches under way, and what was refused lately.
#[derive(Debug)]
pub struct Cache {
    means: Arc<Means>,
}

impl Cache {
    /// A cache over a store.
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        let (flights, refused, resting) =
            (Flights::default(), Memory::new(REFUSED_MAX), Memory::new(REFUSED_MAX));
        let press = Press::new(Arc::clone(&store), clock.clone());
        Self { means: Arc::new(Means { store, flights, refused, resting, clock, press }) }
    }

    /// An entry that is at hand and valid: a hit that needs no waiting.
    pub fn recall(&self, fingerprint: &Fingerprint, now: Instant) -> Option<Arc<Entry>> {
        self.means.store.recall(fingerprint, now)
    }

    /// Somebody would rather have an entry in this coding: the next who asks may get it.
    pub fn wish_for(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>, coding: Coding) {
        self.means.press.order(fingerprint, entry, coding);
    }

    /// Somebody takes an entry in this coding or not at all: waits until it is made, if it can be.
    pub async fn make(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>, coding: Coding) {
        self.means.press.make(fingerprint, entry, coding).await;
    }

    /// Is an entry that was found a while ago still true?
    pub fn stands(&self, entry: &Entry) -> bool {
        self.means.store.stands(entry)
    }

    /// Takes the turn to try something with an entry that can wait: one in `REST`, whatever comes of it.
    pub fn take_turn(&self, fingerprint: &Fingerprint) -> bool {
        let now = self.means.clock.now();
        let is_resting = self.is_resting(fingerprint);
        if !is_resting {
            self.means.resting.insert(*fingerprint, now + REST);
        }
        !is_resting
    }

    /// Was it tried a moment ago?
    pub fn is_resting(&self, fingerprint: &Fingerprint) -> bool {
        self.means.resting.get(fingerprint).is_some_and(|until| self.means.clock.now() < until)
    }

    /// Notes that a write is about to be forwarded; the only way in is `invalidation`.
    pub async fn announce(&self, tags: Vec<Tag>, consistency: Consistency) -> Result<Announced, Closed> {
        self.means.store.announce(tags, consistency).await
    }

    /// Makes everything that depends on these tags invalid; the only way in is `invalidation`.
    pub async fn change(&self, change: Change<'_>) {
        self.means.store.change(change).await;
    }

    /// Remembers for this long what has changed, for those who look up with a quiet time.
    pub fn keep_changes_for(&self, time: Duration) {
        self.means.store.keep_changes_for(time);
    }

    /// Notes, before a soft change, who makes it. Says whether everybody who might serve them what was true
    /// before has heard of it; the only way in is `invalidation`.
    pub async fn note_writer(&self, writer: &[u8; 32], lasts: Duration) -> bool {
        self.means.store.note_writer(writer, lasts, self.means.clock.now()).await
    }

    /// Whether somebody may have made a soft change of which answers from before are left.
    pub async fn has_written(&self, caller: &[u8; 32]) -> bool {
        self.means.store.has_written(caller, self.means.clock.now()).await
    }

    /// Nothing came of what was announced; the only way in is `invalidation`.
    pub async fn withdraw(&self, announced: Announced) {
        self.means.store.withdraw(announced).await;
    }

    /// Something may still come of what was announced; the only way in is `invalidation`.
    pub fn leave(&self, announced: Announced) {
        self.means.store.leave(announced, self.means.clock.now());
    }

    /// Carries out what was announced and is past its deadline, and says what that was; the only way in is
    /// `invalidation`.
    pub async fn sweep(&self) -> Vec<Tag> {
        self.means.store.sweep(self.means.clock.now()).await
    }

    /// What the store holds.
    pub fn usage(&self) -> Usage {
        let (forms_made, forms_put_off) = self.means.press.counts();
        Usage { forms_made, forms_put_off, ..self.means.store.usage() }
    }

    /// Who shares the store; nobody where it is this process's own.
    pub fn fleet(&self) -> Option<Fleet> {
        self.means.store.fleet()
    }

    /// The clock that lifetimes are measured with.
    pub fn clock(&self) -> &Clock {
        &self.means.clock
    }

    /// How many fetches are under way.
    pub fn flights(&self) -> usize {
        self.means.flights.len()
    }
}

#[cfg(test)]
mod tests;
