//! Which objects may a name in a text mean?
//!
//! A name without a schema may mean any object of that name: which one depends
//! on a search path that the text does not show.

use std::collections::{BTreeMap, BTreeSet};

use super::super::facts::{Facts, KeyKind, Oid};
use super::super::text::Chain;

/// Every object by its name.
#[derive(Debug)]
pub(super) struct Names<'f> {
    facts: &'f Facts,
    relations: BTreeMap<&'f str, Vec<Oid>>,
    functions: BTreeMap<&'f str, Vec<Oid>>,
    reaching: BTreeMap<&'f str, Oid>,
    /// Referenced table → tables that refer to it.
    references: BTreeMap<Oid, BTreeSet<Oid>>,
}

impl<'f> Names<'f> {
    pub(super) fn of(facts: &'f Facts) -> Self {
        let mut names = Self {
            facts,
            relations: BTreeMap::new(),
            functions: BTreeMap::new(),
            reaching: facts.reaching.iter().map(|(oid, name)| (name.as_str(), *oid)).collect(),
            references: BTreeMap::new(),
        };
        for (oid, relation) in &facts.relations {
            names.relations.entry(&relation.table.name).or_default().push(*oid);
        }
        for (oid, function) in &facts.functions {
            names.functions.entry(&function.name.name).or_default().push(*oid);
        }
        for key in &facts.keys {
            if let KeyKind::Foreign { to, .. } = key.kind {
                names.references.entry(to).or_default().insert(key.table);
            }
        }
        names
    }

    /// The relations that names joined by dots may mean: of the first, or of the second within the first.
    pub(super) fn relations(&self, chain: &[String]) -> BTreeSet<Oid> {
        let [first, rest @ ..] = chain else { return BTreeSet::new() };
        if let Some(second) = rest.first() {
            let within = self.named(second).filter(|oid| self.schema_of(*oid) == Some(first.as_str()));
            let within: BTreeSet<Oid> = within.collect();
            if !within.is_empty() {
                return within;
            }
        }
        self.named(first).collect()
    }

    fn named(&self, name: &str) -> impl Iterator<Item = Oid> {
        self.relations.get(name).into_iter().flatten().copied()
    }

    fn schema_of(&self, relation: Oid) -> Option<&str> {
        self.facts.relations.get(&relation).map(|relation| &*relation.table.schema)
    }

    /// The functions that a chain may call: its last name before a bracket, and any name behind a dot,
    /// which may be a function of the row before it.
    pub(super) fn functions(&self, chain: &Chain) -> BTreeSet<Oid> {
        let named = |name: &String| self.functions.get(name.as_str()).into_iter().flatten().copied();
        let mut found = BTreeSet::new();
        if let (true, Some(last)) = (chain.is_called, chain.names.last()) {
            let schema = chain.names.len().checked_sub(2).map(|at| chain.names[at].as_str());
            let is_there = |oid: &Oid| {
                let own = self.facts.functions.get(oid).map(|function| &*function.name.schema);
                schema.is_none()
                    || own == schema
                    || !schema.is_some_and(|schema| self.facts.schemas.contains(schema))
            };
            found.extend(named(last).filter(is_there));
        }
        let of_a_row = chain.names.iter().skip(1).flat_map(named);
        found.extend(of_a_row.filter(|oid| {
            !chain.is_called && self.facts.functions.get(oid).is_some_and(|function| function.takes_one)
        }));
        found
    }

    /// A function of the server that shows what no name tells.
    pub(super) fn reaching(&self, name: &str) -> Option<Oid> {
        self.reaching.get(name).copied()
    }

    /// A table or view of the server itself.
    pub(super) fn system(&self, chain: &[String]) -> Option<String> {
        match chain {
            [schema, name, ..] if schema == "pg_catalog" && self.facts.system.contains(name) => {
                Some(name.clone())
            }
            [schema, name, ..] if schema == "information_schema" => Some(format!("{schema}.{name}")),
            [name, ..] if name.starts_with("pg_") && self.facts.system.contains(name) => Some(name.clone()),
            _ => None,
        }
    }

    /// These tables and all that refer to them, however far.
    pub(super) fn referring(&self, tables: &BTreeSet<Oid>) -> BTreeSet<Oid> {
        let mut all = BTreeSet::new();
        let mut open: Vec<Oid> = tables.iter().copied().collect();
        while let Some(table) = open.pop() {
            if all.insert(table) {
                open.extend(self.references.get(&table).into_iter().flatten());
            }
        }
        all
    }
}
