//! What does reading a relation read, and writing to it change?

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Table;
use crate::rules::{Kind, Learned, LearnedTable, Name, Part};

use super::super::facts::{Facts, KeyKind, Oid, Relation, RelationKind};
use super::reach::{Functions, Reach};

/// Schemas of Supabase's services: what their own functions do to their own tables is their affair.
const SERVICES: [&str; 2] = super::SERVICES;

/// What was concluded for one relation in one section.
#[derive(Debug, Default)]
struct Concluded {
    tables: BTreeSet<Oid>,
    doubt: Option<String>,
}

impl Concluded {
    fn add_reads(&mut self, reach: Reach) {
        self.tables.extend(reach.reads);
        self.doubt = self.doubt.take().or(reach.doubt_in_reads);
    }

    fn add_writes(&mut self, reach: Reach) {
        self.tables.extend(reach.writes);
        self.doubt = self.doubt.take().or(reach.doubt_in_writes);
    }
}

/// By relation.
type Section = BTreeMap<Oid, Concluded>;

/// Everything that is known of relations.
#[derive(Debug)]
pub(super) struct Relations<'f> {
    facts: &'f Facts,
    functions: &'f Functions<'f>,
}

impl<'f> Relations<'f> {
    pub(super) fn of(facts: &'f Facts, functions: &'f Functions<'f>) -> Self {
        Self { facts, functions }
    }

    /// What requests can name.
    pub(super) fn tables(&self) -> BTreeMap<Table, LearnedTable> {
        let parents: BTreeSet<Oid> = self.facts.children.iter().map(|(parent, _)| *parent).collect();
        let told = |(oid, relation): (Oid, &Relation)| {
            let kind = match relation.kind {
                RelationKind::Partitioned => Kind::Parent,
                _ if parents.contains(&oid) => Kind::Parent,
                RelationKind::View => Kind::View,
                RelationKind::Materialized => Kind::Materialized,
                RelationKind::Foreign => Kind::Foreign,
                RelationKind::Table | RelationKind::Sequence => Kind::Table,
            };
            let columns = relation.columns.values().map(|column| (column.name.clone(), column.kind.clone()));
            (relation.table.clone(), LearnedTable { kind, columns: columns.collect() })
        };
        self.facts.exposed_relations().map(told).collect()
    }

    /// Fills the sections about relations.
    pub(super) fn tell(&self, learned: &mut Learned) {
        for (part, section) in [
            (Part::Views, self.views()),
            (Part::Policies, self.policies()),
            (Part::Cascades, self.cascades()),
        ] {
            let list = match part {
                Part::Views => &mut learned.views,
                Part::Policies => &mut learned.policies,
                Part::Cascades | Part::Functions => &mut learned.cascades,
            };
            for (oid, Concluded { tables, doubt }) in section {
                let Some(relation) = self.facts.relations.get(&oid) else { continue };
                list.insert(relation.table.clone(), self.facts.names_of(&tables));
                if let Some(doubt) = doubt {
                    let reasons = learned.unsure.entry(part).or_default();
                    reasons.insert(Name(relation.table.clone()), doubt);
                }
            }
        }
    }

    /// What views show, and what lies under partitioned tables and parents.
    fn views(&self) -> Section {
        let mut section = Section::new();
        for rewrite in self.facts.rewrites.iter().filter(|rewrite| rewrite.is_select) {
            let reach = self.functions.of_tree(&rewrite.tree, Some(rewrite.relation));
            section.entry(rewrite.relation).or_default().add_reads(reach);
        }
        for (parent, child) in &self.facts.children {
            section.entry(*parent).or_default().tables.insert(*child);
        }
        for (oid, relation) in &self.facts.relations {
            if relation.kind == RelationKind::Foreign {
                let doubt = "its rows live in another database, which may change them unseen";
                section.entry(*oid).or_default().doubt = Some(doubt.to_owned());
            }
        }
        section
    }

    /// What row-level security, types and media types of a relation read.
    fn policies(&self) -> Section {
        let mut section = Section::new();
        for policy in self.facts.policies.iter().filter(|policy| policy.is_for_reads) {
            let is_on =
                self.facts.relations.get(&policy.relation).is_some_and(|relation| relation.is_secured);
            if is_on {
                let reach = self.functions.of_tree(&policy.tree, None);
                section.entry(policy.relation).or_default().add_reads(reach);
            }
        }
        for (oid, relation) in &self.facts.relations {
            let has_type = |kind: Oid| relation.columns.values().any(|column| column.type_oid == kind);
            let casts = self.facts.casts.iter().filter(|(kind, _)| has_type(*kind)).map(|(_, cast)| *cast);
            let handlers = self.facts.functions.iter();
            let handlers = handlers.filter(|(_, function)| function.is_handler_of(relation.row_type));
            let called: Vec<Oid> = casts.chain(handlers.map(|(function, _)| *function)).collect();
            if !called.is_empty() {
                section.entry(*oid).or_default().add_reads(self.functions.reach(called));
            }
        }
        section
    }

    /// What a write to a relation also changes: by keys, triggers, rules, defaults and policies.
    fn cascades(&self) -> Section {
        let mut section = Section::new();
        for key in &self.facts.keys {
            if let KeyKind::Foreign { to, is_cascading: true, .. } = key.kind {
                section.entry(to).or_default().tables.insert(key.table);
            }
        }
        for trigger in &self.facts.triggers {
            if !self.is_affair_of_a_service(trigger.relation, trigger.function) {
                let reach = self.functions.reach([trigger.function]);
                section.entry(trigger.relation).or_default().add_writes(reach);
            }
        }
        for rewrite in self.facts.rewrites.iter().filter(|rewrite| !rewrite.is_select) {
            let mut reach = self.functions.of_tree(&rewrite.tree, Some(rewrite.relation));
            reach.writes.append(&mut reach.reads); // which of its tables a rule writes to is not told apart
            section.entry(rewrite.relation).or_default().add_writes(reach);
        }
        for (oid, relation) in self.facts.relations.iter().filter(|(_, relation)| !relation.calls.is_empty())
        {
            let reach = self.functions.reach(relation.calls.iter().copied());
            section.entry(*oid).or_default().add_writes(reach);
        }
        for policy in &self.facts.policies {
            let reach = self.functions.of_tree(&policy.tree, None);
            section.entry(policy.relation).or_default().add_writes(reach);
        }
        section.retain(|_, concluded| !concluded.tables.is_empty() || concluded.doubt.is_some());
        section
    }

    fn is_affair_of_a_service(&self, relation: Oid, function: Oid) -> bool {
        let is_service = |schema: Option<&str>| schema.is_some_and(|schema| SERVICES.contains(&schema));
        let relation = self.facts.relations.get(&relation).map(|relation| &*relation.table.schema);
        let function = self.facts.functions.get(&function).filter(|function| function.is_of_service);
        is_service(relation) && relation == function.map(|function| &*function.name.schema)
    }
}
