//! The few connections to one server that all callers share.
//!
//! A task for each place makes its connection, asks the server who it is, and makes
//! another when that one is of no use any more. Callers take whichever stands, or
//! hear at once that none does.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{AsyncConnectionConfig, Cmd, Pipeline, ProtocolVersion, RedisResult, Value};
use arc_swap::ArcSwapOption;
use deadpool::Runtime;
use deadpool::managed::{Object, Pool};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::workers::this_worker;

use super::address::{Address, Place};
use super::breaker::Breaker;
use super::channel::{Channel, Heard, told};
use super::complaints::Complaints;
use super::dial::{CONNECT_WAIT, Dialled, Dialler, Manner, Role, Unreached, Way, role};
use super::silence::{Refusal, Silence};
use super::{Manners, ServerId, sentinel};

/// Pause before a connection is made again: between these two, so that many processes
/// that lost the same store do not come back at the same moment.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(500));

/// Time between two looks whether a server still answers and still leads. A server that is
/// cut off, or leads no more, is noticed by the third look, which is within a second.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(333);

/// Sentinels are asked with every third look, which is once a second: each time is a connection.
const SENTINELS_EVERY: u32 = 3;

/// One connection that stands.
pub(super) struct Line {
    connection: MultiplexedConnection,
    server: ServerId,
    place: Place,
    /// Told when it is of no use any more.
    lost: Notify,
    _open: DropGuard,
}

/// What is said about a store, so that each place does not say it again.
pub(super) struct Teller {
    /// The store as people know it.
    pub(super) store: Address,
    /// What it refused lately.
    pub(super) complaints: Complaints,
    /// Are its servers spoken of one by one, as a cluster's are?
    pub(super) is_one_of_many: bool,
}

/// The connections, each in its place.
pub(super) struct Lines {
    pool: Pool<Dialler>,
    manners: Manners,
    places: Box<[ArcSwapOption<Line>]>,
    breaker: Breaker,
    /// How many stand.
    standing: watch::Sender<usize>,
    teller: Arc<Teller>,
}

/// What a server of a cluster may say instead of answering.
pub(super) enum Trouble {
    /// It said nothing of use.
    Silence(Silence),
    /// Another server has what was asked for: for good, or for this command only.
    Elsewhere { place: Option<Place>, is_asking: bool },
}

impl Lines {
    /// Begins to connect, in tasks that end when `stopping` is cancelled.
    pub(super) fn start(
        way: Way,
        manners: Manners,
        teller: Arc<Teller>,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
    ) -> Arc<Self> {
        let count = manners.connections.max(1);
        let dialler = Dialler { way, tasks: tasks.clone() };
        // a connection leaves the pool for good, so that callers share it without asking the pool
        let pool = Pool::builder(dialler).max_size(count).runtime(Runtime::Tokio1);
        let pool = match pool.create_timeout(Some(CONNECT_WAIT)).build() {
            Ok(pool) => pool,
            Err(error) => unreachable!("a pool with timeouts has a runtime: {error}"),
        };
        let lines = Arc::new(Self {
            pool,
            manners,
            places: (0..count).map(|_| ArcSwapOption::empty()).collect(),
            breaker: Breaker::default(),
            standing: watch::Sender::new(0),
            teller,
        });
        for place in 0..lines.places.len() {
            let keeping = Arc::clone(&lines).keep(place, stopping.clone());
            tasks.spawn_on(keeping, lines.manners.workers.runtime(place));
        }
        lines
    }

    /// The one that lives with the worker that asks, or else one that stands.
    pub(super) fn pick(&self) -> Option<Arc<Line>> {
        let first = this_worker();
        let places = self.places.len();
        (0..places).find_map(|step| self.places[first.wrapping_add(step) % places].load_full())
    }

    /// Does one stand?
    pub(super) fn is_up(&self) -> bool {
        self.places.iter().any(|place| place.load().is_some())
    }

    /// Is it left alone, because it failed too often?
    pub(super) fn is_left_alone(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whom they lead to, while one stands.
    pub(super) fn server(&self) -> Option<ServerId> {
        self.pick().map(|line| line.server)
    }

    /// Returns when one stands.
    pub(super) async fn up(&self) {
        let mut standing = self.standing.subscribe();
        // one that was dropped a moment ago may still be counted
        let _never_closed = standing.wait_for(|_| self.is_up()).await;
    }

    /// Sends one command.
    pub(super) async fn one(&self, command: &Cmd) -> Result<(ServerId, Value), Silence> {
        let line = self.pick().ok_or(Silence::Away)?;
        let mut connection = line.connection.clone();
        let deadline = Instant::now() + self.manners.timeout;
        let answered = within(deadline, connection.req_packed_command(command)).await;
        self.hear(&line, answered.and_then(|answer| Ok(answer?)))
    }

    /// Sends one command to a server of a cluster, which may know better whom to ask.
    pub(super) async fn directed(
        &self,
        command: &Cmd,
        is_asking: bool,
        deadline: Instant,
    ) -> Result<(ServerId, Value), Trouble> {
        let line = self.pick().ok_or(Trouble::Silence(Silence::Away))?;
        let mut connection = line.connection.clone();
        let answered = if is_asking {
            let mut both = Pipeline::with_capacity(2);
            both.cmd("ASKING").add_command(command.clone());
            let asked = async {
                let mut answers = connection.req_packed_commands(&both, 1, 1).await?;
                answers.pop().unwrap_or(Value::Nil).extract_error()
            };
            within(deadline, asked).await
        } else {
            within(deadline, connection.req_packed_command(command)).await
        };
        if let Ok(Err(error)) = &answered
            && let Some((place, _slot)) = error.redirect_node()
        {
            let place = self.place(place);
            return Err(Trouble::Elsewhere { place, is_asking: error.code() == Some("ASK") });
        }
        let answered = answered.and_then(|answer| Ok(answer?));
        self.hear(&line, answered).map_err(Trouble::Silence)
    }

    fn tasks(&self) -> &TaskTracker {
        &self.pool.manager().tasks
    }

    fn way(&self) -> &Way {
        &self.pool.manager().way
    }

    /// `host:port`, where no host means the server's own.
    fn place(&self, named: &str) -> Option<Place> {
        let (host, port) = named.rsplit_once(':')?;
        let port = port.parse().ok()?;
        match (host, self.way()) {
            ("", Way::To(endpoint)) => match &endpoint.place {
                Place::Tcp(own, _) => Some(Place::Tcp(own.clone(), port)),
                Place::Unix(_) => None,
            },
            _ => Some(Place::Tcp(host.to_owned(), port)),
        }
    }

    /// Draws conclusions from how a call went.
    fn hear(&self, line: &Line, answered: Result<Value, Silence>) -> Result<(ServerId, Value), Silence> {
        match answered {
            Ok(value) => {
                self.breaker.succeeded();
                Ok((line.server, value))
            }
            Err(silence) => {
                if let Silence::Refused(refusal) = silence {
                    self.teller.complaints.refused(&self.teller.store, refusal);
                }
                if silence.ends_connection() {
                    line.lost.notify_one();
                }
                if silence.is_failure() && self.breaker.failed() {
                    self.drop_all();
                }
                Err(silence)
            }
        }
    }

    /// Nobody asks again until a new connection has been answered.
    pub(super) fn drop_all(&self) {
        for place in &self.places {
            if let Some(line) = place.swap(None) {
                line.lost.notify_one();
            }
        }
    }

    /// Keeps one connection standing for as long as the process runs.
    async fn keep(self: Arc<Self>, place: usize, stopping: CancellationToken) {
        while let Some(made) = stopping.run_until_cancelled(self.pool.get()).await {
            match made {
                Ok(dialled) => {
                    let line = Arc::new(Line::from(Object::take(dialled)));
                    self.breaker.forget();
                    self.places[place].store(Some(Arc::clone(&line)));
                    self.note(1);
                    let _stopped = stopping.run_until_cancelled(self.watch(place, &line)).await;
                    self.places[place].store(None);
                    self.note(-1);
                }
                Err(error) => self.unreached(place, &error.into()),
            }
            if stopping.run_until_cancelled(tokio::time::sleep(pause())).await.is_none() {
                return;
            }
        }
    }

    /// Returns when a connection is of no use any more.
    async fn watch(&self, place: usize, line: &Line) {
        for look in 1_u32.. {
            tokio::select! {
                () = line.lost.notified() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let mut connection = line.connection.clone();
            let asked = tokio::time::timeout(self.manners.timeout, role(&mut connection)).await;
            match asked.unwrap_or(Err(Silence::Late)) {
                Ok(Role::Leader) => self.breaker.succeeded(),
                Ok(Role::Follower) => {
                    self.teller.complaints.refused(&self.teller.store, Refusal::ReadOnly);
                    return self.drop_all();
                }
                Err(silence) if silence.is_answer() => {}
                Err(silence) => {
                    let _counted = self.hear(line, Err(silence));
                }
            }
            // sentinels know of a new leader before the old one does
            if let (0, 0, Way::Sentinels(sentinels)) = (place, look % SENTINELS_EVERY, self.way())
                && let Ok(leader) = sentinel::leader(sentinels, self.tasks()).await
                && leader.place != line.place
            {
                return self.drop_all();
            }
        }
    }

    fn note(&self, change: isize) {
        let mut before = 0;
        self.standing.send_modify(|standing| {
            before = *standing;
            *standing = standing.saturating_add_signed(change);
        });
        let (store, way) = (&self.teller.store, self.way());
        match (before, change, self.teller.is_one_of_many) {
            (0, 1, false) => info!(%store, "the store answers"),
            (1, -1, false) => {
                warn!(%store, "the store is lost; answers come from the upstream until it is back");
            }
            (0, 1, true) => debug!(%store, server = %way, "a server of the store answers"),
            (1, -1, true) => debug!(%store, server = %way, "a server of the store is lost"),
            _ => {}
        }
    }

    /// One line for all places, and none while others stand.
    fn unreached(&self, place: usize, unreached: &Unreached) {
        if place == 0 && *self.standing.borrow() == 0 {
            self.teller.complaints.unreached(&self.teller.store, self.way(), unreached);
        }
    }

    /// A connection of its own, over which what is published on these channels is heard.
    pub(super) async fn listen<F>(&self, channels: &[&str], hear: F) -> Result<Channel, Silence>
    where
        F: Fn(Heard) + Send + Sync + 'static,
    {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(move |push| -> RedisResult<()> {
                if let Some(heard) = told(push) {
                    hear(heard);
                }
                Ok(())
            });
        let manner = Manner { config, protocol: ProtocolVersion::RESP3, tasks: self.tasks() };
        let mut dialled = self.way().dial(manner).await.map_err(|unreached| unreached.silence)?;
        let subscribing = dialled.connection.subscribe(channels);
        tokio::time::timeout(self.manners.timeout, subscribing).await.map_err(|_elapsed| Silence::Late)??;
        Ok(Channel::new(dialled, self.manners.timeout))
    }
}

impl From<Dialled> for Line {
    fn from(dialled: Dialled) -> Self {
        let Dialled { connection, server, place, open } = dialled;
        Self { connection, server, place, lost: Notify::new(), _open: open }
    }
}

/// An answer in time, or none. An error in it counts as none, wherever it stands.
async fn within(
    deadline: Instant,
    asked: impl Future<Output = RedisResult<Value>>,
) -> Result<RedisResult<Value>, Silence> {
    match tokio::time::timeout_at(deadline, asked).await {
        Ok(answered) => Ok(answered.and_then(Value::extract_error)),
        Err(_elapsed) => Err(Silence::Late),
    }
}

/// Time to wait before a store is tried again.
pub(super) fn pause() -> Duration {
    let (least, most) = PAUSE;
    least + (most - least).mul_f64(f64::from(jitter()) / f64::from(u8::MAX))
}

/// Some byte that differs from process to process and from call to call.
fn jitter() -> u8 {
    let mut byte = [0];
    // without any randomness all wait the shortest time
    let _no_randomness = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_as_long_as_the_others() {
        let pauses = (0..1_000).map(|_| pause()).collect::<Vec<_>>();
        assert!(pauses.iter().all(|pause| (PAUSE.0..=PAUSE.1).contains(pause)));
        // in each tenth of the time there are some, and nowhere more than a fifth
        let tenth = (PAUSE.1 - PAUSE.0) / 10;
        for number in 0..10 {
            let from = PAUSE.0 + tenth * number;
            let some = pauses.iter().filter(|&&pause| pause >= from && pause <= from + tenth).count();
            assert!((30..200).contains(&some), "{some} from {from:?} on");
        }
    }
}
