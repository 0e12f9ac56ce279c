//! Which store was this process told to use, and how?

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::cache::{MemoryStore, SharedStore, Sharing, Store};
use crate::clock::Clock;
use crate::consistency::Consistency;
use crate::guard::Guards;
use crate::redis::{Address, Manners, Redis};
use crate::units::{ByteSize, parse_duration};

use super::settings::SettingMistake;
use super::shutdown::Shutdown;

/// The embedded store.
const MEMORY: &str = "memory:";
/// A store in the same data centre answers within one; what takes longer is better asked of the upstream.
const STORE_TIMEOUT: &str = "50ms";
const CONSISTENCY: &str = "fresh";
/// Enough for a large answer not to stand in the way of small ones.
const CONNECTIONS: usize = 4;

/// One step before a write and one after: what takes turns here is short.
const GUARD_CONNECTIONS: usize = 2;

/// Settings of the store.
#[derive(Args, Clone, Debug, Default)]
pub struct StoreFlags {
    /// Where entries live: `memory:`, or a Redis or Valkey that several processes share, as in
    /// redis://user:password@host:6379/0; REDIS_URL is read where this is not given [default: memory:]
    #[arg(long, env = "LARDER_STORE", value_name = "URL", hide_env_values = true)]
    pub store: Option<String>,
    /// Where locks, operations and limits live, if elsewhere than entries: `memory:`, or redis://…
    #[arg(long, env = "LARDER_GUARD_STORE", value_name = "URL", hide_env_values = true)]
    pub guard_store: Option<String>,
    /// Longest wait for an answer of that store
    #[arg(long, env = "LARDER_STORE_TIMEOUT", value_name = "TIME", default_value = STORE_TIMEOUT)]
    pub store_timeout: String,
    /// What reads rely on beside one process: `bounded` (another's write is seen within a second),
    /// `fresh` (once it is acknowledged) or `strict` (and never an older row again); rules may say otherwise
    #[arg(long, env = "LARDER_CONSISTENCY", value_name = "WORD", default_value = CONSISTENCY)]
    pub consistency: String,
}

/// Where entries live.
#[derive(Clone, Debug, Default)]
pub struct StoreSettings {
    /// What several processes share, if anything.
    pub shared: Option<Address>,
    /// Where a fleet shares its locks, operations and limits, if anywhere.
    pub guards: Option<Address>,
    /// Longest wait for an answer of it.
    pub timeout: Duration,
    /// What reads rely on whose rule says nothing of it.
    pub consistency: Consistency,
}

/// Reads the settings of the store, or names every mistake.
pub(super) fn store(
    flags: &StoreFlags,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<StoreSettings, Vec<SettingMistake>> {
    let mut mistakes = Vec::new();
    let written = flags.store.clone().filter(|text| !text.is_empty());
    let (setting, written) = match written {
        Some(text) => (SettingMistake::of_flag as fn(_, String) -> _, Some(text)),
        None => (SettingMistake::of_variable as fn(_, String) -> _, variable("REDIS_URL")),
    };
    let name = if flags.store.is_some() { "store" } else { "REDIS_URL" };
    // the text is not repeated in a message: it may hold a password
    let shared = written.filter(|text| text != MEMORY).and_then(|text| match Address::parse(&text) {
        Ok(address) => Some(address),
        Err(error) => {
            mistakes.push(setting(name, error.to_string()));
            None
        }
    });
    let guards = match flags.guard_store.as_deref().filter(|text| !text.is_empty()) {
        None => shared.clone(),
        Some(MEMORY) => None,
        Some(text) => match Address::parse(text) {
            Ok(address) => Some(address),
            Err(error) => {
                mistakes.push(SettingMistake::of_flag("guard-store", error.to_string()));
                None
            }
        },
    };
    let timeout = parse_duration(or(&flags.store_timeout, STORE_TIMEOUT)).unwrap_or_else(|error| {
        mistakes.push(SettingMistake::of_flag("store-timeout", error.to_string()));
        Duration::ZERO
    });
    let word = or(&flags.consistency, CONSISTENCY);
    let consistency = Consistency::parse(word).unwrap_or_else(|| {
        let problem = format!("`{word}` is none of `bounded`, `fresh` and `strict`");
        mistakes.push(SettingMistake::of_flag("consistency", problem));
        Consistency::default()
    });
    if mistakes.is_empty() {
        Ok(StoreSettings { shared, guards, timeout, consistency })
    } else {
        Err(mistakes)
    }
}

fn or<'t>(text: &'t str, default: &'t str) -> &'t str {
    if text.is_empty() { default } else { text }
}

impl StoreSettings {
    /// The store itself; what keeps it in touch with others runs until the process ends.
    pub(super) fn open(
        &self,
        memory: ByteSize,
        prefix: &str,
        clock: &Clock,
        shutdown: &Shutdown,
    ) -> Arc<dyn Store> {
        let here = MemoryStore::new(memory.0);
        let Some(address) = &self.shared else { return Arc::new(here) };
        let manners = Manners { timeout: self.timeout, connections: CONNECTIONS };
        let redis = Redis::new(address.clone(), manners, shutdown.tasks(), shutdown.cut());
        let sharing = Sharing { redis, prefix: prefix.to_owned(), clock: clock.clone() };
        let (store, keeping) = SharedStore::new(here, sharing);
        shutdown.tasks().spawn(keeping.run(shutdown.draining().clone()));
        store
    }

    /// Locks, operations and limits: of the fleet where it shares a store, else of this process. They end
    /// with `last`, after the clients: locks of the last writes still have to be released.
    pub(super) fn open_guards(&self, prefix: &str, clock: &Clock, last: &Shutdown) -> Guards {
        let Some(address) = self.guards.clone() else { return Guards::in_memory(clock) };
        let manners = Manners { timeout: self.timeout, connections: GUARD_CONNECTIONS };
        let redis = Redis::new(address, manners, last.tasks(), last.draining());
        Guards::shared(&redis, prefix, clock)
    }
}
