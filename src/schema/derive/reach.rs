//! What does a function read, change and look at, with everything that it calls?

use std::collections::{BTreeMap, BTreeSet};

use crate::rules::Caller;

use super::super::facts::{Facts, Function, Oid, RelationKind, Volatility};
use super::super::text::{Body, claims_of, is_known};
use super::super::tree::Tree;
use super::names::Names;

/// Extensions whose functions in C compute and read no table.
const COMPUTING: [&str; 20] = [
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "earthdistance",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "isn",
    "ltree",
    "pg_jsonschema",
    "pg_trgm",
    "pgcrypto",
    "pgjwt",
    "plpgsql",
    "seg",
    "unaccent",
    "uuid-ossp",
    "vector",
];

/// Schemas of Supabase whose functions send something somewhere and change no table that is asked for.
const SENDING: [&str; 3] = ["net", "realtime", "supabase_functions"];

/// What something reads and changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    pub(super) reads: BTreeSet<Oid>,
    /// Of these, those that are read with the caller's rights.
    pub(super) reads_as_caller: BTreeSet<Oid>,
    pub(super) writes: BTreeSet<Oid>,
    /// What of the caller is looked at.
    pub(super) caller: Caller,
    /// Why it may read more.
    pub(super) doubt_in_reads: Option<String>,
    /// Why it may change more.
    pub(super) doubt_in_writes: Option<String>,
}

/// What one function does by itself.
#[derive(Clone, Debug, Default)]
struct Direct {
    reads: BTreeSet<Oid>,
    writes: BTreeSet<Oid>,
    calls: BTreeSet<Oid>,
    caller: Caller,
    doubt_in_reads: Option<String>,
    doubt_in_writes: Option<String>,
}

/// Every function, looked through once.
#[derive(Debug)]
pub(super) struct Functions<'f> {
    facts: &'f Facts,
    direct: BTreeMap<Oid, Direct>,
}

impl<'f> Functions<'f> {
    pub(super) fn of(facts: &'f Facts, names: &Names<'f>) -> Self {
        let direct = |(oid, function): (&Oid, &Function)| (*oid, direct(facts, names, function));
        Self { facts, direct: facts.functions.iter().map(direct).collect() }
    }

    /// These functions and all that they call.
    pub(super) fn reach(&self, functions: impl IntoIterator<Item = Oid>) -> Reach {
        let mut reach = Reach::default();
        let mut seen: BTreeSet<(Oid, bool)> = BTreeSet::new();
        let mut open: Vec<(Oid, bool)> = functions.into_iter().map(|function| (function, true)).collect();
        while let Some((oid, is_as_caller)) = open.pop() {
            if !seen.insert((oid, is_as_caller)) {
                continue;
            }
            if let Some(name) = self.facts.reaching.get(&oid) {
                reach.doubt_in_reads.get_or_insert_with(|| format!("calls {name}"));
                if runs_text(name) {
                    reach.doubt_in_writes.get_or_insert_with(|| format!("calls {name}"));
                }
            }
            let (Some(direct), Some(function)) = (self.direct.get(&oid), self.facts.functions.get(&oid))
            else {
                continue; // one of the server's own
            };
            let is_as_caller = is_as_caller && !function.is_definer;
            reach.reads.extend(&direct.reads);
            if is_as_caller {
                reach.reads_as_caller.extend(&direct.reads);
            }
            reach.writes.extend(&direct.writes);
            reach.caller.extend(&direct.caller);
            let told = |doubt: &String| format!("{}: {doubt}", function.name);
            reach.doubt_in_reads = reach.doubt_in_reads.or_else(|| direct.doubt_in_reads.as_ref().map(told));
            if function.volatility == Volatility::Volatile {
                let doubt = direct.doubt_in_writes.as_ref().map(told);
                reach.doubt_in_writes = reach.doubt_in_writes.or(doubt);
            }
            open.extend(direct.calls.iter().map(|called| (*called, is_as_caller)));
        }
        reach
    }

    /// What an expression reads that is kept as a tree; `itself` stands in its own tree.
    pub(super) fn of_tree(&self, tree: &Tree, itself: Option<Oid>) -> Reach {
        let mut reach = self.reach(tree.functions.iter().copied());
        for relation in tree.relations.iter().copied().filter(|relation| Some(*relation) != itself) {
            reach.reads.insert(relation);
            reach.reads_as_caller.insert(relation);
            if let Some(doubt) = doubt_in_relation(self.facts, relation) {
                reach.doubt_in_reads.get_or_insert(doubt);
            }
        }
        reach
    }
}

/// Does it run a text that it is given?
fn runs_text(name: &str) -> bool {
    name.contains("_to_xml") || name.starts_with("dblink") || name.starts_with("lo_")
}

/// Why reading a relation may show more than writes to tables change.
fn doubt_in_relation(facts: &Facts, relation: Oid) -> Option<String> {
    match facts.relations.get(&relation) {
        None => Some("reads the server's own tables".to_owned()),
        Some(relation) if relation.kind == RelationKind::Sequence => {
            Some(format!("reads the sequence {}", relation.table))
        }
        Some(_) => None,
    }
}

fn direct(facts: &Facts, names: &Names<'_>, function: &Function) -> Direct {
    let mut direct = done(facts, names, function);
    if is_known(&function.name.schema, &function.name.name) {
        direct.caller = Caller::default(); // whoever calls it has been seen to look at a claim
    }
    direct
}

fn done(facts: &Facts, names: &Names<'_>, function: &Function) -> Direct {
    let name = &function.name;
    if function.is_of_service && SENDING.contains(&&*name.schema) {
        return Direct::default();
    }
    if !function.parts.is_empty() {
        return Direct { calls: function.parts.iter().copied().collect(), ..Direct::default() };
    }
    match function.language.as_str() {
        "sql" | "plpgsql" => {
            let mut direct = of_text(facts, names, &function.text);
            if let Some(tree) = &function.tree {
                direct.calls.extend(&tree.functions);
                direct.reads.extend(&tree.relations);
                let doubt = tree.relations.iter().find_map(|relation| doubt_in_relation(facts, *relation));
                direct.doubt_in_reads = direct.doubt_in_reads.or(doubt);
            }
            direct
        }
        _ if function.volatility == Volatility::Immutable => Direct::default(),
        "c" | "internal" if function.extension.as_deref().is_some_and(|own| COMPUTING.contains(&own)) => {
            Direct::default()
        }
        language => {
            let doubt = Some(match &function.extension {
                Some(extension) => format!("comes with the extension {extension}"),
                None => format!("is written in {language}"),
            });
            Direct { doubt_in_reads: doubt.clone(), doubt_in_writes: doubt, ..Direct::default() }
        }
    }
}

fn of_text(facts: &Facts, names: &Names<'_>, text: &str) -> Direct {
    let body = Body::read(text);
    let is_said = |sign: &Option<String>| sign.as_ref().is_none_or(|sign| text.contains(sign));
    let implied = facts.implied.iter().filter(|(sign, _)| is_said(sign)).map(|(_, function)| *function);
    let mut direct = Direct { calls: implied.collect(), caller: claims_of(text), ..Direct::default() };
    let doubt = body.doubt.map(str::to_owned);
    (direct.doubt_in_reads, direct.doubt_in_writes) = (doubt.clone(), doubt);
    for chain in &body.chains {
        direct.reads.extend(names.relations(&chain.names));
        direct.calls.extend(names.functions(chain));
        if let Some(system) = names.system(&chain.names) {
            direct.doubt_in_reads.get_or_insert_with(|| format!("reads {system}"));
        }
        if let Some(called) =
            chain.names.last().filter(|_| chain.is_called).and_then(|name| names.reaching(name))
        {
            direct.calls.insert(called);
        }
    }
    for chain in &body.written {
        let written = names.relations(&chain.names);
        if written.is_empty() {
            let name = chain.names.join(".");
            direct.doubt_in_writes.get_or_insert_with(|| format!("writes to {name}, which is not there"));
        }
        direct.writes.extend(written);
    }
    if body.truncates_on {
        direct.writes = names.referring(&direct.writes);
    }
    direct
}
