//! What can an operator type?

pub mod check;
mod demo;
mod doctor;
mod entries;
mod exit;
mod explain;
mod health;
mod lock;
mod purge;
mod running;
mod schema;
mod serve;
mod shell;
mod stats;
mod warm;

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::rules::Context;
use crate::server::{Flags, IgnoredClaims, RulesRefused, read_rules};

pub use exit::Exit;

use exit::{print, say};

/// A transparent read-through cache in front of Supabase and PostgREST
#[derive(Debug, Parser)]
#[command(name = "larder", version, max_term_width = 110)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer clients
    Serve(Box<Flags>),
    /// Tell every mistake in a rules file
    Check(CheckFlags),
    /// Tell what would happen to a request, and why
    Explain(Box<explain::Flags>),
    /// Learn from the database what no URL shows, or tell whether it has moved on
    #[command(subcommand)]
    Schema(schema::Command),
    /// Show and free the locks of a running proxy
    #[command(subcommand)]
    Lock(lock::Command),
    /// Show how much a running proxy answers from its cache, and by which rules
    Stats(stats::Flags),
    /// Tell what works, what does not, and what to do: upstream, keys, clock, rules, store, fleet, machine
    Doctor(Box<doctor::DoctorFlags>),
    /// List what a running proxy remembers
    Keys(entries::KeysFlags),
    /// Show what a running proxy says about one key, and with --body what is stored
    Get(entries::GetFlags),
    /// Tell by the exit code whether a running proxy is ready: for probes
    Health(health::Flags),
    /// Make entries disappear, here and from every proxy that shares the store
    Purge(purge::Flags),
    /// Fill the cache before the traffic comes
    Warm(warm::Flags),
    /// Print what a shell needs to complete this command line
    Completions(shell::CompletionFlags),
    /// Print the manual page, or write one for each command
    Man(shell::ManFlags),
    /// Watch it work: a made-up Supabase, the proxy, visitors and a live table
    Demo(demo::Flags),
}

#[derive(Args, Debug)]
struct CheckFlags {
    /// The file
    #[arg(default_value = "rules.yaml", env = "LARDER_RULES")]
    file: PathBuf,
    /// Schema of requests that name none
    #[arg(long, env = "LARDER_DEFAULT_SCHEMA", default_value = "public")]
    default_schema: String,
    #[command(flatten)]
    claims: IgnoredClaims,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// The whole command line, for whoever holds something against it without running it.
pub fn command_line() -> clap::Command {
    Line::command()
}

/// Runs the command of this process.
pub fn run() -> Exit {
    match Line::try_parse() {
        Ok(Line { command: Command::Serve(flags) }) => serve::run(&flags),
        Ok(Line { command: Command::Check(flags) }) => run_check(&flags),
        Ok(Line { command: Command::Explain(flags) }) => explain::run(&flags),
        Ok(Line { command: Command::Schema(command) }) => schema::run(&command),
        Ok(Line { command: Command::Lock(command) }) => lock::run(&command),
        Ok(Line { command: Command::Stats(flags) }) => stats::run(&flags),
        Ok(Line { command: Command::Doctor(flags) }) => doctor::run(&flags),
        Ok(Line { command: Command::Keys(flags) }) => entries::keys(&flags),
        Ok(Line { command: Command::Get(flags) }) => entries::get(&flags),
        Ok(Line { command: Command::Health(flags) }) => health::run(&flags),
        Ok(Line { command: Command::Purge(flags) }) => purge::run(&flags),
        Ok(Line { command: Command::Warm(flags) }) => warm::run(&flags),
        Ok(Line { command: Command::Completions(flags) }) => shell::completions(&flags, Line::command()),
        Ok(Line { command: Command::Man(flags) }) => shell::man(&flags, Line::command()),
        Ok(Line { command: Command::Demo(flags) }) => demo::run(&flags),
        Err(error) => {
            let is_asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Coloured where it goes to a terminal; a closed one is nobody's concern.
            let _nobody_reads = error.print();
            if is_asked_for { Exit::Success } else { Exit::Usage }
        }
    }
}

fn run_check(flags: &CheckFlags) -> Exit {
    let file = flags.file.display().to_string();
    let ignored_claims = flags.claims.names();
    let context =
        Context { default_schema: flags.default_schema.clone(), ignored_claims, ..Context::default() };
    let compiled = match read_rules(&flags.file, &context) {
        Ok(compiled) => Ok(compiled),
        Err(RulesRefused::Mistakes(mistakes)) => Err(mistakes),
        Err(RulesRefused::Read(error)) => {
            say(&format!("error: cannot read `{file}`: {error}\n"));
            return Exit::Configuration;
        }
    };
    match flags.json.then(|| check::json(&file, &compiled)) {
        None => print(&check::text(&file, &compiled)),
        Some(Ok(json)) => print(&format!("{json}\n")),
        Some(Err(error)) => say(&format!("error: {error}\n")),
    }
    if compiled.is_ok() { Exit::Success } else { Exit::Configuration }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_can_be_typed() {
        let mut line = Line::command();
        line.clone().debug_assert();
        // each is built when it is typed, and may have mistakes of its own
        for name in line.get_subcommands().map(|command| command.get_name().to_owned()).collect::<Vec<_>>() {
            let typed = line.try_get_matches_from_mut(["larder", &name, "--help"]);
            assert_eq!(typed.unwrap_err().kind(), ErrorKind::DisplayHelp, "{name}");
        }
    }
}
