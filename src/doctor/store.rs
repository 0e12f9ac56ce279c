//! Does the store answer, in time, and is it set up as a cache's should be?

use std::time::Duration;

use crate::redis::Advice;

use super::{Judged, fails, quoted, shown, warns, works};

/// From so much of `--store-timeout` on, a slow moment is a failure.
const TIMEOUT_SHARE: u32 = 2;

/// What a look at a store found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// Entries live in this process alone.
    Embedded,
    /// It cannot be reached.
    Away { store: String, why: String },
    /// It answers within so much time, the middle of several.
    Answers { store: String, took: Duration },
    /// It answers, but hardly within what it may take.
    Slow { store: String, took: Duration, timeout: Duration },
    /// It answered first and then did not.
    Faltered { why: String },
    /// What it says that it is.
    Version { name: &'static str, version: String },
    /// How much it holds, and what it does when it is full.
    Memory { used: u64, max: u64, policy: String },
    /// What of it is saved on disk.
    Saves { how: &'static str },
    /// What it last saved, it did not save.
    SavesFail,
    /// It is to keep locks, and forgets them when it restarts.
    LocksUnsaved,
    /// What should be changed about it.
    Advised(Advice),
    /// It does not say how it is set up.
    Unsaid { why: String },
    /// It carries out everything that larder asks for.
    Allows,
    /// It does not.
    Forbids { commands: Vec<String> },
}

impl Store {
    /// What its pace means.
    pub fn of_pace(store: String, took: Duration, timeout: Duration) -> Self {
        if took * TIMEOUT_SHARE > timeout {
            Self::Slow { store, took, timeout }
        } else {
            Self::Answers { store, took }
        }
    }

    /// What `INFO` says, and what should be changed about it.
    pub fn of_info(info: &str, advice: Vec<Advice>) -> Vec<Self> {
        let said = |name: &str| {
            info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let number = |name| said(name).and_then(|value| value.parse::<u64>().ok());
        let mut found = Vec::new();
        let names = [("valkey", "valkey_version"), ("redis", "redis_version")];
        if let Some((name, version)) = names.into_iter().find_map(|(name, field)| Some((name, said(field)?)))
        {
            found.push(Self::Version { name, version: version.to_owned() });
        }
        if let (Some(used), Some(max)) = (number("used_memory"), number("maxmemory")) {
            let policy = said("maxmemory_policy").unwrap_or("unknown").to_owned();
            found.push(Self::Memory { used, max, policy });
        }
        let has_failed = ["aof_last_write_status", "rdb_last_bgsave_status", "aof_last_bgrewrite_status"];
        if has_failed.into_iter().any(|name| said(name) == Some("err")) {
            found.push(Self::SavesFail);
        } else if let Some(aof) = said("aof_enabled") {
            found
                .push(Self::Saves { how: if aof == "1" { "each write (AOF)" } else { "at most snapshots" } });
        }
        found.extend(advice.into_iter().map(Self::Advised));
        found
    }

    /// Whether it says that a restart loses what was written a moment ago.
    pub fn forgets(info: &str) -> bool {
        info.lines().any(|line| line.trim_end() == "aof_enabled:0")
    }

    pub(super) fn judged(&self) -> Judged {
        match self {
            Self::Embedded => works("embedded", "entries live in this process alone (memory:)"),
            Self::Away { store, why } => fails(
                "store-away",
                format!("{store} cannot be reached: {}", quoted(why)),
                "clients are answered by the upstream meanwhile; host, port, password and TLS stand in the store's URL",
            ),
            Self::Answers { store, took } => {
                works("store-answers", format!("{store} answers in {}", shown(*took)))
            }
            Self::Slow { store, took, timeout } => warns(
                "store-slow",
                format!("{store} answers in {}, and may take {}", shown(*took), shown(*timeout)),
                "a store in the same data centre; a longer --store-timeout makes clients wait for it",
            ),
            Self::Faltered { why } => fails(
                "store-falters",
                format!("it answered, and then did not: {}", quoted(why)),
                "what does it say in its own log? is it full, failing over, or cut off now and then?",
            ),
            Self::Version { name, version } => works("store-version", format!("{name} {version}")),
            Self::Memory { used, max, policy } => {
                let (used, max) =
                    (mebibytes(*used), if *max == 0 { "no limit".into() } else { mebibytes(*max) });
                works("store-memory", format!("{used} used of {max}, {policy} when full"))
            }
            Self::Saves { how } => {
                works("store-saves", format!("saves {how}: what a restart loses is fetched again"))
            }
            Self::SavesFail => warns(
                "store-saves-fail",
                "it could not save its data the last time: it may refuse writes because of that",
                "is its disk full? a cache needs no snapshots: save \"\"",
            ),
            Self::LocksUnsaved => warns(
                "locks-unsaved",
                "locks and idempotency keys live here, and a restart of it forgets those of its last moments",
                "appendonly yes, with appendfsync always where a second payment must never be",
            ),
            Self::Advised(advice) => advised(advice),
            Self::Unsaid { why } => warns(
                "store-setup-unknown",
                format!("it does not say how it is set up: {}", quoted(why)),
                "an ACL with +info, as in docs/store.md",
            ),
            Self::Allows => works("store-allows", "it carries out everything that larder asks for"),
            Self::Forbids { commands } => fails(
                "store-forbids",
                format!("it refuses {}", quoted(&commands.join(", "))),
                "the ACL in docs/store.md allows what is needed",
            ),
        }
    }
}

/// Advice brings its own hint.
fn advised(advice: &Advice) -> Judged {
    let text = advice.to_string();
    let (message, hint) = text.split_once(" (hint: ").unwrap_or((&text, "docs/store.md"));
    let (message, hint) = (message.to_owned(), hint.trim_end_matches(')').to_owned());
    match advice {
        Advice::Replica => fails("store-is-a-replica", message, hint),
        Advice::NoMemoryLimit
        | Advice::NeverEvicts
        | Advice::EvictsAnything { .. }
        | Advice::NearlyFull { .. }
        | Advice::Old { .. }
        | Advice::Fragmented { .. }
        | Advice::SlowFork { .. } => warns("store-setup", message, hint),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
