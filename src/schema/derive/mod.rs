//! What follows from the facts? Pure: facts in, a [`Learned`] out.
//!
//! Wherever something could be more than what was found, it is said to be
//! unsure. Taking too much for a dependency costs hits; taking too little would
//! serve a stale answer.

mod functions;
mod names;
mod policies;
mod reach;
mod relations;
mod relationships;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Table;
use crate::rules::{Learned, Name, Part, Source};

use super::facts::{Facts, Function, Oid, Relation, RelationKind};
use super::fingerprint::Fingerprint;
use names::Names;
use reach::Functions;
use relations::Relations;

/// Schemas in which Supabase's services write.
const SERVICES: [&str; 2] = ["auth", "storage"];

/// Concludes everything that schema.yaml says.
pub fn learned(facts: &Facts, fingerprint: &Fingerprint, pulled: &str) -> Learned {
    let names = Names::of(facts);
    let functions = Functions::of(facts, &names);
    let relations = Relations::of(facts, &functions);
    let mut learned = Learned {
        source: Source {
            server: facts.server.clone(),
            pulled: pulled.to_owned(),
            fingerprint: fingerprint.as_text(),
        },
        schemas: facts.exposed.clone(),
        tables: relations.tables(),
        relations: relationships::relationships(facts),
        rows: rows::rows(facts),
        visibility: policies::visibility(facts, &functions),
        ..Learned::default()
    };
    relations.tell(&mut learned);
    functions::tell(facts, &functions, &mut learned);
    keep_what_matters(&mut learned);
    learned
}

/// Leaves out what no request can lead to, so that the file stays readable.
fn keep_what_matters(learned: &mut Learned) {
    let mut matters: BTreeSet<Table> =
        learned.tables.keys().chain(learned.functions.keys()).cloned().collect();
    for function in learned.functions.values() {
        let sides = function.reads.iter().chain(function.writes.iter().flatten());
        matters.extend(sides.map(|Name(table)| table.clone()));
    }
    loop {
        let lists = [&learned.views, &learned.policies, &learned.cascades];
        let reached = lists.into_iter().flatten().filter(|(table, _)| matters.contains(*table));
        let reached: Vec<Table> =
            reached.flat_map(|(_, others)| others.iter().map(|Name(other)| other.clone())).collect();
        let before = matters.len();
        matters.extend(reached);
        if matters.len() == before {
            break;
        }
    }
    let keep = |table: &Table, others: &[Name]| {
        let is_of_service = SERVICES.contains(&&*table.schema);
        matters.contains(table) || (is_of_service && others.iter().any(|Name(other)| matters.contains(other)))
    };
    for list in [&mut learned.views, &mut learned.policies, &mut learned.cascades] {
        list.retain(|table, others| !others.is_empty() && keep(table, others));
    }
    for (part, reasons) in &mut learned.unsure {
        if *part != Part::Functions {
            reasons.retain(|Name(table), _| matters.contains(table));
        }
    }
    learned.unsure.retain(|_, reasons| !reasons.is_empty());
}

impl Facts {
    /// A schema that requests should be able to name and that is not there.
    pub fn missing_schema(&self) -> Option<&str> {
        self.exposed.iter().find(|schema| !self.schemas.contains(*schema)).map(String::as_str)
    }

    /// Relations that requests can name.
    fn exposed_relations(&self) -> impl Iterator<Item = (Oid, &Relation)> {
        let is_exposed = |relation: &Relation| {
            relation.kind != RelationKind::Sequence
                && self.exposed.iter().any(|schema| **schema == *relation.table.schema)
        };
        self.relations
            .iter()
            .filter(move |(_, relation)| is_exposed(relation))
            .map(|(oid, relation)| (*oid, relation))
    }

    /// The names of relations; the server's own have none.
    fn names_of(&self, oids: &BTreeSet<Oid>) -> Vec<Name> {
        let mut names: Vec<Name> = oids
            .iter()
            .filter_map(|oid| self.relations.get(oid))
            .map(|relation| Name(relation.table.clone()))
            .collect();
        names.sort();
        names
    }

    /// Child → parents, however far up.
    fn ancestors(&self) -> BTreeMap<Oid, BTreeSet<Oid>> {
        let mut above: BTreeMap<Oid, BTreeSet<Oid>> = BTreeMap::new();
        for (_, child) in &self.children {
            let mut open = vec![*child];
            let mut seen = BTreeSet::new();
            while let Some(at) = open.pop() {
                let parents =
                    self.children.iter().filter(|(_, child)| *child == at).map(|(parent, _)| *parent);
                open.extend(parents.filter(|parent| seen.insert(*parent)));
            }
            above.insert(*child, seen);
        }
        above
    }
}

impl Function {
    /// Is it told apart only by its arguments, or does it matter at all to a read?
    fn is_handler_of(&self, row_type: Oid) -> bool {
        self.is_handler && (self.takes_any_row || self.first_argument == Some(row_type))
    }
}

#[cfg(test)]
mod tests;
