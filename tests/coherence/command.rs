//! `larder-check-coherence`: are reads through Larder ever stale?
//!
//!     cargo build --release && cargo run --release --example larder-check-coherence -- --help

#![allow(
    clippy::disallowed_methods,
    reason = "a program of its own: it owns its tasks and reads its own clock"
)]

mod checker;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use checker::{Screen, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let ended = run(std::env::args_os(), &beside(), Screen::new(Some(std::io::stderr())));
    // whether anybody still reads it makes no difference
    let _said = std::io::stdout().lock().write_all(ended.said.as_bytes());
    let _complained = std::io::stderr().lock().write_all(ended.complaint.as_bytes());
    ExitCode::from(ended.code)
}

/// The larder that was built with this program: an example lies one folder below it.
fn beside() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let mut places = own.ancestors().skip(1).take(2).map(|folder| folder.join("larder"));
    places.find(|path| path.is_file()).unwrap_or_else(|| "larder".into())
}
