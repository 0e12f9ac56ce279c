//! Which values does a write's body give a column?
//!
//! Only JSON is read. Whatever could be read in two ways is unknown: duplicate
//! keys, numbers with several spellings, rows with different keys, CSV, forms.
//! A caller that has bounded the bytes has bounded the work.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::cursor::Cursor;
use super::name::read_name;

/// A body, or rows that a write returned.
#[derive(Clone, Debug)]
pub enum Payload<'a> {
    /// One row.
    Object(Row<'a>, Columns),
    /// Several rows, perhaps none.
    Array(Vec<Row<'a>>, Columns),
    /// Not JSON, not rows, or not understood.
    Unknown,
}

/// The keys that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Those that rows have.
    OfRows,
    /// Those of `columns=`: other keys are ignored, missing ones become null or a default.
    Only(Vec<String>),
}

/// The fields of one object, in order, values not parsed yet.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    fields: Vec<(Key<'a>, &'a RawValue)>,
}

/// What is known about the values of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// These and no others, as text. Nulls are left out: a null equals nothing.
    Known(Vec<String>),
    /// The write does not set it.
    Absent,
    /// It may be anything.
    Unknown,
}

/// One value.
enum Scalar {
    Text(String),
    Null,
}

impl<'a> Payload<'a> {
    /// Reads a request's body. Without a content type PostgREST takes it for JSON. `columns` is the
    /// parameter of that name.
    pub fn parse(content_type: Option<&str>, bytes: &'a [u8], columns: Option<&str>) -> Self {
        let columns = match columns.map(parse_columns) {
            None => Columns::OfRows,
            Some(Some(names)) => Columns::Only(names),
            Some(None) => return Self::Unknown,
        };
        if !content_type.is_none_or(is_json) {
            return Self::Unknown;
        }
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        let rows = match first {
            Some(b'{') => serde_json::from_slice(bytes).map(|row| Self::Object(row, columns)),
            Some(b'[') => serde_json::from_slice(bytes).map(|rows| Self::Array(rows, columns)),
            _ => return Self::Unknown,
        };
        rows.unwrap_or(Self::Unknown)
    }

    /// Is it a list without a row?
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Array(rows, _) => rows.is_empty(),
            Self::Object(..) | Self::Unknown => false,
        }
    }

    /// The values that the write gives a column, in PostgREST's reading.
    pub fn column(&self, name: &str) -> Values {
        match self {
            Self::Object(row, columns) => column_of(std::slice::from_ref(row), columns, name),
            Self::Array(rows, columns) => column_of(rows, columns, name),
            Self::Unknown => Values::Unknown,
        }
    }

    /// The values at a path of keys into each row, whether a column or not.
    pub fn at_path(&self, path: &[String]) -> Values {
        let rows = match self {
            Self::Object(row, _) => std::slice::from_ref(row),
            Self::Array(rows, _) => rows,
            Self::Unknown => return Values::Unknown,
        };
        gather(rows.iter().map(|row| row.at_path(path)))
    }
}

fn column_of(rows: &[Row<'_>], columns: &Columns, name: &str) -> Values {
    let found = gather(rows.iter().map(|row| row.field(name).map(|value| value.map(scalar))));
    match columns {
        Columns::OfRows => found,
        Columns::Only(names) if !names.iter().any(|listed| listed == name) => Values::Absent,
        // a listed key that no row has is set all the same: to null or to a default
        Columns::Only(_) if found == Values::Absent && !rows.is_empty() => Values::Unknown,
        Columns::Only(_) => found,
    }
}

/// One look into one row: nothing there, or more than one thing, or what its scalar is.
type Found<T> = Result<Option<T>, Ambiguous>;

/// Two fields have the same key.
struct Ambiguous;

/// Puts together what was found in each row. A scalar that is `None` cannot be told as text.
fn gather(found: impl Iterator<Item = Found<Option<Scalar>>>) -> Values {
    let mut values = Vec::new();
    let mut rows_with = 0_usize;
    let mut rows_without = 0_usize;
    for row in found {
        match row {
            Err(Ambiguous) | Ok(Some(None)) => return Values::Unknown,
            Ok(None) => rows_without += 1,
            Ok(Some(Some(scalar))) => {
                rows_with += 1;
                if let Scalar::Text(text) = scalar {
                    values.push(text);
                }
            }
        }
    }
    match (rows_with, rows_without) {
        (0, _) => Values::Absent,
        (_, 0) => {
            values.sort_unstable();
            values.dedup();
            Values::Known(values)
        }
        // some rows lack it: a default applies there, or the server refuses the body
        _ => Values::Unknown,
    }
}

impl<'a> Row<'a> {
    fn field(&self, name: &str) -> Found<&'a RawValue> {
        let mut named = self.fields.iter().filter(|(key, _)| key.0 == name).map(|&(_, value)| value);
        match (named.next(), named.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(Ambiguous),
        }
    }

    fn at_path(&self, path: &[String]) -> Found<Option<Scalar>> {
        let Some((name, below)) = path.split_first() else {
            return Ok(None);
        };
        let Some(value) = self.field(name)? else {
            return Ok(None);
        };
        if below.is_empty() {
            return Ok(Some(scalar(value)));
        }
        match serde_json::from_str::<Row<'_>>(value.get()) {
            Ok(row) => row.at_path(below),
            // a path into something that is not an object leads nowhere that we know
            Err(_) => Ok(Some(None)),
        }
    }
}

/// A scalar as PostgreSQL would print it, or `None` where that depends on the column's type.
fn scalar(value: &RawValue) -> Option<Scalar> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok().map(Scalar::Text),
        b'n' => Some(Scalar::Null),
        b't' | b'f' => Some(Scalar::Text(text.to_owned())),
        b'-' | b'0'..=b'9' => has_one_spelling(text).then(|| Scalar::Text(text.to_owned())),
        _ => None,
    }
}

/// Whether no other spelling means this number: `1.50`, `15e-1` and `-0` have others.
fn has_one_spelling(number: &str) -> bool {
    let is_exponential = number.contains(['e', 'E']);
    let ends_in_zero = number.contains('.') && number.ends_with('0');
    !is_exponential && !ends_in_zero && number != "-0"
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

/// Names parted by commas, as in `columns="a",b`.
fn parse_columns(text: &str) -> Option<Vec<String>> {
    let mut cursor = Cursor::new(text);
    let mut names = vec![read_name(&mut cursor)?.into_owned()];
    while cursor.expect_between_blanks(",").is_some() {
        names.push(read_name(&mut cursor)?.into_owned());
    }
    cursor.is_at_end().then_some(names)
}

/// A key of an object, borrowed where nothing in it is escaped.
#[derive(Clone, Debug)]
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Row<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Row<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = object.next_entry::<Key<'de>, &'de RawValue>()? {
            fields.push(field);
        }
        Ok(Row { fields })
    }
}
