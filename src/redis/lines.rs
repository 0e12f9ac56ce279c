//! The few connections that all callers share.
//!
//! A task for each place makes its connection, asks the server who it is, and makes
//! another when that one is of no use any more. Callers take whichever stands, or
//! hear at once that none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, ProtocolVersion, RedisResult, cmd};
use arc_swap::ArcSwapOption;
use deadpool_redis::{Connection, Manager, Pool, Runtime};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::address::Address;
use super::breaker::Breaker;
use super::channel::{Channel, Heard, told};
use super::silence::Silence;
use super::{Manners, ServerId};

/// Longest wait for a connection, TLS and password included. No request waits for it.
const CONNECT_WAIT: Duration = Duration::from_secs(1);

/// Pause before a connection is made again: between these two, so that many processes
/// that lost the same store do not come back at the same moment.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(500));

/// One connection that stands.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) connection: MultiplexedConnection,
    server: ServerId,
    /// Told when it is of no use any more.
    lost: Arc<Notify>,
}

/// The connections, each in its place.
pub(super) struct Lines {
    address: Address,
    manners: Manners,
    pool: Option<Pool>,
    places: Box<[ArcSwapOption<Line>]>,
    turn: AtomicUsize,
    breaker: Breaker,
    /// How many stand.
    standing: watch::Sender<usize>,
}

impl Lines {
    pub(super) fn new(address: Address, manners: Manners) -> Arc<Self> {
        // our own deadline for each call is stricter than the library's
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WAIT))
            .set_response_timeout(None);
        let pool = Manager::new_with_config(address.info.clone(), config).ok().and_then(|manager| {
            Pool::builder(manager).max_size(manners.connections).runtime(Runtime::Tokio1).build().ok()
        });
        Arc::new(Self {
            address,
            manners,
            pool,
            places: (0..manners.connections).map(|_| ArcSwapOption::empty()).collect(),
            turn: AtomicUsize::new(0),
            breaker: Breaker::default(),
            standing: watch::Sender::new(0),
        })
    }

    /// One of those that stand, in turn.
    pub(super) fn pick(&self) -> Option<Line> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let places = self.places.len();
        (0..places).find_map(|step| Some(Line::clone(&*self.places[(first + step) % places].load_full()?)))
    }

    /// Returns when one stands.
    pub(super) async fn up(&self) {
        let mut standing = self.standing.subscribe();
        // one that was dropped a moment ago may still be counted
        let _never_closed = standing.wait_for(|_| self.pick().is_some()).await;
    }

    /// Draws conclusions from how a call went.
    pub(super) fn hear<T>(
        &self,
        line: &Line,
        answered: Result<T, Silence>,
    ) -> Result<(ServerId, T), Silence> {
        match answered {
            Ok(value) => {
                self.breaker.succeeded();
                Ok((line.server, value))
            }
            Err(silence) => {
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
    fn drop_all(&self) {
        for place in &self.places {
            if let Some(line) = place.swap(None) {
                line.lost.notify_one();
            }
        }
    }

    /// Keeps one connection standing for as long as the process runs.
    pub(super) async fn keep(self: Arc<Self>, place: usize, stopping: CancellationToken) {
        while let Some(made) = stopping.run_until_cancelled(self.make()).await {
            match made {
                Ok(line) => {
                    let lost = Arc::clone(&line.lost);
                    self.breaker.forget();
                    self.places[place].store(Some(Arc::new(line)));
                    self.note(1);
                    if stopping.run_until_cancelled(lost.notified()).await.is_none() {
                        return; // requests that are still under way may use it to the end
                    }
                    self.places[place].store(None);
                    self.note(-1);
                }
                Err(silence) => self.warn(place, &silence),
            }
            if stopping.run_until_cancelled(tokio::time::sleep(pause())).await.is_none() {
                return;
            }
        }
    }

    fn note(&self, change: isize) {
        let mut before = 0;
        self.standing.send_modify(|standing| {
            before = *standing;
            *standing = standing.saturating_add_signed(change);
        });
        match (before, change) {
            (0, 1) => info!(store = %self.address, "the store answers"),
            (1, -1) => {
                warn!(store = %self.address, "the store is lost; answers come from the upstream until it is back")
            }
            _ => {}
        }
    }

    /// One line for all places, and none while others stand.
    fn warn(&self, place: usize, silence: &Silence) {
        if place == 0 && *self.standing.borrow() == 0 {
            tracing::debug!(store = %self.address, reason = silence.as_str(), "the store cannot be reached");
        }
    }

    /// A new connection that has been answered in time.
    async fn make(&self) -> Result<Line, Silence> {
        let pool = self.pool.as_ref().ok_or(Silence::Away)?;
        let connection =
            tokio::time::timeout(CONNECT_WAIT, pool.get()).await.map_err(|_elapsed| Silence::Late)?;
        let mut connection = Connection::take(connection.map_err(|_error| Silence::Away)?);
        let server = self.who(&mut connection).await?;
        Ok(Line { connection, server, lost: Arc::default() })
    }

    /// Asks a server for the name of its run; one that is loading its data has none yet.
    async fn who(&self, connection: &mut MultiplexedConnection) -> Result<ServerId, Silence> {
        let mut asked = cmd("INFO");
        asked.arg("server");
        let answered =
            tokio::time::timeout(self.manners.timeout, asked.query_async::<String>(connection)).await;
        let info = answered.map_err(|_elapsed| Silence::Late)??;
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
        let first = run.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        first.map(ServerId).ok_or(Silence::Broken)
    }

    pub(super) async fn listen<F>(&self, channels: &[&str], hear: F) -> Result<Channel, Silence>
    where
        F: Fn(Heard) + Send + Sync + 'static,
    {
        let settings = self.address.info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(self.address.info.clone().set_redis_settings(settings))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WAIT))
            .set_response_timeout(None)
            .set_push_sender(move |push| -> RedisResult<()> {
                if let Some(heard) = told(push) {
                    hear(heard);
                }
                Ok(())
            });
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let server = self.who(&mut connection).await?;
        let subscribed = tokio::time::timeout(self.manners.timeout, connection.subscribe(channels)).await;
        subscribed.map_err(|_elapsed| Silence::Late)??;
        Ok(Channel::new(connection, server, self.manners.timeout))
    }
}

fn pause() -> Duration {
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
