//! How does PostgREST say no?
//!
//! Mistakes that PostgREST knows carry its codes and its words. What only this
//! small stand-in does not understand carries a code of its own, so that nobody
//! takes a limit of the demo for an answer of Supabase.

use http::StatusCode;
use serde_json::json;

/// Code of everything that PostgREST can do and the demo cannot.
const DEMO_CODE: &str = "DEMO01";

/// An answer that is an error.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    details: Option<String>,
    hint: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: String) -> Self {
        Self { status, code, message, details: None, hint: None }
    }

    /// PostgREST can, the demo cannot.
    pub(super) fn not_in_the_demo(what: &str) -> Self {
        let message = format!("the demo's stand-in for Supabase does not understand {what}");
        let hint = "plain columns, eq neq gt gte lt lte in is.null, order, limit and offset are understood; \
                    for the rest, run larder serve --upstream with a project of yours";
        Self { hint: Some(hint), ..Self::new(StatusCode::NOT_IMPLEMENTED, DEMO_CODE, message) }
    }

    /// No such table.
    pub(super) fn no_table(name: &str) -> Self {
        let message = format!("Could not find the table 'public.{name}' in the schema cache");
        Self::new(StatusCode::NOT_FOUND, "PGRST205", message)
    }

    /// No such function; the demo has none.
    pub(super) fn no_function(name: &str) -> Self {
        let message = format!("Could not find the function public.{name} in the schema cache");
        Self::new(StatusCode::NOT_FOUND, "PGRST202", message)
    }

    /// Another schema than `public`.
    pub(super) fn no_schema() -> Self {
        let message = "Invalid schema: the demo has the schema public only".to_owned();
        Self::new(StatusCode::NOT_ACCEPTABLE, "PGRST106", message)
    }

    /// No such column in a filter, an order or a selection.
    pub(super) fn no_column(table: &str, column: &str) -> Self {
        let message = format!("column {table}.{column} does not exist");
        Self::new(StatusCode::BAD_REQUEST, "42703", message)
    }

    /// No such column in a body.
    pub(super) fn no_written_column(table: &str, column: &str) -> Self {
        let message = format!("Could not find the '{column}' column of '{table}' in the schema cache");
        Self::new(StatusCode::BAD_REQUEST, "PGRST204", message)
    }

    /// A parameter that cannot be parsed.
    pub(super) fn unparsable(parameter: &str, text: &str) -> Self {
        let message = format!("failed to parse {parameter} ({text})");
        Self::new(StatusCode::BAD_REQUEST, "PGRST100", message)
    }

    /// A value that is not of its column's kind.
    pub(super) fn bad_value(kind: &str, text: &str) -> Self {
        let message = format!("invalid input syntax for type {kind}: \"{text}\"");
        Self::new(StatusCode::BAD_REQUEST, "22P02", message)
    }

    /// The body is not what a write needs.
    pub(super) fn bad_body() -> Self {
        let message = "Empty or invalid json".to_owned();
        Self::new(StatusCode::BAD_REQUEST, "PGRST102", message)
    }

    /// The body is too large for the demo.
    pub(super) fn large_body() -> Self {
        let message = "the body is too large for the demo".to_owned();
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, DEMO_CODE, message)
    }

    /// Rows of one insert with different columns.
    pub(super) fn uneven_rows() -> Self {
        let message = "All object keys must match".to_owned();
        Self::new(StatusCode::BAD_REQUEST, "PGRST102", message)
    }

    /// A column that must have a value has none.
    pub(super) fn null_value(table: &str, column: &str) -> Self {
        let message =
            format!("null value in column \"{column}\" of relation \"{table}\" violates not-null constraint");
        Self::new(StatusCode::BAD_REQUEST, "23502", message)
    }

    /// A primary key that is there already.
    pub(super) fn duplicate_key(table: &str) -> Self {
        let message = format!("duplicate key value violates unique constraint \"{table}_pkey\"");
        Self::new(StatusCode::CONFLICT, "23505", message)
    }

    /// An update or a deletion of the whole table, which Supabase refuses too.
    pub(super) fn needs_where(verb: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "21000", format!("{verb} requires a WHERE clause"))
    }

    /// A page behind the last row, while rows are counted.
    pub(super) fn range_beyond(offset: usize, total: usize) -> Self {
        let details = format!("An offset of {offset} was requested, but there are only {total} rows.");
        let message = "Requested range not satisfiable".to_owned();
        let refusal = Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "PGRST103", message);
        Self { details: Some(details), ..refusal }
    }

    /// One object was asked for, and there are more or none.
    pub(super) fn not_one_row(rows: usize) -> Self {
        let message = "Cannot coerce the result to a single JSON object".to_owned();
        let refusal = Self::new(StatusCode::NOT_ACCEPTABLE, "PGRST116", message);
        Self { details: Some(format!("The result contains {rows} rows")), ..refusal }
    }

    /// A media type that is not there.
    pub(super) fn no_media_type(accept: &str) -> Self {
        let message = format!("None of these media types are available: {accept}");
        Self::new(StatusCode::NOT_ACCEPTABLE, "PGRST107", message)
    }

    /// The table has grown as large as a demo's may.
    pub(super) fn table_full(table: &str, rows_max: usize) -> Self {
        let message = format!("the demo's table {table} holds its {rows_max} rows; delete some");
        Self::new(StatusCode::INSUFFICIENT_STORAGE, DEMO_CODE, message)
    }

    /// PostgREST's error object.
    pub(super) fn body(&self) -> String {
        let Self { status: _, code, message, details, hint } = self;
        json!({ "code": code, "message": message, "details": details, "hint": hint }).to_string()
    }

    /// For `Proxy-Status`, by which PostgREST marks its errors.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }
}
