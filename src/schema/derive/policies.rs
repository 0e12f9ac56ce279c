//! Whom are which rows shown to?

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Table;
use crate::rules::{Caller, Shown, Visible};

use super::super::facts::{Facts, Function, Oid, Policy, Relation, RelationKind};
use super::super::text::{claims_of, equalities, shows_openly};
use super::super::tree::Tree;
use super::reach::Functions;

/// For every exposed relation and function that does not show everybody the same.
pub(super) fn visibility(facts: &Facts, functions: &Functions<'_>) -> BTreeMap<Table, Vec<Visible>> {
    let judged = Judged { facts, functions };
    let mut all = BTreeMap::new();
    for (oid, relation) in facts.exposed_relations() {
        let visible = match relation.kind {
            RelationKind::View | RelationKind::Materialized => judged.of_view(oid, relation),
            _ => judged.of_table(oid),
        };
        if !visible.is_empty() {
            all.insert(relation.table.clone(), visible);
        }
    }
    for (oid, function) in &facts.functions {
        let is_exposed = facts.exposed.iter().any(|schema| **schema == *function.name.schema);
        if is_exposed && !function.is_trigger {
            let visible = judged.of_function(*oid, function);
            if !visible.is_empty() {
                let entries: &mut Vec<Visible> = all.entry(function.name.clone()).or_default();
                entries.extend(visible);
            }
        }
    }
    all
}

struct Judged<'f> {
    facts: &'f Facts,
    functions: &'f Functions<'f>,
}

impl Judged<'_> {
    /// The policies of a table that decide about reads.
    fn of_table(&self, oid: Oid) -> Vec<Visible> {
        let Some(relation) = self.facts.relations.get(&oid).filter(|relation| relation.is_secured) else {
            return Vec::new();
        };
        let policies =
            self.facts.policies.iter().filter(|policy| policy.relation == oid && policy.is_for_reads);
        policies.map(|policy| self.of_policy(policy, relation)).collect()
    }

    fn of_policy(&self, policy: &Policy, relation: &Relation) -> Visible {
        let using = policy.using.as_deref().unwrap_or_default();
        let mut caller = claims_of(using);
        self.look_behind(&mut caller, &policy.tree, policy.relation);
        Visible {
            by: Shown::Policy { name: policy.name.clone(), on: relation.table.clone() },
            roles: policy.roles.clone(),
            caller,
            open: shows_openly(using),
            restrictive: !policy.is_permissive,
        }
    }

    /// What functions in a tree look at, and the policies of the tables that it reads as the caller.
    fn look_behind(&self, caller: &mut Caller, tree: &Tree, itself: Oid) {
        let mut seen = BTreeSet::from([itself]);
        let reach = self.functions.of_tree(tree, None);
        caller.extend(&reach.caller);
        let mut open: Vec<Oid> = reach.reads_as_caller.into_iter().collect();
        while let Some(oid) = open.pop() {
            if !seen.insert(oid)
                || !self.facts.relations.get(&oid).is_some_and(|relation| relation.is_secured)
            {
                continue;
            }
            for policy in
                self.facts.policies.iter().filter(|policy| policy.relation == oid && policy.is_for_reads)
            {
                caller.extend(&claims_of(policy.using.as_deref().unwrap_or_default()));
                let reach = self.functions.of_tree(&policy.tree, None);
                caller.extend(&reach.caller);
                open.extend(reach.reads_as_caller);
            }
        }
    }

    /// What the view itself looks at, then the policies of what it shows, where they hold for it.
    fn of_view(&self, oid: Oid, view: &Relation) -> Vec<Visible> {
        let Some(rewrite) =
            self.facts.rewrites.iter().find(|rewrite| rewrite.relation == oid && rewrite.is_select)
        else {
            return Vec::new();
        };
        let mut caller = claims_of(&rewrite.definition);
        caller.extend(&self.functions.reach(rewrite.tree.functions.iter().copied()).caller);
        let mut visible = Vec::new();
        visible.extend((!caller.is_nothing()).then(|| definition(caller)));
        if view.kind == RelationKind::Materialized {
            return visible; // its rows were read when it was refreshed
        }
        let bases: Vec<Oid> = rewrite.tree.relations.iter().copied().filter(|base| *base != oid).collect();
        let pinned = if bases.len() == 1 { equalities(&rewrite.definition) } else { BTreeMap::new() };
        for base in bases {
            let Some(relation) = self.facts.relations.get(&base) else { continue };
            let is_shielded = !view.is_invoker && (view.owner_sees_all || is_owned(view, relation));
            let below = match relation.kind {
                RelationKind::View => self.of_view(base, relation),
                _ if is_shielded => Vec::new(),
                _ => self.of_table(base),
            };
            visible.extend(below.into_iter().map(|mut below| {
                let is_open = below
                    .open
                    .as_ref()
                    .is_some_and(|open| open.iter().all(|pair| pinned.get(pair.0) == Some(pair.1)));
                below.open = is_open.then(BTreeMap::new);
                below
            }));
        }
        visible
    }

    fn of_function(&self, oid: Oid, function: &Function) -> Vec<Visible> {
        let reach = self.functions.reach([oid]);
        let mut visible = Vec::new();
        visible.extend((!reach.caller.is_nothing()).then(|| definition(reach.caller)));
        if !function.is_definer {
            visible.extend(reach.reads_as_caller.iter().flat_map(|read| self.of_table(*read)));
        }
        visible
    }
}

/// Do a table's policies not hold for the owner of this view?
fn is_owned(view: &Relation, table: &Relation) -> bool {
    view.owner == table.owner && !table.is_forced
}

fn definition(caller: Caller) -> Visible {
    Visible { by: Shown::Definition, roles: Vec::new(), caller, open: None, restrictive: false }
}
