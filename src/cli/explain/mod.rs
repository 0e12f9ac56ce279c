//! `larder explain`: what would happen to this request, and why?
//!
//! Prints the very plan that the proxy would execute: the same planner, given
//! the same head. Nothing is sent upstream.

mod shown;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::clock::Clock;
use crate::explain::{Asked, Explanation, NoRequest, header_line};
use crate::plan::Planner;
use crate::rules::{Context, RuleSet};
use crate::server::{CallerFlags, RulesRefused, callers, read_rules};

use super::check;
use super::exit::{Exit, print, say};
use super::running::RunningProxy;
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
    /// Ask a running proxy, by the rules that it uses and the keys that it has
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    running: RunningProxy,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// Explains one request.
pub(super) fn run(flags: &Flags) -> Exit {
    let explained = if flags.live { live(flags) } else { planned(flags) };
    let shown = explained
        .and_then(|explanation| if flags.json { json(&explanation) } else { Ok(shown::text(&explanation)) });
    match shown {
        Ok(text) => {
            print(&text);
            Exit::Success
        }
        Err((exit, text)) => {
            say(&text);
            exit
        }
    }
}

/// Why there is no explanation: the exit code, and words for people.
type Unexplained = (Exit, String);

/// By the rules in the file.
fn planned(flags: &Flags) -> Result<Explanation, Unexplained> {
    let asked = asked(flags).map_err(|error| (Exit::Usage, chain(&error)))?;
    let rules = compile(flags).map_err(|text| (Exit::Configuration, text))?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let callers = callers(&flags.callers, variable).map_err(|mistakes| {
        let lines = mistakes.iter().map(|mistake| format!("error: {mistake}\n"));
        (Exit::Configuration, lines.collect::<String>())
    })?;
    let planner = Planner::new(rules, callers.map(|callers| callers.verifier));
    Ok(Explanation::of(&planner, &asked, Clock::default().unix_seconds()))
}

/// By the rules in use in a running proxy, and the keys that it has.
fn live(flags: &Flags) -> Result<Explanation, Unexplained> {
    let usage = |error| (Exit::Usage, chain(&error));
    let mut headers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in &flags.headers {
        let (name, value) = header_line(line).map_err(usage)?;
        headers.entry(name).or_default().push(value);
    }
    let Flags { method, target, body, .. } = flags;
    let question = json!({ "method": method, "target": target, "headers": headers, "body": body });
    let answer = flags.running.post("/api/explain", &question);
    let answer = answer.map_err(|error| (error.exit(), chain(&error)))?;
    serde_json::from_str(&answer).map_err(|error| (Exit::Failure, chain(&error)))
}

fn json(explanation: &Explanation) -> Result<String, Unexplained> {
    let json = serde_json::to_string_pretty(explanation);
    json.map(|json| format!("{json}\n")).map_err(|error| (Exit::Failure, chain(&error)))
}

fn asked(flags: &Flags) -> Result<Asked, NoRequest> {
    let headers: Result<Vec<_>, _> = flags.headers.iter().map(|line| header_line(line)).collect();
    Asked::new(&flags.method, &flags.target, headers?, flags.body.clone())
}

fn compile(flags: &Flags) -> Result<RuleSet, String> {
    let file = flags.rules.display().to_string();
    // written as `serve` has it, so that the fingerprints are the same
    let upstream = match flags.upstream.parse::<http::Uri>() {
        Ok(uri) => uri.to_string(),
        Err(_) => flags.upstream.clone(),
    };
    let ignored_claims = flags.callers.ignored_claims.names();
    let context = Context {
        default_schema: flags.default_schema.clone(),
        upstream,
        ignored_claims,
        ..Context::default()
    };
    match read_rules(&flags.rules, &context) {
        Ok((rules, _)) => Ok(rules),
        Err(RulesRefused::Mistakes(mistakes)) => Err(check::mistakes_text(&file, &mistakes)),
        Err(RulesRefused::Read(error)) => {
            Err(format!("error: cannot read `{file}`: {error} (hint: --rules names the file)\n"))
        }
    }
}
