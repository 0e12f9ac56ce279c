//! One fetch that several requests wait for.
//!
//! Flights are kept by fingerprint *and* generations: a reader who comes after a
//! write has seen other generations and can never join a fetch from before it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::RandomState;
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::sync::SetOnce;

use crate::key::{Fingerprint, Key};
use crate::sabotage::{self, Bug};

use super::admission::Admitted;
use super::body::{BodyReader, SharedBody};
use super::fill::{Fill, Means};
use super::generation::Stamp;
use super::store::{Name, Turn};
use super::validator::Validator;

/// Most fetches under way at once that others may join. Each may hold a body of
/// the largest size that is kept; beyond this, requests fetch alone.
const FLIGHTS_MAX: usize = 1024;

type Open = HashMap<(Fingerprint, Box<[u64]>), Arc<Flight>, RandomState>;

/// How a flight went, as its waiters see it.
#[derive(Clone, Debug)]
pub enum Landing {
    /// The answer may be shared: ask the flight for a reader of your own.
    Shared(Arc<SharedHead>),
    /// The answer is for the one who fetched it; the others ask for themselves.
    Apart,
    /// There was no answer; everybody gets this gateway status.
    Failed(StatusCode),
    /// Whoever fetched it vanished; look up again.
    Abandoned,
}

/// Head and body of an answer that is being shared.
#[derive(Debug)]
pub struct SharedHead {
    pub(super) status: StatusCode,
    pub(super) age: Duration,
    pub(super) headers: Arc<[(HeaderName, HeaderValue)]>,
    pub(super) body: Arc<SharedBody>,
    /// Known before the body ends, if it is kept.
    pub(super) whole: OnceLock<Whole>,
}

/// All of an answer that was fetched.
#[derive(Debug)]
pub struct Whole {
    /// Its body in one piece.
    pub body: Bytes,
    /// Made when somebody aboard first asks.
    pub(super) validator: OnceLock<Validator>,
    /// Whether it may be sent in other forms once it is kept.
    pub has_forms: bool,
}

/// What one waiter gets of a shared answer.
#[derive(Debug)]
pub struct Answer {
    /// As the upstream said.
    pub status: StatusCode,
    /// How old it was when it came.
    pub age: Duration,
    /// What of the upstream's headers is data.
    pub headers: Arc<[(HeaderName, HeaderValue)]>,
    /// From the first byte on.
    pub body: BodyReader,
    head: Arc<SharedHead>,
}

impl Answer {
    /// Waits until all of it is there, or it is known that it is not kept; what follows then is sent as it comes.
    ///
    /// Cancel safe: nothing is read meanwhile.
    pub async fn settled(&self) {
        self.body.settled().await;
    }

    /// All of it, if it has come and is kept.
    pub fn whole(&self) -> Option<&Whole> {
        self.head.whole.get()
    }

    /// What tells it from others, for whoever keeps a copy, if all of it has come and is kept.
    pub fn validator(&self) -> Option<&Validator> {
        let whole = self.whole()?;
        Some(whole.validator.get_or_init(|| Validator::of(self.status, &self.headers, &whole.body)))
    }
}

/// A fetch under way.
#[derive(Debug)]
pub struct Flight {
    stamp: Stamp,
    landing: SetOnce<Landing>,
}

impl Flight {
    /// A flight that nobody can join.
    pub(super) fn alone(stamp: Stamp) -> Arc<Self> {
        Arc::new(Self { stamp, landing: SetOnce::new() })
    }

    /// Waits until it is known whether the answer can be shared.
    ///
    /// Cancel safe: a waiter that leaves changes nothing for the others.
    pub async fn landing(&self) -> Landing {
        self.landing.wait().await.clone()
    }

    pub(super) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The first landing counts.
    fn land(&self, landing: Landing) {
        let _landed_before = self.landing.set(landing);
    }
}

impl SharedHead {
    /// A reader of one's own; `None` if the answer has outgrown what is kept,
    /// so that its beginning is gone.
    pub fn answer(self: &Arc<Self>) -> Option<Answer> {
        let (body, head) = (self.body.reader()?, Arc::clone(self));
        Some(Answer { status: self.status, age: self.age, headers: self.headers.clone(), body, head })
    }
}

/// What boarding a flight comes to.
#[derive(Debug)]
pub(super) enum Boarding {
    /// Somebody is fetching.
    Joined(Arc<Flight>),
    /// Nobody was: the caller fetches.
    Leads(Arc<Flight>),
    /// Too many fetches are under way: the caller fetches alone.
    Full(Arc<Flight>),
}

/// All fetches that can be joined.
#[derive(Debug, Default)]
pub(super) struct Flights {
    /// A plain mutex: held for one map operation, and only on misses.
    open: Mutex<Open>,
}

impl Flights {
    pub(super) fn board(&self, fingerprint: &Fingerprint, stamp: Stamp) -> Boarding {
        let mut open = self.lock();
        let key = name(fingerprint, &stamp);
        if let Some(flight) = open.get(&key) {
            return Boarding::Joined(Arc::clone(flight));
        }
        let flight = Flight::alone(stamp);
        if open.len() >= FLIGHTS_MAX {
            return Boarding::Full(flight);
        }
        open.insert(key, Arc::clone(&flight));
        Boarding::Leads(flight)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Nobody can join from now on; those aboard stay.
    pub(super) fn close(&self, fingerprint: &Fingerprint, flight: &Arc<Flight>) {
        let key = name(fingerprint, &flight.stamp);
        let mut open = self.lock();
        if open.get(&key).is_some_and(|held| Arc::ptr_eq(held, flight)) {
            open.remove(&key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a flight is found by.
fn name(fingerprint: &Fingerprint, stamp: &Stamp) -> (Fingerprint, Box<[u64]>) {
    let is_blind = sabotage::is(Bug::FlightWithoutGenerations);
    (*fingerprint, if is_blind { Box::default() } else { stamp.generations() })
}

/// The right to answer one question, given to exactly one fetch.
///
/// Dropping it unused tells the waiters to look up again.
#[derive(Debug)]
pub struct Ticket {
    pub(super) key: Key,
    pub(super) fingerprint: Fingerprint,
    pub(super) flight: Arc<Flight>,
    pub(super) means: Arc<Means>,
    /// Do all who share the store wait for this fetch, until they are told that it is over?
    has_turn: AtomicBool,
}

impl Ticket {
    pub(super) fn new(name: &Name<'_>, flight: Arc<Flight>, means: &Arc<Means>) -> Self {
        let (key, fingerprint) = (name.key.clone(), *name.fingerprint);
        Self { key, fingerprint, flight, means: Arc::clone(means), has_turn: AtomicBool::new(false) }
    }

    /// Is it for what is fetched under these generations?
    pub(super) fn is_of(&self, stamp: &Stamp) -> bool {
        self.flight.stamp.generations() == stamp.generations()
    }

    /// The same, where it is this process's turn among all who share the store.
    #[must_use]
    pub(super) fn in_turn(self, turn: Turn) -> Self {
        self.has_turn.fetch_or(turn == Turn::Ours, Ordering::Relaxed);
        self
    }

    /// The flight it leads, to wait for like everybody else.
    pub fn flight(&self) -> Arc<Flight> {
        Arc::clone(&self.flight)
    }

    /// The answer cannot be kept: nobody waits for it, now or in the next moments.
    pub fn refuse(self) {
        self.means.remember_refusal(self.fingerprint);
        self.flight.land(Landing::Apart);
    }

    /// There is no answer.
    pub fn fail(self, status: StatusCode) {
        self.flight.land(Landing::Failed(status));
    }

    /// Shares the answer from its head on; the body follows through the [`Fill`].
    pub fn share(self, admitted: Admitted, length: Option<u64>) -> Fill {
        let Admitted { status, age, headers } = admitted;
        let (body, whole) = (SharedBody::new(length), OnceLock::new());
        let head = Arc::new(SharedHead { status, age, headers, body, whole });
        self.flight.land(Landing::Shared(Arc::clone(&head)));
        Fill::new(self, head)
    }

    pub(super) fn close(&self) {
        self.means.flights.close(&self.fingerprint, &self.flight);
        if self.has_turn.swap(false, Ordering::Relaxed) {
            self.means.store.end_turn(&self.fingerprint, self.means.was_refused(&self.fingerprint));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.close();
        // where it has not landed
        self.flight.land(Landing::Abandoned);
    }
}
