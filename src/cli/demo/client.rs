//! How does the demo ask, and how long did the answer take?

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use thiserror::Error;
use tokio::time::{error::Elapsed, timeout};

use crate::clock::Clock;

use super::figures::Served;

/// Longest wait for an answer; the demo's upstream takes a quarter of a second.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of an answer: the largest table of the demo is far below.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What supabase-js sends with every request; the demo's upstream takes any key.
const APIKEY: &str = "sb_publishable_demo";

/// A client with its connections.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    clock: Clock,
}

/// An answer, as its client saw it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) served: Served,
    /// From the request to the last byte.
    pub(super) took: Duration,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum Unanswered {
    /// The URL or a header is none; the demo made it itself.
    #[error("the request cannot be written")]
    Request(#[from] http::Error),
    /// No connection, or it broke before the answer began.
    #[error("no answer")]
    Sending(#[from] hyper_util::client::legacy::Error),
    /// The answer broke off or was too large.
    #[error("the answer broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Too late.
    #[error("no answer in time")]
    Late(#[from] Elapsed),
}

impl Client {
    pub(super) fn new() -> Self {
        Self { pool: Pool::builder(TokioExecutor::new()).build_http(), clock: Clock::default() }
    }

    /// Asks for a URL.
    pub(super) async fn get(&self, url: &str) -> Result<Answer, Unanswered> {
        self.send(Method::GET, url, None).await
    }

    /// Sends a request, with rows to write where there are any.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        row: Option<&Value>,
    ) -> Result<Answer, Unanswered> {
        let mut request = Request::builder().method(method).uri(url).header("apikey", APIKEY);
        if row.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
            request = request.header("prefer", "return=representation");
        }
        let body = row.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::from(body))?;
        timeout(ANSWER_WITHIN, self.exchange(request)).await?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Unanswered> {
        let begun = self.clock.now();
        let (head, body) = self.pool.request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(Unanswered::Body)?.to_bytes();
        let took = self.clock.now().saturating_duration_since(begun);
        let cache_status = head.headers.get("cache-status").and_then(|value| value.to_str().ok());
        Ok(Answer { status: head.status, served: Served::by(cache_status), took, body })
    }
}
