//! `larder health`: is the proxy of this machine well? For images without a shell, and probes that know no token.

use clap::Args;
use http::Method;
use serde_json::Value;

use super::exit::{Exit, print, say};
use super::running::RunningProxy;
use super::serve::chain;

#[derive(Args, Debug)]
pub(super) struct Flags {
    /// Ask only whether it lives, not whether clients should be sent to it
    #[arg(long)]
    alive: bool,
    #[command(flatten)]
    running: RunningProxy,
}

/// Says in a word how it is; the exit code is 0 where that is well.
pub(super) fn run(flags: &Flags) -> Exit {
    let page = if flags.alive { "/healthz" } else { "/readyz" };
    match flags.running.ask(&Method::GET, page) {
        Ok(text) => {
            let told: Value = serde_json::from_str(&text).unwrap_or_default();
            print(&format!("{}\n", told["status"].as_str().unwrap_or("ready")));
            Exit::Success
        }
        Err(error) => {
            say(&chain(&error));
            error.exit()
        }
    }
}
