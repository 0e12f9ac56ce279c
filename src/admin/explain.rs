//! `/api/explain`: which request does an operator ask about?
//!
//! `GET ?method=GET&target=…` for a request without headers, `POST` with JSON
//! for any. Tokens come in a body only, so that they stand in nobody's log. A
//! web page cannot send such a body here: its media type needs a preflight,
//! which is refused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::explain::{Asked, NoRequest};

use super::reply::is_object;

/// Largest question, in bytes: the largest head that clients may send, and a body.
const QUESTION_BYTES_MAX: usize = 256 * 1024;

/// Time for a question to arrive. It is sent by a program, whole.
const QUESTION_MAX: Duration = Duration::from_secs(10);

/// The only media type of a question.
const JSON: &str = "application/json";

/// A question in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    #[serde(default = "get")]
    method: String,
    target: String,
    #[serde(default)]
    headers: BTreeMap<String, Lines>,
    body: Option<String>,
}

/// One line of a header, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lines {
    One(String),
    Several(Vec<String>),
}

/// Why there is nothing to explain. No value of the question is repeated.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoQuestion {
    /// No `target`.
    #[error("say what to explain: ?method=GET&target=/rest/v1/…, with the target's own ?, & and % escaped")]
    Target,
    /// The query is not UTF-8 once decoded.
    #[error("the query is not UTF-8")]
    Query,
    /// A web page may send other types anywhere.
    #[error("the question is sent as application/json")]
    MediaType,
    /// Not JSON, or other fields; serde's words could repeat a value.
    #[error(
        "the question is an object with `target` and, if needed, `method`, `headers` and `body`, line {line}, column {column}"
    )]
    Json { line: usize, column: usize },
    /// Larger than any request.
    #[error("the question is larger than 256 KiB")]
    Large,
    /// It did not arrive.
    #[error("the question did not arrive")]
    Broken,
    /// Not a request.
    #[error(transparent)]
    Request(#[from] NoRequest),
}

impl NoQuestion {
    /// What an operator is answered.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Large => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken => StatusCode::REQUEST_TIMEOUT,
            Self::Target | Self::Query | Self::Json { .. } | Self::Request(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads the question that a request asks.
pub(super) async fn asked<B>(head: &Parts, body: B) -> Result<Asked, NoQuestion>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if head.method != Method::POST {
        return asked_in_query(head.uri.query().unwrap_or_default());
    }
    let media = head.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON) {
        return Err(NoQuestion::MediaType);
    }
    let whole = tokio::time::timeout(QUESTION_MAX, Limited::new(body, QUESTION_BYTES_MAX).collect());
    let whole = whole.await.map_err(|_| NoQuestion::Broken)?.map_err(|error| {
        if error.is::<LengthLimitError>() { NoQuestion::Large } else { NoQuestion::Broken }
    })?;
    let whole = whole.to_bytes();
    if !is_object(&whole) {
        return Err(NoQuestion::Json { line: 1, column: 1 });
    }
    let question: Question = serde_json::from_slice(&whole)
        .map_err(|error| NoQuestion::Json { line: error.line(), column: error.column() })?;
    let headers = question.headers.iter().flat_map(|(name, lines)| {
        let lines = match lines {
            Lines::One(line) => std::slice::from_ref(line),
            Lines::Several(lines) => lines,
        };
        lines.iter().map(|line| (name.as_str(), line.as_str()))
    });
    Ok(Asked::new(&question.method, &question.target, headers, question.body)?)
}

/// The first `method` and `target` of a query.
fn asked_in_query(query: &str) -> Result<Asked, NoQuestion> {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(known, _)| *known == name).map(|(_, value)| value)?;
        Some(percent_decode_str(value).decode_utf8().map_err(|_| NoQuestion::Query))
    };
    let method = value("method").transpose()?.unwrap_or(Cow::Borrowed("GET"));
    let target = value("target").transpose()?.ok_or(NoQuestion::Target)?;
    Ok(Asked::new(&method, &target, [], None)?)
}

fn get() -> String {
    Method::GET.to_string()
}
