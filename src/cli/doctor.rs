//! `larder doctor`: what works, what does not, and what to do?
//!
//! Asks a running proxy, which examines itself. Where nobody answers, or nobody is to be asked, the
//! command examines what the same flags and the same environment lead to.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use http::Method;

use crate::clock::Clock;
use crate::doctor::{Examined, Report, Verdict};
use crate::server::{self, Settings, examine, unusable};

use super::exit::{Exit, print, say};
use super::running::{NoAnswer, RunningProxy};
use super::serve::chain;

/// Word that switches the admin address off.
const OFF: &str = "off";

/// What to examine.
#[derive(Args, Debug)]
#[command(
    after_help = "Asks the proxy that runs at --admin. Where nobody answers there, or with --offline, it \
    examines by itself what these settings lead to: give it the flags and the environment of `larder serve`.\n\
    Exit codes: 0 all is well, or warnings only; 1 something does not work; 69 no proxy answers, and all else \
    is well; 78 a setting or the rules cannot be used."
)]
pub(super) struct DoctorFlags {
    /// Ask no running proxy
    #[arg(long)]
    offline: bool,
    /// For machines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: server::Flags,
}

/// Examines, tells, and says by the exit code how it is.
pub(super) fn run(flags: &DoctorFlags) -> Exit {
    let asked = match running(flags).map(|proxy| proxy.ask(&Method::GET, "/api/doctor")) {
        None => None,
        Some(Ok(text)) => match serde_json::from_str(&text) {
            Ok(report) => return tell(flags, &report, Exit::Success),
            Err(error) => {
                say(&format!("error: not the answer of this larder's doctor: {error}\n"));
                return Exit::Failure;
            }
        },
        Some(Err(nobody @ NoAnswer::Nobody(..))) => Some(nobody),
        Some(Err(error)) => {
            say(&chain(&error));
            return error.exit();
        }
    };
    if let Some(nobody) = &asked {
        say(&format!("{}examining the settings instead\n\n", chain(nobody)));
    }
    let well = if asked.is_some() { Exit::Unavailable } else { Exit::Success };
    match by_itself(flags) {
        Ok(report) => tell(flags, &report, well),
        Err(error) => {
            say(&chain(&error));
            Exit::Failure
        }
    }
}

/// The proxy to ask, if any.
fn running(flags: &DoctorFlags) -> Option<RunningProxy> {
    let server::Flags { admin, admin_token_file, .. } = &flags.settings;
    let is_asked = !flags.offline && admin != OFF;
    let admin_token_file = admin_token_file.as_deref().filter(|file| !file.is_empty()).map(PathBuf::from);
    is_asked.then(|| RunningProxy { admin: admin.clone(), admin_token_file })
}

fn by_itself(flags: &DoctorFlags) -> std::io::Result<Report> {
    let clock = Clock::default();
    let settings = match Settings::resolve(&flags.settings, &|name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(mistakes) => return Ok(unusable(&mistakes, &clock)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(examine(&settings, &clock)))
}

fn tell(flags: &DoctorFlags, report: &Report, well: Exit) -> Exit {
    if flags.json {
        print(&format!("{:#}\n", serde_json::to_value(report).unwrap_or_default()));
    } else {
        print(&text(report));
    }
    match report.verdict {
        Verdict::Works | Verdict::Warning => well,
        Verdict::Fails => Exit::Failure,
        Verdict::Misconfigured => Exit::Configuration,
    }
}

/// A line for each finding, and below what does not work, what to do.
fn text(report: &Report) -> String {
    let mut text = String::new();
    let mut area = "";
    for told in &report.findings {
        if told.area != area {
            area = &told.area;
            let _infallible = writeln!(text, "{area}");
        }
        let mark = match told.verdict {
            Verdict::Works => "works",
            Verdict::Warning => "warning",
            Verdict::Fails | Verdict::Misconfigured => "FAILS",
        };
        let _infallible = writeln!(text, "  {mark:<8} {}", told.message);
        if let Some(hint) = &told.hint {
            let _infallible = writeln!(text, "           -> {hint}");
        }
    }
    let (works, warnings) = (report.count(Verdict::Works), report.count(Verdict::Warning));
    let fails = report.count(Verdict::Fails) + report.count(Verdict::Misconfigured);
    let who = match report.examined {
        Examined::Proxy => "the running proxy",
        Examined::Settings => "these settings",
    };
    let _infallible = writeln!(
        text,
        "\n{who}: {works} work{}, {warnings} warning{}, {fails} do{} not work",
        if works == 1 { "s" } else { "" },
        if warnings == 1 { "" } else { "s" },
        if fails == 1 { "es" } else { "" },
    );
    text
}

#[cfg(test)]
mod tests {
    use crate::doctor::{Finding, Machine, Rules};

    use super::*;

    #[test]
    fn a_person_sees_what_to_do_below_what_does_not_work() {
        let findings = [
            Finding::Rules(Rules::Unsealable),
            Finding::Machine(Machine::Certificate),
            Finding::Machine(Machine::MemoryUnknown),
        ];
        let text = text(&Report::new(Examined::Settings, &findings, String::new()));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[3]), ("rules", "machine"));
        assert!(lines[1].starts_with("  FAILS    a rule says"), "{text}");
        assert!(lines[2].starts_with("           -> LARDER_ENCRYPTION_KEYS="), "{text}");
        assert!(lines[4].starts_with("  works    the certificate"), "{text}");
        assert_eq!(lines[8], "these settings: 1 works, 1 warning, 1 does not work");
    }
}
