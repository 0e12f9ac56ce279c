//! What does every answer to an operator look like?

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::access::Denial;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// An answer, whole but for the one page that never ends.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(super) fn denied(denial: Denial) -> Answer {
    match denial {
        Denial::Token => {
            let mut response = refused(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        Denial::NoTellers => refused_with(
            StatusCode::FORBIDDEN,
            "nobody may tell of changes here",
            Some("set LARDER_CHANGES_TOKEN or --changes-token-file, and give the database the same"),
        ),
        Denial::Host => refused(StatusCode::FORBIDDEN, "Host must be an IP address or localhost"),
    }
}

pub(super) fn refused(status: StatusCode, message: &str) -> Answer {
    refused_with(status, message, None)
}

/// As [`refused`], with what to do instead.
pub(super) fn refused_with(status: StatusCode, message: &str, hint: Option<&str>) -> Answer {
    let code = format!("LARDER{}", status.as_u16());
    let body = json!({"code": code, "message": message, "details": null, "hint": hint});
    answer(status, JSON, body.to_string())
}

pub(super) fn answer(status: StatusCode, content_type: HeaderValue, body: String) -> Answer {
    let mut response = Response::new(Full::from(body).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Is this an object, if it is JSON at all? Serde also reads a list as the fields of a struct, in
/// their order, which nobody means.
pub(super) fn is_object(json: &[u8]) -> bool {
    json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// What was asked for, as JSON that a person can read, too.
pub(super) fn told(status: StatusCode, value: &Value) -> Answer {
    answer(status, JSON, format!("{value:#}\n"))
}
