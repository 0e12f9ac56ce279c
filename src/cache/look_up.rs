//! What is to be done about a question: serve, wait, or fetch?

use super::flight::{Boarding, Flight, Ticket};
use super::generation::Stamp;
use super::store::{Found, Name, Turn};
use super::{Cache, Errand, Lookup};

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
            Found::Valid(entry) => Lookup::Hit(entry),
            Found::Apart(refusal) => Lookup::Apart(refusal),
            Found::Missing(stamp, turn) => self.board(name, stamp, turn),
            Found::Stale(entry, stamp) => match self.board(name, stamp, Turn::Free) {
                Lookup::Miss(ticket) | Lookup::Alone(ticket) => Lookup::Stale(entry, Errand::Lead(ticket)),
                Lookup::Wait(flight) => Lookup::Stale(entry, Errand::Join(flight)),
                found @ (Lookup::Hit(_) | Lookup::Stale(..) | Lookup::Apart(_)) => found,
            },
        }
    }

    /// Joins a fetch of this state of the world, or leads one.
    fn board(&self, name: &Name<'_>, stamp: Stamp, turn: Turn) -> Lookup {
        if turn == Turn::Refused {
            self.means.remember_refusal(*name.fingerprint);
        }
        if self.means.was_refused(name.fingerprint) {
            return Lookup::Alone(Ticket::new(name, Flight::alone(stamp), &self.means).in_turn(turn));
        }
        match self.means.flights.board(name.fingerprint, stamp) {
            Boarding::Joined(flight) => Lookup::Wait(flight),
            Boarding::Full(flight) => Lookup::Alone(Ticket::new(name, flight, &self.means).in_turn(turn)),
            Boarding::Leads(flight) => {
                let ticket = Ticket::new(name, flight, &self.means).in_turn(turn);
                // a flight may have landed between the look-up and the boarding
                match self.recall(name.fingerprint, self.means.clock.now()) {
                    Some(entry) => Lookup::Hit(entry),
                    None => Lookup::Miss(ticket),
                }
            }
        }
    }
}
