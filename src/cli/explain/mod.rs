//! `larder explain`: what would happen to this request, and why?
//!
//! Prints the very plan that the proxy would execute: the same planner, given
//! the same head. Nothing is sent anywhere.

mod asked;
mod explanation;
mod shown;
mod tags;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Args;

use crate::clock::Clock;
use crate::plan::Planner;
use crate::rules::{Context, RuleSet};
use crate::server::{RulesRefused, callers, read_rules};

use super::check;
use super::exit::{Exit, print, say};
use super::serve::chain;

use asked::Asked;
use explanation::Explanation;

/// The request, and the rules to look at it with.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// GET, POST, PATCH, …
    method: String,
    /// Path and query, or a whole URL
    target: String,
    /// A header of the request, as in -H 'apikey: …'
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The body of the request
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// File that says what is cached
    #[arg(long, env = "LARDER_RULES", value_name = "FILE", default_value = "rules.yaml")]
    rules: PathBuf,
    /// Supabase or PostgREST behind the proxy: a part of every fingerprint, never asked
    #[arg(long, env = "LARDER_UPSTREAM", value_name = "URL", hide_env_values = true, default_value = "")]
    upstream: String,
    /// Schema of requests that name none
    #[arg(long, env = "LARDER_DEFAULT_SCHEMA", value_name = "NAME", default_value = "public")]
    default_schema: String,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// Explains one request.
pub(super) fn run(flags: &Flags) -> Exit {
    let asked = match Asked::parse(flags) {
        Ok(asked) => asked,
        Err(error) => {
            say(&chain(&error));
            return Exit::Usage;
        }
    };
    let rules = match compile(flags) {
        Ok(rules) => rules,
        Err(text) => {
            say(&text);
            return Exit::Configuration;
        }
    };
    let verifier = match callers(|name| std::env::var(name).ok().filter(|value| !value.is_empty())) {
        Ok(callers) => callers.map(|callers| callers.verifier),
        Err(mistakes) => {
            mistakes
                .iter()
                .for_each(|mistake| say(&format!("error: {}: {}\n", mistake.setting, mistake.problem)));
            return Exit::Configuration;
        }
    };
    let explanation =
        Explanation::of(&Planner::new(rules, verifier), &asked, Clock::default().unix_seconds());
    match flags.json.then(|| serde_json::to_string_pretty(&explanation)) {
        None => print(&shown::text(&explanation)),
        Some(Ok(json)) => print(&format!("{json}\n")),
        Some(Err(error)) => {
            say(&chain(&error));
            return Exit::Failure;
        }
    }
    Exit::Success
}

fn compile(flags: &Flags) -> Result<RuleSet, String> {
    let file = flags.rules.display().to_string();
    // written as `serve` has it, so that the fingerprints are the same
    let upstream = match flags.upstream.parse::<http::Uri>() {
        Ok(uri) => uri.to_string(),
        Err(_) => flags.upstream.clone(),
    };
    let context = Context { default_schema: flags.default_schema.clone(), upstream };
    match read_rules(&flags.rules, &context) {
        Ok((rules, _)) => Ok(rules),
        Err(RulesRefused::Mistakes(mistakes)) => Err(check::mistakes_text(&file, &mistakes)),
        Err(RulesRefused::Read(error)) => {
            Err(format!("error: cannot read `{file}`: {error} (hint: --rules names the file)\n"))
        }
    }
}
