//! `larder warm`: fill the cache before the traffic comes.
//!
//! Asks the proxy on its clients' address, as clients do: what comes of a request here is what
//! comes of it for them, and a request that would not be kept for them is not kept for this either.

mod asking;
mod list;
mod prepare;
mod summary;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::exit::{Exit, print, say};
use super::serve::chain;
use asking::Came;
use prepare::{Unusable, prepare};
use summary::Summary;

/// Most requests at a time: more would be what Supabase is to be spared.
const CONCURRENCY_MAX: u16 = 256;

/// What to ask for, and how.
#[derive(Args, Debug)]
#[command(
    after_help = "A line of FILE is a request target, as in /rest/v1/properties?select=id, or a JSON object \
    {\"method\": \"GET\", \"target\": \"/…\", \"headers\": {\"accept\": \"…\"}}. Blank lines and lines that begin with # do not \
    count. Only GET is asked: nothing is ever changed.\n\
    Exit codes: 0 every request was answered; 1 some were not, or refused; 69 nobody answers; 78 the list cannot be used."
)]
pub(super) struct Flags {
    /// The list, `-` for standard input
    #[arg(value_name = "FILE", required_unless_present = "from_log")]
    file: Option<PathBuf>,
    /// An access log, an object a line (nginx, Caddy and others), instead: its GETs, the most frequent first
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    from_log: Option<PathBuf>,
    /// As whom: `anon`, signed out with the public key; a user's token; or @FILE with the token in it
    #[arg(long = "as", value_name = "WHO", default_value = "anon", hide_default_value = true)]
    caller: String,
    /// Where the proxy answers clients
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    to: String,
    /// A header of every request, as in 'accept-profile: private'
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Requests at a time
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=i64::from(CONCURRENCY_MAX)))]
    concurrency: u16,
    /// Most requests, from the beginning of the list [default: all]
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Longest wait for one answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// The summary for machines; no progress bar
    #[arg(long)]
    json: bool,
}

/// Asks for everything, and says what came of it.
pub(super) fn run(flags: &Flags) -> Exit {
    let (asker, wanted) = match prepare(flags) {
        Ok(prepared) => prepared,
        Err(error) => {
            say(&chain(&error));
            return match error {
                Unusable::Read(..) | Unusable::List(..) => Exit::Configuration,
                Unusable::To(_) | Unusable::Header(_) | Unusable::Caller => Exit::Usage,
                Unusable::Runtime(_) => Exit::Failure,
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&chain(&Unusable::Runtime(error)));
            return Exit::Failure;
        }
    };
    let bar = bar(wanted.len(), flags.json);
    let mut summary = Summary::default();
    runtime.block_on(asker.ask_all(&wanted, usize::from(flags.concurrency), |came: &Came| {
        summary.add(came);
        bar.inc(1);
        bar.set_message(summary.short());
    }));
    bar.finish_and_clear();
    print(&if flags.json { summary.json() } else { summary.text() });
    summary.exit()
}

/// A bar on a terminal; nothing where nobody looks.
fn bar(length: usize, is_json: bool) -> ProgressBar {
    let is_seen = !is_json && std::io::stderr().is_terminal();
    let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(length as u64), target);
    match ProgressStyle::with_template("{bar:30} {pos}/{len} {per_sec} {eta} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
