//! What is to be checked? The command line, and every mistake in it.

use std::path::{Path, PathBuf};

use clap::Parser;
use larder::sabotage::Bug;

use super::faults::Fault;
use super::judge::Consistency;

/// Are reads through Larder ever stale? Clients, proxies, a database and faults, and every answer checked.
///
/// Starts PostgreSQL, an upstream that speaks PostgREST's language, Redis and several `larder serve`, lets clients
/// read and write through all of them while a seeded schedule of faults goes on, and compares each answer with what
/// was acknowledged and read before it began. See docs/coherence.md.
#[derive(Clone, Debug, Parser)]
#[command(name = "larder-check-coherence", version, max_term_width = 110)]
pub(crate) struct Flags {
    /// Proxies
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) proxies: u8,
    /// Where entries live: `memory`, in each proxy alone, or `redis`, one for all
    #[arg(long, value_name = "STORE", default_value = "redis")]
    pub(crate) store: StoreKind,
    /// What the proxies promise
    #[arg(long, value_name = "MODE", default_value = "fresh")]
    pub(crate) consistency: Consistency,
    /// Runs one after another, each with a seed of its own and everything but the database new
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) schedules: u64,
    /// Seconds of each, 10 or more
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(10..))]
    pub(crate) seconds: u64,
    /// Decides about faults, delays and what each client asks for
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// `all`, `none`, or names, comma separated; `list` tells them. Those that begin with `die-` are not among `all`:
    /// they need a debug build of larder
    #[arg(long, value_name = "NAMES", default_value = "all")]
    pub(crate) faults: String,
    /// Clients
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) clients: u16,
    /// So many of 100 operations are writes
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=80))]
    pub(crate) writes: u64,
    /// The larder to be checked [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) larder: Option<PathBuf>,
    /// A setting for every proxy, as in `--with --intent-deadline=5s`; may be repeated
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub(crate) with: Vec<String>,
    /// Stop at the first violation
    #[arg(long)]
    pub(crate) first: bool,
    /// Is a bug found? Its name, `all`, or `list`; needs a debug build of larder
    #[arg(long, value_name = "BUG")]
    pub(crate) sabotage: Option<String>,
}

/// Where entries live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StoreKind {
    /// In each proxy alone.
    Memory,
    /// In one Redis for all.
    Redis,
}

/// What was meant by a command line.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) proxies: usize,
    pub(crate) store: StoreKind,
    pub(crate) consistency: Consistency,
    pub(crate) schedules: u64,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) faults: Vec<Fault>,
    pub(crate) clients: usize,
    pub(crate) write_percent: u64,
    pub(crate) larder: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) bug: Option<Bug>,
}

impl Plan {
    /// Turns words into a plan, or says what is wrong with them.
    pub(crate) fn resolve(flags: &Flags, larder: &Path) -> Result<Self, String> {
        Ok(Self {
            proxies: usize::from(flags.proxies),
            store: flags.store,
            consistency: flags.consistency,
            schedules: flags.schedules,
            seconds: flags.seconds,
            seed: flags.seed,
            faults: faults(&flags.faults, flags.store)?,
            clients: usize::from(flags.clients),
            write_percent: flags.writes,
            larder: flags.larder.clone().unwrap_or_else(|| larder.to_owned()),
            arguments: flags.with.clone(),
            bug: None,
        })
    }
}

/// The faults of these names; those of a shared store only where there is one.
pub(crate) fn faults(names: &str, store: StoreKind) -> Result<Vec<Fault>, String> {
    let fits = |fault: &Fault| store == StoreKind::Redis || !fault.is_of_store();
    match names {
        "none" => Ok(Vec::new()),
        "all" => Ok(Fault::ALL.into_iter().filter(fits).collect()),
        names => names
            .split(',')
            .map(|name| match Fault::named(name.trim()) {
                Some(fault) if fits(&fault) => Ok(fault),
                Some(_) => Err(format!("--faults: `{name}` needs --store redis")),
                None => Err(format!("--faults: no fault is called `{name}` (hint: --faults list)")),
            })
            .collect(),
    }
}
