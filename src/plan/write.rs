//! A write: which rules it meets, which tables it reaches, what must be seen to say more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::consistency::Consistency;
use crate::key::{Pattern, Placeholder, Table};
use crate::postgrest::{Preferences, Resource};
use crate::rules::{RuleSet, Schema, Unmapped, WriteMatch, WriteRule};

use super::Request;
use super::guard::{self, Guards};

/// What kind of change a write is, as PostgREST sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteAction {
    /// POST to a table: rows that were not there before.
    Insert,
    /// POST that may replace rows.
    Upsert,
    /// PATCH: rows that match the filters.
    Update,
    /// PUT: one whole row, there before or not.
    Replace,
    /// DELETE: rows that match the filters.
    Delete,
    /// Anything else: a function, another service, an odd path.
    Other,
}

/// What a write makes stale by itself, without a rule's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Derived {
    /// Nothing that is cached: a login, a function known to change nothing.
    Nothing,
    /// These tables and what depends on them.
    Tables(BTreeSet<Table>),
    /// Nobody can say what.
    Everything,
}

/// A pattern of a matching rule, with what can be known of its values beforehand.
#[derive(Clone, Debug)]
pub(super) struct Rendering {
    pub(super) pattern: Arc<Pattern>,
    pub(super) is_soft: bool,
    pub(super) values: Vec<Source>,
}

/// Where the value of one placeholder comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Known from the head.
    Known(Vec<String>),
    /// A column of the written rows; with what the filters pin it to.
    Column { name: String, pinned: Option<Vec<String>> },
    /// A place in the request's body.
    Body(Vec<String>),
    /// A column of the returned rows.
    Row(String),
    /// Not to be known.
    Any,
}

/// Anything that may change something.
#[derive(Debug)]
pub struct WritePlan {
    /// Who writes, where somebody else may be served once more what was true before.
    pub writer: Option<Writer>,
    /// The most that any read relies on, which this write has to keep.
    pub consistency: Consistency,
    /// The rules that match, all of which apply.
    pub rules: Vec<Arc<WriteRule>>,
    /// What kind of change it is.
    pub action: WriteAction,
    /// What it makes stale by itself; `Nothing` where its rules list all there is.
    pub derived: Derived,
    pub(super) renderings: Vec<Rendering>,
    /// The written table and the columns by which its rows are matched, where the schema names any.
    pub(super) rows: Option<(Table, Vec<Source>)>,
    /// What stands before it.
    pub(super) guards: Guards,
    columns: Option<String>,
    /// The `select` of the returned rows, where rows were asked for.
    pub(super) returned: Option<String>,
}

impl WritePlan {
    /// `columns=`: only these keys of the body count.
    pub fn columns(&self) -> Option<&str> {
        self.columns.as_deref()
    }

    /// Must the request's body be seen to say what the write changed?
    pub fn needs_request_body(&self) -> bool {
        self.sources().any(|source| matches!(source, Source::Column { .. } | Source::Body(_)))
    }

    /// Must the answer's body be seen?
    pub fn needs_rows(&self) -> bool {
        self.returned.is_some()
            && self.sources().any(|source| matches!(source, Source::Column { .. } | Source::Row(_)))
    }

    /// What a write to this table would take away, were its rows returned as they were and as they are.
    pub(super) fn of_change(
        rules: &RuleSet,
        table: Table,
        matched: &[WriteMatch<'_>],
        renderings: Vec<Rendering>,
    ) -> Self {
        let derived =
            if is_derived(matched) { of_table(rules.schema(), table.clone()) } else { Derived::Nothing };
        let column = |name: &String| Source::Column { name: name.clone(), pinned: None };
        let rows = row_columns(rules.schema(), &table, &derived);
        let rows = rows.map(|columns| (table, columns.iter().map(column).collect()));
        Self {
            writer: None,
            consistency: rules.strictest(),
            rules: matched.iter().map(|write| Arc::clone(write.rule)).collect(),
            // of rows that are gone, all that is known is what was returned: so it is here
            action: WriteAction::Delete,
            rows,
            derived,
            guards: Guards::default(),
            renderings,
            columns: None,
            returned: Some("*".to_owned()),
        }
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        let rows = self.rows.iter().flat_map(|(_, columns)| columns);
        self.renderings.iter().flat_map(|rendering| &rendering.values).chain(rows)
    }
}

/// Somebody who is never served what was true before their own write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    /// A digest of who it is.
    pub caller: [u8; 32],
    /// For how long there may be answers from before.
    pub lasts: Duration,
}

fn writer(matched: &[WriteMatch<'_>], caller: &dyn Fn() -> [u8; 32]) -> Option<Writer> {
    let soft = matched.iter().map(|write| &write.rule.invalidation).filter(|rule| !rule.soft.is_empty());
    let lasts = soft.map(|rule| rule.soft_lasts).max()?;
    Some(Writer { caller: caller(), lasts })
}

/// Who writes, asked only where a rule wants to know.
pub(super) struct Asked<'w> {
    /// What is verified about the caller.
    pub(super) claim: &'w dyn Fn(&str) -> Option<String>,
    /// A digest of who it is.
    pub(super) caller: &'w dyn Fn() -> [u8; 32],
}

/// Plans a write.
pub(super) fn plan(
    rules: &RuleSet,
    request: &Request<'_>,
    matched: &[WriteMatch<'_>],
    Asked { claim, caller }: Asked<'_>,
) -> WritePlan {
    let prefer = Preferences::parse(prefer_lines(request));
    let action = action(request, &prefer);
    let renderings = matched
        .iter()
        .flat_map(|write| write.rule.invalidation.all().map(move |pattern| (write, pattern)))
        .map(|(write, (pattern, is_soft))| Rendering {
            pattern: Arc::clone(pattern),
            is_soft,
            values: pattern.placeholders().iter().map(|value| source(value, request, write, claim)).collect(),
        })
        .collect();
    let derived = if is_derived(matched) { derive(rules, request) } else { Derived::Nothing };
    WritePlan {
        writer: writer(matched, caller),
        consistency: rules.strictest(),
        rules: matched.iter().map(|write| Arc::clone(write.rule)).collect(),
        action,
        rows: rows(rules, request, &derived),
        derived,
        guards: guard::plan(request, matched, action, claim, caller),
        renderings,
        columns: request.query.columns().map(String::from),
        returned: prefer.returns_representation().then(|| request.query.select().unwrap_or("*").to_owned()),
    }
}

/// Does anything say that what larder derives counts, or nothing that it does not?
fn is_derived(matched: &[WriteMatch<'_>]) -> bool {
    matched.is_empty() || matched.iter().any(|write| write.rule.invalidation.derived)
}

/// A line that is not text is taken as one that asks for something unknown.
fn prefer_lines<'r>(request: &Request<'r>) -> impl Iterator<Item = &'r str> {
    request.head.headers.get_all("prefer").iter().map(|line| line.to_str().unwrap_or("unreadable"))
}

fn action(request: &Request<'_>, prefer: &Preferences<'_>) -> WriteAction {
    if !matches!(request.resource, Resource::Table(_)) || request.path.oddity().is_some() {
        return WriteAction::Other;
    }
    match request.head.method {
        Method::POST if prefer.resolution.is_some() => WriteAction::Upsert,
        Method::POST => WriteAction::Insert,
        Method::PATCH => WriteAction::Update,
        Method::PUT => WriteAction::Replace,
        Method::DELETE => WriteAction::Delete,
        _ => WriteAction::Other,
    }
}

fn source(
    placeholder: &Placeholder,
    request: &Request<'_>,
    write: &WriteMatch<'_>,
    claim: &dyn Fn(&str) -> Option<String>,
) -> Source {
    match placeholder {
        Placeholder::Column(name) => {
            Source::Column { name: name.clone(), pinned: request.query.pinned(name) }
        }
        Placeholder::Body(path) => Source::Body(path.clone()),
        Placeholder::Row(column) => Source::Row(column.clone()),
        Placeholder::Path(index) => captured(write, *index),
        Placeholder::Header(name) => {
            known(request.head.headers.get(name).and_then(|value| value.to_str().ok()).map(String::from))
        }
        Placeholder::Claim(path) => known(claim(path)),
        // no pattern can be written with it
        Placeholder::Query => Source::Any,
    }
}

fn known(value: Option<String>) -> Source {
    value.map_or(Source::Any, |value| Source::Known(vec![value]))
}

/// What a `*` of the rule's path caught.
pub(super) fn captured(write: &WriteMatch<'_>, index: usize) -> Source {
    known(write.captures.get(index - 1).cloned())
}

fn derive(rules: &RuleSet, request: &Request<'_>) -> Derived {
    let schema = rules.schema();
    let profile = content_profile(request);
    let unknown = rules.unknown_writes();
    let changed = |tables: Vec<Table>| changed(schema, tables);
    let service = |unmapped: Unmapped, own_schema: &str| match unmapped {
        Unmapped::Nothing => Derived::Nothing,
        Unmapped::Everything => Derived::Everything,
        Unmapped::Learned => match schema.tables_of_service(own_schema).cloned().collect::<Vec<_>>() {
            tables if tables.is_empty() => Derived::Nothing,
            tables => changed(tables),
        },
    };
    match &request.resource {
        Resource::Table(name) => of_table(schema, schema.table(profile, name)),
        Resource::Function(name) => {
            match schema.functions.get(&schema.table(profile, name)).and_then(|reach| reach.writes.clone()) {
                Some(tables) if tables.is_empty() => Derived::Nothing,
                Some(tables) => changed(tables),
                None => Derived::Everything,
            }
        }
        Resource::Auth => service(unknown.auth, "auth"),
        Resource::Storage => service(unknown.storage, "storage"),
        Resource::Functions => service(unknown.functions, "functions"),
        Resource::Realtime => Derived::Nothing,
        Resource::GraphQl | Resource::Root | Resource::OddRest | Resource::Elsewhere => Derived::Everything,
    }
}

/// What a write to this table makes stale.
fn of_table(schema: &Schema, table: Table) -> Derived {
    if schema.is_newer(&table) { Derived::Everything } else { changed(schema, vec![table]) }
}

/// These tables and all that a write to them reaches; everything where that is in doubt.
fn changed(schema: &Schema, mut tables: Vec<Table>) -> Derived {
    if let Some(before) = schema.before_requests() {
        match schema.functions.get(before).and_then(|reach| reach.writes.as_ref()) {
            Some(also) => tables.extend_from_slice(also),
            None => return Derived::Everything,
        }
    }
    let reached = schema.changed_by(tables);
    if schema.is_doubtful_write(&reached) { Derived::Everything } else { Derived::Tables(reached) }
}

/// The written table, if its rows can be told apart and nothing but the write itself changes them.
fn rows(rules: &RuleSet, request: &Request<'_>, derived: &Derived) -> Option<(Table, Vec<Source>)> {
    let Resource::Table(name) = &request.resource else { return None };
    let schema = rules.schema();
    let table = schema.table(content_profile(request), name);
    let columns = row_columns(schema, &table, derived)?;
    let column = |name: &String| Source::Column { name: name.clone(), pinned: request.query.pinned(name) };
    Some((table, columns.iter().map(column).collect()))
}

/// The columns by which the rows of a changed table are told apart; nothing where they cannot be,
/// or where something besides the change itself changes them.
fn row_columns<'s>(schema: &'s Schema, table: &Table, derived: &Derived) -> Option<&'s [String]> {
    let Derived::Tables(_) = derived else { return None };
    let columns = schema.row_columns(table);
    let is_changed_besides = schema.changed_by(schema.changed_with(table).cloned()).contains(table);
    (!columns.is_empty() && !is_changed_besides).then_some(columns)
}

fn content_profile<'r>(request: &Request<'r>) -> Option<&'r str> {
    request.head.headers.get("content-profile").and_then(|value| value.to_str().ok())
}
