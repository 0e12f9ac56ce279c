//! `larder explain`: what would happen to this request, and why?
//!
//! Prints the very plan that the proxy would execute: the same planner, given
//! the same head. Nothing is sent anywhere.

mod shown;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Args;

use crate::clock::Clock;
use crate::explain::{Asked, Explanation, NoRequest, header_line};
use crate::plan::Planner;
use crate::rules::{Context, RuleSet};
use crate::server::{CallerFlags, callers};

use super::check;
use super::exit::{Exit, print, say};
use super::serve::chain;

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
    #[command(flatten)]
    callers: CallerFlags,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// Explains one request.
pub(super) fn run(flags: &Flags) -> Exit {
    let asked = match asked(flags) {
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
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let verifier = match callers(&flags.callers, variable) {
        Ok(callers) => callers.map(|callers| callers.verifier),
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| say(&format!("error: {mistake}\n")));
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

fn asked(flags: &Flags) -> Result<Asked, NoRequest> {
    let headers: Result<Vec<_>, _> = flags.headers.iter().map(|line| header_line(line)).collect();
    Asked::new(&flags.method, &flags.target, headers?, flags.body.clone())
}

fn compile(flags: &Flags) -> Result<RuleSet, String> {
    let file = flags.rules.display().to_string();
    let text = std::fs::read_to_string(&flags.rules)
        .map_err(|error| format!("error: cannot read `{file}`: {error} (hint: --rules names the file)\n"))?;
    // written as `serve` has it, so that the fingerprints are the same
    let upstream = match flags.upstream.parse::<http::Uri>() {
        Ok(uri) => uri.to_string(),
        Err(_) => flags.upstream.clone(),
    };
    let ignored_claims = flags.callers.ignored_claims.names();
    let context = Context { default_schema: flags.default_schema.clone(), upstream, ignored_claims };
    let compiled = RuleSet::parse(&text, &context);
    compiled.map(|(rules, _)| rules).map_err(|mistakes| check::mistakes_text(&file, &mistakes))
}
