//! What works, what does not, and what to do about it?
//!
//! Pure: whoever asks puts what it saw into a [`Finding`], and this says how bad that is, in a
//! sentence for people and a word for machines. Limits between well and not well stand here, and
//! nowhere else. No finding holds a key, a token, a password or a row.

mod callers;
mod fleet;
mod machine;
mod rules;
mod store;
mod upstream;

pub use callers::Callers;
pub use fleet::Sharing;
pub use machine::Machine;
pub use rules::Rules;
pub use store::Store;
pub use upstream::Upstream;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Longest text of somebody else's that a sentence repeats, in bytes.
const QUOTED_BYTES_MAX: usize = 300;

/// How it is with one thing.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Works,
    /// It works, and could be better.
    Warning,
    /// It does not work.
    Fails,
    /// It does not work because of a file or a setting, and nothing but another one will help.
    Misconfigured,
}

impl Verdict {
    /// For lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Warning => "warning",
            Self::Fails => "fails",
            Self::Misconfigured => "misconfigured",
        }
    }
}

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A setting that cannot be used, in its own words.
    Setting(String),
    /// The way to Supabase, and its clock.
    Upstream(Upstream),
    /// Keys: whose tokens count, and which callers are known.
    Callers(Callers),
    /// The rules file and what it includes.
    Rules(Rules),
    /// Where entries live.
    Store(Store),
    /// Where locks, operations and limits live, if elsewhere.
    GuardStore(Store),
    /// Who shares the store.
    Sharing(Sharing),
    /// Ports, files, memory.
    Machine(Machine),
}

/// A finding in words.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What it is about.
    pub area: String,
    /// What was found, as a word that stays the same from version to version.
    pub code: String,
    /// How bad that is.
    pub verdict: Verdict,
    /// The same for people.
    pub message: String,
    /// What to do; nothing where all is well.
    pub hint: Option<String>,
}

/// A judgement without its area.
struct Judged {
    code: &'static str,
    verdict: Verdict,
    message: String,
    hint: Option<String>,
}

fn works(code: &'static str, message: impl Into<String>) -> Judged {
    Judged { code, verdict: Verdict::Works, message: message.into(), hint: None }
}

fn warns(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Judged {
    Judged { code, verdict: Verdict::Warning, message: message.into(), hint: Some(hint.into()) }
}

fn fails(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Judged {
    Judged { code, verdict: Verdict::Fails, message: message.into(), hint: Some(hint.into()) }
}

fn misconfigured(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Judged {
    Judged { code, verdict: Verdict::Misconfigured, message: message.into(), hint: Some(hint.into()) }
}

/// A time as people read it.
fn shown(took: Duration) -> String {
    match took.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.1} s"),
        seconds => format!("{:.1} ms", seconds * 1_000.0),
    }
}

/// As much of somebody else's text as a sentence repeats, on one line.
fn quoted(text: &str) -> String {
    let text = text[..text.floor_char_boundary(QUOTED_BYTES_MAX)].replace(['\r', '\n'], " ");
    text.trim().to_owned()
}

impl Finding {
    /// The finding in words.
    pub fn told(&self) -> Told {
        let (area, judged) = match self {
            Self::Setting(mistake) => {
                let hint = "`larder serve --help` and docs/settings.md describe every setting";
                ("settings", misconfigured("setting-unusable", quoted(mistake), hint))
            }
            Self::Upstream(found) => (found.area(), found.judged()),
            Self::Callers(found) => ("keys", found.judged()),
            Self::Rules(found) => ("rules", found.judged()),
            Self::Store(found) => ("store", found.judged()),
            Self::GuardStore(found) => ("guard-store", found.judged()),
            Self::Sharing(found) => ("fleet", found.judged()),
            Self::Machine(found) => ("machine", found.judged()),
        };
        let Judged { code, verdict, message, hint } = judged;
        Told { area: area.to_owned(), code: code.to_owned(), verdict, message, hint }
    }
}

/// Who was examined.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Examined {
    /// A running proxy, by itself.
    Proxy,
    /// The settings, by a command that reads the same.
    Settings,
}

/// Everything that was found.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Who was examined.
    pub examined: Examined,
    /// The worst of the findings.
    pub verdict: Verdict,
    /// Each finding, in the order in which a request meets what it is about.
    pub findings: Vec<Told>,
    /// When.
    pub timestamp: String,
}

impl Report {
    /// A report of these findings.
    pub fn new(examined: Examined, findings: &[Finding], timestamp: String) -> Self {
        let findings: Vec<Told> = findings.iter().map(Finding::told).collect();
        let verdict = findings.iter().map(|told| told.verdict).max().unwrap_or(Verdict::Works);
        Self { examined, verdict, findings, timestamp }
    }

    /// How many findings have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|told| told.verdict == verdict).count()
    }
}

#[cfg(test)]
mod tests;
