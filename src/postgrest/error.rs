//! Is this PostgREST's own error object, and does it say that nothing was changed?

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Largest body that is looked at, in bytes: an error is a sentence or two.
const ERROR_BYTES_MAX: usize = 16 * 1024;

/// `{code, message, details, hint}` and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorObject<'b> {
    #[serde(borrow, default)]
    code: Option<&'b RawValue>,
    #[serde(borrow)]
    #[serde(rename = "message")]
    _message: &'b RawValue,
    #[serde(borrow, default, rename = "details")]
    _details: Option<&'b RawValue>,
    #[serde(borrow, default, rename = "hint")]
    _hint: Option<&'b RawValue>,
}

impl<'b> ErrorObject<'b> {
    fn read(body: &'b [u8]) -> Option<Self> {
        let may_be = body.len() <= ERROR_BYTES_MAX && body.trim_ascii_start().first() == Some(&b'{');
        may_be.then(|| serde_json::from_slice(body).ok())?
    }
}

/// An error in disguise: with any status, this body is never an answer to keep.
pub fn is_error_object(body: &[u8]) -> bool {
    ErrorObject::read(body).is_some_and(|error| error.code.is_some())
}

/// Does an answer say that what was asked for is not there? A 404, and the 406 of one who asked for exactly
/// one row. Other 406s are about how was asked.
pub fn says_nothing_there(status: StatusCode, body: &[u8]) -> bool {
    let is_no_row = || {
        let code = ErrorObject::read(body).and_then(|error| error.code);
        code.is_some_and(|code| code.get() == "\"PGRST116\"")
    };
    status == StatusCode::NOT_FOUND || (status == StatusCode::NOT_ACCEPTABLE && is_no_row())
}

/// Is it certain that a write with this answer changed nothing?
///
/// PostgREST's own 4xx are sent after a rollback. A gateway's 408, 425, 429 and
/// 499 say nothing about the database. A gateway's 401 has a message and no
/// code: the write never reached PostgREST.
pub fn is_refusal(status: StatusCode, body: &[u8]) -> bool {
    let says_nothing = matches!(status.as_u16(), 408 | 425 | 429 | 499);
    let has_code = |error: ErrorObject<'_>| error.code.is_some() || status == StatusCode::UNAUTHORIZED;
    status.is_client_error() && !says_nothing && ErrorObject::read(body).is_some_and(has_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR: &str = r#"{"code":"23505","details":null,"hint":null,"message":"duplicate key"}"#;

    #[test]
    fn an_error_in_disguise_is_recognised() {
        for (body, is_error) in [
            (ERROR, true),
            (r#"{"message":"no","code":null}"#, false),
            (r#"{"code":"A1","message":"hello","price":5}"#, false),
            (r#"[{"code":"P0001","message":"no"}]"#, false),
            (r#"{"message":"a row with one column"}"#, false),
            (r#"{"id":1}"#, false),
            ("", false),
        ] {
            assert_eq!(is_error_object(body.as_bytes()), is_error, "{body}");
        }
    }

    #[test]
    fn nothing_there_is_told_from_a_question_asked_wrongly() {
        let no_row = r#"{"code":"PGRST116","details":"The result contains 0 rows","hint":null,"message":"Cannot coerce the result to a single JSON object"}"#;
        let no_schema = no_row.replace("PGRST116", "PGRST106");
        for (status, body, nothing) in [
            (404, no_row, true),
            (404, "", true),
            (406, no_row, true),
            (406, &no_schema, false),
            (406, "", false),
            (400, no_row, false),
            (200, no_row, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(says_nothing_there(status, body.as_bytes()), nothing, "{status} {body}");
        }
    }

    #[test]
    fn trap_69_only_postgrests_own_word_withdraws_an_invalidation() {
        for (status, body, refused) in [
            (409, ERROR, true),
            (400, ERROR, true),
            (403, ERROR, true),
            (401, r#"{"message":"No API key found in request"}"#, true),
            (403, r#"{"message":"Forbidden"}"#, false),
            (429, ERROR, false),
            (408, ERROR, false),
            (500, ERROR, false),
            (504, "upstream timed out", false),
            (418, r#"{"id":5,"name":"teapot"}"#, false), // trap 69: committed with a status of its own
            (400, "<html>bad gateway</html>", false),
            (200, ERROR, false),
        ] {
            let found = is_refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            assert_eq!(found, refused, "{status} {body}");
        }
    }
}
