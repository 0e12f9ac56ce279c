//! What does a write take away? From what was seen of it to tags. Pure.
//!
//! A column in a pattern stands for every value it may have had before or
//! after. New values come from the returned rows, else the body, else (where
//! the column is not assigned) the filters; old values from the filters, or,
//! where the column is not assigned, from the returned rows. A plain insert has
//! no old row. Where either side is not known, the column is "any".

use crate::key::Tag;
use crate::postgrest::{Payload, Select, Values};
use crate::sabotage::{self, Bug};

use super::write::{Rendering, Source};
use super::{Derived, WriteAction, WritePlan};

/// Most rows that a write names one by one; more are taken as the whole table.
const ROWS_MAX: usize = 10_000;

/// What was seen of a write, once it is answered.
#[derive(Debug, Default)]
pub struct Evidence<'e> {
    /// The request's body, if it was small enough to be looked at.
    pub body: Option<Payload<'e>>,
    /// The returned rows, likewise.
    pub rows: Option<Payload<'e>>,
}

/// What a write takes away.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The tags to bump.
    pub tags: Vec<Tag>,
    /// Placeholders that stayed "any", for `explain` and the log.
    pub any: Vec<String>,
}

impl Reach {
    /// Leaves nothing to be served once more.
    pub fn harden(&mut self) {
        for tag in self.tags.extract_if(.., |tag| tag.is_soft()).collect::<Vec<_>>() {
            self.tags.push(tag.hardly());
        }
    }
}

impl WritePlan {
    /// Every tag that this write takes away, given what was seen of it.
    pub fn reach(&self, evidence: &Evidence<'_>) -> Reach {
        let mut reach = Reach::default();
        match &self.derived {
            Derived::Nothing => {}
            Derived::Everything => reach.tags.push(Tag::everything()),
            Derived::Tables(tables) => {
                reach.tags.push(Tag::any_table());
                let by_rows = self.rows.as_ref().map(|(table, _)| table);
                reach.tags.extend(tables.iter().filter(|table| Some(*table) != by_rows).map(Tag::table));
                self.reach_rows(evidence, &mut reach);
            }
        }
        for Rendering { pattern, is_soft, values } in &self.renderings {
            let known: Vec<Option<Vec<String>>> =
                values.iter().map(|source| self.values(source, evidence)).collect();
            for (placeholder, known) in pattern.placeholders().iter().zip(&known) {
                if known.is_none() {
                    reach.any.push(format!("{placeholder} in {}", pattern.as_str()));
                }
            }
            let tags = pattern.tags_of_write(&known).into_iter();
            reach.tags.extend(tags.map(|tag| if *is_soft { tag.softly() } else { tag }));
        }
        reach
    }

    /// Reads that name no row may show the changed ones; of those that name rows,
    /// only the ones that name a value the changed rows had or have.
    fn reach_rows(&self, evidence: &Evidence<'_>, reach: &mut Reach) {
        let Some((table, columns)) = &self.rows else { return };
        let mut tags = vec![Tag::unpinned(table)];
        tags.retain(|_| !sabotage::is(Bug::UnpinnedLeft));
        for source in columns {
            let Source::Column { name, .. } = source else { continue };
            match self.values(source, evidence) {
                Some(values) => tags.extend(values.iter().map(|value| Tag::row(table, name, value))),
                None => {
                    reach.any.push(format!("{name} of {table}"));
                    tags.push(Tag::column(table, name));
                }
            }
        }
        if tags.len() > ROWS_MAX {
            tags = vec![Tag::table(table)];
        }
        reach.tags.append(&mut tags);
    }

    fn values(&self, source: &Source, evidence: &Evidence<'_>) -> Option<Vec<String>> {
        match source {
            Source::Known(values) => Some(values.clone()),
            Source::Any => None,
            Source::Body(path) => known(evidence.body.as_ref()?.at_path(path)),
            Source::Row(column) => self.returned(column, evidence),
            Source::Column { name, pinned } => self.column(name, pinned.clone(), evidence),
        }
    }

    fn column(
        &self,
        name: &str,
        pinned: Option<Vec<String>>,
        evidence: &Evidence<'_>,
    ) -> Option<Vec<String>> {
        let returned = || self.returned(name, evidence);
        let body = evidence.body.as_ref().map(|body| body.column(name));
        let written = || body.as_ref().and_then(|values| known(values.clone()));
        let (old, new) = match self.action {
            WriteAction::Insert => (Some(Vec::new()), returned().or_else(written)),
            WriteAction::Upsert | WriteAction::Replace => (pinned, returned().or_else(written)),
            WriteAction::Delete => (pinned.or_else(returned), Some(Vec::new())),
            WriteAction::Update => match body {
                Some(Values::Absent) => {
                    let unchanged = returned().or(pinned);
                    (unchanged.clone(), unchanged)
                }
                Some(Values::Known(_)) | Some(Values::Unknown) | None => {
                    (pinned, returned().or_else(written))
                }
            },
            WriteAction::Other => (None, None),
        };
        let mut values = old?;
        values.extend(new?);
        Some(values)
    }

    fn returned(&self, column: &str, evidence: &Evidence<'_>) -> Option<Vec<String>> {
        // an alias, a cast or a path puts something else under the column's name
        let select = Select::parse(self.returned.as_ref()?).ok()?;
        if !select.returns_plainly(column) {
            return None;
        }
        let rows = evidence.rows.as_ref()?;
        if rows.is_empty() { Some(Vec::new()) } else { known(rows.column(column)) }
    }
}

fn known(values: Values) -> Option<Vec<String>> {
    match values {
        Values::Known(values) => Some(values),
        Values::Absent | Values::Unknown => None,
    }
}
