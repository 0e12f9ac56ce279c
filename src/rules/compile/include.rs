//! The file that `schema.include` names, laid under what rules.yaml says itself.
//!
//! What a person wrote always wins, entry by entry; an entry for something
//! unsure is its confirmation.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Table;

use super::super::document::SchemaSection;
use super::super::learned::{Learned, LearnedFunction, Name, Part};
use super::super::mistake::{Findings, Mistake};
use super::super::rule_set::Included;
use super::super::schema::{FunctionReach, Knowledge, Schema};

/// Schemas in which Supabase's services keep their tables.
const SERVICES: [&str; 2] = ["auth", "storage"];

/// Most mistakes of an included file that are told in place of the one `include`.
const MISTAKES_MAX: usize = 10;

/// Reads the included file; tells where it cannot be used.
pub(super) fn read(
    section: &SchemaSection,
    included: Option<&Included>,
    findings: &mut Findings<'_>,
) -> Option<Learned> {
    let include = section.include.as_ref()?;
    let hint = "`larder schema pull --db URL` writes it";
    let text = match included.map(|included| &included.text) {
        Some(Ok(text)) => text,
        Some(Err(reason)) => {
            let message = format!("cannot read `{}`: {reason}", include.value);
            findings.mistake_with_hint(&include.spot, message, hint);
            return None;
        }
        None => {
            findings.mistake(&include.spot, "no file can be included here");
            return None;
        }
    };
    match Learned::parse(text) {
        Ok(learned) => Some(learned),
        Err(mistakes) => {
            for Mistake(remark) in mistakes.iter().take(MISTAKES_MAX) {
                let place = format!("{}:{}:{}", include.value, remark.line, remark.column);
                let message = format!("{place}: {}: {}", remark.path, remark.message);
                findings.mistake_with_hint(&include.spot, message, hint);
            }
            None
        }
    }
}

/// Lays what was learned under what the section says.
pub(super) fn lay_under(schema: &mut Schema, learned: &Learned) {
    let knowledge = Knowledge {
        fingerprint: learned.source.fingerprint.clone(),
        tables: learned.tables.keys().chain(learned.functions.keys()).cloned().collect(),
        relationships: learned.relations.clone(),
        fields: learned.fields.iter().map(|(table, fields)| (table.clone(), functions_of(fields))).collect(),
        doubtful_reads: doubts(learned, Part::Views, &schema.views)
            .chain(doubts(learned, Part::Policies, &schema.policies))
            .collect(),
        doubtful_writes: doubts(learned, Part::Cascades, &schema.cascades)
            .chain(doubts(learned, Part::Views, &schema.views))
            .collect(),
        before_requests: learned.pre_request.as_ref().map(|Name(function)| function.clone()),
        services: services(learned),
    };
    let unsure = learned.unsure.get(&Part::Functions);
    for (name, function) in &learned.functions {
        let is_unsure = unsure.is_some_and(|unsure| unsure.contains_key(&Name(name.clone())));
        let learned = reach(function, is_unsure);
        let returns = learned.returns.clone();
        schema.functions.entry(name.clone()).or_insert(learned).returns = returns;
    }
    under(&mut schema.views, &learned.views);
    under(&mut schema.policies, &learned.policies);
    under(&mut schema.cascades, &learned.cascades);
    for (table, columns) in &learned.rows {
        schema.rows.entry(table.clone()).or_insert_with(|| columns.clone());
    }
    schema.knowledge = Some(knowledge);
}

fn under(told: &mut BTreeMap<Table, Vec<Table>>, learned: &BTreeMap<Table, Vec<Name>>) {
    for (table, others) in learned {
        told.entry(table.clone()).or_insert_with(|| plain(others));
    }
}

fn plain(names: &[Name]) -> Vec<Table> {
    names.iter().map(|Name(table)| table.clone()).collect()
}

fn functions_of(fields: &BTreeMap<String, Name>) -> BTreeMap<String, Table> {
    fields.iter().map(|(field, Name(function))| (field.clone(), function.clone())).collect()
}

/// An unsure function may read anything; it changes nothing only where PostgreSQL sees to that.
fn reach(function: &LearnedFunction, is_unsure: bool) -> FunctionReach {
    let writes = function.writes.as_deref().map(plain);
    FunctionReach {
        reads: (!is_unsure).then(|| plain(&function.reads)),
        writes: writes.filter(|writes| !is_unsure || writes.is_empty()),
        returns: plain(&function.returns),
    }
}

/// What is unsure in one part and not confirmed by an entry of the same name.
fn doubts<'l>(
    learned: &'l Learned,
    part: Part,
    told: &BTreeMap<Table, Vec<Table>>,
) -> impl Iterator<Item = (Table, String)> + use<'l> {
    let confirmed: BTreeSet<Table> = told.keys().cloned().collect();
    let unsure = learned.unsure.get(&part).into_iter().flatten();
    unsure
        .filter(move |(Name(table), _)| !confirmed.contains(table))
        .map(|(Name(table), reason)| (table.clone(), reason.clone()))
}

fn services(learned: &Learned) -> BTreeMap<String, BTreeSet<Table>> {
    let of = |service: &str| {
        let tables = learned.mentioned().into_iter().filter(|table| &*table.schema == service);
        tables.cloned().collect::<BTreeSet<_>>()
    };
    SERVICES.iter().map(|service| ((*service).to_owned(), of(service))).collect()
}
