//! What did the store say over HTTP?

use ::redis::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::Value as Json;

use super::super::silence::{Refusal, Silence};

/// Deepest nesting that is followed: scripts of ours nest twice.
const DEPTH_MAX: usize = 16;

/// Reads an answer whose strings are in base64, as was asked for.
pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<Value, Silence> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(Silence::Refused(Refusal::Forbidden)),
        StatusCode::TOO_MANY_REQUESTS => return Err(Silence::Refused(Refusal::Crowded)),
        status if status.is_server_error() => return Err(Silence::Refused(Refusal::NotNow)),
        _ => {}
    }
    let mut answer: Json = serde_json::from_slice(body).map_err(|_garbage| Silence::Broken)?;
    if let Some(words) = answer.get("error").and_then(Json::as_str) {
        return Err(Silence::Refused(Refusal::said(words)));
    }
    match answer.get_mut("result") {
        Some(result) if status.is_success() => value(result.take(), DEPTH_MAX).ok_or(Silence::Broken),
        _ => Err(Silence::Broken),
    }
}

fn value(json: Json, depth: usize) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Boolean(truth),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Double(number.as_f64()?),
        },
        // no base64 is two characters long
        Json::String(text) if text == "OK" => Value::Okay,
        Json::String(text) => Value::BulkString(STANDARD.decode(text).ok()?),
        Json::Array(items) => {
            let depth = depth.checked_sub(1)?;
            Value::Array(items.into_iter().map(|item| value(item, depth)).collect::<Option<_>>()?)
        }
        Json::Object(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let bytes = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
        for (body, expected) in [
            (r#"{"result":"OK"}"#, Ok(Value::Okay)),
            (r#"{"result":null}"#, Ok(Value::Nil)),
            (r#"{"result":7}"#, Ok(Value::Int(7))),
            (r#"{"result":0.5}"#, Ok(Value::Double(0.5))),
            (r#"{"result":"/wA="}"#, Ok(bytes(b"\xff\0"))),
            (r#"{"result":"T0s="}"#, Ok(bytes(b"OK"))),
            (
                r#"{"result":["YQ==",null,[1]]}"#,
                Ok(Value::Array(vec![bytes(b"a"), Value::Nil, Value::Array(vec![Value::Int(1)])])),
            ),
            (r#"{"error":"NOSCRIPT No matching script"}"#, Err(Silence::Refused(Refusal::UnknownScript))),
            (r#"{"result":"no base64"}"#, Err(Silence::Broken)),
            (r#"{"result":{}}"#, Err(Silence::Broken)),
            ("{}", Err(Silence::Broken)),
            ("<html>", Err(Silence::Broken)),
        ] {
            assert_eq!(read(StatusCode::OK, body.as_bytes()), expected, "{body}");
        }
        let deep = format!("{{\"result\":{}1{}}}", "[".repeat(20), "]".repeat(20));
        assert_eq!(read(StatusCode::OK, deep.as_bytes()), Err(Silence::Broken));
    }

    #[test]
    fn states_of_http_are_understood() {
        for (status, body, expected) in [
            (401, r#"{"error":"Unauthorized"}"#, Refusal::Forbidden),
            (403, "", Refusal::Forbidden),
            (429, "slow down", Refusal::Crowded),
            (503, "<html>", Refusal::NotNow),
            (400, r#"{"error":"ERR max daily request limit exceeded."}"#, Refusal::Crowded),
            (400, r#"{"error":"ERR syntax"}"#, Refusal::Other),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(read(status, body.as_bytes()), Err(Silence::Refused(expected)), "{status}");
        }
        assert_eq!(read(StatusCode::NOT_FOUND, b"{\"result\":1}"), Err(Silence::Broken));
    }
}
