//! Guards that a whole fleet shares, in Redis or Valkey.
//!
//! Every step is one script, so that nobody comes in between, and one round
//! trip. The store's clock decides when something ends, because that is the one
//! clock that the fleet has in common. A store that does not answer is never
//! taken for a yes.

mod limits;
mod locks;
mod operations;

pub use limits::SharedLimits;
pub use locks::SharedLocks;
pub use operations::SharedOperations;

use std::time::Duration;

use crate::redis::{Redis, ScanCursor, Silence, Value};

/// Names that one step of a listing looks at.
const SCAN_COUNT: usize = 1_000;

/// Most steps of a listing: operators' pages are not for a store of a million names.
const SCAN_STEPS_MAX: usize = 10_000;

/// Milliseconds, as scripts take them.
fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

/// The parts of a script's answer.
fn parts(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(parts) => parts,
        other => vec![other],
    }
}

/// A whole number at a place of an answer.
fn number(parts: &[Value], place: usize) -> Option<u64> {
    match parts.get(place)? {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// Bytes at a place of an answer.
fn bytes(parts: &mut [Value], place: usize) -> Option<Vec<u8>> {
    match std::mem::replace(parts.get_mut(place)?, Value::Nil) {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

/// Names that begin like this, on whichever server they are, in no order. `like` holds no character that Redis takes for a wildcard,
/// but those that stand for one.
async fn names(redis: &Redis, like: &str, max: usize) -> Result<Vec<String>, Silence> {
    let (mut names, mut cursor) = (Vec::new(), ScanCursor::default());
    for _ in 0..SCAN_STEPS_MAX {
        let (found, next) = redis.scan(cursor, like, SCAN_COUNT).await?;
        names.extend(found.into_iter().filter_map(|name| String::from_utf8(name).ok()));
        match next {
            Some(next) if names.len() < max => cursor = next,
            Some(_) | None => break,
        }
    }
    // a name may come twice
    names.sort();
    names.dedup();
    names.truncate(max);
    Ok(names)
}

/// Stands for a text in a pattern: what would be a wildcard matches any one character.
fn literally(text: &str) -> String {
    text.chars().map(|c| if "*?[]\\^".contains(c) { '?' } else { c }).collect()
}
