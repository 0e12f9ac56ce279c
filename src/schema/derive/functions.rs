//! What do the functions do that a request can reach?

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Table;
use crate::rules::{Learned, LearnedFunction, Link, Name, Part};

use super::super::facts::{Facts, Function, Oid, Relation, Volatility};
use super::reach::{Functions, Reach};

/// The functions that requests can name, and those that stand behind fields and relationships.
pub(super) fn tell(facts: &Facts, functions: &Functions<'_>, learned: &mut Learned) {
    learned.pre_request = pre_request(facts).map(Name);
    learned.fields = fields(facts, functions);
    let called = learned.relations.values().flatten().filter_map(|way| match &way.by {
        Link::Call(function) => Some(function),
        Link::Key { .. } | Link::Junction(_) => None,
    });
    let behind: BTreeSet<Table> = called
        .chain(learned.fields.values().flat_map(|fields| fields.values().map(|Name(function)| function)))
        .chain(learned.pre_request.iter().map(|Name(before)| before))
        .cloned()
        .collect();
    let mut overloads: BTreeMap<&Table, Vec<Oid>> = BTreeMap::new();
    for (oid, function) in &facts.functions {
        let is_exposed = facts.exposed.iter().any(|schema| **schema == *function.name.schema);
        if (is_exposed && !function.is_trigger) || behind.contains(&function.name) {
            overloads.entry(&function.name).or_default().push(*oid);
        }
    }
    if let Some(before) = learned.pre_request.clone().filter(|Name(before)| !overloads.contains_key(before)) {
        let reason = "it runs before every request, and is not there".to_owned();
        learned.unsure.entry(Part::Functions).or_default().insert(before, reason);
    }
    for (name, oids) in overloads {
        let reach = functions.reach(oids.iter().copied());
        let (function, doubt) = told(facts, &oids, &reach);
        learned.functions.insert(name.clone(), function);
        if let Some(doubt) = doubt {
            learned.unsure.entry(Part::Functions).or_default().insert(Name(name.clone()), doubt);
        }
    }
}

/// One function with all that bear its name.
fn told(facts: &Facts, oids: &[Oid], reach: &Reach) -> (LearnedFunction, Option<String>) {
    let overloads = || oids.iter().filter_map(|oid| facts.functions.get(oid));
    let is_volatile = overloads().any(|function| function.volatility == Volatility::Volatile);
    // PostgreSQL lets the others change nothing
    let writes = match (&reach.doubt_in_writes, is_volatile) {
        (_, false) => Some(Vec::new()),
        (Some(_), true) => None,
        (None, true) => Some(facts.names_of(&reach.writes)),
    };
    let returned: BTreeSet<Oid> = overloads().filter_map(|function| function.returns).collect();
    let doubt_in_writes = reach.doubt_in_writes.clone().filter(|_| is_volatile);
    let function =
        LearnedFunction { reads: facts.names_of(&reach.reads), writes, returns: facts.names_of(&returned) };
    (function, reach.doubt_in_reads.clone().or(doubt_in_writes))
}

/// Functions of a row that read more than the row, by the tables whose rows they take.
fn fields(facts: &Facts, functions: &Functions<'_>) -> BTreeMap<Table, BTreeMap<String, Name>> {
    let ancestors = facts.ancestors();
    let row_types: BTreeSet<Oid> = facts.relations.values().map(|relation| relation.row_type).collect();
    // rows of a table out of reach are shown by the functions that return them
    let is_exposed =
        |function: &&Function| facts.exposed.iter().any(|schema| **schema == *function.name.schema);
    let returned: BTreeSet<Oid> =
        facts.functions.values().filter(is_exposed).filter_map(|function| function.returns).collect();
    let returned = facts.relations.iter().filter(|(oid, _)| returned.contains(oid));
    let shown: BTreeMap<Oid, &Relation> =
        facts.exposed_relations().chain(returned.map(|(oid, relation)| (*oid, relation))).collect();
    let takes_row = |function: &Function| {
        function.takes_any_row
            || function.first_argument.is_some_and(|argument| row_types.contains(&argument))
    };
    let mut fields: BTreeMap<Table, BTreeMap<String, Name>> = BTreeMap::new();
    for (oid, function) in
        facts.functions.iter().filter(|(_, function)| function.takes_one && takes_row(function))
    {
        let takes = |relation: Oid| {
            let own = facts.relations.get(&relation).map(|relation| relation.row_type);
            function.takes_any_row || (own.is_some() && own == function.first_argument)
        };
        let takers = shown.iter().filter(|(relation, _)| {
            takes(**relation)
                || ancestors.get(relation).is_some_and(|above| above.iter().any(|oid| takes(*oid)))
        });
        let mut takers = takers.peekable();
        if takers.peek().is_none() {
            continue;
        }
        let reach = functions.reach([*oid]);
        if reach.reads.is_empty() && reach.doubt_in_reads.is_none() {
            continue;
        }
        for (_, relation) in takers {
            let of_table = fields.entry(relation.table.clone()).or_default();
            of_table.insert(function.name.name.to_string(), Name(function.name.clone()));
        }
    }
    fields
}

/// The function that runs before every request. Where it is not there, nobody can say what it does.
fn pre_request(facts: &Facts) -> Option<Table> {
    let written = facts.pre_request.as_deref()?;
    let mut words = written.split('.').map(|word| word.trim().trim_matches('"')).rev();
    let name = words.next()?;
    let schema = words.next();
    let is_it = |function: &&Function| {
        *function.name.name == *name && schema.is_none_or(|schema| *function.name.schema == *schema)
    };
    let found = facts.functions.values().find(is_it).map(|function| function.name.clone());
    found.or_else(|| Some(Table::new(schema.or(facts.exposed.first().map(String::as_str))?, name)))
}
