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
mod generation;
mod store;

pub use admission::{Admitted, Refusal, judge};
pub use body::{BodyReader, Interrupted};
pub use entry::{Entry, Lifetime};
pub use fill::{Fill, Filled, Wish};
pub use flight::{Answer, Flight, Landing, Ticket};
pub use store::{Dependent, MemoryStore, Name, Store, Usage};

use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache as Memory;

use crate::clock::Clock;
use crate::key::{Fingerprint, Tag};

use flight::{Boarding, Flights};
use store::Found;

/// How long "this cannot be kept" is remembered: long enough that a burst of
/// such requests never queues, short enough that a repaired answer is kept soon.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// Most questions remembered as refused; the oldest are forgotten first.
const REFUSED_MAX: usize = 10_000;

/// What a look-up says to do.
#[derive(Debug)]
pub enum Lookup {
    /// Serve this.
    Hit(Arc<Entry>),
    /// Somebody is fetching it: share that fetch.
    Wait(Arc<Flight>),
    /// Fetch it; others share this fetch.
    Miss(Ticket),
    /// Fetch it alone: it could not be kept a moment ago, or too much is under way.
    Alone(Ticket),
}

/// The cache: a store, the fetches under way, and what was refused lately.
#[derive(Debug)]
pub struct Cache {
    store: Arc<dyn Store>,
    flights: Arc<Flights>,
    refused: Arc<Memory<Fingerprint, Instant>>,
    clock: Clock,
}

impl Cache {
    /// A cache over a store.
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        let refused = Arc::new(Memory::new(REFUSED_MAX));
        Self { store, flights: Arc::default(), refused, clock }
    }

    /// An entry that is at hand and valid: a hit that needs no waiting.
    pub fn recall(&self, fingerprint: &Fingerprint, now: Instant) -> Option<Arc<Entry>> {
        self.store.recall(fingerprint, now)
    }

    /// Says what to do about a question.
    pub async fn look_up(&self, name: &Name<'_>) -> Lookup {
        let stamp = match self.store.look_up(name, self.clock.now()).await {
            Found::Valid(entry) => return Lookup::Hit(entry),
            Found::Missing(stamp) => stamp,
        };
        if self.was_refused(name.fingerprint) {
            return Lookup::Alone(self.ticket(name, Flight::alone(stamp)));
        }
        match self.flights.board(name.fingerprint, stamp) {
            Boarding::Joined(flight) => Lookup::Wait(flight),
            Boarding::Full(flight) => Lookup::Alone(self.ticket(name, flight)),
            Boarding::Leads(flight) => {
                let ticket = self.ticket(name, flight);
                // A flight may have landed between the look-up and the boarding. The generations are known.
                let entry = Name { answer: &Vec::new(), ..*name };
                match self.store.look_up(&entry, self.clock.now()).await {
                    Found::Valid(entry) => Lookup::Hit(entry),
                    Found::Missing(_) => Lookup::Miss(ticket),
                }
            }
        }
    }

    /// Makes everything that depends on these tags invalid; the only way in is `invalidation`.
    pub async fn bump(&self, tags: &[Tag]) {
        self.store.bump(tags).await;
    }

    /// What the store holds.
    pub fn usage(&self) -> Usage {
        self.store.usage()
    }

    /// How many fetches are under way.
    pub fn flights(&self) -> usize {
        self.flights.len()
    }

    fn was_refused(&self, fingerprint: &Fingerprint) -> bool {
        self.refused.get(fingerprint).is_some_and(|until| self.clock.now() < until)
    }

    fn ticket(&self, name: &Name<'_>, flight: Arc<Flight>) -> Ticket {
        Ticket::new(
            name,
            flight,
            &self.flights,
            fill::Means {
                store: Arc::clone(&self.store),
                refused: Arc::clone(&self.refused),
                refused_for: REFUSED_FOR,
                clock: self.clock.clone(),
            },
        )
    }
}

#[cfg(test)]
mod tests;
