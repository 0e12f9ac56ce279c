//! Where do log lines go, and in which form?

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::settings::LogFormat;

/// What is logged where `RUST_LOG` does not say. hyper's own warnings are about clients, not about us.
const FILTER: &str = "info,hyper=error,h2=error";

/// Writes log lines to standard output from now on; the first caller in a process wins.
pub fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Output);
    // Colours are for eyes, not for files.
    let lines = lines.with_ansi(io::stdout().is_terminal());
    let _already_started = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// Standard output, which may be gone: a full disk or a closed pipe costs the line, never the process.
struct Output;

impl<'a> MakeWriter<'a> for Output {
    type Writer = Output;

    fn make_writer(&'a self) -> Output {
        Output
    }
}

impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _lost = io::stdout().lock().write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _lost = io::stdout().lock().flush();
        Ok(())
    }
}
