//! A REST API in front of a real Redis, as Upstash's documentation has it. The real client vouches
//! for it.

#![allow(clippy::disallowed_methods, reason = "tasks of a test end with its runtime")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{Client, Cmd, RedisResult, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

pub(crate) const TOKEN: &str = "Ab3=";

/// What it does to whoever asks.
#[derive(Default)]
pub(crate) struct Mood {
    /// Answers with this status and no JSON, unless 0.
    pub(crate) status: AtomicU16,
    /// Waits so many milliseconds before it answers.
    pub(crate) delay: AtomicU64,
    /// How many have asked.
    pub(crate) requests: AtomicU64,
    /// How many have connected.
    pub(crate) connections: AtomicU64,
}

/// Starts one; returns its URL.
pub(crate) async fn start(redis: &str) -> (String, Arc<Mood>) {
    let redis = Client::open(redis).unwrap().get_multiplexed_async_connection().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mood = Arc::new(Mood::default());
    let shared = Arc::clone(&mood);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            shared.connections.fetch_add(1, Ordering::SeqCst);
            let (redis, mood) = (redis.clone(), Arc::clone(&shared));
            let service = service_fn(move |request| answer(request, redis.clone(), Arc::clone(&mood)));
            tokio::spawn(async move {
                let serving = auto::Builder::new(TokioExecutor::new());
                let _until_closed = serving.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (url, mood)
}

async fn answer(
    request: Request<Incoming>,
    mut redis: MultiplexedConnection,
    mood: Arc<Mood>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    mood.requests.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(mood.delay.load(Ordering::SeqCst))).await;
    let forced = mood.status.load(Ordering::SeqCst);
    if forced != 0 {
        return Ok(told(StatusCode::from_u16(forced).unwrap(), b"<html>".to_vec()));
    }
    let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes().to_vec());
    if header("authorization") != Some(format!("Bearer {TOKEN}").into_bytes()) {
        return Ok(told(StatusCode::UNAUTHORIZED, br#"{"error":"Unauthorized"}"#.to_vec()));
    }
    let is_encoded = header("upstash-encoding") == Some(b"base64".to_vec());
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let shown = |answered: RedisResult<Value>| match answered.and_then(Value::extract_error) {
        Ok(value) => json!({ "result": json_of(value, is_encoded) }),
        Err(error) => {
            let code = error.code().unwrap_or("ERR");
            json!({ "error": format!("{code} {}", error.detail().unwrap_or_default()).trim_end() })
        }
    };
    let answer = match head.uri.path() {
        "/" => shown(redis.req_packed_command(&command(&serde_json::from_slice(&body).unwrap())).await),
        "/pipeline" | "/multi-exec" => {
            let commands: Vec<Json> = serde_json::from_slice(&body).unwrap();
            let mut answers = Vec::new();
            for one in &commands {
                answers.push(shown(redis.req_packed_command(&command(one)).await));
            }
            Json::Array(answers)
        }
        path => shown(redis.req_packed_command(&spelled(path, head.uri.query(), &body)).await),
    };
    let failed = answer.get("error").is_some();
    let status = if failed { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok(told(status, serde_json::to_vec(&answer).unwrap()))
}

fn told(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

/// A JSON array is a command; numbers in it are their text.
fn command(words: &Json) -> Cmd {
    let mut command = Cmd::new();
    for word in words.as_array().unwrap() {
        match word {
            Json::String(text) => command.arg(text),
            other => command.arg(other.to_string()),
        };
    }
    command
}

/// `/set/key?PX=5` and a body: the body is the next argument, what the query says stands behind it.
fn spelled(path: &str, query: Option<&str>, body: &[u8]) -> Cmd {
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let mut command = Cmd::new();
    for segment in path.trim_start_matches('/').split('/') {
        command.arg(decoded(segment));
    }
    command.arg(body);
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        for part in pair.split('=') {
            command.arg(decoded(part));
        }
    }
    command
}

fn json_of(value: Value, is_encoded: bool) -> Json {
    let text = |bytes: &[u8]| {
        Json::String(if is_encoded { STANDARD.encode(bytes) } else { String::from_utf8_lossy(bytes).into() })
    };
    match value {
        Value::Nil => Json::Null,
        Value::Int(number) => json!(number),
        Value::Okay => json!("OK"),
        Value::SimpleString(said) => text(said.as_bytes()),
        Value::BulkString(bytes) => text(&bytes),
        Value::Array(items) => items.into_iter().map(|item| json_of(item, is_encoded)).collect(),
        other => panic!("no client asks for {other:?}"),
    }
}
