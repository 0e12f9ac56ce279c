//! The section `schema`: names become tables.

use std::collections::BTreeMap;

use crate::key::Table;

use super::super::document::{Lists, Named, SchemaSection};
use super::super::fields::{At, did_you_mean};
use super::super::learned::{Kind, Learned};
use super::super::mistake::{Findings, quoted};
use super::super::schema::{FunctionReach, Schema};
use super::super::table_name;
use super::{include, names};

/// Most columns by which the rows of one table are matched: each gives every
/// write to it a few more tags.
const ROW_COLUMNS_MAX: usize = 8;

/// Compiles the section.
pub(super) fn compile(
    section: &SchemaSection,
    learned: Option<&Learned>,
    default_schema: &str,
    findings: &mut Findings<'_>,
) -> Schema {
    let mut names = Names { default_schema, findings };
    let mut schema = Schema {
        default_schema: default_schema.into(),
        views: names.lists(&section.views),
        policies: names.lists(&section.policies),
        cascades: names.lists(&section.cascades),
        ..Schema::default()
    };
    for function in &section.functions {
        let reach = FunctionReach {
            reads: function.value.reads.as_ref().map(|tables| names.tables(tables)),
            writes: function.value.writes.as_ref().map(|tables| names.tables(tables)),
            returns: Vec::new(),
        };
        names.insert(&mut schema.functions, &function.name, reach);
    }
    for relation in &section.relations {
        let mut embeds = BTreeMap::new();
        for embed in &relation.value {
            embeds.insert(embed.name.value.clone(), names.tables(&embed.value));
        }
        names.insert(&mut schema.relations, &relation.name, embeds);
    }
    for rows in &section.rows {
        let columns = names.columns(rows, &schema);
        if let Some(learned) = learned {
            names.check_rows(rows, learned);
        }
        names.insert(&mut schema.rows, &rows.name, columns);
    }
    if let Some(learned) = learned {
        include::lay_under(&mut schema, learned);
    }
    schema
}

struct Names<'n, 'f, 't> {
    default_schema: &'n str,
    findings: &'f mut Findings<'t>,
}

impl Names<'_, '_, '_> {
    fn lists(&mut self, lists: &Lists) -> BTreeMap<Table, Vec<Table>> {
        let mut all = BTreeMap::new();
        for list in lists {
            let tables = self.tables(&list.value);
            self.insert(&mut all, &list.name, tables);
        }
        all
    }

    fn tables(&mut self, names: &[At<String>]) -> Vec<Table> {
        names.iter().filter_map(|name| names::table(name, self.default_schema, self.findings)).collect()
    }

    /// The columns by which the rows of a table are matched.
    fn columns(&mut self, rows: &Named<Vec<At<String>>>, schema: &Schema) -> Vec<String> {
        let table = table_name::read(&rows.name.value, self.default_schema);
        if table.is_some_and(|table| schema.views.contains_key(&table)) {
            let hint = "name the columns of the tables that it shows";
            let message = format!("{} is a view, and has no rows of its own", quoted(&rows.name.value));
            self.findings.mistake_with_hint(&rows.name.spot, message, hint);
        }
        if let Some(beyond) = rows.value.get(ROW_COLUMNS_MAX) {
            self.findings.mistake(&beyond.spot, format!("more than {ROW_COLUMNS_MAX} columns"));
        }
        let mut columns: Vec<String> = Vec::new();
        for column in rows.value.iter().take(ROW_COLUMNS_MAX) {
            if columns.contains(&column.value) {
                self.findings.mistake(&column.spot, format!("{} is given twice", quoted(&column.value)));
            } else {
                columns.push(column.value.clone());
            }
        }
        columns
    }

    /// Rows can be matched by columns that exist, in tables that keep them, by types whose equality is known.
    fn check_rows(&mut self, rows: &Named<Vec<At<String>>>, learned: &Learned) {
        let Some(table) = table_name::read(&rows.name.value, self.default_schema) else { return };
        let Some(known) = learned.tables.get(&table) else {
            let message = format!("the database has no table {}", quoted(&rows.name.value));
            let hint = did_you_mean(&table.name, learned.tables.keys().map(|table| &*table.name))
                .unwrap_or_else(|| "if it is new: `larder schema pull --db URL`".to_owned());
            return self.findings.mistake_with_hint(&rows.name.spot, message, hint);
        };
        if known.kind != Kind::Table {
            let message = format!("a {} has no rows that could be told apart", known.kind.as_str());
            self.findings.mistake(&rows.name.spot, message);
        }
        for column in &rows.value {
            let names = || known.columns.iter().map(|(name, _)| name.as_str());
            match known.columns.iter().find(|(name, _)| *name == column.value) {
                None => {
                    let message =
                        format!("{} has no column {}", quoted(&table.to_string()), quoted(&column.value));
                    let hint = did_you_mean(&column.value, names())
                        .unwrap_or_else(|| format!("known here: {}", names().collect::<Vec<_>>().join(", ")));
                    self.findings.mistake_with_hint(&column.spot, message, hint);
                }
                Some((_, kind)) if !Learned::is_matchable(kind) => {
                    let message =
                        format!("whether two values of type {} are equal is not known", quoted(kind));
                    self.findings.mistake_with_hint(
                        &column.spot,
                        message,
                        "integers, uuid, text and character varying can be matched",
                    );
                }
                Some(_) => {}
            }
        }
    }

    /// `orders` and `public.orders` are the same table; only one may be given.
    fn insert<T>(&mut self, all: &mut BTreeMap<Table, T>, name: &At<String>, value: T) {
        let Some(table) = names::table(name, self.default_schema, self.findings) else { return };
        if all.contains_key(&table) {
            self.findings.mistake(&name.spot, format!("{} is given twice", quoted(&table.to_string())));
            return;
        }
        all.insert(table, value);
    }
}
