//! The rules and the file that they include, read and compiled together.

use std::io;
use std::path::{Path, PathBuf};

use crate::rules::{Context, Included, Mistake, RuleSet, Warning};

use super::reload::read_bounded;

/// Why rules cannot be used.
#[derive(Debug)]
pub enum RulesRefused {
    /// The file is missing, or not ours to read.
    Read(io::Error),
    /// It has mistakes, or the file that it includes.
    Mistakes(Vec<Mistake>),
}

/// Reads and compiles a rules file with the file that it includes.
pub fn read_rules(file: &Path, context: &Context) -> Result<(RuleSet, Vec<Warning>), RulesRefused> {
    let text = read_text(file).map_err(RulesRefused::Read)?;
    let included = RuleSet::included(&text).map(|name| {
        let text = read_text(&beside(file, &name)).map_err(|error| error.to_string());
        Included { file: name, text }
    });
    RuleSet::parse_with(&text, included.as_ref(), context).map_err(RulesRefused::Mistakes)
}

/// The rules file, and the one that it includes.
#[derive(Debug)]
pub(super) struct RulesFiles {
    rules: PathBuf,
    /// A hash of the rules when they were last looked through.
    seen: Option<blake3::Hash>,
    included: Option<PathBuf>,
}

impl RulesFiles {
    pub(super) fn new(rules: PathBuf) -> Self {
        Self { rules, seen: None, included: None }
    }

    /// Both of them, as the rules are now; rules that cannot be read include what they did.
    pub(super) fn list(&mut self) -> Vec<PathBuf> {
        if let Ok(text) = read_text(&self.rules) {
            let now = Some(blake3::hash(text.as_bytes()));
            if now != self.seen {
                self.seen = now;
                self.included = RuleSet::included(&text).map(|name| beside(&self.rules, &name));
            }
        }
        [self.rules.clone()].into_iter().chain(self.included.clone()).collect()
    }
}

/// A name in a file means a place beside that file.
fn beside(file: &Path, name: &str) -> PathBuf {
    file.parent().map_or_else(|| PathBuf::from(name), |folder| folder.join(name))
}

fn read_text(file: &Path) -> io::Result<String> {
    let bytes = read_bounded(file)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
