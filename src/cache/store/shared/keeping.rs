//! Staying in touch: hearing of changes, confirming them, keeping the lease, paying what is owed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::redis::{Channel, Heard, Silence, cmd};

use super::change::seen;
use super::lease::{BEAT_EVERY, LEASE_MAX};
use super::message::{Changed, Confirmed, heard, tags, told};
use super::turns::Ended;
use super::{SharedStore, millis, scripts};

/// Pause before the channel is made again.
const PAUSE: Duration = Duration::from_millis(200);

/// Confirmations that wait to be sent. Whoever waits for one that is dropped waits for our lease instead.
const CONFIRMATIONS_MAX: usize = 10_000;

/// What keeps a shared store in touch with others for as long as the process runs.
#[derive(Debug)]
pub struct Keeping {
    store: Arc<SharedStore>,
    /// Turns to fetch that are over.
    ended: mpsc::Receiver<Ended>,
}

/// What came over the channel and is to be confirmed: to whom, and which of its changes.
type ToConfirm = (String, u64);

impl Keeping {
    pub(super) fn new(store: Arc<SharedStore>, ended: mpsc::Receiver<Ended>) -> Self {
        Self { store, ended }
    }

    /// Runs until the process begins to end; then it leaves the fleet, so that nobody waits for it.
    pub async fn run(self, draining: CancellationToken) {
        let Self { store, mut ended } = self;
        let work = async {
            loop {
                store.redis.up().await;
                let silence = stay(&store).await;
                debug!(reason = silence.as_str(), "the channel to the store is lost");
                store.lease.end();
                store.confirmations.end_hearing();
                store.forget();
                tokio::time::sleep(PAUSE).await;
            }
        };
        let working = async { tokio::join!(work, store.end_turns(&mut ended)) };
        let _ended = draining.run_until_cancelled(working).await;
        store.leave_fleet().await;
    }
}

/// Makes a channel and beats on it until it fails.
async fn stay(store: &Arc<SharedStore>) -> Silence {
    let lost = Arc::new(Notify::new());
    let (confirm, mut to_confirm) = mpsc::channel(CONFIRMATIONS_MAX);
    let hears = Hearing { store: Arc::downgrade(store), lost: Arc::clone(&lost), confirm };
    let own = store.names.confirmed(&store.own);
    let told_on = [store.names.changed.as_str(), &store.names.alive, &own];
    let channel = store.redis.listen(&told_on, move |said| hears.hear(said)).await;
    let channel = match channel {
        Ok(channel) => channel,
        // a store without channels can be shared, but nothing read from it can be remembered
        Err(silence) => return silence,
    };
    // what was said while nobody listened is not known
    store.forget();
    store.confirmations.begin_hearing();
    info!(member = store.own, "in touch with the other processes");
    tokio::select! {
        silence = beat(store, &channel) => silence,
        silence = confirm_all(store, &channel, &mut to_confirm) => silence,
        () = lost.notified() => Silence::Broken,
    }
}

async fn beat(store: &SharedStore, channel: &Channel) -> Silence {
    let member = format!("{}{}", store.names.member, store.own);
    let keys = [member.as_str(), &store.names.fleet];
    let lasts = millis(LEASE_MAX);
    let args =
        [store.own.as_bytes(), lasts.as_bytes(), store.names.member.as_bytes(), store.names.alive.as_bytes()];
    loop {
        let beat = store.lease.beat();
        match channel.script(&scripts::BEAT, &keys, &args).await {
            Ok(live) => {
                store.lease.extend(&beat);
                store.heard_from_store();
                store.confirmations.see(seen(&live));
            }
            Err(silence) => return silence,
        }
        if !store.journal.is_clear() {
            match store.pay().await {
                Ok(()) => info!("the store has been told what it was owed"),
                Err(silence) => {
                    warn!(reason = silence.as_str(), "the store could not be told what it is owed")
                }
            }
        }
        // whoever is new learns who is alive by hearing it
        let _somebody_is_new = tokio::time::timeout(BEAT_EVERY, store.confirmations.newcomer()).await;
    }
}

impl SharedStore {
    /// Nobody waits for us any more, because we believe nothing that we remember.
    async fn leave_fleet(&self) {
        self.lease.end();
        self.forget();
        let mut leave = cmd("UNLINK");
        leave.arg(format!("{}{}", self.names.member, self.own));
        // where this fails, they wait until our lease has run out
        let _left = self.redis.one(&leave).await;
    }
}

/// What listens on the channel. Called where its connection is read, so it never waits.
struct Hearing {
    store: Weak<SharedStore>,
    lost: Arc<Notify>,
    confirm: mpsc::Sender<ToConfirm>,
}

impl Hearing {
    fn hear(&self, said: Heard) {
        let Some(store) = self.store.upgrade() else { return };
        match said {
            Heard::Message { channel, payload } if channel == store.names.changed.as_bytes() => {
                match heard::<Changed>(&payload) {
                    Some(changed) => self.changed(&store, &changed),
                    // said by another version: it may be about anything
                    None => store.forget(),
                }
            }
            Heard::Message { channel, payload } if channel == store.names.alive.as_bytes() => {
                let member = String::from_utf8_lossy(&payload).into_owned();
                if member != store.own {
                    store.confirmations.hear_of(member);
                }
            }
            Heard::Message { payload, .. } => {
                if let Some(Confirmed { by, number }) = heard(&payload) {
                    store.confirmations.confirm(number, by);
                }
            }
            Heard::Lost => {
                store.lease.end();
                store.forget();
                self.lost.notify_one();
            }
        }
    }

    fn changed(&self, store: &SharedStore, changed: &Changed) {
        store.memory.bump(&tags(&changed.tags));
        if changed.by != store.own && changed.number != 0 {
            let _full_or_ended = self.confirm.try_send((changed.by.clone(), changed.number));
        }
    }
}

async fn confirm_all(
    store: &SharedStore,
    channel: &Channel,
    to_confirm: &mut mpsc::Receiver<ToConfirm>,
) -> Silence {
    while let Some((member, number)) = to_confirm.recv().await {
        let mut publish = cmd("PUBLISH");
        publish.arg(store.names.confirmed(&member)).arg(told(&Confirmed { by: store.own.clone(), number }));
        if let Err(silence) = channel.one(&publish).await {
            return silence;
        }
    }
    Silence::Broken
}
