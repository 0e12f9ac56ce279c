//! How is an explanation laid out for people?

use std::fmt::Write as _;

use crate::explain::{Explanation, Noted, Outcome, Read, Reason, Write};

/// Columns of the names in the first table of an explanation.
const LABEL_WIDTH: usize = 14;

/// Widest column of names: longer ones push their notes onto a line of their own.
const NAME_WIDTH_MAX: usize = 44;

/// The explanation as text.
pub(super) fn text(explanation: &Explanation) -> String {
    let Explanation { method, target, outcome, limits } = explanation;
    let body = match outcome {
        Outcome::Read(read) => read_text(read),
        Outcome::Write(write) => write_text(write),
        Outcome::Pass(reason) => reason_text("passes through, uncached", reason),
        Outcome::Refused(reason) => reason_text("refused, not forwarded", reason),
    };
    let limits = if limits.is_empty() { String::new() } else { format!("\ncounted by\n{}", notes(limits)) };
    format!("{method} {target}\n{body}{limits}")
}

fn read_text(read: &Read) -> String {
    let lifetime = match read.ends_with_token {
        true => format!("{} (ttl {}, but the token ends first)", read.lifetime, read.ttl),
        false => read.lifetime.clone(),
    };
    let rule = &read.rule;
    let mut text = fields(&[
        ("read rule", format!("{} (reads[{}], match {})", rule.name, rule.index, rule.path)),
        ("scope", format!("{}, shared by {}", read.scope, read.shared_by)),
        ("key", read.key.clone()),
        ("fingerprint", read.fingerprint.clone()),
        ("kept for", lifetime),
    ]);
    if !read.freshness.is_empty() {
        let _infallible = write!(text, "\nabout its time\n{}", notes(&read.freshness));
    }
    let target = format!("GET {}", read.upstream_target);
    let _infallible = write!(text, "\nasked upstream, and what keeps this answer apart\n  {target}\n");
    text.push_str(&notes(&read.upstream_headers));
    if !read.credentials.is_empty() {
        text.push_str("\nsent as well, and does not keep it apart\n");
        text.push_str(&notes(&read.credentials));
    }
    let _infallible = write!(text, "\ngoes away with\n{}", notes(&read.tags));
    if !read.unresolved.is_empty() {
        text.push_str("\nno schema names these, so writes to any table take it away; to narrow that, add\n");
        text.push_str(&notes(&read.unresolved));
    }
    text
}

fn write_text(write: &Write) -> String {
    let names: Vec<String> =
        write.rules.iter().map(|rule| format!("{} (writes[{}])", rule.name, rule.index)).collect();
    let rules = if names.is_empty() { "none matches".to_owned() } else { names.join(", ") };
    let mut text = fields(&[
        ("write rules", rules),
        ("kind", write.action.to_owned()),
        ("derived", write.derived.clone()),
    ]);
    if !write.guards.is_empty() {
        let _infallible = write!(text, "\nguarded by\n{}", notes(&write.guards));
    }
    match write.tags.as_slice() {
        [] => text.push_str("\ntakes nothing away\n"),
        tags => {
            let _infallible = write!(text, "\ntakes away\n{}", notes(tags));
        }
    }
    if !write.unknown_values.is_empty() {
        let _infallible = write!(text, "\nstands for any value\n{}", notes(&write.unknown_values));
    }
    text
}

fn reason_text(what: &str, reason: &Reason) -> String {
    fields(&[
        ("outcome", format!("{what} ({})", reason.reason)),
        ("why", reason.sentence.to_owned()),
        ("to change it", reason.hint.to_owned()),
    ])
}

fn fields(fields: &[(&str, String)]) -> String {
    fields.iter().map(|(label, value)| format!("  {label:<LABEL_WIDTH$}{value}\n")).collect()
}

fn notes(notes: &[Noted]) -> String {
    let widths = notes.iter().map(|note| note.name.chars().count());
    let width = widths.filter(|width| *width <= NAME_WIDTH_MAX).max().unwrap_or(0);
    let line = |Noted { name, note }: &Noted| {
        if name.chars().count() > width {
            format!("  {name}\n  {:width$}  {note}\n", "")
        } else {
            format!("  {name:<width$}  {note}\n")
        }
    };
    notes.iter().map(line).collect()
}
