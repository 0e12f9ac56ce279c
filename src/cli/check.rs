//! `larder check`: what is wrong with the rules?
//!
//! Turns a compiled file or its mistakes into text for people, or into JSON.
//! Reads nothing and prints nothing itself.

use std::fmt::Write;

use serde::Serialize;

use crate::rules::{Mistake, Remark, RuleSet, Warning};

/// What compiling a rules file gave.
pub type Compiled = Result<(RuleSet, Vec<Warning>), Vec<Mistake>>;

/// The result for `--json`.
#[derive(Debug, Serialize)]
struct Report<'r> {
    file: &'r str,
    ok: bool,
    reads: usize,
    writes: usize,
    mistakes: &'r [Mistake],
    warnings: &'r [Warning],
}

/// The result for people: every mistake or warning with its place, then the counts.
pub fn text(file: &str, compiled: &Compiled) -> String {
    match compiled {
        Err(mistakes) => format!("{}{}\n", mistakes_text(file, mistakes), count(mistakes.len(), "mistake")),
        Ok((rules, warnings)) => format!(
            "{}{file}: {}, {}, no mistakes, {}\n",
            warnings_text(file, warnings),
            count(rules.read_rules().len(), "read rule"),
            count(rules.write_rules().len(), "write rule"),
            count(warnings.len(), "warning"),
        ),
    }
}

/// Every mistake with its place: what a refused start or reload shows.
pub fn mistakes_text(file: &str, mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|Mistake(remark)| shown("error", file, remark)).collect()
}

/// Every warning with its place.
pub fn warnings_text(file: &str, warnings: &[Warning]) -> String {
    warnings.iter().map(|Warning(remark)| shown("warning", file, remark)).collect()
}

/// The result as one JSON object.
pub fn json(file: &str, compiled: &Compiled) -> serde_json::Result<String> {
    let report = match compiled {
        Err(mistakes) => Report { file, ok: false, reads: 0, writes: 0, mistakes, warnings: &[] },
        Ok((rules, warnings)) => Report {
            file,
            ok: true,
            reads: rules.read_rules().len(),
            writes: rules.write_rules().len(),
            mistakes: &[],
            warnings,
        },
    };
    serde_json::to_string_pretty(&report)
}

fn shown(kind: &str, file: &str, remark: &Remark) -> String {
    let Remark { path, message, line, column, excerpt, mark, length, hint } = remark;
    let title = if path.is_empty() { message.clone() } else { format!("{path}: {message}") };
    let mut text = format!("{kind}: {title}\n");
    let gutter = " ".repeat(line.to_string().len());
    // Writing to a string cannot fail.
    if *line > 0 {
        let _ = writeln!(text, "{gutter}--> {file}:{line}:{column}");
        let _ = writeln!(text, "{gutter} |");
        let _ = writeln!(text, "{line} | {excerpt}");
        let _ = writeln!(text, "{gutter} | {}{}", " ".repeat(*mark), "^".repeat(*length));
    } else {
        let _ = writeln!(text, "{gutter}--> {file}");
    }
    if let Some(hint) = hint {
        let _ = writeln!(text, "{gutter} = hint: {hint}");
    }
    text.push('\n');
    text
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}
