//! What can an operator ask of a running proxy? On an address of its own, never on the clients'.
//!
//! `/healthz` is 200 while the process lives, `/readyz` while clients can be
//! answered, `/metrics` is Prometheus text, `/api/explain` tells what would
//! happen to a request, `/api/locks` shows, takes and frees locks. No cookies, no CORS.

mod access;
mod explain;
mod health;
mod locks;
mod pages;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::explain::{Asked, Explanation};
use crate::guard::Guards;
use crate::metrics::Metrics;

use access::Denial;
use pages::Page;

pub use access::{Token, TokenError};
pub use health::{Health, Phase};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const PROMETHEUS_TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Brings gauges up to date just before they are shown.
pub type Refresh = Box<dyn Fn(&Metrics) + Send + Sync>;

/// Says what the proxy would do now.
pub type Explain = Box<dyn Fn(&Asked) -> Explanation + Send + Sync>;

/// Says which limits are in use.
pub type ShowLimits = Box<dyn Fn() -> Value + Send + Sync>;

/// What operators are told from.
pub struct Sources {
    /// Whether clients can be answered.
    pub health: Health,
    /// What is counted.
    pub metrics: Metrics,
    /// Brings the gauges up to date.
    pub refresh: Refresh,
    /// Explains a request.
    pub explain: Explain,
    /// Locks and operations.
    pub guards: Arc<Guards>,
    /// The limits in use.
    pub limits: ShowLimits,
}

/// Answers operators.
#[derive(Debug)]
pub struct Admin {
    token: Option<Token>,
    sources: Sources,
}

impl fmt::Debug for Sources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sources").field("health", &self.health).finish_non_exhaustive()
    }
}

impl Admin {
    /// Off loopback the token must be given: the settings see to that.
    pub fn new(token: Option<Token>, sources: Sources) -> Admin {
        Admin { token, sources }
    }

    /// Answers one request. Nothing of it is looked at before it is allowed.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        if let Err(denial) = access::check(&head, self.token.as_ref()) {
            return denied(denial);
        }
        let Some(page) = Page::at(head.uri.path()) else {
            let pages =
                "/healthz, /readyz, /metrics, /api/explain, /api/locks, /api/operations or /api/limits";
            return refused(StatusCode::NOT_FOUND, &format!("no such page: try {pages}"));
        };
        let allowed = page.methods();
        if !page.answers(&head.method) {
            let mut response =
                refused(StatusCode::METHOD_NOT_ALLOWED, &format!("this page answers {allowed}"));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            return response;
        }
        match page {
            Page::Alive => answer(StatusCode::OK, JSON, json!({"status": "alive"}).to_string()),
            Page::Ready => self.ready(),
            Page::Metrics => {
                let Sources { metrics, refresh, .. } = &self.sources;
                refresh(metrics);
                answer(StatusCode::OK, PROMETHEUS_TEXT, metrics.render())
            }
            Page::Explain => self.explain(&head, body).await,
            Page::Locks(rest) => locks::locks(&self.sources.guards, rest, &head, body).await,
            Page::Operations(rest) => locks::operations(&self.sources.guards, rest, &head).await,
            Page::Limits => answer(StatusCode::OK, JSON, format!("{:#}\n", (self.sources.limits)())),
        }
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let health = &self.sources.health;
        let phase = health.phase();
        let status = match phase {
            Phase::Ready => StatusCode::OK,
            Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
        };
        // Old rules in use are no reason to send clients elsewhere: elsewhere has the same file.
        let rules = if health.rules_broken() { "refused, older rules in use" } else { "in use" };
        answer(status, JSON, json!({"status": phase.as_str(), "rules": rules}).to_string())
    }

    async fn explain<B>(&self, head: &Parts, body: B) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let asked = match explain::asked(head, body).await {
            Ok(asked) => asked,
            Err(error) => return refused(error.status(), &error.to_string()),
        };
        match serde_json::to_string_pretty(&(self.sources.explain)(&asked)) {
            Ok(json) => answer(StatusCode::OK, JSON, json + "\n"),
            Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
}

fn denied(denial: Denial) -> Response<Full<Bytes>> {
    match denial {
        Denial::Token => {
            let mut response = refused(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        Denial::Host => refused(StatusCode::FORBIDDEN, "Host must be an IP address or localhost"),
    }
}

fn refused(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let code = format!("LARDER{}", status.as_u16());
    let body = json!({"code": code, "message": message, "details": null, "hint": null});
    answer(status, JSON, body.to_string())
}

fn answer(status: StatusCode, content_type: HeaderValue, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
