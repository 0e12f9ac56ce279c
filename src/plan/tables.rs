//! Which tables, and which of their rows, does a read depend on?

use std::collections::{BTreeMap, BTreeSet};

use crate::key::{Table, Tag};
use crate::postgrest::{Embed, Query, Reads, Resource};
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
            if schema.is_newer(&table) {
                named.unresolved.push(name.clone());
            }
            named.root = Some(table.clone());
            vec![table]
        }
        Resource::Function(name) => {
            let function = schema.table(profile, name);
            let reach = schema.functions.get(&function);
            match schema.read_by_function(&function) {
                Some(reads) => named.others.extend_from_slice(reads),
                None => named.unresolved.push(format!("rpc/{name}")),
            }
            let returns = reach.into_iter().flat_map(|reach| &reach.returns).cloned();
            [function.clone()].into_iter().chain(returns).collect()
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
            let places = Places::follow(schema, profile, from, &embeds, &mut named);
            named.read_fields(schema, &places, query);
        }
        Reads::Opaque => {
            named.others.extend(named.root.take()); // whatever its filters mean
            named.unresolved.push("select".into());
        }
    }
    named.read_before(schema);
    named.tell_doubts(schema);
    named
}

/// The tables that each embed of a `select` may stand for, by the targets that lead there.
struct Places(BTreeMap<Vec<String>, BTreeSet<Table>>);

impl Places {
    /// Follows every embed from its parent. An embed that PostgREST could take for several is taken for
    /// all of them: what it refuses to answer is not kept anyway.
    fn follow(
        schema: &Schema,
        profile: Option<&str>,
        from: Vec<Table>,
        embeds: &[Embed],
        named: &mut Named,
    ) -> Self {
        let mut places = BTreeMap::from([(Vec::new(), BTreeSet::from_iter(from))]);
        for embed in embeds {
            let parents = places.get(&embed.path).cloned().unwrap_or_default();
            let mut found = BTreeSet::new();
            for parent in &parents {
                let written = schema.relations.get(parent).and_then(|known| known.get(&embed.written()));
                if let Some(read) = written {
                    named.others.extend_from_slice(read);
                    found.insert(schema.table(profile, &embed.target));
                }
                for way in schema.embedded(parent, &embed.target, &embed.hints) {
                    found.insert(way.to.clone());
                    if written.is_some() {
                        continue; // a person has said what it reads
                    }
                    named.others.push(way.to.clone());
                    match schema.read_on_the_way(way) {
                        Some(read) => named.others.extend_from_slice(read),
                        None => named.unresolved.push(embed.written()),
                    }
                }
            }
            if found.is_empty() {
                named.unresolved.push(embed.written());
            }
            let place = embed.path.iter().chain([&embed.target]).cloned().collect();
            places.entry(place).or_default().extend(found);
        }
        Self(places)
    }
}

impl Named {
    /// Names that are functions and no columns. One that stands anywhere in the query counts: where
    /// a `\\` may spell it in another way, all do.
    fn read_fields(&mut self, schema: &Schema, places: &Places, query: &Query<'_>) {
        let Some(knowledge) = &schema.knowledge else { return };
        let tables: BTreeSet<&Table> = places.0.values().flatten().collect();
        let is_said = |word: &str| {
            query.parameters().any(|(name, value)| {
                [Some(name), value]
                    .into_iter()
                    .flatten()
                    .any(|text| text.contains(word) || text.contains('\\'))
            })
        };
        let fields = tables.iter().filter_map(|table| knowledge.fields.get(*table)).flatten();
        for (field, function) in fields.filter(|(field, _)| is_said(field)) {
            match schema.read_by_function(function) {
                Some(reads) => self.others.extend_from_slice(reads),
                None => self.unresolved.push(field.clone()),
            }
        }
    }

    /// What runs before every request decides about every answer.
    fn read_before(&mut self, schema: &Schema) {
        let Some(before) = schema.before_requests() else { return };
        match schema.read_by_function(before) {
            Some(reads) => self.others.extend_from_slice(reads),
            None => self.unresolved.push(before.to_string()),
        }
    }

    /// Of what is read, what may read anything besides.
    fn tell_doubts(&mut self, schema: &Schema) {
        if schema.knowledge.is_none() {
            return; // what people say is not doubted
        }
        let read = schema.read_by(self.others.iter().chain(&self.root).cloned());
        let doubtful = schema.doubtful_reads(&read);
        self.unresolved.extend(doubtful.into_iter().map(Table::to_string));
    }

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
