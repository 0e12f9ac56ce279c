//! Where may embeds lead? Every relationship that PostgREST finds, found by its rules.
//!
//! A foreign key is a relationship both ways. A view that shows all columns of a
//! key has the key's relationships too. A table whose primary key holds two
//! foreign keys joins what they refer to. A function from a row to rows is one
//! by its name, in place of what would be found under that name.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Table;
use crate::rules::{Link, Relationship};

use super::super::facts::{Facts, Function, Key, KeyKind, Oid, RelationKind};
use super::super::tree::Origin;

/// Most ways in which a view may show the columns of one key: each is a relationship of its own.
const SPELLINGS_MAX: usize = 64;

/// A foreign key as a relation has it: of a table, or of a view that shows its columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    from: Oid,
    to: Oid,
    name: String,
    columns: Vec<String>,
    references: Vec<String>,
}

/// Table → view → the table's columns that it shows, with their names there.
type Shown = BTreeMap<Oid, BTreeMap<Oid, BTreeMap<i16, Vec<String>>>>;

/// The relationships of every exposed relation.
pub(super) fn relationships(facts: &Facts) -> BTreeMap<Table, Vec<Relationship>> {
    let shown = shown(facts);
    let ways = ways(facts, &shown);
    let mut found: BTreeMap<Oid, BTreeSet<Relationship>> = BTreeMap::new();
    let mut add = |from: Oid, to: Oid, by: Link| {
        if let (true, Some(to)) = (is_exposed(facts, from), exposed(facts, to)) {
            found.entry(from).or_default().insert(Relationship { to, by });
        }
    };
    for way in &ways {
        let key = |columns: &[String], references: &[String]| Link::Key {
            name: way.name.clone(),
            columns: columns.to_vec(),
            references: references.to_vec(),
        };
        add(way.from, way.to, key(&way.columns, &way.references));
        add(way.to, way.from, key(&way.references, &way.columns));
    }
    for (between, one, other) in joined(facts, &shown, &ways) {
        if let Some(between) = exposed(facts, between) {
            add(one, other, Link::Junction(between));
        }
    }
    let mut calls: Vec<(Oid, Relationship)> = Vec::new();
    for (from, to, function) in computed(facts) {
        if let (true, Some(to)) = (is_exposed(facts, from), exposed(facts, to)) {
            calls.push((from, Relationship { to, by: Link::Call(function.name.clone()) }));
        }
    }
    for (from, call) in calls {
        let of_table = found.entry(from).or_default();
        if let Link::Call(function) = &call.by {
            // a function called like a table stands in its place
            of_table.retain(|other| matches!(other.by, Link::Call(_)) || other.to != *function);
        }
        of_table.insert(call);
    }
    let named =
        found.into_iter().filter_map(|(oid, ways)| Some((exposed(facts, oid)?, ways.into_iter().collect())));
    named.collect()
}

fn is_exposed(facts: &Facts, oid: Oid) -> bool {
    exposed(facts, oid).is_some()
}

fn exposed(facts: &Facts, oid: Oid) -> Option<Table> {
    let relation = facts.relations.get(&oid).filter(|relation| relation.kind != RelationKind::Sequence)?;
    facts.exposed.iter().any(|schema| **schema == *relation.table.schema).then(|| relation.table.clone())
}

/// Foreign keys of tables, then those that views have from their tables.
fn ways(facts: &Facts, shown: &Shown) -> BTreeSet<Way> {
    let mut ways = BTreeSet::new();
    for key in &facts.keys {
        let KeyKind::Foreign { to, references, is_inherited: false, .. } = &key.kind else { continue };
        let (Some(own), Some(theirs)) =
            (spellings(facts, shown, key.table, &key.columns), spellings(facts, shown, *to, references))
        else {
            continue;
        };
        for (from, columns) in &own {
            for (to, references) in &theirs {
                ways.insert(Way {
                    from: *from,
                    to: *to,
                    name: key.name.clone(),
                    columns: columns.clone(),
                    references: references.clone(),
                });
            }
        }
    }
    ways
}

/// Every relation that shows all of these columns, with their names there; first the table itself.
fn spellings(facts: &Facts, shown: &Shown, table: Oid, columns: &[i16]) -> Option<Vec<(Oid, Vec<String>)>> {
    let relation = facts.relations.get(&table)?;
    let own = columns.iter().map(|column| relation.columns.get(column).map(|column| column.name.clone()));
    let mut all = vec![(table, own.collect::<Option<Vec<_>>>()?)];
    for (view, columns_shown) in shown.get(&table).into_iter().flatten() {
        let names: Option<Vec<&Vec<String>>> =
            columns.iter().map(|column| columns_shown.get(column)).collect();
        let Some(names) = names else { continue };
        let mut combined: Vec<Vec<String>> = vec![Vec::new()];
        for names in names {
            let longer = |start: &Vec<String>| {
                let start = start.clone();
                names.iter().map(move |name| [start.clone(), vec![name.clone()]].concat()).collect::<Vec<_>>()
            };
            combined = combined.iter().flat_map(longer).take(SPELLINGS_MAX).collect();
        }
        all.extend(combined.into_iter().map(|names| (*view, names)));
    }
    Some(all)
}

/// What each view shows of which table, through views in between.
fn shown(facts: &Facts) -> Shown {
    let mut origins: BTreeMap<Oid, &[Origin]> = BTreeMap::new();
    for rewrite in facts.rewrites.iter().filter(|rewrite| rewrite.is_select) {
        origins.insert(rewrite.relation, &rewrite.tree.origins);
    }
    let mut shown = Shown::new();
    for (view, columns) in &origins {
        let Some(relation) = facts.relations.get(view) else { continue };
        for column in *columns {
            let Some(name) = relation.columns.get(&column.column) else { continue };
            let Some((table, number)) = source(&origins, *column) else { continue };
            let of_view = shown.entry(table).or_default().entry(*view).or_default();
            of_view.entry(number).or_default().push(name.name.clone());
        }
    }
    shown
}

/// The table's column at the end of a chain of views.
fn source(origins: &BTreeMap<Oid, &[Origin]>, column: Origin) -> Option<(Oid, i16)> {
    let mut seen = BTreeSet::new();
    let (mut relation, mut number) = (column.relation, column.origin);
    while let Some(columns) = origins.get(&relation) {
        if !seen.insert(relation) {
            return None;
        }
        let next = columns.iter().find(|next| next.column == number)?;
        (relation, number) = (next.relation, next.origin);
    }
    Some((relation, number))
}

/// Pairs of relations that a third joins: its keys to both lie within its primary key.
fn joined(facts: &Facts, shown: &Shown, ways: &BTreeSet<Way>) -> Vec<(Oid, Oid, Oid)> {
    let mut primary: BTreeMap<Oid, BTreeSet<String>> = BTreeMap::new();
    for Key { table, kind, columns, .. } in &facts.keys {
        if *kind == KeyKind::Primary {
            for (relation, names) in spellings(facts, shown, *table, columns).into_iter().flatten() {
                primary.entry(relation).or_default().extend(names);
            }
        }
    }
    let mut by_relation: BTreeMap<Oid, Vec<&Way>> = BTreeMap::new();
    for way in ways {
        let is_within = |key: &BTreeSet<String>| way.columns.iter().all(|column| key.contains(column));
        if primary.get(&way.from).is_some_and(is_within) {
            by_relation.entry(way.from).or_default().push(way);
        }
    }
    let mut found = BTreeSet::new();
    for (between, ways) in by_relation {
        for one in &ways {
            let others = ways.iter().filter(|other| other.name != one.name);
            found.extend(others.map(|other| (between, one.to, other.to)));
        }
    }
    found.into_iter().collect()
}

/// Functions from one row to rows: the relation they take, the one they give.
fn computed(facts: &Facts) -> Vec<(Oid, Oid, &Function)> {
    let by_type: BTreeMap<Oid, Oid> =
        facts.relations.iter().map(|(oid, relation)| (relation.row_type, *oid)).collect();
    let mut pairs = Vec::new();
    for function in facts.functions.values().filter(|function| function.takes_one) {
        let taken = function.first_argument.and_then(|argument| by_type.get(&argument));
        if let (Some(taken), Some(returned)) = (taken, function.returns) {
            pairs.push((*taken, returned, function));
        }
    }
    pairs
}
