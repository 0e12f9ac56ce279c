//! How is a shared store spoken to?
//!
//! [`Redis`] shares a few connections among all callers. Each call has a deadline,
//! nobody ever waits for a connection to be made, and a store that fails again and
//! again is not asked until a connection of our own to it has been answered.
//! [`Channel`] is a connection that hears what others publish. Nothing here knows
//! what is stored, or why.

mod address;
mod breaker;
mod channel;
mod lines;
mod lua;
mod silence;

pub use ::redis::{Cmd, Value, cmd};
pub use address::{Address, AddressError};
pub use channel::{Channel, Heard};
pub use lua::Lua;
pub use silence::Silence;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::RedisResult;
use ::redis::aio::ConnectionLike;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use lines::Lines;

/// Which run of which server answered: a server that restarts, or takes another's place, is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerId(pub u64);

/// How a store is spoken to.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// How many connections look-ups share. One is enough for one core; a few keep a large
    /// answer from standing in the way of small ones.
    pub connections: usize,
}

/// A store that several processes share.
#[derive(Clone)]
pub struct Redis {
    lines: Arc<Lines>,
    manners: Manners,
}

impl Redis {
    /// Begins to connect, in tasks that end when `stopping` is cancelled. Nothing waits for it.
    pub fn new(
        address: Address,
        manners: Manners,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
    ) -> Self {
        let lines = Lines::new(address, manners);
        for slot in 0..manners.connections {
            tasks.spawn(Arc::clone(&lines).keep(slot, stopping.clone()));
        }
        Self { lines, manners }
    }

    /// Is anybody there? A look, no question.
    pub fn is_up(&self) -> bool {
        self.lines.pick().is_some()
    }

    /// Returns when somebody is there.
    pub async fn up(&self) {
        self.lines.up().await;
    }

    /// Sends one command.
    pub async fn one(&self, command: &Cmd) -> Result<(ServerId, Value), Silence> {
        let line = self.lines.pick().ok_or(Silence::Away)?;
        let mut connection = line.connection.clone();
        let answered = within(self.manners.timeout, connection.req_packed_command(command)).await;
        self.lines.hear(&line, answered)
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
    /// called in the order in which the server sent it, before any later answer is given.
    pub async fn listen<F>(&self, channels: &[&str], hear: F) -> Result<Channel, Silence>
    where
        F: Fn(Heard) + Send + Sync + 'static,
    {
        self.lines.listen(channels, hear).await
    }
}

/// An answer in time, or none. An error in it counts as none, wherever it stands.
async fn within(
    timeout: Duration,
    asked: impl Future<Output = RedisResult<Value>>,
) -> Result<Value, Silence> {
    match tokio::time::timeout(timeout, asked).await {
        Ok(answered) => answered.and_then(Value::extract_error).map_err(Silence::from),
        Err(_elapsed) => Err(Silence::Late),
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}
