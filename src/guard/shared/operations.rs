//! Operations of a fleet: they survive a restart of any proxy.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::key::OperationName;
use crate::redis::{Lua, Redis, Silence, Value, cmd};

use super::super::operation::{Beginning, KeptOperation, OperationState, OperationStore, StoredAnswer};
use super::super::token::Token;
use super::super::{Doing, StoreDown};
use super::{bytes, literally, millis, names, number, parts};

/// What is known, or nothing: then it has begun.
const BEGIN: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'asked', 'state', 'began', 'status', 'headers', 'body')
if known[1] then
  return {0, known[1], known[2], math.max(0, now - known[3]), known[4], known[5], known[6]}
end
redis.call('HSET', KEYS[1], 'asked', ARGV[2], 'state', 'begun', 'token', ARGV[1], 'began', now)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {1}
";

/// Only whoever began it says how it ended. What was lost in between is not made up again.
const FINISH: &str = r"
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'answered', 'status', ARGV[2], 'headers', ARGV[3])
if ARGV[4] then redis.call('HSET', KEYS[1], 'body', ARGV[4]) end
return 1
";

const DOUBT: &str = r"
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'doubtful')
return 1
";

const WITHDRAW: &str = r"
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
";

/// Operations in a store that a fleet shares.
pub struct SharedOperations {
    redis: Redis,
    prefix: String,
    begin: Lua,
    finish: Lua,
    doubt: Lua,
    withdraw: Lua,
}

impl SharedOperations {
    /// Names in the store begin with the prefix.
    pub fn new(redis: Redis, prefix: &str) -> Self {
        Self {
            redis,
            prefix: prefix.to_owned(),
            begin: Lua::new(BEGIN),
            finish: Lua::new(FINISH),
            doubt: Lua::new(DOUBT),
            withdraw: Lua::new(WITHDRAW),
        }
    }

    fn key(&self, name: &OperationName) -> String {
        format!("{}:operation:{name}", self.prefix)
    }

    async fn start(
        &self,
        name: &OperationName,
        token: &Token,
        asked: &[u8; 32],
        keep: Duration,
    ) -> Beginning {
        let keep = millis(keep);
        let args: [&[u8]; 3] = [token.as_str().as_bytes(), asked, keep.as_bytes()];
        match self.redis.script(&self.begin, &[&self.key(name)], &args).await {
            Err(silence) => {
                if matches!(silence, Silence::Late | Silence::Broken) {
                    // it may have begun all the same, and nothing will be sent
                    let _best_effort = self.tell(&self.withdraw, name, &[token.as_str().as_bytes()]).await;
                }
                Beginning::Unknown
            }
            Ok((_, answer)) => {
                let answer = parts(answer);
                if number(&answer, 0) == Some(1) {
                    Beginning::First
                } else {
                    known(answer).unwrap_or(Beginning::Unknown)
                }
            }
        }
    }

    /// Runs a script that says 1 if it did what was asked.
    async fn tell(&self, script: &Lua, name: &OperationName, args: &[&[u8]]) -> Result<(), StoreDown> {
        let (_, told) = self.redis.script(script, &[&self.key(name)], args).await.map_err(|_| StoreDown)?;
        if number(&[told], 0) == Some(1) { Ok(()) } else { Err(StoreDown) }
    }

    async fn end(&self, name: &OperationName, token: &Token, answer: &StoredAnswer) -> Result<(), StoreDown> {
        let (status, headers) = (answer.status.as_u16().to_string(), written(&answer.headers));
        let mut args: Vec<&[u8]> = vec![token.as_str().as_bytes(), status.as_bytes(), &headers];
        args.extend(answer.body.as_deref());
        self.tell(&self.finish, name, &args).await
    }

    async fn list_all(&self, max: usize) -> Result<Vec<KeptOperation>, StoreDown> {
        let like = format!("{}:operation:*", literally(&self.prefix));
        let begins = format!("{}:operation:", self.prefix);
        let mut kept = Vec::new();
        for key in names(&self.redis, &like, max).await.map_err(|_| StoreDown)? {
            let Some(name) = key.strip_prefix(&begins) else { continue };
            let (mut status, mut left) = (cmd("HGET"), cmd("PTTL"));
            status.arg(&key).arg("status");
            left.arg(&key);
            let (_, status) = self.redis.one(&status).await.map_err(|_| StoreDown)?;
            let (_, left) = self.redis.one(&left).await.map_err(|_| StoreDown)?;
            if let Some(left) = number(&[left], 0) {
                let status = number(&[status], 0).and_then(|status| u16::try_from(status).ok());
                kept.push(KeptOperation { name: name.to_owned(), status, left: Duration::from_millis(left) });
            }
        }
        kept.sort_by(|one, other| (one.status, &one.name).cmp(&(other.status, &other.name)));
        Ok(kept)
    }

    async fn forget(&self, key: &str) -> Result<usize, StoreDown> {
        let begins = format!("{}:operation:{}#", self.prefix, crate::key::escape(key));
        let mut forgotten = 0;
        for name in names(&self.redis, &format!("{}*", literally(&begins)), usize::MAX)
            .await
            .map_err(|_| StoreDown)?
        {
            if !name.starts_with(&begins) {
                continue; // a wildcard stood for something else
            }
            let mut delete = cmd("DEL");
            delete.arg(&name);
            let (_, deleted) = self.redis.one(&delete).await.map_err(|_| StoreDown)?;
            forgotten += usize::from(number(&[deleted], 0) == Some(1));
        }
        Ok(forgotten)
    }
}

/// Reads what the store knows; `None` if that makes no sense.
fn known(mut answer: Vec<Value>) -> Option<Beginning> {
    let asked = <[u8; 32]>::try_from(bytes(&mut answer, 1)?).ok()?;
    let state = match bytes(&mut answer, 2)?.as_slice() {
        b"begun" => OperationState::Begun(Duration::from_millis(number(&answer, 3)?)),
        b"doubtful" => OperationState::Doubtful,
        b"answered" => {
            let status = StatusCode::from_u16(u16::try_from(number(&answer, 4)?).ok()?).ok()?;
            let headers = read(&bytes(&mut answer, 5)?)?;
            OperationState::Answered(StoredAnswer {
                status,
                headers,
                body: bytes(&mut answer, 6).map(Bytes::from),
            })
        }
        _ => return None,
    };
    Some(Beginning::Known { asked, state })
}

/// Header lines as on the wire: neither a name nor a value holds a line's end.
fn written(headers: &[(HeaderName, HeaderValue)]) -> Vec<u8> {
    let lines =
        headers.iter().map(|(name, value)| [name.as_str().as_bytes(), b":", value.as_bytes()].concat());
    lines.collect::<Vec<_>>().join(&b"\n"[..])
}

fn read(lines: &[u8]) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let header = |line: &[u8]| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((
            HeaderName::from_bytes(&line[..colon]).ok()?,
            HeaderValue::from_bytes(&line[colon + 1..]).ok()?,
        ))
    };
    lines.map(header).collect()
}

impl OperationStore for SharedOperations {
    fn begin<'a>(
        &'a self,
        name: &'a OperationName,
        token: &'a Token,
        asked: &'a [u8; 32],
        keep: Duration,
    ) -> Doing<'a, Beginning> {
        Box::pin(self.start(name, token, asked, keep))
    }

    fn finish<'a>(
        &'a self,
        name: &'a OperationName,
        token: &'a Token,
        answer: &'a StoredAnswer,
    ) -> Doing<'a, Result<(), StoreDown>> {
        Box::pin(self.end(name, token, answer))
    }

    fn doubt<'a>(&'a self, name: &'a OperationName, token: &'a Token) -> Doing<'a, Result<(), StoreDown>> {
        Box::pin(async move { self.tell(&self.doubt, name, &[token.as_str().as_bytes()]).await })
    }

    fn withdraw<'a>(&'a self, name: &'a OperationName, token: &'a Token) -> Doing<'a, Result<(), StoreDown>> {
        Box::pin(async move { self.tell(&self.withdraw, name, &[token.as_str().as_bytes()]).await })
    }

    fn list(&self, max: usize) -> Doing<'_, Result<Vec<KeptOperation>, StoreDown>> {
        Box::pin(self.list_all(max))
    }

    fn remove<'a>(&'a self, key: &'a str) -> Doing<'a, Result<usize, StoreDown>> {
        Box::pin(self.forget(key))
    }
}

impl fmt::Debug for SharedOperations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedOperations").field("redis", &self.redis).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were() {
        let headers =
            [("content-type", "application/json"), ("location", "/a:b?c"), ("location", ""), ("x", "é")];
        let headers: Vec<(HeaderName, HeaderValue)> = headers
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
            })
            .into();
        assert_eq!(read(&written(&headers)), Some(headers));
        assert_eq!(read(b""), Some(Vec::new()));
        assert_eq!(read(b"nonsense"), None);
    }
}
