//! Log lines: in which form, and where do they go?
//!
//! Everything is told through `tracing`, but for the line that every request
//! writes: that one is put together by hand in [`RequestLine`], because at the
//! rate of hits it would cost more than the hit. Both end in one `output`,
//! which no request ever waits for.

mod output;
mod request;

pub use output::lost;
pub use request::RequestLine;

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use output::Output;

/// What is logged where `RUST_LOG` does not say. hyper's own warnings are about clients, not about us.
const FILTER: &str = "info,hyper=error,h2=error";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: an object a line.
    Json,
}

/// Where this process logs to, once it does.
static LOG: OnceLock<Log> = OnceLock::new();

#[derive(Debug)]
struct Log {
    format: LogFormat,
    output: &'static Output,
}

/// Holds the log open; dropped, it writes what is left.
#[derive(Debug)]
#[must_use = "dropped, it writes what is left"]
pub struct Logging(());

/// Writes log lines to standard output from now on; the first caller in a process wins.
pub fn start_logging(format: LogFormat) -> Logging {
    let log = LOG.get_or_init(|| Log { format, output: Output::start() });
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| log.output);
    // Colours are for eyes, not for files.
    let lines = lines.with_ansi(io::stdout().is_terminal());
    let _already_started = match log.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Logging(())
}

impl Drop for Logging {
    fn drop(&mut self) {
        if let Some(log) = LOG.get() {
            log.output.finish();
        }
    }
}
