//! A connection that hears what others publish.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{Cmd, Pipeline, PushInfo, PushKind, RedisResult, Value, cmd};
use tokio_util::sync::DropGuard;

use super::dial::Dialled;
use super::{Lua, ServerId, Silence};

/// What comes over a channel unasked.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody published this.
    Message {
        /// On which channel.
        channel: Vec<u8>,
        /// What was said.
        payload: Vec<u8>,
    },
    /// Nothing more will be heard: what was published since the last answer may have been missed.
    Lost,
}

/// A connection of its own. Whatever the server published before it carried out a command sent
/// here has been heard when that command's answer is given.
#[derive(Clone)]
pub struct Channel {
    connection: MultiplexedConnection,
    server: ServerId,
    timeout: Duration,
    /// In a cluster: asks after a key that only the server may know that what is published here
    /// comes from. Its refusal ends what a listener may believe.
    probe: Option<Arc<Cmd>>,
    /// It is closed when the last clone is dropped.
    _open: Arc<DropGuard>,
}

impl Channel {
    pub(super) fn new(dialled: Dialled, timeout: Duration) -> Self {
        let Dialled { connection, server, open, .. } = dialled;
        Self { connection, server, timeout, probe: None, _open: Arc::new(open) }
    }

    /// Of use only while the server it leads to has this key's slot.
    pub(super) fn while_it_has(mut self, key: &str) -> Self {
        let mut probe = cmd("EXISTS");
        probe.arg(key);
        self.probe = Some(Arc::new(probe));
        self
    }

    /// Whom it leads to.
    pub fn server(&self) -> ServerId {
        self.server
    }

    /// Sends one command.
    pub async fn one(&self, command: &Cmd) -> Result<Value, Silence> {
        let answered = tokio::time::timeout(self.timeout, self.ask(command)).await;
        answered.map_err(|_elapsed| Silence::Late)?.map_err(Silence::from)
    }

    async fn ask(&self, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.connection.clone();
        let Some(probe) = &self.probe else {
            return connection.req_packed_command(command).await?.extract_error();
        };
        let mut both = Pipeline::with_capacity(2);
        both.add_command(command.clone()).add_command(Cmd::clone(probe));
        let mut answers = connection.req_packed_commands(&both, 0, 2).await?;
        answers.pop().unwrap_or(Value::Nil).extract_error()?;
        answers.pop().unwrap_or(Value::Nil).extract_error()
    }

    /// Runs a script, which is sent whole where the server does not know it.
    pub async fn script(&self, script: &Lua, keys: &[&str], args: &[&[u8]]) -> Result<Value, Silence> {
        match self.one(&script.by_name(keys, args)).await {
            Err(Silence::Refused(said)) if said.is_unknown_script() => {
                self.one(&script.whole(keys, args)).await
            }
            answered => answered,
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("server", &self.server).finish_non_exhaustive()
    }
}

/// What a push means to a listener, if anything.
pub(super) fn told(push: PushInfo) -> Option<Heard> {
    match push.kind {
        PushKind::Disconnection => Some(Heard::Lost),
        PushKind::Message => {
            let mut parts = push.data.into_iter();
            match (parts.next(), parts.next()) {
                (Some(Value::BulkString(channel)), Some(Value::BulkString(payload))) => {
                    Some(Heard::Message { channel, payload })
                }
                _ => None,
            }
        }
        _ => None,
    }
}
