//! What does PostgREST's answer look like?

use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::super::words::{Change, Register};
use super::asked::{Reading, Source, Writing};
use super::database::Row;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const SINGULAR_JSON: HeaderValue =
    HeaderValue::from_static("application/vnd.pgrst.object+json; charset=utf-8");

/// Rows as they were asked for.
pub(super) fn rows_answer(reading: &Reading, rows: &[Row]) -> Response<Full<Bytes>> {
    let total = rows.len();
    let (first, last) = reading.range.unwrap_or((0, usize::MAX));
    let shown = &rows[first.min(total)..last.saturating_add(1).min(total)];
    let rows: Vec<Value> = shown.iter().map(Row::to_json).collect();
    if reading.is_singular {
        return match <[Value; 1]>::try_from(rows) {
            Ok([row]) => answer(StatusCode::OK, SINGULAR_JSON, row.to_string()),
            Err(_) => error(
                StatusCode::NOT_ACCEPTABLE,
                "PGRST116",
                "Cannot coerce the result to a single JSON object",
            ),
        };
    }
    let of = if reading.is_counted { total.to_string() } else { "*".to_owned() };
    let range = match rows.len() {
        0 => format!("*/{of}"),
        count => format!("{first}-{}/{of}", first + count - 1),
    };
    let is_part = reading.is_counted && rows.len() < total;
    let status = if is_part { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = answer(status, JSON, Value::Array(rows).to_string());
    response.headers_mut().insert(CONTENT_RANGE, HeaderValue::try_from(range).expect("plain ASCII"));
    response
}

/// What a write says when it is done: the rows of its own table, not those that went or came with them.
pub(super) fn written_answer(writing: &Writing, changes: &[Change]) -> Response<Full<Bytes>> {
    if !writing.wants_rows {
        let mut response = answer(StatusCode::NO_CONTENT, JSON, String::new());
        response.headers_mut().remove(CONTENT_TYPE);
        return response;
    }
    let rows = changes.iter().filter_map(|change| match (change.register, writing.source) {
        (Register::Row(k), Source::Rows) => Some(json!({"k": k, "ver": change.version})),
        (Register::Child(k), Source::Children) => Some(json!({"id": k, "k": k, "ver": change.version})),
        (Register::Row(_) | Register::Child(_), _) => None,
    });
    answer(StatusCode::OK, JSON, Value::Array(rows.collect()).to_string())
}

/// PostgREST's own error object.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({"code": code, "message": message, "details": null, "hint": null});
    answer(status, JSON, body.to_string())
}

fn answer(status: StatusCode, media: HeaderValue, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}
