//! The field `match`.

use super::super::fields::At;
use super::super::mistake::Findings;
use super::super::path_glob::PathGlob;

/// Parses a `match` and tells what is wrong with it.
pub(super) fn parse(written: &At<String>, findings: &mut Findings<'_>) -> Option<PathGlob> {
    match PathGlob::parse(&written.value) {
        Ok(path) => Some(path),
        Err(problem) => {
            match problem.hint() {
                Some(hint) => findings.mistake_with_hint(&written.spot, problem.to_string(), hint),
                None => findings.mistake(&written.spot, problem.to_string()),
            }
            None
        }
    }
}
