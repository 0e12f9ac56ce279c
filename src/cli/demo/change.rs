//! What does an insert, an update or a deletion make of a table?
//!
//! Everything is checked before anything is changed, so a refused write has
//! changed nothing. Types, required values and primary keys are checked; other
//! constraints, foreign keys and row-level security are not.

use serde_json::{Map, Value};

use super::query::Query;
use super::refusal::Refusal;
use super::table::{Column, Default, Row, Table};

/// Most rows in one table: a demo that runs for weeks stays small.
const ROWS_MAX: usize = 10_000;

/// The column that follows every change, as a trigger would see to.
const TOUCHED: &str = "updated_at";

/// May a write that asks for one object go through?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Any number of rows.
    Rows,
    /// Exactly one, or nothing happens.
    OneRow,
}

impl Wanted {
    /// Refuses another number of rows than asked for.
    pub(super) fn check(self, rows: usize) -> Result<(), Refusal> {
        match self {
            Self::OneRow if rows != 1 => Err(Refusal::not_one_row(rows)),
            Self::OneRow | Self::Rows => Ok(()),
        }
    }
}

impl Table {
    /// Inserts the rows of a body and returns them.
    pub(super) fn insert(&mut self, body: &Value, now: &str, wanted: Wanted) -> Result<Vec<Row>, Refusal> {
        let objects = objects(body)?;
        wanted.check(objects.len())?;
        if self.rows.len() + objects.len() > ROWS_MAX {
            return Err(Refusal::table_full(self.name, ROWS_MAX));
        }
        let mut added: Vec<Row> = Vec::with_capacity(objects.len());
        for object in objects {
            let row = self.new_row(object, now, added.len())?;
            if self.rows.iter().chain(&added).any(|other| self.same_key(other, &row)) {
                return Err(Refusal::duplicate_key(self.name));
            }
            added.push(row);
        }
        self.rows.extend(added.iter().cloned());
        Ok(added)
    }

    /// Changes the rows that a query picks and returns them.
    pub(super) fn update(
        &mut self,
        query: &Query,
        body: &Value,
        now: &str,
        wanted: Wanted,
    ) -> Result<Vec<Row>, Refusal> {
        let Value::Object(changes) = body else { return Err(Refusal::bad_body()) };
        check_reach(query, "UPDATE")?;
        let mut assigned = self.assigned(changes)?;
        if let Some(place) = self.place(TOUCHED) {
            assigned.push((place, Value::from(now)));
        }
        if assigned.iter().any(|(place, _)| self.key.contains(place)) {
            return Err(Refusal::not_in_the_demo("changes of a primary key"));
        }
        wanted.check(self.rows.iter().filter(|row| query.admits(row)).count())?;
        let mut changed = Vec::new();
        for row in self.rows.iter_mut().filter(|row| query.admits(row)) {
            for (place, value) in &assigned {
                row[*place] = value.clone();
            }
            changed.push(row.clone());
        }
        Ok(changed)
    }

    /// Deletes the rows that a query picks and returns them.
    pub(super) fn delete(&mut self, query: &Query, wanted: Wanted) -> Result<Vec<Row>, Refusal> {
        check_reach(query, "DELETE")?;
        let (gone, kept): (Vec<Row>, Vec<Row>) = self.rows.iter().cloned().partition(|row| query.admits(row));
        wanted.check(gone.len())?;
        self.rows = kept;
        Ok(gone)
    }

    /// Reads the columns that a body names.
    fn assigned(&self, object: &Map<String, Value>) -> Result<Vec<(usize, Value)>, Refusal> {
        let mut assigned = Vec::with_capacity(object.len());
        for (name, value) in object {
            let place = self.place(name).ok_or_else(|| Refusal::no_written_column(self.name, name))?;
            let Column(_, kind, default) = self.columns[place];
            let value = kind.read_json(value)?;
            if value.is_null() && default != Default::Null {
                return Err(Refusal::null_value(self.name, name));
            }
            assigned.push((place, value));
        }
        Ok(assigned)
    }

    fn new_row(&self, object: &Map<String, Value>, now: &str, added: usize) -> Result<Row, Refusal> {
        let mut row: Vec<Option<Value>> = vec![None; self.columns.len()];
        for (place, value) in self.assigned(object)? {
            row[place] = Some(value);
        }
        let filled = row.into_iter().enumerate().map(|(place, value)| {
            let Column(name, _, default) = self.columns[place];
            match (value, default) {
                (Some(value), _) => Ok(value),
                (None, Default::Null) => Ok(Value::Null),
                (None, Default::NextId) => Ok(Value::from(self.largest(place) + 1 + added as i64)),
                (None, Default::Now) => Ok(Value::from(now)),
                (None, Default::Text(text)) => Ok(Value::from(text)),
                (None, Default::Number(number)) => Ok(Value::from(number)),
                (None, Default::Required) => Err(Refusal::null_value(self.name, name)),
            }
        });
        filled.collect()
    }

    fn largest(&self, place: usize) -> i64 {
        self.rows.iter().filter_map(|row| row[place].as_i64()).max().unwrap_or(0)
    }

    fn same_key(&self, one: &Row, other: &Row) -> bool {
        self.key.iter().all(|place| one[*place] == other[*place])
    }
}

/// The objects of a body, which must all name the same columns.
fn objects(body: &Value) -> Result<Vec<&Map<String, Value>>, Refusal> {
    let values: Vec<&Value> = match body {
        Value::Array(values) => values.iter().collect(),
        Value::Object(_) => vec![body],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(Refusal::bad_body()),
    };
    let objects: Option<Vec<_>> = values.into_iter().map(Value::as_object).collect();
    let objects = objects.ok_or_else(Refusal::bad_body)?;
    let is_even = objects.iter().all(|object| object.keys().eq(objects[0].keys()));
    if is_even { Ok(objects) } else { Err(Refusal::uneven_rows()) }
}

fn check_reach(query: &Query, verb: &str) -> Result<(), Refusal> {
    if query.pages() {
        return Err(Refusal::not_in_the_demo("writes with order, limit or offset"));
    }
    if query.has_filters() { Ok(()) } else { Err(Refusal::needs_where(verb)) }
}

#[cfg(test)]
mod tests {
    use super::super::table::Kind;
    use super::*;
    use serde_json::json;

    const COLUMNS: &[Column] = &[
        Column("id", Kind::Integer, Default::NextId),
        Column("city", Kind::Text, Default::Required),
        Column("price", Kind::Integer, Default::Number(7)),
        Column("updated_at", Kind::Timestamp, Default::Now),
    ];
    const NOW: &str = "2025-01-02T09:00:00+00:00";

    fn table() -> Table {
        let rows = vec![
            vec![json!(1), json!("Dakar"), json!(10), json!("2024-01-01T00:00:00+00:00")],
            vec![json!(2), json!("Mbour"), json!(20), json!("2024-01-01T00:00:00+00:00")],
        ];
        Table { name: "places", columns: COLUMNS.to_vec(), key: &[0], rows }
    }

    #[test]
    fn inserts_fill_what_is_not_named() {
        let mut table = table();
        let body = json!([{ "city": "Thiès" }, { "city": "Kaolack" }]);
        let added = table.insert(&body, NOW, Wanted::Rows).unwrap();
        assert_eq!(added[0], [json!(3), json!("Thiès"), json!(7), json!(NOW)]);
        assert_eq!(added[1][0], json!(4));
        assert_eq!(table.rows.len(), 4);
    }

    #[test]
    fn a_refused_insert_changes_nothing() {
        for (body, code) in [
            (json!({ "price": 1 }), "23502"),
            (json!({ "city": null }), "23502"),
            (json!({ "city": "x", "town": 1 }), "PGRST204"),
            (json!({ "city": "x", "price": "cheap" }), "22P02"),
            (json!({ "city": "x", "id": 2 }), "23505"),
            (json!([{ "city": "x", "id": 9 }, { "city": "y", "id": 9 }]), "23505"),
            (json!([{ "city": "x" }, { "price": 1 }]), "PGRST102"),
            (json!("x"), "PGRST102"),
        ] {
            let mut table = table();
            let refused = table.insert(&body, NOW, Wanted::Rows).map_err(|refusal| refusal.code());
            assert_eq!(refused, Err(code), "{body}");
            assert_eq!(table.rows.len(), 2, "{body}");
        }
    }

    #[test]
    fn updates_and_deletions_reach_what_the_filters_pick() {
        let mut table = table();
        let query = Query::parse("city=eq.Dakar", &table).unwrap();
        let changed = table.update(&query, &json!({ "price": "30" }), NOW, Wanted::OneRow).unwrap();
        assert_eq!(changed, [vec![json!(1), json!("Dakar"), json!(30), json!(NOW)]]);
        assert_eq!(table.rows[1][2], json!(20));
        assert_eq!(table.delete(&query, Wanted::Rows).unwrap().len(), 1);
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.delete(&query, Wanted::Rows).unwrap().len(), 0);
    }

    #[test]
    fn a_write_of_everything_is_refused() {
        let mut table = table();
        let everything = Query::parse("", &table).unwrap();
        assert_eq!(table.delete(&everything, Wanted::Rows).unwrap_err().code(), "21000");
        let one_object = Query::parse("id=gt.0", &table).unwrap();
        let refused = table.update(&one_object, &json!({ "price": 1 }), NOW, Wanted::OneRow);
        assert_eq!(refused.unwrap_err().code(), "PGRST116");
        assert_eq!(table.rows[0][2], json!(10));
    }
}
