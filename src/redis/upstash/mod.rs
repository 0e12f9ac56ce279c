//! A store that is spoken to over HTTPS.
//!
//! Each command is a request. One that is not answered in time goes on in a task of its own, so
//! that its connection is of use to the next one instead of being closed; how many of these there
//! may be is bounded. There is no channel over which anything could be heard.

mod reply;
mod request;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, Value, cmd};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::address::Rest;
use super::breaker::Breaker;
use super::dial::CONNECT_WAIT;
use super::lines::{Teller, pause};
use super::silence::{Refusal, Silence};
use super::{Manners, ServerId};

use wire::Wire;

/// Requests under way at a time, those included that nobody waits for any more.
const UNDER_WAY_MAX: usize = 256;

/// Longest time that a request goes on when nobody waits for it any more.
const GOES_ON: Duration = Duration::from_secs(2);

/// A store over HTTPS.
pub(super) struct Upstash {
    wire: Wire,
    server: ServerId,
    manners: Manners,
    teller: Arc<Teller>,
    tasks: TaskTracker,
    breaker: Breaker,
    under_way: Arc<Semaphore>,
    is_up: watch::Sender<bool>,
}

impl Upstash {
    /// Begins to ask whether it is there.
    pub(super) fn start(
        rest: Rest,
        manners: Manners,
        teller: Arc<Teller>,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
    ) -> Arc<Self> {
        // the service keeps what it was told, whichever of its machines answers: one server
        let digest = blake3::hash(rest.uri.to_string().as_bytes());
        let server = digest.as_bytes().first_chunk().copied().map_or(0, u64::from_be_bytes);
        let upstash = Arc::new(Self {
            server: ServerId(server),
            wire: Wire::new(rest),
            manners,
            teller,
            tasks: tasks.clone(),
            breaker: Breaker::default(),
            under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            is_up: watch::Sender::new(false),
        });
        tasks.spawn(Arc::clone(&upstash).keep(stopping.clone()));
        upstash
    }

    pub(super) fn is_up(&self) -> bool {
        *self.is_up.borrow()
    }

    pub(super) fn is_left_alone(&self) -> bool {
        self.breaker.is_open()
    }

    pub(super) async fn up(&self) {
        let mut is_up = self.is_up.subscribe();
        let _never_closed = is_up.wait_for(|is_up| *is_up).await;
    }

    pub(super) async fn one(self: &Arc<Self>, command: &Cmd) -> Result<(ServerId, Value), Silence> {
        if !self.is_up() {
            return Err(Silence::Away);
        }
        match self.ask(command, self.manners.timeout).await {
            Ok(answer) => {
                self.breaker.succeeded();
                Ok((self.server, answer))
            }
            Err(silence) => {
                if let Silence::Refused(refusal) = silence {
                    self.teller.complaints.refused(&self.teller.store, refusal);
                }
                if silence == Silence::Refused(Refusal::Forbidden)
                    || silence.is_failure() && self.breaker.failed()
                {
                    self.is_up.send_replace(false);
                }
                Err(silence)
            }
        }
    }

    /// Asks in a task, and waits for it as long as the caller can.
    async fn ask(self: &Arc<Self>, command: &Cmd, wait: Duration) -> Result<Value, Silence> {
        let said = request::say(command)?;
        let permit = Arc::clone(&self.under_way).try_acquire_owned();
        let permit = permit.map_err(|_all_taken| Silence::Late)?;
        let asking = Arc::clone(self);
        let answered = self.tasks.spawn(async move {
            let _permit = permit;
            let asked = tokio::time::timeout(GOES_ON, asking.wire.post(said)).await;
            asked.unwrap_or(Err(Silence::Late))
        });
        match tokio::time::timeout(wait, answered).await {
            Ok(answered) => answered.unwrap_or(Err(Silence::Broken)),
            Err(_elapsed) => Err(Silence::Late),
        }
    }

    /// Asks until it answers, and again when it has failed too often.
    async fn keep(self: Arc<Self>, stopping: CancellationToken) {
        let store = &self.teller.store;
        let mut was_up = false;
        while let Some(answered) = stopping.run_until_cancelled(self.ask(&cmd("PING"), CONNECT_WAIT)).await {
            match answered {
                Ok(_) => {
                    self.breaker.forget();
                    self.is_up.send_replace(true);
                    was_up = true;
                    info!(%store, "the store answers");
                    let mut is_up = self.is_up.subscribe();
                    let _stopped = stopping.run_until_cancelled(is_up.wait_for(|is_up| !*is_up)).await;
                }
                Err(silence) => self.teller.complaints.unreached(store, &store, &silence),
            }
            if std::mem::take(&mut was_up) && !stopping.is_cancelled() {
                warn!(%store, "the store is lost; answers come from the upstream until it is back");
            }
            if stopping.run_until_cancelled(tokio::time::sleep(pause())).await.is_none() {
                return;
            }
        }
    }
}
