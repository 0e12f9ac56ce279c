//! What does PostgREST's own root document tell, where no database can be reached?
//!
//! Tables, columns and single-column foreign keys. It says nothing of views'
//! tables, functions' texts, policies or triggers: whatever may hide one of
//! these is said to be unsure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::key::Table;
use crate::rules::{Kind, Learned, LearnedFunction, LearnedTable, Link, Name, Part, Relationship, Source};

/// Marks that PostgREST puts into a column's description.
const FOREIGN_KEY: &str = "<fk table='";

const HIDDEN: &str = "the root document does not tell policies, views, triggers or functions";

/// Reads the root document of one schema; `None` if it is none.
pub fn from_openapi(document: &str, schema: &str, pulled: &str) -> Option<Learned> {
    let document: Value = serde_json::from_str(document).ok()?;
    let definitions = document.get("definitions")?.as_object()?;
    let version = document.pointer("/info/version").and_then(Value::as_str).unwrap_or_default();
    let mut learned = Learned {
        source: Source {
            server: format!("PostgREST {version}"),
            pulled: pulled.to_owned(),
            fingerprint: String::new(),
        },
        schemas: vec![schema.to_owned()],
        ..Learned::default()
    };
    for (name, definition) in definitions {
        add_table(&mut learned, schema, name, definition);
    }
    let known: Vec<Table> = learned.tables.keys().cloned().collect();
    for ways in learned.relations.values_mut() {
        ways.retain(|way| known.contains(&way.to));
        ways.sort();
        ways.dedup();
    }
    learned.relations.retain(|_, ways| !ways.is_empty());
    for path in document.get("paths").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        if let Some(function) = path.strip_prefix("/rpc/") {
            let table = Table::new(schema, function);
            doubt(&mut learned, Part::Functions, &table);
            learned.functions.insert(table, LearnedFunction::default());
        }
    }
    Some(learned)
}

fn add_table(learned: &mut Learned, schema: &str, name: &str, definition: &Value) {
    let table = Table::new(schema, name);
    let properties = definition.get("properties").and_then(Value::as_object);
    let mut columns = Vec::new();
    for (column, property) in properties.into_iter().flatten() {
        let kind = property.get("format").and_then(Value::as_str).unwrap_or("unknown");
        columns.push((column.clone(), kind.to_owned()));
        let told = property.get("description").and_then(Value::as_str).unwrap_or_default();
        if let Some((to, reference)) = foreign_key(told) {
            let to = Table::new(schema, to);
            add_key(&mut learned.relations, (&table, column), (&to, reference));
        }
    }
    for part in [Part::Views, Part::Policies, Part::Cascades] {
        doubt(learned, part, &table);
    }
    learned.tables.insert(table, LearnedTable { kind: Kind::Table, columns });
}

fn doubt(learned: &mut Learned, part: Part, table: &Table) {
    learned.unsure.entry(part).or_default().insert(Name(table.clone()), HIDDEN.to_owned());
}

/// `<fk table='people' column='id'/>`
fn foreign_key(description: &str) -> Option<(&str, &str)> {
    let (_, rest) = description.split_once(FOREIGN_KEY)?;
    let (table, rest) = rest.split_once("' column='")?;
    let (column, _) = rest.split_once('\'')?;
    Some((table, column))
}

/// Both ways of a key. Its name is what PostgreSQL calls a key that nobody named.
fn add_key(
    relations: &mut BTreeMap<Table, Vec<Relationship>>,
    (table, column): (&Table, &str),
    (to, reference): (&Table, &str),
) {
    let name = format!("{}_{column}_fkey", table.name);
    let key = |columns: &str, references: &str| Link::Key {
        name: name.clone(),
        columns: vec![columns.to_owned()],
        references: vec![references.to_owned()],
    };
    let there = Relationship { to: to.clone(), by: key(column, reference) };
    let back = Relationship { to: table.clone(), by: key(reference, column) };
    relations.entry(table.clone()).or_default().push(there);
    relations.entry(to.clone()).or_default().push(back);
}
