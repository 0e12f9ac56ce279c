//! What does a query string ask of a table? The part of PostgREST's grammar that the demo knows.
//!
//! Whatever is not understood is refused, never guessed: a demo that answers
//! something else than Supabase would be worse than one that answers nothing.

use std::cmp::Ordering;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::refusal::Refusal;
use super::table::{Column, Row, Table, compare};

/// Most rows in one answer: Supabase's own default.
const PAGE_ROWS_MAX: usize = 1000;

/// Names that PostgREST keeps for itself and the demo does not know.
const UNKNOWN_NAMES: [&str; 6] = ["and", "or", "not.and", "not.or", "columns", "on_conflict"];

/// A parsed query string.
#[derive(Debug)]
pub(super) struct Query {
    /// Places of the selected columns, in the order of the selection.
    pub(super) selected: Vec<usize>,
    filters: Vec<Filter>,
    order: Vec<Order>,
    limit: Option<usize>,
    pub(super) offset: usize,
}

#[derive(Debug)]
struct Filter {
    place: usize,
    test: Test,
}

/// What a filter asks of a value.
#[derive(Debug)]
enum Test {
    Equal(Value),
    NotEqual(Value),
    Greater(Value),
    GreaterOrEqual(Value),
    Less(Value),
    LessOrEqual(Value),
    OneOf(Vec<Value>),
    IsNull,
}

#[derive(Debug)]
struct Order {
    place: usize,
    descending: bool,
    nulls_first: bool,
}

impl Query {
    /// Parses a query string against a table.
    pub(super) fn parse(raw: &str, table: &Table) -> Result<Self, Refusal> {
        let every_column = (0..table.columns.len()).collect();
        let mut query =
            Self { selected: every_column, filters: Vec::new(), order: Vec::new(), limit: None, offset: 0 };
        let mut seen: Vec<String> = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if ["select", "order", "limit", "offset"].contains(&name.as_str()) {
                if seen.contains(&name) {
                    return Err(Refusal::not_in_the_demo(&format!("a second {name}=")));
                }
                seen.push(name.clone());
            }
            match name.as_str() {
                "select" => query.selected = selection(&value, table)?,
                "order" => {
                    query.order = value.split(',').map(|term| order(term, table)).collect::<Result<_, _>>()?
                }
                "limit" => query.limit = Some(number(&name, &value)?),
                "offset" => query.offset = number(&name, &value)?,
                other if UNKNOWN_NAMES.contains(&other) => {
                    return Err(Refusal::not_in_the_demo(&format!("{other}=")));
                }
                column => query.filters.push(filter(column, &value, table)?),
            }
        }
        Ok(query)
    }

    /// Does it pick rows at all?
    pub(super) fn has_filters(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Does it page? A write of a page is another matter than a read of one.
    pub(super) fn pages(&self) -> bool {
        self.limit.is_some() || self.offset > 0 || !self.order.is_empty()
    }

    /// Does a row pass every filter?
    pub(super) fn admits(&self, row: &Row) -> bool {
        self.filters.iter().all(|filter| filter.test.holds(&row[filter.place]))
    }

    /// The rows of the asked page, and how many there are on all pages.
    pub(super) fn page<'t>(&self, table: &'t Table) -> (Vec<&'t Row>, usize) {
        let mut rows: Vec<&Row> = table.rows.iter().filter(|row| self.admits(row)).collect();
        let total = rows.len();
        rows.sort_by(|one, other| self.compare(one, other));
        let limit = self.limit.unwrap_or(PAGE_ROWS_MAX).min(PAGE_ROWS_MAX);
        (rows.into_iter().skip(self.offset).take(limit).collect(), total)
    }

    fn compare(&self, one: &Row, other: &Row) -> Ordering {
        let mut orderings =
            self.order.iter().map(|order| order.compare(&one[order.place], &other[order.place]));
        orderings.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl Order {
    fn compare(&self, one: &Value, other: &Value) -> Ordering {
        let null_side = if self.nulls_first { Ordering::Less } else { Ordering::Greater };
        match (one.is_null(), other.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => null_side,
            (false, true) => null_side.reverse(),
            (false, false) => {
                let ordering = compare(one, other).unwrap_or(Ordering::Equal);
                if self.descending { ordering.reverse() } else { ordering }
            }
        }
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        let ordered = |than: &Value| compare(value, than);
        match self {
            Self::Equal(than) => ordered(than).is_some_and(Ordering::is_eq),
            Self::NotEqual(than) => ordered(than).is_some_and(Ordering::is_ne),
            Self::Greater(than) => ordered(than).is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual(than) => ordered(than).is_some_and(Ordering::is_ge),
            Self::Less(than) => ordered(than).is_some_and(Ordering::is_lt),
            Self::LessOrEqual(than) => ordered(than).is_some_and(Ordering::is_le),
            Self::OneOf(values) => values.iter().any(|than| ordered(than).is_some_and(Ordering::is_eq)),
            Self::IsNull => value.is_null(),
        }
    }
}

fn decode(text: &str) -> Result<String, Refusal> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Into::into).map_err(|_| Refusal::unparsable("the query string", text))
}

fn number(name: &str, value: &str) -> Result<usize, Refusal> {
    value.parse().map_err(|_| Refusal::not_in_the_demo(&format!("{name}={value}")))
}

fn selection(text: &str, table: &Table) -> Result<Vec<usize>, Refusal> {
    let mut selected = Vec::new();
    for item in text.split(',').map(str::trim) {
        match item {
            "*" => selected.extend(0..table.columns.len()),
            "" => return Err(Refusal::unparsable("select parameter", text)),
            item if !item.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                return Err(Refusal::not_in_the_demo(&format!("`{item}` in select=")));
            }
            column => selected.push(place(column, table)?),
        }
    }
    Ok(selected)
}

fn place(column: &str, table: &Table) -> Result<usize, Refusal> {
    table.place(column).ok_or_else(|| Refusal::no_column(table.name, column))
}

fn order(term: &str, table: &Table) -> Result<Order, Refusal> {
    let mut words = term.split('.');
    let place = place(words.next().unwrap_or_default(), table)?;
    let mut order = Order { place, descending: false, nulls_first: false };
    for (index, word) in words.enumerate() {
        match (index, word) {
            (0, "asc") => {}
            (0, "desc") => (order.descending, order.nulls_first) = (true, true),
            (0 | 1, "nullsfirst") => order.nulls_first = true,
            (0 | 1, "nullslast") => order.nulls_first = false,
            (_, _) => return Err(Refusal::unparsable("order", term)),
        }
    }
    Ok(order)
}

fn filter(column: &str, text: &str, table: &Table) -> Result<Filter, Refusal> {
    let place = place(column, table)?;
    let Column(_, kind, _) = table.columns[place];
    let (operator, operand) = text.split_once('.').ok_or_else(|| Refusal::unparsable("filter", text))?;
    let value = || kind.read_text(operand);
    let test = match operator {
        "eq" => Test::Equal(value()?),
        "neq" => Test::NotEqual(value()?),
        "gt" => Test::Greater(value()?),
        "gte" => Test::GreaterOrEqual(value()?),
        "lt" => Test::Less(value()?),
        "lte" => Test::LessOrEqual(value()?),
        "in" => {
            let words = list(operand).ok_or_else(|| Refusal::unparsable("filter", text))?;
            Test::OneOf(words.iter().map(|word| kind.read_text(word)).collect::<Result<_, _>>()?)
        }
        "is" if operand.eq_ignore_ascii_case("null") => Test::IsNull,
        other => return Err(Refusal::not_in_the_demo(&format!("the operator `{other}`"))),
    };
    Ok(Filter { place, test })
}

/// Reads `(a,"b,c")`: quoted words may hold commas, brackets and `\"`.
fn list(text: &str) -> Option<Vec<String>> {
    let inside = text.strip_prefix('(')?.strip_suffix(')')?;
    let mut words = vec![String::new()];
    let (mut quoted, mut closed) = (false, false);
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        let word = words.last_mut()?;
        match letter {
            '\\' if quoted => word.push(letters.next()?),
            '"' if quoted => (quoted, closed) = (false, true),
            '"' if word.is_empty() && !closed => quoted = true,
            ',' if !quoted => {
                words.push(String::new());
                closed = false;
            }
            '"' | '(' | ')' if !quoted => return None,
            _ if closed => return None,
            other => word.push(other),
        }
    }
    let is_empty_list = words.len() == 1 && words[0].is_empty() && !closed;
    (!quoted).then_some(if is_empty_list { Vec::new() } else { words })
}

#[cfg(test)]
mod tests {
    use super::super::table::{Default, Kind};
    use super::*;
    use serde_json::json;

    const COLUMNS: &[Column] = &[
        Column("id", Kind::Integer, Default::NextId),
        Column("city", Kind::Text, Default::Null),
        Column("details", Kind::Json, Default::Null),
    ];

    fn table() -> Table {
        let row = |id: i32, city: Value| vec![json!(id), city, json!({})];
        let rows = vec![
            row(1, json!("Dakar")),
            row(2, json!("Thiès")),
            row(3, Value::Null),
            row(4, json!("Dakar")),
            row(5, json!("a,b")),
        ];
        Table { name: "places", columns: COLUMNS.to_vec(), key: &[0], rows }
    }

    fn ids(raw: &str) -> Result<Vec<i64>, Refusal> {
        let table = table();
        let (rows, _) = Query::parse(raw, &table).map(|query| query.page(&table))?;
        Ok(rows.iter().map(|row| row[0].as_i64().unwrap()).collect())
    }

    #[test]
    fn filters_orders_and_pages_answer_like_postgrest() {
        for (raw, expected) in [
            ("", vec![1, 2, 3, 4, 5]),
            ("id=eq.2", vec![2]),
            ("id=neq.2&city=eq.Dakar", vec![1, 4]),
            ("id=gt.1&id=lte.3", vec![2, 3]),
            ("id=gte.4", vec![4, 5]),
            ("id=lt.0", vec![]),
            ("city=eq.Thi%C3%A8s", vec![2]),
            ("city=neq.Dakar", vec![2, 5]),
            ("city=is.null", vec![3]),
            ("id=in.(1,4,9)", vec![1, 4]),
            ("city=in.(%22a,b%22,Thi%C3%A8s)", vec![2, 5]),
            ("id=in.()", vec![]),
            ("order=id.desc&limit=2", vec![5, 4]),
            ("order=id&offset=3", vec![4, 5]),
            ("order=city.asc,id.desc", vec![4, 1, 2, 5, 3]),
            ("order=city.desc,id", vec![3, 5, 2, 1, 4]),
            ("order=city.nullsfirst,id&limit=1", vec![3]),
            ("limit=0", vec![]),
        ] {
            assert_eq!(ids(raw), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (raw, code) in [
            ("select=*,owner(name)", "DEMO01"),
            ("select=id::text", "DEMO01"),
            ("select=a:id", "DEMO01"),
            ("select=", "PGRST100"),
            ("or=(id.eq.1,id.eq.2)", "DEMO01"),
            ("id=not.eq.1", "DEMO01"),
            ("city=ilike.*a*", "DEMO01"),
            ("details=eq.1", "DEMO01"),
            ("limit=many", "DEMO01"),
            ("limit=1&limit=2", "DEMO01"),
            ("id=eq.five", "22P02"),
            ("id=5", "PGRST100"),
            ("id=in.(1", "PGRST100"),
            ("id=in.(%221%22x)", "PGRST100"),
            ("town=eq.Dakar", "42703"),
            ("order=town", "42703"),
            ("order=id.up", "PGRST100"),
            ("select=town", "42703"),
            ("city=eq.%FF", "PGRST100"),
        ] {
            assert_eq!(ids(raw).map_err(|refusal| refusal.code()), Err(code), "{raw}");
        }
    }
}
