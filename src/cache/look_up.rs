//! Serve, share a fetch, or fetch? What a store says of an entry, and what to do about it.

use std::sync::Arc;

use super::Cache;
use super::admission::Refusal;
use super::entry::Entry;
use super::flight::{Boarding, Flight, Ticket};
use super::generation::Stamp;
use super::store::{Found, Name, Turn};

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
    /// Its time is over, but nothing that it depends on has changed. Serve it where that is allowed.
    Stale(Arc<Entry>, Errand),
    /// Only soft tags have overtaken it. Serve it once more to whoever has not changed them, while another is
    /// fetched.
    Softened(Arc<Entry>, Errand),
    /// Fetch it for this caller; what comes is neither kept nor shared.
    Apart(Refusal),
}

/// How an answer that is past its time can be replaced.
#[derive(Debug)]
pub enum Errand {
    /// Fetch it; others may share this fetch.
    Lead(Ticket),
    /// Somebody is fetching it.
    Join(Arc<Flight>),
}

/// Which part somebody has in a fetch.
enum Boarded {
    Leads(Ticket),
    Alone(Ticket),
    Joined(Arc<Flight>),
    /// It is over: this came of it.
    Landed(Arc<Entry>),
}

impl Cache {
    /// Says what to do about a question.
    pub async fn look_up(&self, name: &Name<'_>) -> Lookup {
        let found = self.find(name).await;
        let is_elsewhere = matches!(found, Found::Missing(_, Turn::Theirs));
        match self.found(name, found) {
            Lookup::Miss(ticket) if is_elsewhere => self.after_others(name, ticket).await,
            found => found,
        }
    }

    pub(super) async fn find(&self, name: &Name<'_>) -> Found {
        self.means.store.look_up(name, self.means.clock.now()).await
    }

    pub(super) fn found(&self, name: &Name<'_>, found: Found) -> Lookup {
        match found {
            Found::Missing(..) | Found::Stale(..) | Found::Softened(..) if self.is_quiet(name) => {
                Lookup::Apart(Refusal::ReplicaQuiet)
            }
            Found::Valid(entry) => Lookup::Hit(entry),
            Found::Apart(refusal) => Lookup::Apart(refusal),
            Found::Missing(stamp, turn) => match self.board(name, stamp, turn) {
                Boarded::Leads(ticket) => Lookup::Miss(ticket),
                Boarded::Alone(ticket) => Lookup::Alone(ticket),
                Boarded::Joined(flight) => Lookup::Wait(flight),
                Boarded::Landed(entry) => Lookup::Hit(entry),
            },
            Found::Stale(entry, stamp) => match self.errand(name, stamp) {
                Ok(errand) => Lookup::Stale(entry, errand),
                Err(newer) => Lookup::Hit(newer),
            },
            Found::Softened(entry, stamp) => match self.errand(name, stamp) {
                Ok(errand) => Lookup::Softened(entry, errand),
                Err(newer) => Lookup::Hit(newer),
            },
        }
    }

    /// Whether what is fetched now may come from a replica that has not heard of a change. Asked after the
    /// generations were read: a change from then on makes what is fetched invalid by itself.
    fn is_quiet(&self, name: &Name<'_>) -> bool {
        !name.quiet.is_zero() && self.means.store.has_changed_lately(name.answer.tags(), name.quiet)
    }

    /// How an entry that is still of some use can be replaced; or a newer one that has come in meanwhile.
    fn errand(&self, name: &Name<'_>, stamp: Stamp) -> Result<Errand, Arc<Entry>> {
        match self.board(name, stamp, Turn::Free) {
            Boarded::Leads(ticket) | Boarded::Alone(ticket) => Ok(Errand::Lead(ticket)),
            Boarded::Joined(flight) => Ok(Errand::Join(flight)),
            Boarded::Landed(entry) => Err(entry),
        }
    }

    /// Joins a fetch of this state of the world, or leads one.
    fn board(&self, name: &Name<'_>, stamp: Stamp, turn: Turn) -> Boarded {
        if turn == Turn::Refused {
            self.means.remember_refusal(*name.fingerprint);
        }
        if self.means.was_refused(name.fingerprint) {
            return Boarded::Alone(Ticket::new(name, Flight::alone(stamp), &self.means).in_turn(turn));
        }
        match self.means.flights.board(name.fingerprint, stamp) {
            Boarding::Joined(flight) => Boarded::Joined(flight),
            Boarding::Full(flight) => Boarded::Alone(Ticket::new(name, flight, &self.means).in_turn(turn)),
            Boarding::Leads(flight) => {
                let ticket = Ticket::new(name, flight, &self.means).in_turn(turn);
                // a flight may have landed between the look-up and the boarding
                match self.recall(name.fingerprint, self.means.clock.now()) {
                    Some(entry) => Boarded::Landed(entry),
                    None => Boarded::Leads(ticket),
                }
            }
        }
    }

    /// Asks to fetch again what is still of use. Whoever gets a ticket is the only one, here and
    /// among all who share the store.
    pub async fn renew(&self, name: &Name<'_>) -> Option<Ticket> {
        let stamp = self.means.store.renew(name).await?;
        if self.is_quiet(name) {
            return None;
        }
        match self.means.flights.board(name.fingerprint, stamp) {
            Boarding::Leads(flight) => Some(Ticket::new(name, flight, &self.means)),
            Boarding::Joined(_) | Boarding::Full(_) => None,
        }
    }
}
