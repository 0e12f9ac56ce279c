//! A store of several servers that share the keys.
//!
//! Which server has which slot is asked again and again, and at once when a server says that it
//! has one no more. Each leader has its own `lines`, so that one that is gone costs only the keys
//! that it has, and so that an answer is known to come from exactly that run of that server.

mod each;
mod look;
mod route;
mod slots;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use ::redis::{Cmd, Value};
use arc_swap::ArcSwap;
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::address::Endpoint;
use super::lines::{Teller, Trouble};
use super::silence::{Refusal, Silence};
use super::{Channel, Heard, Manners, ServerId};

use look::{LOOK_PAUSE, Map};
use route::{Joined, Part, Route, Seat};

/// How often a command follows from one server to another. A slot that moves while it is asked
/// for needs two; more means that they do not agree.
const REDIRECTS_MAX: usize = 3;

/// No key with a `{tag}` was seen yet.
const NO_SEAT: u32 = u32::MAX;

/// A cluster.
pub(super) struct Cluster {
    seeds: Vec<Endpoint>,
    manners: Manners,
    teller: Arc<Teller>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    map: ArcSwap<Map>,
    /// The slot of the keys with a `{tag}`, of which there is one: whoever has it speaks for the
    /// cluster, because it has what says which entries are valid.
    seat: AtomicU32,
    /// Whose turn it is to be asked who has what.
    turn: AtomicUsize,
    /// Told when somebody said that a slot is elsewhere.
    moved: Notify,
}

impl Cluster {
    /// Begins to look for its servers.
    pub(super) fn start(
        seeds: Vec<Endpoint>,
        manners: Manners,
        teller: &Arc<Teller>,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
    ) -> Arc<Self> {
        let cluster = Arc::new(Self {
            seeds,
            manners,
            teller: Arc::clone(teller),
            tasks: tasks.clone(),
            stopping: stopping.clone(),
            map: ArcSwap::default(),
            seat: AtomicU32::new(NO_SEAT),
            turn: AtomicUsize::new(0),
            moved: Notify::new(),
        });
        tasks.spawn(Arc::clone(&cluster).keep_looking());
        cluster
    }

    /// Does the server stand that has the keys with a `{tag}`? Before any was seen: does one stand?
    pub(super) fn is_up(&self) -> bool {
        let map = self.map.load();
        match self.seated() {
            Some(slot) => map.leader(slot).is_some_and(|node| node.lines.is_up()),
            None => map.nodes.iter().any(|node| node.lines.is_up()),
        }
    }

    pub(super) async fn up(&self) {
        while !self.is_up() {
            // which server it will be is not known beforehand
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    pub(super) async fn one(&self, command: &Cmd) -> Result<(ServerId, Value), Silence> {
        let deadline = Instant::now() + self.manners.timeout;
        match route::route(command) {
            Route::Anywhere => {
                let map = self.map.load_full();
                let node = map.nodes.iter().find(|node| node.lines.is_up()).ok_or(Silence::Away)?;
                let (server, answer) = node.lines.one(command).await?;
                Ok((self.speaker(None, server), answer))
            }
            Route::To(seat) => {
                let (server, answer) = self.to(seat, command, deadline).await?;
                Ok((self.speaker(Some(seat), server), answer))
            }
            Route::Split(parts, joined) => self.split(&parts, joined, deadline).await,
        }
    }

    async fn split(
        &self,
        parts: &[Part],
        joined: Joined,
        deadline: Instant,
    ) -> Result<(ServerId, Value), Silence> {
        let asked = parts.iter().map(|part| self.to(part.seat, &part.command, deadline));
        let answers = join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let seated = self.seated();
        let is_seat = |part: &Part| Some(part.seat.slot) == seated;
        let asked = parts.iter().position(is_seat).unwrap_or_default();
        let server = self.speaker(parts.get(asked).map(|part| part.seat), answers[asked].0);
        let answers = answers.into_iter().map(|(_, answer)| answer).collect();
        Ok((server, joined.join(parts, answers)?))
    }

    /// Whoever answered from the seat speaks for the cluster; of others, the seat's own leader does.
    fn speaker(&self, asked: Option<Seat>, answered: ServerId) -> ServerId {
        match self.seated() {
            Some(slot) if asked.is_none_or(|seat| seat.slot != slot) => {
                self.map.load().leader(slot).and_then(|node| node.lines.server()).unwrap_or(answered)
            }
            _ => answered,
        }
    }

    fn seated(&self) -> Option<u16> {
        u16::try_from(self.seat.load(Ordering::Relaxed)).ok()
    }

    /// Asks whoever has a slot, and whoever that one says has it.
    async fn to(&self, seat: Seat, command: &Cmd, deadline: Instant) -> Result<(ServerId, Value), Silence> {
        if seat.is_tagged && self.seat.load(Ordering::Relaxed) == NO_SEAT {
            self.seat.store(u32::from(seat.slot), Ordering::Relaxed);
        }
        let mut node = self.map.load().leader(seat.slot).cloned();
        let mut asking = false;
        for _ in 0..REDIRECTS_MAX {
            let Some(leader) = node else { break };
            match leader.lines.directed(command, asking, deadline).await {
                Ok(answered) => return Ok(answered),
                Err(Trouble::Silence(silence)) => {
                    if silence.may_be_elsewhere() {
                        self.moved.notify_one();
                    }
                    return Err(silence);
                }
                Err(Trouble::Elsewhere { place, is_asking }) => {
                    self.moved.notify_one();
                    asking = is_asking;
                    node = place.and_then(|place| self.node_at(&place));
                }
            }
        }
        self.moved.notify_one();
        Err(if self.map.load().nodes.is_empty() {
            Silence::Away
        } else {
            Silence::Refused(Refusal::Elsewhere)
        })
    }

    pub(super) async fn listen<F>(&self, channels: &[&str], hear: F) -> Result<Channel, Silence>
    where
        F: Fn(Heard) + Send + Sync + 'static,
    {
        let name = channels.first().copied().unwrap_or_default();
        let seat = route::seat(name.as_bytes());
        self.seat.store(u32::from(seat.slot), Ordering::Relaxed);
        let leader = self.map.load().leader(seat.slot).cloned().ok_or(Silence::Away)?;
        Ok(leader.lines.listen(channels, hear).await?.while_it_has(name))
    }
}
