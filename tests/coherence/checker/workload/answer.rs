//! What does an answer show, and is it the asker's to see?

use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::super::judge::Violation;
use super::super::people::People;
use super::super::words::{ReadKind, Register, Seen, Version, Who};

/// What an answer comes to.
pub(super) enum Understood {
    /// What it shows, and what it shows to be absent.
    Rows(Vec<Seen>),
    /// It is no answer to a read.
    Failure,
    /// It is somebody else's, or nobody's.
    Wrong(Violation),
}

#[derive(Deserialize)]
struct Row {
    k: u8,
    owner: String,
    ver: Version,
    canary: String,
    /// Only a row of `child` has one.
    id: Option<u8>,
    child: Option<Vec<Row>>,
}

/// What `Cache-Status` says, without what differs from answer to answer.
pub(super) fn served(headers: &HeaderMap) -> String {
    let told = headers.get("cache-status").and_then(|value| value.to_str().ok()).unwrap_or("no cache-status");
    let words = told.split(';').map(str::trim);
    let kept =
        words.filter(|word| *word != "larder" && !word.starts_with("key=") && !word.starts_with("ttl="));
    kept.collect::<Vec<_>>().join("; ")
}

pub(super) fn understand(
    people: &People,
    who: Who,
    (kind, key): (ReadKind, u8),
    status: StatusCode,
    body: &[u8],
) -> Understood {
    let rows: Vec<Row> = match (status, kind) {
        (StatusCode::NOT_ACCEPTABLE, ReadKind::Single) => Vec::new(),
        (StatusCode::OK, ReadKind::Single) => match serde_json::from_slice(body) {
            Ok(row) => vec![row],
            Err(_) => return Understood::Wrong(Violation::Garbled),
        },
        (StatusCode::OK | StatusCode::PARTIAL_CONTENT, _) => match serde_json::from_slice(body) {
            Ok(rows) => rows,
            Err(_) => return Understood::Wrong(Violation::Garbled),
        },
        _ => return Understood::Failure,
    };
    let mut seen = Vec::with_capacity(2 * rows.len() + 1);
    for row in &rows {
        if let Err(violation) = look_at(people, who, row, &mut seen) {
            return Understood::Wrong(violation);
        }
    }
    let expected: Vec<Register> = match kind {
        ReadKind::Row | ReadKind::Single | ReadKind::Embed | ReadKind::Function => vec![Register::Row(key)],
        ReadKind::Child => vec![Register::Child(key)],
        ReadKind::List | ReadKind::Count => who.keys().map(Register::Row).collect(),
        ReadKind::Range => Vec::new(), // where a row is missing, the next one is shown
    };
    let is_other =
        |seen: &Seen| matches!(seen.register, Register::Row(_)) && !expected.contains(&seen.register);
    if kind != ReadKind::Range && seen.iter().any(is_other) {
        return Understood::Wrong(Violation::Garbled); // an answer to another question
    }
    for register in expected {
        if !seen.iter().any(|seen| seen.register == register) {
            seen.push(Seen { register, version: None });
        }
    }
    Understood::Rows(seen)
}

fn look_at(people: &People, who: Who, row: &Row, seen: &mut Vec<Seen>) -> Result<(), Violation> {
    let register = if row.id.is_some() { Register::Child(row.k) } else { Register::Row(row.k) };
    if register.index() >= super::super::words::REGISTERS
        || !people.is_canary(&row.owner, register, row.ver, &row.canary)
    {
        return Err(Violation::Garbled);
    }
    if !who.may_see(register) || row.owner != register.owner().name() {
        return Err(Violation::SomebodyElses);
    }
    seen.push(Seen { register, version: Some(row.ver) });
    let Some(children) = &row.child else { return Ok(()) };
    if children.is_empty() {
        seen.push(Seen { register: Register::Child(row.k), version: None });
    }
    children.iter().try_for_each(|child| look_at(people, who, child, seen))
}
