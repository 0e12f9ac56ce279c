//! Which reads will depend on every table, as far as their rules alone tell?

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::postgrest::{Path, Query, Reads, Resource};

use super::super::document::ReadEntry;
use super::super::mistake::{Findings, quoted};
use super::super::rule::Caching;
use super::super::schema::Schema;
use super::reads::CompiledRead;

/// Characters by which one `match` stands for many paths.
const WILDCARDS: [char; 2] = ['*', '{'];

/// Warns of functions that no schema knows, and of embeds in a `where` on `select`.
pub(super) fn tell_unknown(
    reads: &[CompiledRead],
    entries: &[ReadEntry],
    schema: &Schema,
    findings: &mut Findings<'_>,
) {
    for read in reads.iter().filter(|read| read.rule.caching != Caching::Never) {
        if read.rule.path.contains(WILDCARDS) {
            continue;
        }
        let resource = Resource::of(&Path::parse(&read.rule.path));
        let (Resource::Table(name) | Resource::Function(name)) = &resource else { continue };
        let table = schema.table(None, name);
        let is_known = schema.functions.get(&table).is_some_and(|reach| reach.reads.is_some());
        if matches!(resource, Resource::Function(_)) && !is_known {
            let message = format!("no schema says what the function {} reads", quoted(name));
            let hint = format!(
                "until then every write takes its answers away; add `schema: {{ functions: {{ {name}: {{ reads: […] }} }} }}`"
            );
            findings.warning(&read.path_spot, message, Some(hint));
        }
        let Some(entry) = entries.get(read.rule.index) else { continue };
        tell_embeds(&resource, entry, schema, findings);
    }
}

fn tell_embeds(resource: &Resource, entry: &ReadEntry, schema: &Schema, findings: &mut Findings<'_>) {
    let (Resource::Table(name) | Resource::Function(name)) = resource else { return };
    for condition in entry.conditions.iter().filter(|condition| condition.name.value == "select") {
        let select = utf8_percent_encode(&condition.value.value, NON_ALPHANUMERIC);
        let raw = format!("select={select}");
        let Reads::Known(embeds) = Reads::of(resource, &Query::parse(Some(&raw))) else { continue };
        for embed in embeds {
            let parent = embed.parent().unwrap_or(name);
            let written = embed.written();
            let known = schema.relations.get(&schema.table(None, parent));
            if known.is_some_and(|known| known.contains_key(&written)) {
                continue;
            }
            let message = format!("no schema says what {} reads in {}", quoted(&written), quoted(parent));
            let hint = format!(
                "until then every write takes these answers away; add `schema: {{ relations: {{ {parent}: {{ {written}: […] }} }} }}`"
            );
            findings.warning(&condition.value.spot, message, Some(hint));
        }
    }
}
