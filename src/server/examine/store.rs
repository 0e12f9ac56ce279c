//! The store: whether it answers, how fast, how it is set up, and what it forbids.
//!
//! What is written for that has a name of its own, below the prefix, and is gone a moment later.

use std::sync::LazyLock;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::doctor::{Finding, Store};
use crate::redis::{Address, Cmd, Lua, Manners, Redis, Refusal, Silence, Value, advice, cmd, reach};
use crate::workers::Workers;

use super::super::settings::Settings;

/// Longest wait for a connection to stand, once the store was reached.
const UP_WAIT: Duration = Duration::from_secs(2);

/// Longest wait for one answer. Longer than requests wait: a slow answer is told as what it is.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// So many answers are timed, and the middle one is told.
const TIMED: usize = 9;

/// Carries out what larder's own scripts do, each on a name of its own, and says what was refused.
/// Keys: three names that nothing else has. Arguments: a channel.
static TRIAL: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        "local refused = {} ",
        "local function try(...) ",
        "local said = redis.pcall(...) ",
        "if type(said) == 'table' and said.err then refused[#refused + 1] = (select(1, ...)) end end ",
        "try('SET', KEYS[1], '1', 'PX', 1000) try('GET', KEYS[1]) try('PTTL', KEYS[1]) ",
        "try('PEXPIRE', KEYS[1], 1000) ",
        "try('ZADD', KEYS[2], 1, 'x') try('ZRANGEBYSCORE', KEYS[2], 0, 1) try('ZREVRANGE', KEYS[2], 0, 0) ",
        "try('ZCARD', KEYS[2]) try('ZREMRANGEBYSCORE', KEYS[2], 5, 6) try('ZREM', KEYS[2], 'x') ",
        "try('HSET', KEYS[3], 'x', '1') try('HGET', KEYS[3], 'x') try('HMGET', KEYS[3], 'x') ",
        "try('HGETALL', KEYS[3]) try('HINCRBY', KEYS[3], 'x', 1) try('HDEL', KEYS[3], 'x') ",
        "try('UNLINK', KEYS[1], KEYS[2], KEYS[3]) try('DEL', KEYS[1]) ",
        "try('SADD', KEYS[1], 'x') try('SISMEMBER', KEYS[1], 'x') try('SMEMBERS', KEYS[1]) try('SREM', KEYS[1], 'x') ",
        "try('PUBLISH', ARGV[1], '') try('TIME') ",
        "return refused"
    ))
});

/// Looks at the store of entries.
pub(super) async fn look(settings: &Settings, prefix: &str, clock: &Clock) -> Vec<Finding> {
    let Some(address) = &settings.store.shared else { return vec![Finding::Store(Store::Embedded)] };
    let keeps_locks =
        settings.store.guards.as_ref().is_some_and(|guards| guards.to_string() == address.to_string());
    let found = Look { address, prefix, clock, timeout: settings.store.timeout, keeps_locks }.look().await;
    found.into_iter().map(Finding::Store).collect()
}

/// Looks at the store of locks, operations and limits, where it is another one.
pub(super) async fn look_at_guards(settings: &Settings, prefix: &str, clock: &Clock) -> Vec<Finding> {
    let shared = settings.store.shared.as_ref().map(ToString::to_string);
    let other = settings.store.guards.as_ref().filter(|guards| Some(guards.to_string()) != shared);
    let Some(address) = other else { return Vec::new() };
    let found =
        Look { address, prefix, clock, timeout: settings.store.timeout, keeps_locks: true }.look().await;
    // a store of locks is told to keep everything: that is right there
    let fits = |found: &Store| !matches!(found, Store::Advised(crate::redis::Advice::NeverEvicts));
    found.into_iter().filter(fits).map(Finding::GuardStore).collect()
}

struct Look<'l> {
    address: &'l Address,
    prefix: &'l str,
    clock: &'l Clock,
    timeout: Duration,
    keeps_locks: bool,
}

impl Look<'_> {
    async fn look(&self) -> Vec<Store> {
        let store = self.address.to_string();
        if let Err(why) = reach(self.address).await {
            return vec![Store::Away { store, why }];
        }
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let _ends_with_this = stopping.clone().drop_guard();
        let manners = Manners { timeout: ANSWER_WAIT, connections: 1, workers: Workers::here() };
        let redis = Redis::new(self.address.clone(), manners, &tasks, &stopping);
        if tokio::time::timeout(UP_WAIT, redis.up()).await.is_err() {
            return vec![Store::Away { store, why: "no connection stands".to_owned() }];
        }
        match self.ask(&redis, store).await {
            Ok(found) => found,
            Err(silence) => vec![Store::Faltered { why: silence.to_string() }],
        }
    }

    async fn ask(&self, redis: &Redis, store: String) -> Result<Vec<Store>, Silence> {
        let mut times = Vec::with_capacity(TIMED);
        for _ in 0..TIMED {
            let began = self.clock.now();
            match redis.one(&self.command("GET", "pace")).await {
                Ok(_) | Err(Silence::Refused(_)) => {
                    times.push(self.clock.now().saturating_duration_since(began))
                }
                Err(silence) => return Err(silence),
            }
        }
        times.sort();
        let mut found = vec![Store::of_pace(store, times[times.len() / 2], self.timeout)];
        match redis.one(&cmd("INFO")).await {
            Ok((_, said)) => found.extend(self.told(&said)),
            Err(silence) => found.push(Store::Unsaid { why: silence.to_string() }),
        }
        let refused = self.forbidden(redis).await?;
        found.push(if refused.is_empty() { Store::Allows } else { Store::Forbids { commands: refused } });
        Ok(found)
    }

    fn told(&self, said: &Value) -> Vec<Store> {
        let info = match said {
            Value::BulkString(bytes) => String::from_utf8_lossy(bytes),
            Value::VerbatimString { text, .. } | Value::SimpleString(text) => text.into(),
            // of several servers, none speaks for all
            _ => return Vec::new(),
        };
        let mut found = Store::of_info(&info, advice(&info));
        if self.keeps_locks && Store::forgets(&info) {
            found.push(Store::LocksUnsaved);
        }
        found
    }

    /// The commands that are refused among those that larder sends.
    async fn forbidden(&self, redis: &Redis) -> Result<Vec<String>, Silence> {
        let mut refused = Vec::new();
        let mut set = self.command("SET", "trial");
        set.arg("1").arg("PX").arg(1_000);
        let mut scan = cmd("SCAN");
        scan.arg("0").arg("MATCH").arg(self.name("trial")).arg("COUNT").arg(1);
        let tried = [
            ("SET", set),
            ("MGET", self.command("MGET", "trial")),
            ("SCAN", scan),
            ("UNLINK", self.command("UNLINK", "trial")),
        ];
        for (name, command) in tried {
            match redis.one(&command).await {
                Ok(_) => {}
                Err(Silence::Refused(refusal)) => refused.push(format!("{name} ({refusal})")),
                Err(silence) => return Err(silence),
            }
        }
        let keys = ["a", "b", "c"].map(|what| format!("{{{}}}:doctor:{what}", self.prefix));
        let channel = format!("{{{}}}:doctor", self.prefix);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        match redis.script(&TRIAL, &keys, &[channel.as_bytes()]).await {
            Ok((_, Value::Array(said))) => refused.extend(said.iter().filter_map(|name| match name {
                Value::BulkString(name) => Some(format!("{} in a script", String::from_utf8_lossy(name))),
                _ => None,
            })),
            Ok(_) => {}
            Err(Silence::Refused(refusal)) => refused.push(format!("scripts ({refusal})")),
            Err(silence) => return Err(silence),
        }
        match redis.listen(&[&channel], |_heard| {}).await {
            // over HTTP nothing is heard, and larder knows that
            Ok(_) | Err(Silence::Refused(Refusal::Unable)) => {}
            Err(Silence::Refused(refusal)) => refused.push(format!("SUBSCRIBE ({refusal})")),
            Err(silence) => return Err(silence),
        }
        Ok(refused)
    }

    /// A command about a name of an entry that nobody has.
    fn command(&self, command: &str, what: &str) -> Cmd {
        let mut command = cmd(command);
        command.arg(self.name(what));
        command
    }

    fn name(&self, what: &str) -> String {
        format!("{}:doctor:{what}", self.prefix)
    }
}
