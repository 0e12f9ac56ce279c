//! How is a shared store spoken to?
//!
//! [`Redis`] shares a few connections among all callers. Each call has a deadline,
//! nobody ever waits for a connection to be made, and a store that fails again and
//! again is not asked until a connection of our own to it has been answered.
//! [`Channel`] is a connection that hears what others publish. Nothing here knows
//! what is stored, or why.
//!
//! | Store | Spoken to by |
//! |---|---|
//! | one server, or one that sentinels name | `lines`, made by `dial` |
//! | a cluster | `cluster`: `lines` to each of its leaders |
//! | Upstash's REST API | `upstash` |

mod address;
mod advice;
mod bounded;
mod breaker;
mod channel;
mod cluster;
mod complaints;
mod dial;
mod lines;
mod lua;
mod reach;
mod scan;
mod sentinel;
mod silence;
mod upstash;

pub use ::redis::{Cmd, Value, cmd};
pub use address::{Address, AddressError};
pub use advice::{Advice, advice};
pub use channel::{Channel, Heard};
pub use lua::Lua;
pub use reach::reach;
pub use scan::{NoCursor, ScanCursor};
pub use silence::{Refusal, Silence};

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::workers::Workers;

use address::Form;
use cluster::Cluster;
use complaints::Complaints;
use dial::Way;
use lines::{Lines, Teller};
use upstash::Upstash;

/// Which run of which server answered: a server that restarts, or takes another's place, is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerId(pub u64);

/// How a store is spoken to.
#[derive(Clone, Debug)]
pub struct Manners {
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// How many connections to a server there are. Each lives with a worker, which asks over it whatever
    /// its requests ask at once.
    pub connections: usize,
    /// Who asks.
    pub workers: Workers,
}

/// A store that several processes share.
#[derive(Clone)]
pub struct Redis {
    means: Means,
}

#[derive(Clone)]
enum Means {
    Lines(Arc<Lines>),
    Cluster(Arc<Cluster>),
    Rest(Arc<Upstash>),
}

impl Redis {
    /// Begins to connect, in tasks that end when `stopping` is cancelled. Nothing waits for it.
    pub fn new(
        address: Address,
        manners: Manners,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
    ) -> Self {
        let is_one_of_many = matches!(address.form, Form::Cluster(_));
        let (form, complaints) = (address.form.clone(), Complaints::new());
        let teller = Arc::new(Teller { store: address, complaints, is_one_of_many });
        let lines =
            |way| Means::Lines(Lines::start(way, manners.clone(), Arc::clone(&teller), tasks, stopping));
        let means = match form {
            Form::One(endpoint) => lines(Way::To(endpoint)),
            Form::Sentinels(sentinels) => lines(Way::Sentinels(sentinels)),
            Form::Cluster(seeds) => Means::Cluster(Cluster::start(seeds, manners, &teller, tasks, stopping)),
            Form::Rest(rest) => Means::Rest(Upstash::start(*rest, manners, teller, tasks, stopping)),
        };
        Self { means }
    }

    /// Is anybody there? A look, no question.
    pub fn is_up(&self) -> bool {
        match &self.means {
            Means::Lines(lines) => lines.is_up(),
            Means::Cluster(cluster) => cluster.is_up(),
            Means::Rest(rest) => rest.is_up(),
        }
    }

    /// Is it, or a server of it, not asked for a while because it failed too often?
    pub fn is_left_alone(&self) -> bool {
        match &self.means {
            Means::Lines(lines) => lines.is_left_alone(),
            Means::Cluster(cluster) => cluster.is_left_alone(),
            Means::Rest(rest) => rest.is_left_alone(),
        }
    }

    /// Returns when somebody is there.
    pub async fn up(&self) {
        match &self.means {
            Means::Lines(lines) => lines.up().await,
            Means::Cluster(cluster) => cluster.up().await,
            Means::Rest(rest) => rest.up().await,
        }
    }

    /// Sends one command. In a cluster, one about several keys may become several, and the server
    /// that is named is the one that has the keys with a `{tag}`.
    pub async fn one(&self, command: &Cmd) -> Result<(ServerId, Value), Silence> {
        match &self.means {
            Means::Lines(lines) => lines.one(command).await,
            Means::Cluster(cluster) => cluster.one(command).await,
            Means::Rest(rest) => rest.one(command).await,
        }
    }

    /// Runs a script, which is sent whole where the server does not know it.
    pub async fn script(
        &self,
        script: &Lua,
        keys: &[&str],
        args: &[&[u8]],
    ) -> Result<(ServerId, Value), Silence> {
        match self.one(&script.by_name(keys, args)).await {
            Err(Silence::Refused(said)) if said.is_unknown_script() => {
                self.one(&script.whole(keys, args)).await
            }
            answered => answered,
        }
    }

    /// Makes a connection of its own that hears what is published on these channels. `hear` is
    /// called in the order in which the server sent it, before any later answer is given. In a
    /// cluster it leads to the server that has the slot of the first channel's name, and its
    /// commands are refused as soon as that server has it no more.
    pub async fn listen<F>(&self, channels: &[&str], hear: F) -> Result<Channel, Silence>
    where
        F: Fn(Heard) + Send + Sync + 'static,
    {
        match &self.means {
            Means::Lines(lines) => lines.listen(channels, hear).await,
            Means::Cluster(cluster) => cluster.listen(channels, hear).await,
            Means::Rest(_) => Err(Silence::Refused(Refusal::Unable)),
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}
