//! The coherence checker: real processes, many clients, seeded faults, and a judge that hears of every answer.

#[path = "../../differential/chance.rs"]
mod chance;
mod faults;
mod judge;
mod options;
mod pace;
mod people;
mod report;
mod run;
mod sabotage;
mod screen;
mod upstream;
mod words;
mod workload;
mod world;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;
use larder::sabotage::{Bug, Death};

use faults::Fault;
use options::{Flags, Plan};
use report::report;
use run::check;
use sabotage::{hunt, hunts};
pub(crate) use screen::Screen;
use world::Trouble;

/// A command line that is not understood, as the product says it.
const USAGE: u8 = 64;

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ended {
    /// 0: nothing was found, or every bug was. 1: otherwise. 64: it was asked in a way that it does not understand.
    pub(crate) code: u8,
    /// For standard output.
    pub(crate) said: String,
    /// For standard error.
    pub(crate) complaint: String,
}

/// Does what a command line asks for.
///
/// To be called on a thread that lasts: the kernel ends what a thread has started when that thread ends.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>, larder: &Path, mut screen: Screen) -> Ended {
    let flags = match Flags::try_parse_from(arguments) {
        Ok(flags) => flags,
        Err(error) => {
            let is_asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let text = error.render().to_string();
            return if is_asked_for { ended(0, text) } else { complaint(USAGE, &text) };
        }
    };
    if let Some(list) = list(&flags) {
        return ended(0, list);
    }
    let done = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Trouble::Io);
    let done = done.and_then(|runtime| {
        let done = runtime.block_on(async {
            match &flags.sabotage {
                None => all(&flags, larder, &mut screen).await,
                Some(names) => sabotaged(&flags, larder, names, &mut screen).await,
            }
        });
        runtime.shutdown_background();
        done
    });
    screen.done();
    done.unwrap_or_else(|trouble| complaint(1, &format!("error: {}\n", chain(&trouble))))
}

async fn all(flags: &Flags, larder: &Path, screen: &mut Screen) -> Result<Ended, Trouble> {
    let plan = match Plan::resolve(flags, larder) {
        Ok(plan) => plan,
        Err(mistake) => return Ok(complaint(USAGE, &format!("error: {mistake}\n"))),
    };
    let checked = check(&plan, screen, flags.first).await?;
    Ok(ended(u8::from(checked.figures.violations() > 0), report(&plan, &checked)))
}

async fn sabotaged(flags: &Flags, larder: &Path, names: &str, screen: &mut Screen) -> Result<Ended, Trouble> {
    let bugs: Option<Vec<Bug>> = match names {
        "all" => Some(Bug::ALL.to_vec()),
        names => names.split(',').map(Bug::named).collect(),
    };
    let Some(bugs) = bugs else {
        let mistake = format!("error: --sabotage: no bug is called `{names}` (hint: --sabotage list)\n");
        return Ok(complaint(USAGE, &mistake));
    };
    let larder: PathBuf = flags.larder.clone().unwrap_or_else(|| larder.to_owned());
    let mut done = Vec::new();
    for bug in bugs {
        done.push(hunt(bug, &larder, flags.seed, screen).await?);
    }
    let story = if let [only] = done.as_slice() { only.story.clone() + "\n" } else { String::new() };
    Ok(ended(u8::from(done.iter().any(|hunt| hunt.found.is_none())), story + &hunts(&done)))
}

/// What `list` asks for.
fn list(flags: &Flags) -> Option<String> {
    let lines = |names: Vec<&str>| names.iter().map(|name| format!("{name}\n")).collect();
    if flags.sabotage.as_deref() == Some("list") {
        return Some(lines(Bug::ALL.map(Bug::as_str).to_vec()));
    }
    (flags.faults == "list").then(|| {
        lines(Fault::ALL.into_iter().chain(Death::ALL.map(Fault::Dies)).map(Fault::as_str).collect())
    })
}

fn ended(code: u8, said: String) -> Ended {
    Ended { code, said, complaint: String::new() }
}

fn complaint(code: u8, complaint: &str) -> Ended {
    Ended { code, said: String::new(), complaint: complaint.to_owned() }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        line = line + ": " + &source.to_string();
        cause = source.source();
    }
    line
}
