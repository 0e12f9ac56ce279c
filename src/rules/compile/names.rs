//! Which words may name a namespace, a rule, a preset or a table?

use std::collections::BTreeMap;

use crate::key::{Table, escape};

use super::super::document::Document;
use super::super::fields::At;
use super::super::mistake::{Findings, quoted};
use super::super::table_name;

/// Longest name, in bytes: it is a metric's label and part of every key.
const NAME_BYTES_MAX: usize = 64;

/// Checks a name for keys and stores, where `:` `*` `#` `{` `}` are syntax.
pub(super) fn namespace(name: &At<String>, findings: &mut Findings<'_>) -> Option<String> {
    word(name, "a namespace", findings).then(|| name.value.clone())
}

/// Tells about names that are no words, and about rules with the same one.
pub(super) fn unique_rule_names(document: &Document, findings: &mut Findings<'_>) {
    let mut first: BTreeMap<&str, &At<String>> = BTreeMap::new();
    let reads = document.reads.iter().filter_map(|rule| rule.name.as_ref());
    let writes = document.writes.iter().filter_map(|rule| rule.name.as_ref());
    for name in reads.chain(writes) {
        if !word(name, "a rule's name", findings) {
            continue;
        }
        if let Some(other) = first.get(name.value.as_str()) {
            let line = other.spot.place.line;
            let message = format!("another rule, in line {line}, is called {} too", quoted(&name.value));
            findings.mistake_with_hint(&name.spot, message, "metrics and logs tell rules apart by name");
        } else {
            first.insert(&name.value, name);
        }
    }
}

/// Checks a name made of letters, digits, `-`, `_` and `.`.
pub(super) fn word(name: &At<String>, what: &str, findings: &mut Findings<'_>) -> bool {
    let text = &name.value;
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        findings.mistake(&name.spot, format!("{what} has 1 to {NAME_BYTES_MAX} characters"));
        return false;
    }
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c)) {
        let message = format!("{} cannot stand in {what}", quoted(&bad.to_string()));
        findings.mistake_with_hint(&name.spot, message, "use letters, digits, `-`, `_` and `.`");
        return false;
    }
    true
}

/// Resolves `table` or `schema.table`.
pub(super) fn table(name: &At<String>, default_schema: &str, findings: &mut Findings<'_>) -> Option<Table> {
    let table = table_name::read(&name.value, default_schema);
    if table.is_none() {
        let message = format!("{} is not a table", quoted(&name.value));
        findings.mistake_with_hint(&name.spot, message, "write `table` or `schema.table`");
    }
    table
}

/// Is a default namespace, taken from a path, short enough to be one?
pub(super) fn fits_as_namespace(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && escape(name) == name
}
