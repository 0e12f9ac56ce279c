//! `POST /api/changes`: the database tells of a change that did not come through the proxy.
//!
//! Whoever may tell may take entries away and nothing else, so it has a token of its own.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::json;

use crate::feed::{self, Feed};

use super::reply::{Answer, refused, refused_with, told};
use super::sources::Sources;

/// Largest message that is read, in bytes: a thousand rows of a few kilobytes. What a larger one
/// tells of is taken for everything.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Time for a message to arrive. It is sent by a program, whole.
const MESSAGE_MAX: Duration = Duration::from_secs(10);

/// What a message looks like.
const HINT: &str = r#"{"type": "UPDATE", "schema": "public", "table": "properties", "record": {…}, "old_record": {…}}, or a list of such"#;

/// Takes away what a message says has changed.
pub(super) async fn changes<B>(sources: &Sources, head: &Parts, body: B) -> Answer
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let media = head.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return refused_with(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a message is application/json", Some(HINT));
    }
    let feed: &Arc<Feed> = &sources.feed;
    let whole = tokio::time::timeout(MESSAGE_MAX, Limited::new(body, MESSAGE_BYTES_MAX).collect()).await;
    let (applied, is_read) = match whole {
        Err(_elapsed) => return refused(StatusCode::REQUEST_TIMEOUT, "the message did not arrive"),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            tracing::warn!("a change is too large to be read: every entry goes");
            (feed.apply_unread().await, false)
        }
        Ok(Err(_broken)) => return refused(StatusCode::BAD_REQUEST, "the message broke off"),
        Ok(Ok(whole)) => match feed::read(&whole.to_bytes()) {
            Ok(changes) => (feed.apply(changes).await, true),
            Err(no) => return refused_with(StatusCode::BAD_REQUEST, &no.to_string(), Some(HINT)),
        },
    };
    let Some(applied) = applied else {
        return refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            "nobody knows whether it was taken away: tell again",
        );
    };
    told(
        StatusCode::OK,
        &json!({
            "applied": { "changes": applied.changes, "tags": applied.tags, "read": is_read },
            "timestamp": sources.clock.timestamp(),
        }),
    )
}
