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

/// What is known when it is asked what a write takes away.
#[derive(Debug)]
struct Known<'e> {
    evidence: &'e Evidence<'e>,
    /// The rows may come still, and say something else than the body did: a trigger may have changed them.
    is_ahead: bool,
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
        self.reach_of(&Known { evidence, is_ahead: false })
    }

    /// Every tag that it may come to take away, before anything is answered: whatever depends on what [`reach`]
    /// names then, whatever the answer, depends on one of these.
    ///
    /// [`reach`]: Self::reach
    pub fn reach_ahead(&self, body: Option<Payload<'_>>) -> Vec<Tag> {
        self.reach_of(&Known { evidence: &Evidence { body, rows: None }, is_ahead: true }).tags
    }

    fn reach_of(&self, known: &Known<'_>) -> Reach {
        let mut reach = Reach::default();
        match &self.derived {
            Derived::Nothing => {}
            Derived::Everything => reach.tags.push(Tag::everything()),
            Derived::Tables(tables) => {
                reach.tags.push(Tag::any_table());
                let by_rows = self.rows.as_ref().map(|(table, _)| table);
                reach.tags.extend(tables.iter().filter(|table| Some(*table) != by_rows).map(Tag::table));
                self.reach_rows(known, &mut reach);
            }
        }
        for Rendering { pattern, is_soft, values } in &self.renderings {
            let values: Vec<Option<Vec<String>>> =
                values.iter().map(|source| self.values(source, known)).collect();
            for (placeholder, value) in pattern.placeholders().iter().zip(&values) {
                if value.is_none() {
                    reach.any.push(format!("{placeholder} in {}", pattern.as_str()));
                }
            }
            let tags = pattern.tags_of_write(&values).into_iter();
            reach.tags.extend(tags.map(|tag| if *is_soft { tag.softly() } else { tag }));
        }
        reach
    }

    /// Reads that name no row may show the changed ones; of those that name rows,
    /// only the ones that name a value the changed rows had or have.
    fn reach_rows(&self, known: &Known<'_>, reach: &mut Reach) {
        let Some((table, columns)) = &self.rows else { return };
        let mut tags = vec![Tag::unpinned(table)];
        tags.retain(|_| !sabotage::is(Bug::UnpinnedLeft));
        for source in columns {
            let Source::Column { name, .. } = source else { continue };
            match self.values(source, known) {
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

    fn values(&self, source: &Source, known: &Known<'_>) -> Option<Vec<String>> {
        match source {
            Source::Known(values) => Some(values.clone()),
            Source::Any => None,
            Source::Body(path) => told(known.evidence.body.as_ref()?.at_path(path)),
            Source::Row(column) => self.returned(column, known),
            Source::Column { name, pinned } => self.column(name, pinned.clone(), known),
        }
    }

    fn column(&self, name: &str, pinned: Option<Vec<String>>, known: &Known<'_>) -> Option<Vec<String>> {
        let returned = || self.returned(name, known);
        let body = known.evidence.body.as_ref().map(|body| body.column(name));
        let is_said_later = known.is_ahead && self.is_returned(name);
        let written = || body.as_ref().filter(|_| !is_said_later).and_then(|values| told(values.clone()));
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

    fn returned(&self, column: &str, known: &Known<'_>) -> Option<Vec<String>> {
        let rows = known.evidence.rows.as_ref().filter(|_| self.is_returned(column))?;
        if rows.is_empty() { Some(Vec::new()) } else { told(rows.column(column)) }
    }

    /// Do returned rows say what a column is? An alias, a cast or a path puts something else under its name.
    fn is_returned(&self, column: &str) -> bool {
        let select = self.returned.as_ref().and_then(|select| Select::parse(select).ok());
        select.is_some_and(|select| select.returns_plainly(column))
    }
}

fn told(values: Values) -> Option<Vec<String>> {
    match values {
        Values::Known(values) => Some(values),
        Values::Absent | Values::Unknown => None,
    }
}
