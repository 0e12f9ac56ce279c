//! Which guards stand before a write, and what are they called? Pure.
//!
//! A lock's key has exactly one value for each placeholder. A value that is
//! missing, or several, refuse the request: a lock on "any" would stop
//! everybody, and no lock would stop nobody.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};

use crate::identity::{APIKEY, Identity, Verifier};
use crate::key::{LockName, OperationName, Placeholder};
use crate::postgrest::{Payload, Values};
use crate::rules::{IdempotencyRule, LockRule, WriteMatch};

use super::{Request, WriteAction, WritePlan};

/// The guards of one write.
#[derive(Debug, Default)]
pub(super) struct Guards {
    locks: Vec<PlannedLock>,
    operation: Option<Result<Operation, NoOperation>>,
}

/// A lock before the body was seen.
#[derive(Debug)]
struct PlannedLock {
    rule_name: Arc<str>,
    rule: Arc<LockRule>,
    values: Vec<(Placeholder, Origin)>,
}

/// Where the one value of a placeholder comes from.
#[derive(Debug)]
enum Origin {
    /// From the head: so many values, of which exactly one is wanted.
    Head(Vec<String>),
    /// A column of the body's rows and of the filters.
    Column { name: String, filtered: Vec<String>, is_written: bool },
    /// A place in the body.
    Body(Vec<String>),
}

/// A lock to be taken.
#[derive(Clone, Debug)]
pub struct LockWanted {
    /// What it is called.
    pub name: LockName,
    /// The rule that wants it.
    pub rule_name: Arc<str>,
    /// How it is taken.
    pub rule: Arc<LockRule>,
}

/// Why a lock has no name: the request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoLockName {
    /// The rule that wants a lock.
    pub rule_name: Arc<str>,
    /// What has not exactly one value, as in the rule.
    pub placeholder: String,
    /// Whether it has several.
    pub is_ambiguous: bool,
}

/// An operation that must not be done twice.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What it is called.
    pub name: OperationName,
    /// The header that its client names it in.
    pub header: HeaderName,
    /// How long its answer can be repeated.
    pub keep: Duration,
    /// Over what of the head decides what is done.
    head: blake3::Hasher,
}

impl Operation {
    /// Equal for two requests that ask for the same, with the body.
    pub fn asked(&self, body: &[u8]) -> [u8; 32] {
        let mut hasher = self.head.clone();
        hash_part(&mut hasher, body);
        *hasher.finalize().as_bytes()
    }
}

/// Why a request names no operation although its rule wants one: it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoOperation {
    /// The header is not there.
    Missing(HeaderName),
    /// The header stands there twice, is empty, too long, or not text.
    Unusable(HeaderName),
}

impl WritePlan {
    /// Whether anything stands before it.
    pub fn is_guarded(&self) -> bool {
        !self.guards.locks.is_empty() || self.guards.operation.is_some()
    }

    /// Must the request's body be seen before it is forwarded?
    pub fn needs_body_first(&self) -> bool {
        let values = self.guards.locks.iter().flat_map(|lock| &lock.values);
        let of_body = |(_, origin): &(Placeholder, Origin)| match origin {
            Origin::Head(_) => false,
            Origin::Column { is_written, .. } => *is_written,
            Origin::Body(_) => true,
        };
        matches!(self.guards.operation, Some(Ok(_))) || values.into_iter().any(of_body)
    }

    /// The operation that it is, if it is one that must not be done twice.
    pub fn operation(&self) -> Result<Option<&Operation>, &NoOperation> {
        self.guards.operation.as_ref().map(Result::as_ref).transpose()
    }

    /// Whether it wants any lock.
    pub fn has_locks(&self) -> bool {
        !self.guards.locks.is_empty()
    }

    /// The locks that it wants, each once, in the order in which everybody takes them.
    pub fn locks(&self, body: Option<&Payload<'_>>) -> Result<Vec<LockWanted>, NoLockName> {
        let mut wanted = Vec::with_capacity(self.guards.locks.len());
        for lock in &self.guards.locks {
            let name = LockName::render(&lock.rule.key, |placeholder| {
                let origin = lock.values.iter().find(|(known, _)| known == placeholder);
                let values = origin.map(|(_, origin)| origin.values(body)).unwrap_or_default();
                let no_name = |is_ambiguous| NoLockName {
                    rule_name: Arc::clone(&lock.rule_name),
                    placeholder: placeholder.to_string(),
                    is_ambiguous,
                };
                match <[String; 1]>::try_from(values) {
                    Ok([value]) if value.is_empty() => Err(no_name(false)),
                    Ok([value]) => Ok(value),
                    Err(values) => Err(no_name(!values.is_empty())),
                }
            })?;
            let (rule_name, rule) = (Arc::clone(&lock.rule_name), Arc::clone(&lock.rule));
            wanted.push(LockWanted { name, rule_name, rule });
        }
        // the same order everywhere: two writes that want the same two locks cannot wait for each other
        wanted.sort_by(|one, other| one.name.cmp(&other.name));
        wanted.dedup_by(|one, other| one.name == other.name);
        Ok(wanted)
    }
}

impl Origin {
    /// Every different value; none where it is not known.
    fn values(&self, body: Option<&Payload<'_>>) -> Vec<String> {
        let of_body = |values: Option<Values>| match values {
            Some(Values::Known(values)) => values,
            Some(Values::Absent | Values::Unknown) | None => Vec::new(),
        };
        let mut values = match self {
            Self::Head(values) => values.clone(),
            Self::Body(path) => of_body(body.map(|body| body.at_path(path))),
            Self::Column { name, filtered, is_written } => {
                let written = body.filter(|_| *is_written).map(|body| body.column(name));
                if matches!(written, Some(Values::Unknown)) {
                    return Vec::new(); // it may be assigned anything
                }
                [filtered.clone(), of_body(written)].concat()
            }
        };
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// Plans the guards of a write.
pub(super) fn plan(
    request: &Request<'_>,
    matched: &[WriteMatch<'_>],
    action: WriteAction,
    claim: &dyn Fn(&str) -> Option<String>,
    caller: &dyn Fn() -> [u8; 32],
) -> Guards {
    let locks = matched.iter().filter_map(|write| {
        let rule = write.rule.lock.as_ref()?;
        let origin = |placeholder: &Placeholder| origin(placeholder, request, write, action, claim);
        let values = rule.key.placeholders().map(|placeholder| (placeholder.clone(), origin(placeholder)));
        Some(PlannedLock {
            rule_name: Arc::clone(&write.rule.name),
            rule: Arc::clone(rule),
            values: values.collect(),
        })
    });
    let idempotent = matched.iter().find_map(|write| write.rule.idempotency.as_ref());
    Guards {
        locks: locks.collect(),
        operation: idempotent.and_then(|rule| operation(rule, request, caller).transpose()),
    }
}

fn origin(
    placeholder: &Placeholder,
    request: &Request<'_>,
    write: &WriteMatch<'_>,
    action: WriteAction,
    claim: &dyn Fn(&str) -> Option<String>,
) -> Origin {
    match placeholder {
        Placeholder::Path(index) => {
            Origin::Head(write.captures.get(index - 1).cloned().into_iter().collect())
        }
        Placeholder::Claim(path) => Origin::Head(claim(path).into_iter().collect()),
        Placeholder::Header(name) => {
            let lines = request.head.headers.get_all(name.as_str()).iter();
            Origin::Head(lines.map(|line| line.to_str().unwrap_or_default().to_owned()).collect())
        }
        Placeholder::Body(path) => Origin::Body(path.clone()),
        Placeholder::Column(name) => {
            // PostgREST does not look at the filters of an insert, nor at the body of a DELETE
            let is_filtered = !matches!(action, WriteAction::Insert | WriteAction::Upsert);
            let pinned = request.query.pinned(name).filter(|_| is_filtered);
            Origin::Column {
                name: name.clone(),
                filtered: pinned.unwrap_or_default(),
                is_written: action != WriteAction::Delete,
            }
        }
        // refused when the rules are compiled
        Placeholder::Query | Placeholder::Row(_) => Origin::Head(Vec::new()),
    }
}

fn operation(
    rule: &IdempotencyRule,
    request: &Request<'_>,
    caller: &dyn Fn() -> [u8; 32],
) -> Result<Option<Operation>, NoOperation> {
    let headers = &request.head.headers;
    let mut lines = headers.get_all(&rule.header).iter();
    let key = match (lines.next(), lines.next()) {
        (None, _) if rule.required => return Err(NoOperation::Missing(rule.header.clone())),
        (None, _) => return Ok(None),
        (Some(line), None) => line.to_str().unwrap_or_default().trim(),
        (Some(_), Some(_)) => "",
    };
    let method = request.head.method.as_str();
    let Some(name) = OperationName::new(key, &caller(), method, request.path.decoded()) else {
        return Err(NoOperation::Unusable(rule.header.clone()));
    };
    let mut head = blake3::Hasher::new_derive_key("larder 2026 guard: what is asked");
    hash_part(&mut head, request.raw_query.unwrap_or_default().as_bytes());
    for header in [&CONTENT_TYPE, &HeaderName::from_static("content-profile")] {
        let line = headers.get(header).map_or(&b""[..], |line| line.as_bytes());
        hash_part(&mut head, line);
    }
    Ok(Some(Operation { name, header: rule.header.clone(), keep: rule.keep, head }))
}

/// Who asks: the same user across refreshed tokens where users are verified, and otherwise whoever
/// sends the very same credentials.
pub fn caller(verifier: Option<&Verifier>, headers: &HeaderMap, now_unix: u64) -> [u8; 32] {
    if let Some(Identity::User { user, .. }) = verifier.map(|verifier| verifier.identify(headers, now_unix)) {
        return user.digest;
    }
    let mut hasher = blake3::Hasher::new_derive_key("larder 2026 guard: an unverified caller");
    for name in [AUTHORIZATION, HeaderName::from_static(APIKEY)] {
        for line in headers.get_all(&name) {
            hash_part(&mut hasher, name.as_str().as_bytes());
            hash_part(&mut hasher, line.as_bytes());
        }
    }
    *hasher.finalize().as_bytes()
}

fn hash_part(hasher: &mut blake3::Hasher, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_le_bytes());
    hasher.update(part);
}
