//! What larder itself refuses, in PostgREST's error shape. The only place that does.

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use crate::plan::BadPath;
use crate::upstream::Failure;

use super::body::Body;
use super::outcome::Outcome;
use super::refusal::GuardRefusal;
use super::vet::Fault;

/// Why there is no answer from the upstream.
#[derive(Debug)]
pub(super) enum Rejection {
    /// The request is not well-formed.
    Fault(Fault),
    /// Its path could mean two things.
    Path(BadPath),
    /// A lock, an operation or a limit stands before it.
    Guard(GuardRefusal),
    /// The upstream did not answer this request.
    Upstream(Failure),
    /// The upstream did not answer the fetch that this request shared.
    Shared(StatusCode),
    /// The task that carried the request was lost.
    Lost,
    /// A write that cannot be announced to those who rely on never seeing an older row.
    Unannounced,
}

impl Rejection {
    /// Is it the upstream that had no answer?
    pub(super) fn is_upstreams(&self) -> bool {
        match self {
            Self::Upstream(_) | Self::Shared(_) | Self::Lost => true,
            Self::Fault(_) | Self::Path(_) | Self::Guard(_) | Self::Unannounced => false,
        }
    }
}

/// What a client is told and what the log is told.
pub(super) struct Words {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: &'static str,
    pub(super) label: &'static str,
}

/// Turns a rejection into the answer that supabase-js shows well.
pub(super) fn answer(rejection: &Rejection) -> (Response<Body>, Outcome) {
    let words = words(rejection);
    let body = serde_json::json!({
        "code": words.code,
        "message": words.message,
        "details": null,
        "hint": words.hint,
    });
    let mut response = Response::new(Body::whole(body.to_string()));
    *response.status_mut() = words.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    let retry_after = match rejection {
        Rejection::Guard(refusal) => refusal.retry_after(),
        _ if words.status == StatusCode::SERVICE_UNAVAILABLE => Some(1),
        _ => None,
    };
    headers.extend(retry_after.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
    if let Rejection::Fault(fault) = rejection {
        if fault.closes() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if fault.status() == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static(super::vet::ALLOWED_METHODS));
        }
    }
    let outcome = match rejection {
        Rejection::Fault(_) | Rejection::Path(_) | Rejection::Guard(_) | Rejection::Unannounced => {
            Outcome::Refused(words.label)
        }
        Rejection::Upstream(_) | Rejection::Shared(_) | Rejection::Lost => Outcome::Failed(words.label),
    };
    (response, outcome)
}

fn words(rejection: &Rejection) -> Words {
    match rejection {
        Rejection::Fault(fault) => Words {
            status: fault.status(),
            code: "LARDER400",
            message: fault.to_string(),
            hint: "The request was not forwarded.",
            label: fault.as_str(),
        },
        Rejection::Path(path) => Words {
            status: path.status(),
            code: "LARDER400",
            message: "the path contains dot segments, encoded slashes or control characters".into(),
            hint: "The request was not forwarded.",
            label: path.as_str(),
        },
        Rejection::Guard(refusal) => refusal.words(),
        Rejection::Upstream(failure) => gateway(failure.status()),
        Rejection::Shared(status) => gateway(*status),
        Rejection::Lost => Words {
            status: StatusCode::BAD_GATEWAY,
            code: "LARDER502",
            message: "the request was lost on its way".into(),
            hint: "Whether it took effect is not known.",
            label: "lost",
        },
        Rejection::Unannounced => Words {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "LARDER503",
            message: "the cache's store cannot be reached, and strict consistency allows no write without it"
                .into(),
            hint: "Nothing was written: try again.",
            label: "store-away",
        },
    }
}

fn gateway(status: StatusCode) -> Words {
    let (code, message, hint, label) = match status {
        StatusCode::BAD_REQUEST => (
            "LARDER400",
            "the request's body broke off",
            "Whether a write took effect is not known.",
            "client-broke-off",
        ),
        StatusCode::REQUEST_TIMEOUT => (
            "LARDER408",
            "the request's body came too slowly",
            "Whether a write took effect is not known.",
            "client-too-slow",
        ),
        StatusCode::GATEWAY_TIMEOUT => (
            "LARDER504",
            "Supabase did not answer in time",
            "Whether a write took effect is not known.",
            "timeout",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "LARDER503",
            "too many reads wait for Supabase already",
            "The request was not forwarded: try again. --max-fetches says how many ask at a time.",
            "crowded",
        ),
        _ => (
            "LARDER502",
            "Supabase did not answer",
            "Check --upstream and the project's status.",
            "unreachable",
        ),
    };
    Words { status, code, message: message.into(), hint, label }
}
