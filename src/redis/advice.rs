//! Is a server set up as a cache's store should be?
//!
//! Pure, over what the server says of itself.

use std::fmt;

/// Oldest server that is tested with.
const VERSION_MIN: (u32, u32) = (6, 2);

/// What should be changed about a server. None of it keeps larder from working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// It has no `maxmemory`: it grows until the system ends it.
    NoMemoryLimit,
    /// It refuses writes when it is full.
    NeverEvicts,
    /// It may push out keys that never expire before those that do.
    EvictsAnything {
        /// Its policy.
        policy: String,
    },
    /// It is nearly full, and pushes nothing out that larder needs.
    NearlyFull {
        /// How full, in percent.
        percent: u64,
    },
    /// It is older than what is tested.
    Old {
        /// Its version.
        version: String,
    },
    /// It is a replica.
    Replica,
    /// Memory of it is in the swap, or its allocator keeps much more than it uses.
    Fragmented {
        /// Resident over used memory, in percent.
        percent: u64,
    },
    /// It saves its whole memory every now and then, and stalls when it forks.
    SlowFork {
        /// How long the last one took, in milliseconds.
        millis: u64,
    },
}

/// Reads what `INFO` and `CONFIG GET maxmemory*` say, each as lines of `name:value`. Whatever a server
/// does not say, or does not let one ask, is left alone.
pub fn advice(info: &str) -> Vec<Advice> {
    let said = |name: &str| {
        info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let number = |name| said(name).and_then(|value| value.parse::<u64>().ok());
    let mut found = Vec::new();
    if let Some(version) = said("valkey_version").or_else(|| said("redis_version"))
        && older(version)
    {
        found.push(Advice::Old { version: version.to_owned() });
    }
    if said("role").is_some_and(|role| role != "master") {
        found.push(Advice::Replica);
    }
    let policy = said("maxmemory_policy").or_else(|| said("maxmemory-policy"));
    match (number("maxmemory"), policy) {
        (Some(0), _) => found.push(Advice::NoMemoryLimit),
        (_, Some("noeviction")) => found.push(Advice::NeverEvicts),
        (_, Some(policy)) if policy.starts_with("allkeys-") => {
            found.push(Advice::EvictsAnything { policy: policy.to_owned() });
        }
        _ => {}
    }
    let is_evicting = policy.is_some_and(|policy| policy != "noeviction");
    if let (Some(used), Some(max @ 1..)) = (number("used_memory"), number("maxmemory"))
        && let percent = used.saturating_mul(100) / max
        && percent >= NEARLY_FULL
        && !is_evicting
    {
        found.push(Advice::NearlyFull { percent });
    }
    if let (Some(used @ SMALL..), Some(resident)) = (number("used_memory"), number("used_memory_rss"))
        && let percent = resident.saturating_mul(100) / used
        && !(100 - SWAPPED..=FRAGMENTED).contains(&percent)
    {
        found.push(Advice::Fragmented { percent });
    }
    if let Some(millis) = number("latest_fork_usec").map(|micros| micros / 1_000)
        && millis >= SLOW_FORK_MILLIS
    {
        found.push(Advice::SlowFork { millis });
    }
    found
}

/// From so many percent of `maxmemory` on, a server that pushes nothing out is soon of no use.
const NEARLY_FULL: u64 = 90;

/// Below so many bytes, what the allocator keeps says nothing.
const SMALL: u64 = 64 << 20;

/// So many percent of used memory that are not resident are in the swap.
const SWAPPED: u64 = 20;

/// Resident memory of so many percent of what is used is more than fragmentation usually costs.
const FRAGMENTED: u64 = 200;

/// A fork that takes longer than a command may.
const SLOW_FORK_MILLIS: u64 = 50;

fn older(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let (major, minor) = (numbers.next(), numbers.next().unwrap_or_default());
    major.is_some_and(|major| (major, minor) < VERSION_MIN)
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMemoryLimit => f.write_str(
                "maxmemory is 0: the server grows until the system ends it (hint: set maxmemory, and \
                 maxmemory-policy volatile-lru)",
            ),
            Self::NeverEvicts => f.write_str(
                "maxmemory-policy is noeviction: once full, it takes no entries any more (hint: volatile-lru)",
            ),
            Self::EvictsAnything { policy } => write!(
                f,
                "maxmemory-policy is {policy}: under pressure it drops what says which entries are valid, and \
                 those entries with it (hint: volatile-lru, which drops entries first)"
            ),
            Self::NearlyFull { percent } => {
                write!(f, "{percent}% of maxmemory are used and nothing is pushed out (hint: volatile-lru)")
            }
            Self::Old { version } => {
                write!(f, "version {version} is older than what larder is tested with (hint: 6.2 or later)")
            }
            Self::Replica => f.write_str("it is a replica and takes no writes (hint: the primary's address)"),
            Self::Fragmented { percent } => write!(
                f,
                "resident memory is {percent}% of what is used: much below 100 means swapping, much above means \
                 fragmentation (hint: more memory; activedefrag yes)"
            ),
            Self::SlowFork { millis } => write!(
                f,
                "its last fork took {millis} ms, in which it answered nobody (hint: a cache needs no snapshots: \
                 save \"\")"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_judged() {
        let well = "redis_version:7.0.15\r\nrole:master\r\nmaxmemory:1000\r\nmaxmemory_policy:volatile-lru\r\n\
                    used_memory:999\r\nlatest_fork_usec:900\r\n";
        let changed = |from: &str, to: &str| well.replace(from, to);
        let policy = |policy: &str| Advice::EvictsAnything { policy: policy.to_owned() };
        for (info, found) in [
            (well.to_owned(), vec![]),
            (String::new(), vec![]),
            ("role:\r\nmaxmemory:x\r\nnonsense".to_owned(), vec![Advice::Replica]),
            (changed("7.0.15", "6.0.16"), vec![Advice::Old { version: "6.0.16".to_owned() }]),
            (changed("7.0.15", "6.2"), vec![]),
            (changed("7.0.15", "unstable"), vec![]),
            (format!("{well}valkey_version:8.1.0\r\n"), vec![]),
            (changed("role:master", "role:slave"), vec![Advice::Replica]),
            (changed("maxmemory:1000", "maxmemory:0"), vec![Advice::NoMemoryLimit]),
            (
                changed("volatile-lru", "noeviction"),
                vec![Advice::NeverEvicts, Advice::NearlyFull { percent: 99 }],
            ),
            (changed("volatile-lru", "allkeys-lfu"), vec![policy("allkeys-lfu")]),
            (changed("volatile-lru", "volatile-ttl"), vec![]),
            (
                changed("used_memory:999", "used_memory:100000000\r\nused_memory_rss:300000000"),
                vec![Advice::Fragmented { percent: 300 }],
            ),
            (
                changed("used_memory:999", "used_memory:100000000\r\nused_memory_rss:50000000"),
                vec![Advice::Fragmented { percent: 50 }],
            ),
            (
                changed("latest_fork_usec:900", "latest_fork_usec:200000"),
                vec![Advice::SlowFork { millis: 200 }],
            ),
        ] {
            assert_eq!(advice(&info), found, "{info}");
            assert!(found.iter().all(|advice| advice.to_string().contains("(hint: ")));
        }
    }
}
