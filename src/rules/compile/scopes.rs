//! Does a rule share an answer between callers to whom the database shows different rows?
//!
//! A policy that looks at a claim gives each value of it other rows. So a scope
//! must hold every claim that the policies behind a rule look at. What a rule's
//! `where` pins can make up for that: where the policy shows published rows to
//! everybody, an answer that holds only published rows is everybody's.

use std::collections::BTreeMap;

use globset::GlobMatcher;

use crate::identity::NEVER_IGNORED;
use crate::key::{Scope, Table};

use super::super::document::{Document, ReadEntry};
use super::super::learned::{Caller, Kind, Learned, Visible};
use super::super::mistake::{Findings, Spot, quoted};
use super::super::rule::{Caching, ReadRule};
use super::super::table_name::written;
use super::reads::CompiledRead;

/// A relation, and whom it shows what.
type ShownTo<'l> = (&'l Table, &'l [Visible]);

/// Why a relation shows one caller something else than another who shares the answer.
struct Difference<'l> {
    table: &'l Table,
    visible: &'l Visible,
    /// What of a caller is looked at and not part of the scope.
    looked_at: String,
    /// Might signed-out callers' rows go to signed-in ones, and nothing else?
    is_narrow: bool,
}

/// Tells about every rule whose scope is wider than the policies allow.
pub(super) fn tell_too_wide(
    document: &Document,
    reads: &[CompiledRead],
    learned: &Learned,
    ignored_claims: &[String],
    findings: &mut Findings<'_>,
) {
    let shown_by = shown_by(reads, learned);
    for (index, read) in reads.iter().enumerate() {
        let (Some(entry), Some(shown)) = (document.reads.get(read.rule.index), shown_by.get(&index)) else {
            continue;
        };
        if read.rule.caching == Caching::Never {
            continue;
        }
        let spot = entry.scope.as_ref().map_or(&read.path_spot, |scope| &scope.spot);
        let told_apart_by = ToldApartBy { scope: &read.rule.scope, ignored_claims };
        let differences: Vec<Difference<'_>> =
            shown.iter().flat_map(|shown| differences(*shown, learned, told_apart_by, entry)).collect();
        // One is enough to repair the rule; the rest would say the same of other policies.
        if let Some(first) = differences.iter().find(|found| !found.is_narrow).or(differences.first()) {
            tell(first, told_apart_by, spot, findings);
        }
        tell_headers(shown, &read.rule, spot, findings);
    }
}

/// The relations that a request can name to meet each rule, and whom they show what. What an earlier
/// rule takes without a condition never gets to a later one.
fn shown_by<'l>(reads: &[CompiledRead], learned: &'l Learned) -> BTreeMap<usize, Vec<ShownTo<'l>>> {
    let matchers: Vec<GlobMatcher> = reads.iter().map(|read| read.path.glob().compile_matcher()).collect();
    let mut shown: BTreeMap<usize, Vec<ShownTo<'l>>> = BTreeMap::new();
    for (table, visible) in &learned.visibility {
        let is_function = !learned.tables.contains_key(table);
        let below = if is_function { "rpc/" } else { "" };
        let path = format!("/rest/v1/{below}{}", table.name);
        for (index, read) in reads.iter().enumerate().filter(|(index, _)| matchers[*index].is_match(&path)) {
            shown.entry(index).or_default().push((table, visible));
            if read.rule.conditions.is_empty() {
                break;
            }
        }
    }
    shown
}

fn differences<'l>(
    (table, visible): ShownTo<'l>,
    learned: &Learned,
    told_apart_by: ToldApartBy<'_>,
    entry: &ReadEntry,
) -> Vec<Difference<'l>> {
    let is_plain = learned.tables.get(table).is_some_and(|known| match known.kind {
        Kind::Table | Kind::Parent | Kind::Foreign => true,
        Kind::View | Kind::Materialized => false,
    });
    let pinned: BTreeMap<&str, &str> = entry
        .conditions
        .iter()
        .filter_map(|condition| Some((&*condition.name.value, condition.value.value.strip_prefix("eq.")?)))
        .collect();
    let (restrictive, permissive): (Vec<_>, Vec<_>) = visible.iter().partition(|visible| visible.restrictive);
    if restrictive.is_empty() && permissive.iter().any(|visible| is_open(visible, &pinned)) {
        return Vec::new();
    }
    let scope = told_apart_by.scope;
    let found = visible.iter().filter_map(|visible| {
        let looked_at = told_apart_by
            .misses(&visible.caller)
            .or_else(|| (*scope == Scope::Public).then(|| by_role(visible)).flatten())?;
        // what signed-out callers are shown is anybody's to see, and what a view or function leaves out by
        // itself is not known here
        let is_narrow = *scope == Scope::Public && !is_plain;
        Some(Difference { table, visible, looked_at, is_narrow })
    });
    found.collect()
}

/// Does it show every row that the conditions let through, to signed-out and signed-in callers alike?
fn is_open(visible: &Visible, pinned: &BTreeMap<&str, &str>) -> bool {
    let holds = |(column, value): (&String, &String)| pinned.get(column.as_str()) == Some(&value.as_str());
    by_role(visible).is_none() && visible.open.as_ref().is_some_and(|open| open.iter().all(holds))
}

/// What keeps the answers of two callers apart.
#[derive(Clone, Copy)]
struct ToldApartBy<'s> {
    scope: &'s Scope,
    ignored_claims: &'s [String],
}

impl ToldApartBy<'_> {
    /// What of a caller is looked at and does not keep answers apart.
    fn misses(self, caller: &Caller) -> Option<String> {
        if caller.anything && matches!(self.scope, Scope::Public | Scope::Role | Scope::Claims(_)) {
            return Some("the caller in a way that could not be made out".to_owned());
        }
        let claim = caller.claims.iter().find(|claim| !self.holds(claim))?;
        Some(format!("the claim `{claim}`"))
    }

    /// Whether the claim, or what it is a part of, does not tell users apart.
    fn ignores(self, claim: &str) -> bool {
        let whole = claim.split('.').next().unwrap_or(claim);
        !NEVER_IGNORED.contains(&whole) && self.ignored_claims.iter().any(|ignored| ignored == whole)
    }

    fn holds(self, claim: &str) -> bool {
        match self.scope {
            Scope::Token => true,
            Scope::User => !self.ignores(claim),
            Scope::Claims(paths) => claim == "role" || paths.iter().any(|path| is_within(claim, path)),
            Scope::Role => claim == "role",
            Scope::Public => false,
        }
    }
}

/// The claim itself, or a part of it.
fn is_within(claim: &str, path: &str) -> bool {
    claim.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The role, where it does not hold for signed-out and signed-in callers alike.
fn by_role(visible: &Visible) -> Option<String> {
    let has = |role: &str| visible.roles.iter().any(|known| known == role);
    let is_for_all = visible.roles.is_empty() || has("public") || (has("anon") && has("authenticated"));
    (!is_for_all).then(|| "the role".to_owned())
}

fn tell(found: &Difference<'_>, told_apart_by: ToldApartBy<'_>, spot: &Spot, findings: &mut Findings<'_>) {
    let Difference { table, visible, looked_at, is_narrow } = found;
    let by = visible.by.told();
    let scope = told_apart_by.scope.as_str();
    let table = written(table);
    let message =
        format!("the scope `{scope}` is wider than {by} allows: {} depends on {looked_at}", quoted(&table));
    let hint = match looked_at.strip_prefix("the claim `").and_then(|rest| rest.strip_suffix('`')) {
        Some("sub") | None => "`scope: user`, the default, holds everything but a token's times".to_owned(),
        Some(claim) if told_apart_by.ignores(claim) => "write `scope: token`".to_owned(),
        Some(claim) => format!("write `scope: {{ claims: [{claim}] }}`, or `scope: user`"),
    };
    if *is_narrow {
        findings.warning(spot, message, Some(hint));
    } else {
        findings.mistake_with_hint(spot, message, hint);
    }
}

/// Warns of request headers that SQL looks at and that the rule does not send.
fn tell_headers(shown: &[ShownTo<'_>], rule: &ReadRule, spot: &Spot, findings: &mut Findings<'_>) {
    for (table, visible) in shown {
        let headers = visible.iter().flat_map(|visible| &visible.caller.headers);
        for header in headers.filter(|header| !rule.vary.iter().any(|sent| sent.as_str() == *header)) {
            let message =
                format!("{} looks at the request header {}", quoted(&written(table)), quoted(header));
            findings.warning(spot, message, Some(format!("add `vary: [{header}]`, or it is not sent")));
        }
    }
}
