//! What does a Supabase Database Webhook say?
//!
//! `{type, schema, table, record, old_record}`, or several of those in a list, as a trigger for whole
//! statements sends them. Nothing else of it counts, and no value of it is ever repeated.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::plan::{Deed, TableChange};
use crate::postgrest::Payload;

/// Most changes of one message: as many rows as one write names.
pub const CHANGES_MAX: usize = 10_000;

/// Longest name of a schema or a table, in bytes: PostgreSQL's own are at most 63.
const NAME_BYTES_MAX: usize = 255;

/// A change as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    schema: String,
    table: String,
    deed: Deed,
    /// The changed rows as they were and as they are, as a list in JSON; nothing where one was not told.
    rows: Option<String>,
    /// As they are.
    written: Option<String>,
}

/// Why a message tells of no change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    /// Not JSON, or without what is needed.
    #[error("the message is no such object, nor a list of them: line {line}, column {column}")]
    Json {
        /// Where it stops making sense.
        line: usize,
        /// And where in that line.
        column: usize,
    },
    /// Not what a statement does.
    #[error("`type` is INSERT, UPDATE, DELETE or TRUNCATE")]
    Deed,
    /// Empty, or longer than a name can be.
    #[error("`schema` and `table` name a table")]
    Name,
    /// More than one message may tell.
    #[error("more than {CHANGES_MAX} changes in one message")]
    Many,
}

#[derive(Deserialize)]
struct Written<'w> {
    #[serde(rename = "type")]
    deed: String,
    schema: String,
    table: String,
    #[serde(borrow, default)]
    record: Option<&'w RawValue>,
    #[serde(borrow, default)]
    old_record: Option<&'w RawValue>,
}

/// Reads a message.
pub fn read(message: &[u8]) -> Result<Vec<Change>, NoChange> {
    let is_list = message.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let written: Result<Vec<Written<'_>>, _> = if is_list {
        serde_json::from_slice(message)
    } else {
        serde_json::from_slice(message).map(|written| vec![written])
    };
    // serde's own words could repeat a value
    let written = written.map_err(|error| NoChange::Json { line: error.line(), column: error.column() })?;
    if written.len() > CHANGES_MAX {
        return Err(NoChange::Many);
    }
    written.into_iter().map(Change::read).collect()
}

impl Change {
    fn read(written: Written<'_>) -> Result<Self, NoChange> {
        let Written { deed, schema, table, record, old_record } = written;
        let deed = match deed.as_str() {
            "INSERT" => Deed::Insert,
            "UPDATE" => Deed::Update,
            "DELETE" => Deed::Delete,
            "TRUNCATE" => Deed::Truncate,
            _ => return Err(NoChange::Deed),
        };
        if [&schema, &table].into_iter().any(|name| name.is_empty() || name.len() > NAME_BYTES_MAX) {
            return Err(NoChange::Name);
        }
        let list = |rows: &[&RawValue]| {
            let rows: Vec<&str> = rows.iter().map(|row| row.get()).collect();
            format!("[{}]", rows.join(","))
        };
        let rows = match (deed, old_record, record) {
            (Deed::Insert, _, Some(new)) => Some(list(&[new])),
            (Deed::Update, Some(old), Some(new)) => Some(list(&[old, new])),
            (Deed::Delete, Some(old), _) => Some(list(&[old])),
            _ => None,
        };
        Ok(Self { schema, table, deed, rows, written: record.map(|new| list(&[new])) })
    }

    /// The change with its rows.
    pub(super) fn seen(&self) -> TableChange<'_> {
        let (rows, written) = (self.rows.as_deref(), self.written.as_deref());
        TableChange { rows: rows.map(payload), written: written.map(payload), ..self.unseen() }
    }

    /// The same as if its rows were not known.
    pub(super) fn unseen(&self) -> TableChange<'_> {
        let Self { schema, table, deed, .. } = self;
        TableChange { schema, table, deed: *deed, rows: None, written: None }
    }

    /// For labels.
    pub(super) fn deed_word(&self) -> &'static str {
        match self.deed {
            Deed::Insert => "insert",
            Deed::Update => "update",
            Deed::Delete => "delete",
            Deed::Truncate => "truncate",
        }
    }
}

fn payload(rows: &str) -> Payload<'_> {
    Payload::parse(None, rows.as_bytes(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_change_or_several() {
        let one = br#"{"type":"UPDATE","schema":"public","table":"t","record":{"id":5},"old_record":{"id":4},"more":1}"#;
        let read_one = read(one).unwrap();
        assert_eq!(read_one[0].rows.as_deref(), Some(r#"[{"id":4},{"id":5}]"#));
        let list = [b" [".as_slice(), one, b",", one, b"]"].concat();
        assert_eq!(read(&list).unwrap(), [read_one.clone(), read_one].concat());
        for (rest, rows) in [
            (r#""type":"INSERT","record":{"id":5},"old_record":null"#, Some(r#"[{"id":5}]"#)),
            (r#""type":"DELETE","record":null,"old_record":{"id":5}"#, Some(r#"[{"id":5}]"#)),
            (r#""type":"UPDATE","record":{"id":5}"#, None),
            (r#""type":"UPDATE","record":{"id":5},"old_record":null"#, None),
            (r#""type":"DELETE""#, None),
            (r#""type":"TRUNCATE","record":null"#, None),
        ] {
            let message = format!(r#"{{"schema":"public","table":"t",{rest}}}"#);
            assert_eq!(read(message.as_bytes()).unwrap()[0].rows.as_deref(), rows, "{message}");
        }
    }

    #[test]
    fn what_is_no_change_is_told_without_repeating_it() {
        for (message, part) in [
            ("", "line 1"),
            ("canary", "line 1"),
            (r#"{"type":"canary","schema":"public","table":"t"}"#, "INSERT, UPDATE"),
            (r#"{"type":"INSERT","schema":"public"}"#, "line 1"),
            (r#"{"type":"INSERT","schema":"public","table":""}"#, "name a table"),
            (r#"{"type":"INSERT","schema":"public","table":5,"record":"canary"}"#, "line 1"),
        ] {
            let said = read(message.as_bytes()).unwrap_err().to_string();
            assert!(said.contains(part) && !said.contains("canary"), "{message}: {said}");
        }
        let many = format!(
            "[{}]",
            vec![r#"{"type":"TRUNCATE","schema":"s","table":"t"}"#; CHANGES_MAX + 1].join(",")
        );
        assert_eq!(read(many.as_bytes()), Err(NoChange::Many));
    }
}
