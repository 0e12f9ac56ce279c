//! `/api/locks`, `/api/operations`, `/api/limits`: who holds what, and the locks of apps.
//!
//! An app takes a lock with `POST /api/locks/payment:5`, the same one that a
//! rule's `payment:{lease_id}` takes, and proves with the token that it got that
//! it may renew or release it. Only an operator frees what another holds, by `?force=true`.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::guard::{Acquired, Guards, Released, Renewed, StoreDown, TakenLock, Token};
use crate::key::LockName;
use crate::units::{AmountError, parse_duration};

use super::reply::{Answer, is_object, refused, told};

/// Largest order, in bytes: a token and a time.
const ORDER_BYTES_MAX: usize = 4 * 1024;

/// Time for an order to arrive. It is sent by a program, whole.
const ORDER_MAX: Duration = Duration::from_secs(10);

/// Most locks and operations that are listed: as many as anybody reads.
const LISTED_MAX: usize = 1_000;

/// What an app that says nothing else holds a lock for.
const HOLD_DEFAULT: Duration = Duration::from_secs(30);
/// As in rules.
const HOLD_MIN: Duration = Duration::from_secs(1);
/// As in rules.
const HOLD_MAX: Duration = Duration::from_secs(60 * 60);

/// What an app wants, in its own words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    hold: Option<String>,
    token: Option<String>,
}

/// What an app wants.
struct Order {
    hold: Duration,
    token: Option<Token>,
}

/// Why an order means nothing. No token is repeated.
#[derive(Debug, thiserror::Error)]
enum BadOrder {
    /// Too large, too slow, or cut.
    #[error("the order did not arrive, or is larger than 4 KiB")]
    Broken,
    /// A web page may send other types anywhere.
    #[error("send application/json, as in {{\"hold\": \"30s\"}}")]
    MediaType,
    /// Not JSON, or other fields.
    #[error("an order is an object with `hold` and, but for POST, `token`")]
    Json,
    /// Not a time.
    #[error("`hold`: {0}")]
    Time(#[from] AmountError),
    /// Out of bounds.
    #[error("`hold` is from 1s to 1h")]
    Hold,
    /// Not what taking a lock gives.
    #[error("`token` is not a lock's token")]
    Token,
}

impl BadOrder {
    fn status(&self) -> StatusCode {
        match self {
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Broken | Self::Json | Self::Time(_) | Self::Hold | Self::Token => StatusCode::BAD_REQUEST,
        }
    }
}

/// Answers what is asked about locks below `/api/locks`; `rest` is what follows.
pub(super) async fn locks<B>(guards: &Guards, rest: &str, head: &Parts, body: B) -> Answer
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Some(key) = rest.strip_prefix('/').filter(|key| !key.is_empty()) else {
        return match guards.locks.list(LISTED_MAX).await {
            Ok(locks) => {
                told(StatusCode::OK, &json!({ "locks": locks.iter().map(shown).collect::<Vec<_>>() }))
            }
            Err(down) => unavailable(down),
        };
    };
    let name = match percent_decode_str(key).decode_utf8().map(|key| LockName::parse(&key)) {
        Ok(Ok(name)) => name,
        Ok(Err(mistake)) => return refused(StatusCode::BAD_REQUEST, &mistake.to_string()),
        Err(_) => return refused(StatusCode::BAD_REQUEST, "the lock's name is not UTF-8"),
    };
    let Order { hold, token } = match order(head, body).await {
        Ok(order) => order,
        Err(mistake) => return refused(mistake.status(), &mistake.to_string()),
    };
    match (head.method.clone(), token) {
        (Method::POST, _) => acquire(guards, &name, hold).await,
        (Method::PUT, Some(token)) => renew(guards, name, token, hold).await,
        (Method::DELETE, Some(token)) => release(guards, name, token).await,
        (Method::DELETE, None) if head.uri.query() == Some("force=true") => force(guards, &name).await,
        (Method::PUT | Method::DELETE, None) => refused(
            StatusCode::BAD_REQUEST,
            "send the `token` that taking the lock gave; an operator adds ?force=true",
        ),
        _ => look(guards, &name).await,
    }
}

async fn acquire(guards: &Guards, name: &LockName, hold: Duration) -> Answer {
    match guards.locks.acquire(name, hold).await {
        Acquired::Held(held) => told(
            StatusCode::CREATED,
            &json!({
                "key": name.as_str(),
                "token": held.token().as_str(),
                "fence": held.fence(),
                "expires_in": seconds(hold),
            }),
        ),
        Acquired::Busy(left) => {
            let mut busy = refused(StatusCode::CONFLICT, "operation already in progress");
            let seconds = HeaderValue::from(left.as_secs() + 1);
            busy.headers_mut().insert(RETRY_AFTER, seconds);
            busy
        }
        Acquired::Unknown => unavailable(StoreDown),
    }
}

async fn renew(guards: &Guards, name: LockName, token: Token, hold: Duration) -> Answer {
    let held = guards.locks.claimed(name, token, hold);
    match held.renew().await {
        Renewed::Held => {
            told(StatusCode::OK, &json!({ "key": held.name().as_str(), "expires_in": seconds(hold) }))
        }
        Renewed::Lost => refused(StatusCode::CONFLICT, "this lock is not held by that token any more"),
        Renewed::Unknown => unavailable(StoreDown),
    }
}

async fn release(guards: &Guards, name: LockName, token: Token) -> Answer {
    match guards.locks.claimed(name, token, HOLD_DEFAULT).release().await {
        Released::Freed => told(StatusCode::OK, &json!({ "released": true })),
        Released::NotHeld => refused(StatusCode::CONFLICT, "this lock is not held by that token any more"),
        Released::Unknown => unavailable(StoreDown),
    }
}

async fn force(guards: &Guards, name: &LockName) -> Answer {
    match guards.locks.remove(name).await {
        Ok(true) => {
            tracing::warn!(lock = %name, "an operator freed a lock that was held");
            told(StatusCode::OK, &json!({ "released": true }))
        }
        Ok(false) => refused(StatusCode::NOT_FOUND, "nobody holds this lock"),
        Err(down) => unavailable(down),
    }
}

async fn look(guards: &Guards, name: &LockName) -> Answer {
    match guards.locks.look(name).await {
        Ok(Some(lock)) => {
            let mut seen = shown(&lock);
            seen["held"] = true.into();
            told(StatusCode::OK, &seen)
        }
        Ok(None) => told(StatusCode::OK, &json!({ "key": name.as_str(), "held": false })),
        Err(down) => unavailable(down),
    }
}

/// Answers what is asked about operations below `/api/operations`.
pub(super) async fn operations(guards: &Guards, rest: &str, head: &Parts) -> Answer {
    let key = rest.strip_prefix('/').unwrap_or_default();
    let key = percent_decode_str(key).decode_utf8_lossy();
    if head.method == Method::DELETE && !key.is_empty() {
        return match guards.operations.remove(&key).await {
            Ok(0) => refused(StatusCode::NOT_FOUND, "no operation is called that"),
            Ok(forgotten) => {
                tracing::warn!(forgotten, "an operator made larder forget an operation");
                told(StatusCode::OK, &json!({ "forgotten": forgotten }))
            }
            Err(down) => unavailable(down),
        };
    }
    match guards.operations.list(LISTED_MAX).await {
        Err(down) => unavailable(down),
        Ok(kept) => {
            let shown = kept.iter().map(|operation| {
                let key = operation.name.split_once('#').map_or("", |(key, _)| key);
                json!({
                    "key": percent_decode_str(key).decode_utf8_lossy(),
                    "status": operation.status,
                    "expires_in": seconds(operation.left),
                })
            });
            told(StatusCode::OK, &json!({ "operations": shown.collect::<Vec<_>>() }))
        }
    }
}

async fn order<B>(head: &Parts, body: B) -> Result<Order, BadOrder>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let reading = tokio::time::timeout(ORDER_MAX, Limited::new(body, ORDER_BYTES_MAX).collect()).await;
    let Ok(Ok(read)) = reading else { return Err(BadOrder::Broken) };
    let bytes = read.to_bytes();
    if bytes.is_empty() && head.method != Method::POST {
        return Ok(Order { hold: HOLD_DEFAULT, token: None });
    }
    // a web page cannot send this type anywhere without asking first, and it is refused then
    let media = head.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    if media.split(';').next().unwrap_or_default().trim() != "application/json" {
        return Err(BadOrder::MediaType);
    }
    if !is_object(&bytes) {
        return Err(BadOrder::Json);
    }
    let written: Written = serde_json::from_slice(&bytes).map_err(|_| BadOrder::Json)?;
    let hold = written.hold.as_deref().map_or(Ok(HOLD_DEFAULT), parse_duration)?;
    if !(HOLD_MIN..=HOLD_MAX).contains(&hold) {
        return Err(BadOrder::Hold);
    }
    let token = written.token.map(|token| Token::parse(&token).ok_or(BadOrder::Token)).transpose()?;
    Ok(Order { hold, token })
}

fn shown(lock: &TakenLock) -> Value {
    json!({ "key": lock.name, "fence": lock.fence, "expires_in": seconds(lock.left) })
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn unavailable(down: StoreDown) -> Answer {
    let mut answer = refused(StatusCode::SERVICE_UNAVAILABLE, &down.to_string());
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
