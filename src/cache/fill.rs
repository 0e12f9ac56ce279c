//! Copying an upstream body to everybody who waits for it, while keeping it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt;
use quick_cache::sync::Cache as Memory;

use crate::clock::Clock;
use crate::key::Fingerprint;

use super::admission::Refusal;
use super::body::{Interrupted, Room};
use super::entry::{Entry, Hits, Lifetime};
use super::flight::{Answer, Flights, SharedHead, Ticket, Whole};
use super::form::{Forms, Press};
use super::store::{Store, Writing};

/// How long "this cannot be kept" is remembered: long enough that a burst of
/// such requests never queues, short enough that a repaired answer is kept soon.
pub(super) const REFUSED_FOR: Duration = Duration::from_secs(5);

/// Longest wait for the next piece of a body that is being kept.
const PIECE_WAIT: Duration = Duration::from_secs(30);

/// Longest time a body may take and still be kept; one byte a second for ever
/// is a stream, not an answer.
const WHOLE_WAIT: Duration = Duration::from_secs(120);

/// Longest wait for a reader of an outgrown body before it is cut.
const READER_WAIT: Duration = Duration::from_secs(30);

/// Most bytes held for slow readers of an outgrown body.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// What a cache is made of, shared with the fetches under way.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) store: Arc<dyn Store>,
    pub(super) flights: Flights,
    /// What was refused lately, and until when that is remembered.
    pub(super) refused: Memory<Fingerprint, Instant>,
    /// What was tried lately before or after its time, and until when it is not tried again.
    pub(super) resting: Memory<Fingerprint, Instant>,
    pub(super) clock: Clock,
    pub(super) press: Press,
}

impl Means {
    pub(super) fn remember_refusal(&self, fingerprint: Fingerprint) {
        self.refused.insert(fingerprint, self.clock.now() + REFUSED_FOR);
    }

    pub(super) fn was_refused(&self, fingerprint: &Fingerprint) -> bool {
        self.refused.get(fingerprint).is_some_and(|until| self.clock.now() < until)
    }
}

/// What is wanted of a fill.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// How old the answer was when it came.
    pub age: Duration,
    /// Up to which age it may be served.
    pub ttl: Duration,
    /// How long after that it may be of use where nothing better is to be had.
    pub useful_for: Duration,
    /// Largest body that is kept.
    pub body_bytes_max: usize,
    /// How it is written where others can reach it.
    pub writing: Writing,
    /// Recognises a body that is an error to be passed on and not to be kept, whatever its status says.
    pub is_error: fn(StatusCode, &[u8]) -> bool,
}

impl Wish {
    /// Of an answer that began at this moment.
    fn lifetime(&self, began: Instant) -> Lifetime {
        // a clock that cannot be set back so far belongs to no machine; then nothing is fresh
        let (stored, ttl) =
            began.checked_sub(self.age).map_or((began, Duration::ZERO), |stored| (stored, self.ttl));
        let expires = stored + ttl;
        Lifetime { stored, expires, ends: expires + self.useful_for }
    }
}

/// How a fill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// The answer is kept: this many bytes.
    Kept(usize),
    /// It reached its readers but is not kept.
    Refused(Refusal),
    /// It broke off.
    Broken,
    /// It had outgrown what is kept and nobody read it any more.
    Deserted,
}

/// An answer on its way to its readers and into the store.
#[derive(Debug)]
pub struct Fill {
    ticket: Ticket,
    head: Arc<SharedHead>,
}

impl Fill {
    pub(super) fn new(ticket: Ticket, head: Arc<SharedHead>) -> Self {
        Self { ticket, head }
    }

    /// What whoever fetches gets of it, as everybody else aboard does.
    pub fn answer(&self) -> Option<Answer> {
        self.head.answer()
    }

    /// Nobody else may share it: who comes from now on may not have what others were sent.
    pub fn close(&self) {
        self.ticket.close();
    }

    /// Moves the whole body, whichever clients stay.
    pub async fn run<B>(self, body: B, wish: Wish) -> Filled
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let began = self.ticket.means.clock.now();
        match self.receive(body, wish.body_bytes_max).await {
            Received::Whole => self.keep(began, wish).await,
            Received::Broken => {
                self.head.body.finish(Err(Interrupted));
                Filled::Broken
            }
            Received::Outgrown(refusal, rest) => self.pass_on(refusal, rest).await,
        }
    }

    async fn receive<B>(&self, mut body: B, body_bytes_max: usize) -> Received<B>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let mut total = 0;
        let give_up = tokio::time::Instant::now() + WHOLE_WAIT;
        loop {
            match next_piece(&mut body).await {
                Piece::Data(chunk) => {
                    total += chunk.len();
                    self.head.body.push(chunk);
                }
                Piece::End => return Received::Whole,
                Piece::Broken => return Received::Broken,
            }
            if total > body_bytes_max {
                return Received::Outgrown(Refusal::TooLarge, body);
            }
            if tokio::time::Instant::now() > give_up {
                return Received::Outgrown(Refusal::TooSlow, body);
            }
        }
    }

    /// Stores first and ends the body after, so that a client who has the whole answer and asks again,
    /// through whichever process, finds it.
    async fn keep(self, began: Instant, wish: Wish) -> Filled {
        let whole = self.head.body.whole();
        if (wish.is_error)(self.head.status, &whole) {
            self.ticket.means.remember_refusal(self.ticket.fingerprint);
            self.head.body.finish(Ok(()));
            return Filled::Refused(Refusal::ErrorObject);
        }
        let bytes = whole.len();
        let means = &self.ticket.means;
        let forms = Forms::of(&self.head.headers, &whole);
        let has_forms = forms.can_be_coded();
        let shared = Whole { body: whole.clone(), validator: OnceLock::new(), has_forms };
        let entry = Entry {
            key: self.ticket.key.clone(),
            status: self.head.status,
            headers: self.head.headers.clone(),
            hits: Hits::default(),
            forms,
            body: whole,
            validator: OnceLock::new(),
            // the answer is as old as its beginning, however long its body took
            lifetime: wish.lifetime(began),
            stamp: self.ticket.flight.stamp().to_keep(),
        };
        if let Some(telling) = means.store.fill(self.ticket.fingerprint, entry, wish.writing) {
            telling.await;
        }
        means.refused.remove(&self.ticket.fingerprint);
        let _first = self.head.whole.set(shared);
        self.head.body.finish(Ok(()));
        Filled::Kept(bytes)
    }

    /// Streams the rest of a body that is not kept, no faster than it is read.
    async fn pass_on<B>(self, refusal: Refusal, mut body: B) -> Filled
    where
        B: Body<Data = Bytes> + Unpin,
    {
        self.ticket.means.remember_refusal(self.ticket.fingerprint);
        self.ticket.close();
        let shared = &self.head.body;
        shared.stop_keeping();
        loop {
            match tokio::time::timeout(READER_WAIT, shared.room(HELD_BYTES_MAX)).await {
                Ok(Room::Free) => {}
                Ok(Room::Deserted) => return Filled::Deserted,
                Err(_elapsed) => {
                    shared.cut_slowest();
                    continue;
                }
            }
            match next_piece(&mut body).await {
                Piece::Data(chunk) => shared.push(chunk),
                Piece::End => {
                    shared.finish(Ok(()));
                    return Filled::Refused(refusal);
                }
                Piece::Broken => {
                    shared.finish(Err(Interrupted));
                    return Filled::Broken;
                }
            }
        }
    }
}

/// A fill that is dropped, by a panic or at shutdown, ends its readers' bodies too.
impl Drop for Fill {
    fn drop(&mut self) {
        self.head.body.finish(Err(Interrupted));
    }
}

enum Received<B> {
    Whole,
    Broken,
    Outgrown(Refusal, B),
}

enum Piece {
    Data(Bytes),
    End,
    Broken,
}

async fn next_piece<B>(body: &mut B) -> Piece
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        match tokio::time::timeout(PIECE_WAIT, body.frame()).await {
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => return Piece::Data(data),
                Err(_trailers) => {} // nothing in an answer from PostgREST is said in trailers
            },
            Ok(None) => return Piece::End,
            Ok(Some(Err(_))) | Err(_) => return Piece::Broken,
        }
    }
}
