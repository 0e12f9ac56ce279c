//! A connection that hears what others publish.

use std::fmt;
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{Cmd, PushInfo, PushKind, Value};

use super::{Lua, ServerId, Silence, within};

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
}

impl Channel {
    pub(super) fn new(connection: MultiplexedConnection, server: ServerId, timeout: Duration) -> Self {
        Self { connection, server, timeout }
    }

    /// Whom it leads to.
    pub fn server(&self) -> ServerId {
        self.server
    }

    /// Sends one command.
    pub async fn one(&self, command: &Cmd) -> Result<Value, Silence> {
        let mut connection = self.connection.clone();
        within(self.timeout, connection.req_packed_command(command)).await
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
