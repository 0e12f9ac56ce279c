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

/// Whether rows come as JSON. PostgREST answers with all of these and takes the first.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let forms = ["application/json", "application/vnd.pgrst.object+json", "application/vnd.pgrst.array+json"];
    forms.iter().any(|form| media_type.eq_ignore_ascii_case(form))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(values: &[&str]) -> Values {
        Values::Known(values.iter().map(|value| (*value).to_owned()).collect())
    }

    fn column(body: &str, columns: Option<&str>) -> Values {
        Payload::parse(Some("application/json; charset=utf-8"), body.as_bytes(), columns).column("a")
    }

    #[test]
    fn values_of_a_column() {
        for (body, values) in [
            (r#"{"a":"x"}"#, known(&["x"])),
            (r#" {"a":5,"b":6}"#, known(&["5"])),
            (r#"{"a":12.5}"#, known(&["12.5"])),
            (r#"{"a":123456789012345678901234567890}"#, known(&["123456789012345678901234567890"])),
            (r#"{"a":true}"#, known(&["true"])),
            (r#"{"a":null}"#, known(&[])),
            (r#"{"\u0061":"\u00e9"}"#, known(&["é"])),
            (r#"{"b":1}"#, Values::Absent),
            ("{}", Values::Absent),
            (r#"[{"a":2},{"a":"1"},{"a":2},{"a":null}]"#, known(&["1", "2"])),
            ("[]", Values::Absent),
            (r#"[{"b":2},{"b":1}]"#, Values::Absent),
            (r#"[{"a":2},{"b":1}]"#, Values::Unknown),
            (r#"{"a":[1]}"#, Values::Unknown),
            (r#"{"a":{"b":1}}"#, Values::Unknown),
            // other spellings of the same number
            (r#"{"a":1.50}"#, Values::Unknown),
            (r#"{"a":5.0}"#, Values::Unknown),
            (r#"{"a":5e0}"#, Values::Unknown),
            (r#"{"a":-0}"#, Values::Unknown),
            (r#"{"a":-5}"#, known(&["-5"])),
            (r#"{"a":0}"#, known(&["0"])),
            (r#"{"a":10}"#, known(&["10"])),
            // no rows
            ("5", Values::Unknown),
            ("[1]", Values::Unknown),
            ("", Values::Unknown),
            ("{", Values::Unknown),
            (r#"{"a":1} x"#, Values::Unknown),
        ] {
            assert_eq!(column(body, None), values, "{body}");
        }
    }

    #[test]
    fn only_the_columns_of_the_parameter_count() {
        for (body, columns, values) in [
            (r#"{"a":1,"b":2}"#, "\"a\",b", known(&["1"])),
            (r#"{"a":1,"b":2}"#, "b", Values::Absent),
            (r#"{"b":2}"#, "a , b", Values::Unknown),
            (r#"[{"a":1},{"b":2}]"#, "a", Values::Unknown),
            ("[]", "a", Values::Absent),
            (r#"{"a":1}"#, "a)", Values::Unknown),
            (r#"{"a":1}"#, "", Values::Unknown),
        ] {
            assert_eq!(column(body, Some(columns)), values, "{body} {columns}");
        }
    }

    #[test]
    fn trap_95_what_others_might_read_differently_is_unknown() {
        assert_eq!(column(r#"{"a":1,"a":2}"#, None), Values::Unknown);
        for content_type in ["text/csv", "application/x-www-form-urlencoded", "text/plain", ""] {
            let payload = Payload::parse(Some(content_type), br#"{"a":1}"#, None);
            assert_eq!(payload.column("a"), Values::Unknown, "{content_type}");
        }
        assert_eq!(Payload::parse(None, br#"{"a":1}"#, None).column("a"), known(&["1"]));
    }

    #[test]
    fn values_at_a_path() {
        for (body, values) in [
            (r#"{"x":{"y":"z"}}"#, known(&["z"])),
            (r#"[{"x":{"y":1}},{"x":{"y":2}}]"#, known(&["1", "2"])),
            (r#"{"x":{"y":null}}"#, known(&[])),
            (r#"{"x":{}}"#, Values::Absent),
            (r#"{"y":1}"#, Values::Absent),
            (r#"{"x":5}"#, Values::Unknown),
            (r#"{"x":[{"y":1}]}"#, Values::Unknown),
            (r#"{"x":{"y":1,"y":2}}"#, Values::Unknown),
            (r#"[{"x":{"y":1}},{}]"#, Values::Unknown),
        ] {
            let payload = Payload::parse(None, body.as_bytes(), None);
            assert_eq!(payload.at_path(&["x".to_owned(), "y".to_owned()]), values, "{body}");
        }
    }

    #[test]
    fn deep_bodies_do_not_use_the_stack() {
        let body = format!("{{\"a\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(column(&body, None), Values::Unknown);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_body(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _values = Payload::parse(None, &bytes, None).column("a");
        }

        #[test]
        fn any_text_is_a_value(text in "\\PC{0,20}") {
            let body = format!("{{\"a\":{}}}", serde_json::to_string(&text).unwrap());
            prop_assert_eq!(column(&body, None), known(&[text.as_str()]));
        }
    }
}
