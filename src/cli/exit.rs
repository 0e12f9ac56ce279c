//! What does a command leave behind? An exit code, and words for people.

use std::io::{self, Write};
use std::process::ExitCode;

/// How a command ended, in the codes of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Success,
    /// It did not.
    Failure,
    /// It was asked in a way it does not understand.
    Usage,
    /// The proxy or the upstream that it needs does not answer.
    Unavailable,
    /// A file it was given has mistakes.
    Configuration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 64,
            Exit::Unavailable => 69,
            Exit::Configuration => 78,
        })
    }
}

/// Writes to standard output; whether anybody still reads it makes no difference.
pub(super) fn print(text: &str) {
    let _nobody_reads = io::stdout().lock().write_all(text.as_bytes());
}

/// Writes to standard error; whether anybody still reads it makes no difference.
pub(super) fn say(text: &str) {
    let _nobody_reads = io::stderr().lock().write_all(text.as_bytes());
}
