//! By which columns can one changed row be told from others?
//!
//! Proposed are keys whose values Larder can compare, in plain tables whose rows
//! nothing but the write itself changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Table;
use crate::rules::Learned;

use super::super::facts::{Facts, Key, KeyKind, Oid, Relation, RelationKind};
use super::super::text::Body;

/// As many as a rules file may name.
const COLUMNS_MAX: usize = 8;

/// Columns for each exposed table that has any.
pub(super) fn rows(facts: &Facts) -> BTreeMap<Table, Vec<String>> {
    let related: BTreeSet<Oid> =
        facts.children.iter().flat_map(|(parent, child)| [*parent, *child]).collect();
    let ruled: BTreeSet<Oid> = facts.rewrites.iter().map(|rewrite| rewrite.relation).collect();
    let mut keys: BTreeMap<Oid, Vec<&Key>> = BTreeMap::new();
    for key in &facts.keys {
        keys.entry(key.table).or_default().push(key);
    }
    let mut rows = BTreeMap::new();
    for (oid, relation) in facts.exposed_relations() {
        let is_plain = relation.kind == RelationKind::Table && !relation.is_partition;
        if !is_plain || related.contains(&oid) || ruled.contains(&oid) {
            continue;
        }
        let Some(set) = set_by_triggers(facts, oid) else { continue };
        let columns = key_columns(keys.get(&oid).map_or(&[], Vec::as_slice), relation);
        let columns: Vec<String> =
            columns.into_iter().filter(|name| !set.contains(name)).take(COLUMNS_MAX).collect();
        if !columns.is_empty() {
            rows.insert(relation.table.clone(), columns);
        }
    }
    rows
}

/// Columns that a trigger may give another value than was written; `None` if that may be any.
fn set_by_triggers(facts: &Facts, relation: Oid) -> Option<BTreeSet<String>> {
    let mut set = BTreeSet::new();
    for trigger in
        facts.triggers.iter().filter(|trigger| trigger.relation == relation && trigger.is_before_row)
    {
        let function = facts.functions.get(&trigger.function)?;
        if function.language != "plpgsql" {
            return None;
        }
        let body = Body::read(&function.text);
        set.extend(body.sets?);
    }
    Some(set)
}

/// The columns of its primary key, then of its foreign keys, then of what is unique; each once.
fn key_columns(keys: &[&Key], relation: &Relation) -> Vec<String> {
    let of = |wanted: fn(&KeyKind) -> bool| {
        keys.iter().filter(move |key| wanted(&key.kind)).flat_map(|key| &key.columns)
    };
    let primary = of(|kind| matches!(kind, KeyKind::Primary));
    let foreign = of(|kind| matches!(kind, KeyKind::Foreign { .. }));
    let unique = of(|kind| matches!(kind, KeyKind::Unique));
    let mut seen = BTreeSet::new();
    let columns = primary.chain(foreign).chain(unique).filter(|column| seen.insert(**column));
    let columns = columns.filter_map(|column| relation.columns.get(column));
    let fit = columns.filter(|column| !column.is_generated && Learned::is_matchable(&column.kind));
    fit.map(|column| column.name.clone()).collect()
}
