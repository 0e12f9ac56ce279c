//! The section `schema`: names become tables.

use std::collections::BTreeMap;

use crate::key::Table;

use super::super::document::{Lists, Named, SchemaSection};
use super::super::fields::At;
use super::super::mistake::{Findings, quoted};
use super::super::schema::{FunctionReach, Schema};
use super::names;

/// Most columns by which the rows of one table are matched: each gives every
/// write to it a few more tags.
const ROW_COLUMNS_MAX: usize = 8;

/// Compiles the section.
pub(super) fn compile(section: &SchemaSection, default_schema: &str, findings: &mut Findings<'_>) -> Schema {
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
        names.insert(&mut schema.rows, &rows.name, columns);
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
        let (profile, name) =
            rows.name.value.split_once('.').unwrap_or((self.default_schema, &rows.name.value));
        if schema.views.contains_key(&Table::new(profile, name)) {
            let hint = "name the columns of the tables that it shows";
            let message = format!("{} is a view, and has no rows of its own", quoted(name));
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
