//! The entries of `writes`.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;

use crate::key::Pattern;

use super::super::document::WriteEntry;
use super::super::fields::{At, did_you_mean};
use super::super::mistake::{Findings, Spot, quoted};
use super::super::path_glob::PathGlob;
use super::super::rule::{Invalidation, WriteRule};
use super::{locks, paths, placeholders};

/// In `invalidate`: also what larder derives from the table.
const AUTO: &str = "auto";

/// Most `*` in one pattern. Each multiplies the ways in which a key can match.
const STARS_MAX: usize = 4;

/// Most different patterns in one file: every read rule is compared with each.
const PATTERNS_MAX: usize = 2_000;

/// Methods that change something wherever they go; those of a rule that names none.
const METHODS: [Method; 4] = [Method::POST, Method::PATCH, Method::PUT, Method::DELETE];

/// Where a GET may change something: links that sign in or confirm, and functions.
const GET_MAY_WRITE: [&str; 2] = ["/auth/v1/", "/functions/v1/"];

/// A write rule with what is needed to check it against the reads.
#[derive(Debug)]
pub(super) struct CompiledWrite {
    pub(super) path: PathGlob,
    /// Where each pattern of the rule is written, the soft ones last.
    pub(super) pattern_spots: Vec<Spot>,
    pub(super) rule: WriteRule,
}

/// Patterns by their text: two rules with the same one share it.
type Known = BTreeMap<String, Arc<Pattern>>;

/// Compiles all entries; those without a usable `match` are left out.
pub(super) fn compile(writes: &[WriteEntry], findings: &mut Findings<'_>) -> Vec<CompiledWrite> {
    let mut known = Known::new();
    let entries = writes.iter().enumerate();
    entries.filter_map(|(index, entry)| write(index, entry, &mut known, findings)).collect()
}

fn write(
    index: usize,
    entry: &WriteEntry,
    known: &mut Known,
    findings: &mut Findings<'_>,
) -> Option<CompiledWrite> {
    let path = entry.path.as_ref().and_then(|path| paths::parse(path, findings));
    let methods = methods(entry.methods.as_ref(), path.as_ref(), findings);
    let (invalidation, pattern_spots) = invalidation(entry, path.as_ref(), known, findings);
    let lock = entry.lock.as_ref().and_then(|lock| locks::lock(lock, path.as_ref(), findings)).map(Arc::new);
    let idempotency = entry.idempotency.as_ref().and_then(|entry| locks::idempotency(entry, findings));
    let path = path?;
    let name = entry.name.as_ref().map_or_else(|| format!("writes[{index}]"), |name| name.value.clone());
    let rule = WriteRule {
        name: name.into(),
        index,
        path: path.as_str().into(),
        methods,
        invalidation,
        lock,
        refresh: entry.refresh,
        idempotency,
        debug: entry.debug,
    };
    Some(CompiledWrite { path, pattern_spots, rule })
}

fn invalidation(
    entry: &WriteEntry,
    path: Option<&PathGlob>,
    known: &mut Known,
    findings: &mut Findings<'_>,
) -> (Invalidation, Vec<Spot>) {
    let mut invalidation = Invalidation { derived: entry.invalidate.is_none(), ..Invalidation::default() };
    let mut spots = Vec::new();
    let Some(written) = &entry.invalidate else { return (invalidation, spots) };
    for written in &written.hard {
        if written.value == AUTO {
            invalidation.derived = true;
        } else if let Some(pattern) = pattern(written, path, known, findings) {
            invalidation.patterns.push(pattern);
            spots.push(written.spot.clone());
        }
    }
    for written in &written.soft {
        if written.value == AUTO {
            let hint = "name the lists that may be old for a moment";
            findings.mistake_with_hint(&written.spot, "`auto` cannot be soft", hint);
        } else if let Some(pattern) = pattern(written, path, known, findings) {
            invalidation.soft.push(pattern);
            spots.push(written.spot.clone());
        }
    }
    (invalidation, spots)
}

fn methods(
    written: Option<&At<Vec<At<String>>>>,
    path: Option<&PathGlob>,
    findings: &mut Findings<'_>,
) -> Vec<Method> {
    let Some(written) = written else { return METHODS.to_vec() };
    if written.value.is_empty() {
        findings.mistake_with_hint(&written.spot, "can never match", "leave it out for all four");
    }
    let mut methods = Vec::new();
    for word in &written.value {
        let method = METHODS.into_iter().chain([Method::GET]).find(|method| method.as_str() == word.value);
        if method == Some(Method::GET) && path.is_some_and(|path| !may_write_by_get(path.as_str())) {
            let hint = "a GET changes something under /auth/v1/ and /functions/v1/ only";
            findings.mistake_with_hint(&word.spot, "`GET` is a read here", hint);
        }
        match method {
            Some(method) if methods.contains(&method) => {
                findings.mistake(&word.spot, format!("`{method}` is given twice"));
            }
            Some(method) => methods.push(method),
            None => {
                let hint = did_you_mean(&word.value, METHODS.iter().map(Method::as_str))
                    .unwrap_or_else(|| "one of POST, PATCH, PUT, DELETE".into());
                findings.mistake_with_hint(&word.spot, format!("{} is no write", quoted(&word.value)), hint);
            }
        }
    }
    methods
}

/// PostgREST runs every GET in a read-only transaction.
fn may_write_by_get(path: &str) -> bool {
    GET_MAY_WRITE.iter().any(|service| path.starts_with(service))
}

fn pattern(
    written: &At<String>,
    path: Option<&PathGlob>,
    known: &mut Known,
    findings: &mut Findings<'_>,
) -> Option<Arc<Pattern>> {
    let At { value: text, spot } = written;
    if placeholders::tell_too_long(text, spot, findings) {
        return None;
    }
    if text.matches('*').count() > STARS_MAX {
        findings.mistake(spot, format!("more than {STARS_MAX} `*`"));
        return None;
    }
    if !text.contains(':') && text != "*" {
        let hint = format!("write `{}:*` for the whole namespace", quoted(text).trim_matches('`'));
        findings.mistake_with_hint(spot, "a pattern is `namespace:key`", hint);
        return None;
    }
    let parsed = match Pattern::parse(text) {
        Ok(parsed) => parsed,
        Err(problem) => {
            findings.mistake(spot, problem.to_string());
            return None;
        }
    };
    for placeholder in parsed.placeholders() {
        placeholders::check_write(placeholder, path, spot, findings);
    }
    if let Some(same) = known.get(text) {
        return Some(Arc::clone(same));
    }
    if known.len() >= PATTERNS_MAX {
        findings.mistake(spot, format!("more than {PATTERNS_MAX} different patterns"));
        return None;
    }
    let parsed = Arc::new(parsed);
    known.insert(text.clone(), Arc::clone(&parsed));
    Some(parsed)
}
