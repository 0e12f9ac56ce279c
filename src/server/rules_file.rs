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

/// The rules file, and the one that it includes now.
pub(super) fn files(file: &Path) -> Vec<PathBuf> {
    let included = read_text(file).ok().and_then(|text| RuleSet::included(&text));
    [file.to_owned()].into_iter().chain(included.map(|name| beside(file, &name))).collect()
}

/// A name in a file means a place beside that file.
fn beside(file: &Path, name: &str) -> PathBuf {
    file.parent().map_or_else(|| PathBuf::from(name), |folder| folder.join(name))
}

fn read_text(file: &Path) -> io::Result<String> {
    let bytes = read_bounded(file)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
