//! Which tables, and which of their rows, does a read depend on?

use std::collections::BTreeSet;

use crate::key::{Table, Tag};
use crate::postgrest::{Query, Reads, Resource};
use crate::rules::Schema;

/// Most rows that a read may name one by one; one that names more depends on the whole table.
const NAMED_ROWS_MAX: usize = 100;

/// The tables that a read names.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The table of the path, if there is one and everything said about it was understood.
    root: Option<Table>,
    /// What else it reads, by whichever of their rows.
    others: Vec<Table>,
    /// What of it no schema knows: because of them it depends on every table.
    pub(super) unresolved: Vec<String>,
}

/// Reads the tables from path and `select`. Outside PostgREST nothing is
/// derived: rules alone say what changes an answer there.
pub(super) fn named(schema: &Schema, resource: &Resource, query: &Query<'_>, profile: Option<&str>) -> Named {
    let mut named = Named::default();
    let from = match resource {
        Resource::Table(name) => {
            let table = schema.table(profile, name);
            named.root = Some(table.clone());
            table
        }
        Resource::Function(name) => {
            let function = schema.table(profile, name);
            match schema.functions.get(&function).and_then(|reach| reach.reads.as_ref()) {
                Some(reads) => named.others.extend_from_slice(reads),
                None => named.unresolved.push(format!("rpc/{name}")),
            }
            function
        }
        Resource::Root
        | Resource::GraphQl
        | Resource::Auth
        | Resource::Storage
        | Resource::Functions
        | Resource::Realtime
        | Resource::OddRest
        | Resource::Elsewhere => return named,
    };
    match Reads::of(resource, query) {
        Reads::Known(embeds) => {
            for embed in &embeds {
                let parent = embed.parent().map_or_else(|| from.clone(), |name| schema.table(profile, name));
                match schema.relations.get(&parent).and_then(|known| known.get(&embed.written())) {
                    Some(read) => named.others.extend_from_slice(read),
                    None => named.unresolved.push(embed.written()),
                }
            }
        }
        Reads::Opaque => {
            named.others.extend(named.root.take()); // whatever its filters mean
            named.unresolved.push("select".into());
        }
    }
    named
}

impl Named {
    /// The tags of everything it reads.
    pub(super) fn tags(&self, schema: &Schema, query: &Query<'_>) -> BTreeSet<Tag> {
        let besides = self.root.iter().flat_map(|root| schema.read_with(root)).cloned();
        let whole = schema.read_by(self.others.iter().cloned().chain(besides));
        let mut tags = BTreeSet::new();
        for table in &whole {
            tags.insert(Tag::table(table));
            if !schema.row_columns(table).is_empty() {
                tags.insert(Tag::unpinned(table));
            }
        }
        if let Some(root) = self.root.as_ref().filter(|root| !whole.contains(root)) {
            tags.insert(Tag::table(root));
            tags.extend(rows(schema, root, query));
        }
        tags
    }
}

/// The rows of the path's table: those that a root filter pins, or all.
fn rows(schema: &Schema, root: &Table, query: &Query<'_>) -> Vec<Tag> {
    let columns = schema.row_columns(root);
    let pins = columns.iter().find_map(|column| {
        let values = query.pinned(column).filter(|values| values.len() <= NAMED_ROWS_MAX)?;
        Some((column, values))
    });
    match pins {
        Some((column, values)) => {
            let rows = values.iter().map(|value| Tag::row(root, column, value));
            rows.chain([Tag::column(root, column)]).collect()
        }
        None if columns.is_empty() => Vec::new(),
        None => vec![Tag::unpinned(root)],
    }
}
