//! Do the rules speak of tables that exist, and is what they rest on certain?

use crate::key::Table;

use super::super::document::Document;
use super::super::fields::{At, did_you_mean};
use super::super::learned::{Learned, Name, Part};
use super::super::mistake::{Findings, quoted};
use super::super::schema::Schema;
use super::super::table_name::written;

/// Below it every name is a table, a view or, one level down, a function.
const REST: &str = "/rest/v1/";

/// Tells about rules whose path names something that the database does not have.
pub(super) fn tell_unknown(document: &Document, learned: &Learned, findings: &mut Findings<'_>) {
    let reads = document.reads.iter().map(|rule| &rule.path);
    let writes = document.writes.iter().map(|rule| &rule.path);
    for At { value, spot } in reads.chain(writes).flatten() {
        let Some(name) = value.strip_prefix(REST).filter(|name| !name.contains(['*', '{'])) else { continue };
        let (what, name, known): (_, _, Vec<&Table>) = match name.strip_prefix("rpc/") {
            Some(function) => ("function", function, learned.functions.keys().collect()),
            None => ("table", name, learned.tables.keys().collect()),
        };
        if name.is_empty() || known.iter().any(|table| &*table.name == name) {
            continue;
        }
        let hint = did_you_mean(name, known.iter().map(|table| &*table.name))
            .unwrap_or_else(|| "if it is new: `larder schema pull --db URL`".to_owned());
        findings.mistake_with_hint(spot, format!("the database has no {what} {}", quoted(name)), hint);
    }
}

/// Warns of everything unsure that no entry of the section confirms.
pub(super) fn tell_unsure(
    document: &Document,
    schema: &Schema,
    learned: &Learned,
    findings: &mut Findings<'_>,
) {
    let Some(include) = &document.schema.include else { return };
    let Some(knowledge) = &schema.knowledge else { return };
    for part in Part::ALL {
        for (Name(table), reason) in learned.unsure.get(&part).into_iter().flatten() {
            let is_open = match part {
                Part::Views | Part::Policies => knowledge.doubtful_reads.contains_key(table),
                Part::Cascades => knowledge.doubtful_writes.contains_key(table),
                Part::Functions => schema.functions.get(table).is_none_or(|reach| reach.reads.is_none()),
            };
            if is_open {
                let name = written(table);
                let message = format!("unsure: {part} of {}: {reason}", quoted(&name), part = part.as_str());
                findings.warning(&include.spot, message, Some(confirmation(part, table, learned)));
            }
        }
    }
}

/// The line that confirms what was found.
fn confirmation(part: Part, table: &Table, learned: &Learned) -> String {
    let list = |names: &[Name]| {
        let names: Vec<String> = names.iter().map(|Name(table)| written(table)).collect();
        format!("[{}]", names.join(", "))
    };
    let found = match part {
        Part::Views => list(learned.views.get(table).map_or(&[], Vec::as_slice)),
        Part::Policies => list(learned.policies.get(table).map_or(&[], Vec::as_slice)),
        Part::Cascades => list(learned.cascades.get(table).map_or(&[], Vec::as_slice)),
        Part::Functions => {
            let function = learned.functions.get(table);
            let reads = list(function.map_or(&[], |function| &function.reads));
            let writes = list(function.and_then(|function| function.writes.as_deref()).unwrap_or_default());
            format!("{{ reads: {reads}, writes: {writes} }}")
        }
    };
    let name = written(table);
    format!("if nothing is missing: schema: {{ {}: {{ {name}: {found} }} }}", part.as_str())
}
