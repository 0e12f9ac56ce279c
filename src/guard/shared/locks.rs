//! Locks of a fleet.

use std::fmt;
use std::time::Duration;

use tracing::debug;

use crate::key::LockName;
use crate::redis::{Lua, Redis, Silence, cmd};

use super::super::lock::{Attempt, LockStore, Released, Renewed, TakenLock};
use super::super::token::Token;
use super::super::{Doing, StoreDown};
use super::{bytes, literally, millis, names, number, parts};

/// Taken, with its fence, or how long it is taken by somebody else. A fence is the store's time in
/// microseconds, or one more than the last: it rises even if the last one was lost.
const ACQUIRE: &str = r"
local left = redis.call('PTTL', KEYS[1])
if left ~= -2 then return {0, math.max(left, 0)} end
local time = redis.call('TIME')
local fence = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if fence <= last then fence = last + 1 end
local written = string.format('%.0f', fence)
redis.call('SET', KEYS[2], written, 'PX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. written, 'PX', ARGV[2])
return {1, written}
";

/// Only whoever took it.
const RENEW: &str = r"
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
";

/// Only whoever took it.
const RELEASE: &str = r"
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
  return redis.call('DEL', KEYS[1])
end
return 0
";

/// Who has it and how long still.
const LOOK: &str = "return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}";

/// For so long the last fence of a lock is remembered after it was last taken; later the time alone
/// is high enough, unless the store's clock was set back by more than that.
const FENCE_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Locks in a store that a fleet shares.
pub struct SharedLocks {
    redis: Redis,
    prefix: String,
    acquire: Lua,
    renew: Lua,
    release: Lua,
    look: Lua,
}

impl SharedLocks {
    /// Names in the store begin with the prefix.
    pub fn new(redis: Redis, prefix: &str) -> Self {
        Self {
            redis,
            prefix: prefix.to_owned(),
            acquire: Lua::new(ACQUIRE),
            renew: Lua::new(RENEW),
            release: Lua::new(RELEASE),
            look: Lua::new(LOOK),
        }
    }

    /// The part in braces decides where a cluster keeps it: a lock and its fence stay together.
    fn key(&self, name: &str) -> String {
        format!("{}:lock:{{{name}}}", self.prefix)
    }

    fn fence_key(&self, name: &LockName) -> String {
        format!("{}:fence:{{{name}}}", self.prefix)
    }

    async fn take(&self, name: &LockName, token: &Token, hold: Duration) -> Attempt {
        let (key, fence) = (self.key(name.as_str()), self.fence_key(name));
        let (hold, kept) = (millis(hold), millis(FENCE_KEPT));
        let args: [&[u8]; 3] = [token.as_str().as_bytes(), hold.as_bytes(), kept.as_bytes()];
        match self.redis.script(&self.acquire, &[&key, &fence], &args).await {
            Ok((_, answer)) => {
                let answer = parts(answer);
                match (number(&answer, 0), number(&answer, 1)) {
                    (Some(1), Some(fence)) => Attempt::Taken { fence },
                    (Some(0), Some(left)) => Attempt::Busy { left: Duration::from_millis(left) },
                    _ => Attempt::Unknown,
                }
            }
            Err(silence) => {
                debug!(%silence, "acquire");
                if matches!(silence, Silence::Late | Silence::Broken) {
                    // it may have been taken all the same, and nobody would free it before its hold ends
                    let _best_effort = self.free(name, token).await;
                }
                Attempt::Unknown
            }
        }
    }

    async fn prolong(&self, name: &LockName, token: &Token, hold: Duration) -> Renewed {
        let (key, hold) = (self.key(name.as_str()), millis(hold));
        let args: [&[u8]; 2] = [token.as_str().as_bytes(), hold.as_bytes()];
        match self.redis.script(&self.renew, &[&key], &args).await {
            Ok((_, answer)) if number(std::slice::from_ref(&answer), 0) == Some(1) => Renewed::Held,
            Ok(_) => Renewed::Lost,
            Err(_) => Renewed::Unknown,
        }
    }

    async fn free(&self, name: &LockName, token: &Token) -> Released {
        let key = self.key(name.as_str());
        match self.redis.script(&self.release, &[&key], &[token.as_str().as_bytes()]).await {
            Ok((_, answer)) if number(std::slice::from_ref(&answer), 0) == Some(1) => Released::Freed,
            Ok(_) => Released::NotHeld,
            Err(_) => Released::Unknown,
        }
    }

    async fn see(&self, name: &str) -> Result<Option<TakenLock>, StoreDown> {
        let answered = self.redis.script(&self.look, &[&self.key(name)], &[]).await;
        let mut answer = parts(answered.map_err(|_| StoreDown)?.1);
        let left = number(&answer, 1);
        let held = bytes(&mut answer, 0).and_then(|held| String::from_utf8(held).ok());
        let fence = held.as_deref().and_then(|held| held.split_once(':')?.1.parse().ok());
        Ok(left.zip(fence).map(|(left, fence)| TakenLock {
            name: name.to_owned(),
            fence,
            left: Duration::from_millis(left),
        }))
    }

    async fn list_all(&self, max: usize) -> Result<Vec<TakenLock>, StoreDown> {
        let like = format!("{}:lock:*", literally(&self.prefix));
        let begins = format!("{}:lock:{{", self.prefix);
        let mut locks = Vec::new();
        for key in names(&self.redis, &like, max).await.map_err(|_| StoreDown)? {
            let name = key.strip_prefix(&begins).and_then(|rest| rest.strip_suffix('}'));
            if let Some(name) = name {
                locks.extend(self.see(name).await?);
            }
        }
        Ok(locks)
    }
}

impl LockStore for SharedLocks {
    fn acquire<'a>(&'a self, name: &'a LockName, token: &'a Token, hold: Duration) -> Doing<'a, Attempt> {
        Box::pin(self.take(name, token, hold))
    }

    fn renew<'a>(&'a self, name: &'a LockName, token: &'a Token, hold: Duration) -> Doing<'a, Renewed> {
        Box::pin(self.prolong(name, token, hold))
    }

    fn release<'a>(&'a self, name: &'a LockName, token: &'a Token) -> Doing<'a, Released> {
        Box::pin(self.free(name, token))
    }

    fn look<'a>(&'a self, name: &'a LockName) -> Doing<'a, Result<Option<TakenLock>, StoreDown>> {
        Box::pin(self.see(name.as_str()))
    }

    fn list(&self, max: usize) -> Doing<'_, Result<Vec<TakenLock>, StoreDown>> {
        Box::pin(self.list_all(max))
    }

    fn remove<'a>(&'a self, name: &'a LockName) -> Doing<'a, Result<bool, StoreDown>> {
        Box::pin(async move {
            let mut delete = cmd("DEL");
            delete.arg(self.key(name.as_str()));
            let (_, deleted) = self.redis.one(&delete).await.map_err(|_| StoreDown)?;
            Ok(number(&[deleted], 0) == Some(1))
        })
    }
}

impl fmt::Debug for SharedLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLocks").field("redis", &self.redis).finish_non_exhaustive()
    }
}
