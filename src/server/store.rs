//! Which store was this process told to use, and how?

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::cache::{
    MemoryStore, SharedStore, Sharing, Store,
    record::{Codec, Keyring},
};
use crate::clock::Clock;
use crate::consistency::Consistency;
use crate::guard::Guards;
use crate::redis::{Address, Manners, Redis};
use crate::rules::RuleSet;
use crate::units::{ByteSize, parse_duration};
use crate::workers::Workers;

use super::advising::advise;
use super::settings::{SettingMistake, text_or};
use super::shutdown::Shutdown;

/// The embedded store.
const MEMORY: &str = "memory:";
/// A store in the same data centre answers within one; what takes longer is better asked of the upstream.
const STORE_TIMEOUT: &str = "50ms";
const CONSISTENCY: &str = "fresh";
/// Supabase's statement and gateway timeouts end at two minutes.
const INTENT_DEADLINE: &str = "130s";
/// A connection for each worker; more would only cost the store.
const CONNECTIONS_MAX: usize = 8;

/// One step before a write and one after: what takes turns here is short.
const GUARD_CONNECTIONS: usize = 2;

/// Variables that apps have already, and those that hold what no command line should show.
const REDIS: &str = "REDIS_URL";
const UPSTASH: &str = "UPSTASH_REDIS_REST_URL";
const TOKEN: &str = "UPSTASH_REDIS_REST_TOKEN";
const STORE_PASSWORD: &str = "LARDER_STORE_PASSWORD";
const REDIS_PASSWORD: &str = "REDIS_PASSWORD";
const KEYS: &str = "LARDER_ENCRYPTION_KEYS";

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
    /// Longest time for which the upstream may still commit a write that nobody heard the end of; what
    /// it may have changed is taken away again then, by whichever process is alive
    #[arg(long, env = "LARDER_INTENT_DEADLINE", value_name = "TIME", default_value = INTENT_DEADLINE)]
    pub intent_deadline: String,
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
    /// Longest time for which the upstream may still commit a write that nobody heard the end of.
    pub intent_deadline: Duration,
    /// What entries of rules that say `encrypt: true` are sealed with.
    pub keyring: Option<Keyring>,
}

/// Reads the settings of the store, or names every mistake.
pub(super) fn store(
    flags: &StoreFlags,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<StoreSettings, Vec<SettingMistake>> {
    let mut mistakes = Vec::new();
    let shared = address(flags.store.as_deref(), &variable, &mut mistakes);
    let guards = match flags.guard_store.as_deref().filter(|text| !text.is_empty()) {
        None => shared.clone(),
        Some(MEMORY) => None,
        Some(text) => match Address::parse(text) {
            Ok(address) => Some(with_password(address, &variable)),
            Err(error) => {
                mistakes.push(SettingMistake::of_flag("guard-store", error.to_string()));
                None
            }
        },
    };
    let timeout = parse_duration(text_or(&flags.store_timeout, STORE_TIMEOUT)).unwrap_or_else(|error| {
        mistakes.push(SettingMistake::of_flag("store-timeout", error.to_string()));
        Duration::ZERO
    });
    let intent_deadline = intent_deadline(&flags.intent_deadline).unwrap_or_else(|problem| {
        mistakes.push(SettingMistake::of_flag("intent-deadline", problem));
        Duration::ZERO
    });
    let word = text_or(&flags.consistency, CONSISTENCY);
    let consistency = Consistency::parse(word).unwrap_or_else(|| {
        let problem = format!("`{word}` is none of `bounded`, `fresh` and `strict`");
        mistakes.push(SettingMistake::of_flag("consistency", problem));
        Consistency::default()
    });
    let keyring = variable(KEYS).and_then(|text| match Keyring::parse(&text) {
        Ok(keyring) => Some(keyring),
        Err(error) => {
            mistakes.push(SettingMistake::of_variable(KEYS, error.to_string()));
            None
        }
    });
    let settings = StoreSettings { shared, guards, timeout, consistency, intent_deadline, keyring };
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// At once would be before the upstream has done anything: then nothing would ever be taken away again.
fn intent_deadline(text: &str) -> Result<Duration, String> {
    let deadline = parse_duration(text_or(text, INTENT_DEADLINE)).map_err(|error| error.to_string())?;
    if deadline.is_zero() { Err("must be more than nothing".to_owned()) } else { Ok(deadline) }
}

/// The first of the flag and the usual variables that says something. None of the texts is repeated
/// in a message: each may hold a password.
fn address(
    flag: Option<&str>,
    variable: &impl Fn(&str) -> Option<String>,
    mistakes: &mut Vec<SettingMistake>,
) -> Option<Address> {
    let (said, mistake): (_, fn(String) -> SettingMistake) =
        if let Some(text) = flag.filter(|text| !text.is_empty()) {
            let parsed = (text != MEMORY).then(|| Address::parse(text));
            (parsed, |problem| SettingMistake::of_flag("store", problem))
        } else if let Some(text) = variable(REDIS) {
            (Some(Address::parse(&text)), |problem| SettingMistake::of_variable(REDIS, problem))
        } else {
            let upstash =
                variable(UPSTASH).map(|url| Address::upstash(&url, &variable(TOKEN).unwrap_or_default()));
            (upstash, |problem| SettingMistake::of_variable(UPSTASH, problem))
        };
    match said? {
        Ok(address) => Some(with_password(address, variable)),
        Err(error) => {
            mistakes.push(mistake(error.to_string()));
            None
        }
    }
}

/// A password that the address leaves out.
fn with_password(address: Address, variable: &impl Fn(&str) -> Option<String>) -> Address {
    match variable(STORE_PASSWORD).or_else(|| variable(REDIS_PASSWORD)) {
        Some(password) => address.or_password(&password),
        None => address,
    }
}

impl StoreSettings {
    /// The store itself. What keeps it in touch with others ends with `last`, after the clients: the
    /// last writes still have to be told to everybody.
    pub(super) fn open(&self, within: &Within<'_>, last: &Shutdown) -> Arc<dyn Store> {
        let here = MemoryStore::new(within.memory.0, self.intent_deadline, within.clock.clone());
        let Some(address) = &self.shared else { return Arc::new(here) };
        let connections = within.workers.count().min(CONNECTIONS_MAX);
        let manners = Manners { timeout: self.timeout, connections, workers: within.workers.clone() };
        let redis = Redis::new(address.clone(), manners, last.tasks(), last.draining());
        last.tasks().spawn(advise(redis.clone(), last.draining().clone()));
        let codec = Codec::new(usize::try_from(within.max_body.0).unwrap_or(usize::MAX));
        let sharing = Sharing {
            redis,
            prefix: within.prefix.to_owned(),
            clock: within.clock.clone(),
            sealing: self.keyring.clone().map(|keyring| codec.clone().sealing(keyring)),
            codec,
        };
        let (store, keeping) = SharedStore::new(here, sharing);
        last.tasks().spawn(keeping.run(last.draining().clone()));
        store
    }

    /// Locks, operations and limits: of the fleet where it shares a store, else of this process. They end
    /// with `last`, after the clients: locks of the last writes still have to be released.
    pub(super) fn open_guards(&self, within: &Within<'_>, last: &Shutdown) -> Guards {
        let Some(address) = self.guards.clone() else { return Guards::in_memory(within.clock) };
        let workers = within.workers.clone();
        let manners = Manners { timeout: self.timeout, connections: GUARD_CONNECTIONS, workers };
        let redis = Redis::new(address, manners, last.tasks(), last.draining());
        Guards::shared(&redis, within.prefix, within.clock)
    }

    /// Whether a rule asks for entries to be sealed that nothing here can seal.
    pub(super) fn cannot_seal(&self, rules: &RuleSet) -> bool {
        let is_encrypted = || rules.read_rules().iter().any(|rule| rule.is_encrypted);
        self.shared.is_some() && self.keyring.is_none() && is_encrypted()
    }
}

/// What bounds a store, what it is called, and who asks it.
pub(super) struct Within<'s> {
    pub(super) memory: ByteSize,
    pub(super) max_body: ByteSize,
    pub(super) prefix: &'s str,
    pub(super) clock: &'s Clock,
    pub(super) workers: &'s Workers,
}
