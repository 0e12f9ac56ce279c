//! What can an operator ask of a running proxy? On an address of its own, never on the clients'.
//!
//! `/healthz` is 200 while the process lives, `/readyz` while clients can be
//! answered, `/metrics` is Prometheus text. Everything here only looks: GET and
//! HEAD, no cookies, no CORS.

mod access;
mod health;

use std::fmt;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::metrics::Metrics;

use access::Denial;

pub use access::{Token, TokenError};
pub use health::{Health, Phase};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const PROMETHEUS_TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Brings gauges up to date just before they are shown.
pub type Refresh = Box<dyn Fn(&Metrics) + Send + Sync>;

/// Answers operators.
pub struct Admin {
    token: Option<Token>,
    health: Health,
    metrics: Metrics,
    refresh: Refresh,
}

impl fmt::Debug for Admin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Admin").field("health", &self.health).finish_non_exhaustive()
    }
}

impl Admin {
    /// Off loopback the token must be given: the settings see to that.
    pub fn new(token: Option<Token>, health: Health, metrics: Metrics, refresh: Refresh) -> Admin {
        Admin { token, health, metrics, refresh }
    }

    /// Answers one request; its body, if any, is not read.
    pub fn handle(&self, head: &Parts) -> Response<Full<Bytes>> {
        if let Err(denial) = access::check(head, self.token.as_ref()) {
            return denied(denial);
        }
        if !matches!(head.method, Method::GET | Method::HEAD) {
            let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match head.uri.path() {
            "/healthz" => answer(StatusCode::OK, JSON, json!({"status": "alive"}).to_string()),
            "/readyz" => self.ready(),
            "/metrics" => {
                (self.refresh)(&self.metrics);
                answer(StatusCode::OK, PROMETHEUS_TEXT, self.metrics.render())
            }
            _ => refused(StatusCode::NOT_FOUND, "no such page: try /healthz, /readyz or /metrics"),
        }
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let phase = self.health.phase();
        let status = match phase {
            Phase::Ready => StatusCode::OK,
            Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
        };
        // Old rules in use are no reason to send clients elsewhere: elsewhere has the same file.
        let rules = if self.health.rules_broken() { "refused, older rules in use" } else { "in use" };
        answer(status, JSON, json!({"status": phase.as_str(), "rules": rules}).to_string())
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
