//! A change that the database tells of: what would a write through the proxy have taken away?
//!
//! The very same, found in the same way: the rules for that table's path and method, or what is
//! derived from the table. A trigger shows each row before and after, so more is known than of most writes.

use std::sync::Arc;

use http::Method;

use crate::key::{Pattern, Placeholder};
use crate::postgrest::Payload;
use crate::rules::WriteMatch;

use super::Planner;
use super::reach::{Evidence, Reach};
use super::write::{self, Rendering, Source, WritePlan};

/// What a statement did to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// Rows that were not there before.
    Insert,
    /// Rows that are other than they were.
    Update,
    /// Rows that are there no more.
    Delete,
    /// All of them, unseen.
    Truncate,
}

/// A change to a table.
#[derive(Debug)]
pub struct TableChange<'c> {
    /// The table's schema.
    pub schema: &'c str,
    /// Its name.
    pub table: &'c str,
    /// What was done.
    pub deed: Deed,
    /// All rows that changed, as they were and as they are; nothing where any of that was not seen.
    pub rows: Option<Payload<'c>>,
    /// The rows as they are: what a write's body would have said.
    pub written: Option<Payload<'c>>,
}

impl Deed {
    /// The method by which a client does it.
    fn method(self) -> Method {
        match self {
            Self::Insert => Method::POST,
            Self::Update => Method::PATCH,
            Self::Delete | Self::Truncate => Method::DELETE,
        }
    }
}

impl Planner {
    /// Every tag that a change takes away.
    pub fn reach_of_change(&self, change: TableChange<'_>) -> Reach {
        let path = format!("/rest/v1/{}", change.table);
        let matched = self.rules.writes(&change.deed.method(), &path);
        let table = self.rules.schema().table(Some(change.schema), change.table);
        let renderings = matched.iter().flat_map(renderings).collect();
        let plan = WritePlan::of_change(&self.rules, table, &matched, renderings);
        plan.reach(&Evidence { body: change.written, rows: change.rows })
    }
}

fn renderings(write: &WriteMatch<'_>) -> Vec<Rendering> {
    let patterns = write.rule.invalidation.all();
    let rendering = |(pattern, is_soft): (&Arc<Pattern>, bool)| Rendering {
        pattern: Arc::clone(pattern),
        is_soft,
        values: pattern.placeholders().iter().map(|placeholder| source(placeholder, write)).collect(),
    };
    patterns.map(rendering).collect()
}

fn source(placeholder: &Placeholder, write: &WriteMatch<'_>) -> Source {
    match placeholder {
        Placeholder::Column(name) => Source::Column { name: name.clone(), pinned: None },
        Placeholder::Row(column) => Source::Column { name: column.clone(), pinned: None },
        Placeholder::Body(path) => Source::Body(path.clone()),
        Placeholder::Path(index) => write::captured(write, *index),
        // there was no request
        Placeholder::Header(_) | Placeholder::Claim(_) | Placeholder::Query => Source::Any,
    }
}
