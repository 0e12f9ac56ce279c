//! What is a table of the demo, and which values fit its columns?

use std::cmp::Ordering;

use serde_json::Value;

use super::moment::{read_date, read_timestamp};
use super::refusal::Refusal;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 32 bits, signed.
    Integer,
    /// Any text.
    Text,
    /// A day.
    Date,
    /// A moment, kept in UTC.
    Timestamp,
    /// Any JSON; it cannot be compared.
    Json,
}

/// What a column holds when an insert does not name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    /// An insert must name it.
    Required,
    /// Nothing.
    Null,
    /// The next number.
    NextId,
    /// The moment of the insert.
    Now,
    /// This text.
    Text(&'static str),
    /// This number.
    Number(i32),
}

/// A column: its name, what it holds, what it holds by default.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column(pub(super) &'static str, pub(super) Kind, pub(super) Default);

/// One row, in the order of the columns.
pub(super) type Row = Vec<Value>;

/// A table with its rows.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: Vec<Column>,
    /// Places of the columns of the primary key.
    pub(super) key: &'static [usize],
    pub(super) rows: Vec<Row>,
}

impl Table {
    /// Where a column stands.
    pub(super) fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|Column(name, ..)| *name == column)
    }

    /// The same rows with these columns only, in their order.
    pub(super) fn narrowed(&self, name: &'static str, columns: &[&str], rows: &[&Row]) -> Self {
        let places: Vec<usize> = columns.iter().filter_map(|column| self.place(column)).collect();
        let rows = rows.iter().map(|row| places.iter().map(|place| row[*place].clone()).collect()).collect();
        let columns = places.iter().map(|place| self.columns[*place]).collect();
        Self { name, columns, key: &[], rows }
    }

    /// One row as a JSON object, with its columns in their own order.
    pub(super) fn object(&self, row: &Row, selected: &[usize]) -> String {
        let fields: Vec<String> = selected
            .iter()
            .map(|place| format!("{}:{}", Value::from(self.columns[*place].0), row[*place]))
            .collect();
        format!("{{{}}}", fields.join(","))
    }
}

impl Kind {
    /// PostgreSQL's name of it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Text => "text",
            Self::Date => "date",
            Self::Timestamp => "timestamp with time zone",
            Self::Json => "json",
        }
    }

    /// Reads the value of a filter.
    pub(super) fn read_text(self, text: &str) -> Result<Value, Refusal> {
        let value = match self {
            Self::Integer => text.parse::<i32>().ok().map(Value::from),
            Self::Text => Some(Value::from(text)),
            Self::Date => read_date(text).map(Value::from),
            Self::Timestamp => read_timestamp(text).map(Value::from),
            Self::Json => return Err(Refusal::not_in_the_demo("filters on json columns")),
        };
        value.ok_or_else(|| Refusal::bad_value(self.as_str(), text))
    }

    /// Reads a value of a body, as PostgreSQL casts it.
    pub(super) fn read_json(self, value: &Value) -> Result<Value, Refusal> {
        match (self, value) {
            (_, Value::Null) | (Self::Json, _) => Ok(value.clone()),
            (_, Value::String(text)) => self.read_text(text),
            (_, Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                self.read_text(&value.to_string())
            }
        }
    }
}

/// Compares two values of one column; nothing compares with null or with JSON.
pub(super) fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_i64().partial_cmp(&other.as_i64()),
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (_, _) => None,
    }
}
