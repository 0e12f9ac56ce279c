//! `canary: "/rest/v1/leases?select=id"`: which request shows whether a rule's answers are private?

use std::borrow::Cow;

use globset::GlobMatcher;
use http::uri::PathAndQuery;

use crate::key::Scope;
use crate::postgrest::{Path, Query};

use super::super::condition::{self, QueryView};
use super::super::document::ReadEntry;
use super::super::fields::At;
use super::super::mistake::{Findings, quoted};
use super::super::rule::Canary;
use super::reads::CompiledRead;

/// Most canaries of one rule: each is asked twice before the rules are used.
const CANARIES_MAX: usize = 4;

/// Longest target, in bytes.
const TARGET_BYTES_MAX: usize = 2_048;

/// Compiles the field; what is no request is told and left out.
pub(super) fn compile(
    written: &[At<String>],
    scope: Option<&Scope>,
    findings: &mut Findings<'_>,
) -> Vec<Canary> {
    if let (Some(first), Some(Scope::Public)) = (written.first(), scope) {
        let hint =
            "leave it out: such answers are fetched with the public key, so they hold nothing of a caller";
        findings.mistake_with_hint(&first.spot, "has no meaning beside `scope: public`", hint);
    }
    if let Some(beyond) = written.get(CANARIES_MAX) {
        findings.mistake(&beyond.spot, format!("more than {CANARIES_MAX} canaries"));
    }
    written.iter().take(CANARIES_MAX).filter_map(|written| canary(written, findings)).collect()
}

fn canary(At { value, spot }: &At<String>, findings: &mut Findings<'_>) -> Option<Canary> {
    let is_whole = value.starts_with('/') && !value.contains('#') && value.len() <= TARGET_BYTES_MAX;
    let Some(target) = PathAndQuery::try_from(value.as_str()).ok().filter(|_| is_whole) else {
        let hint = "write it as an app sends it, as in `/rest/v1/leases?select=id&order=id&limit=5`";
        findings.mistake_with_hint(spot, format!("{} is no path with a query", quoted(value)), hint);
        return None;
    };
    if Path::parse(target.path()).oddity().is_some() {
        let hint = "write the path without `//`, `.`, `..` and a trailing slash";
        findings.mistake_with_hint(spot, "such a path passes through, whatever its rule", hint);
        return None;
    }
    Some(Canary { target, place: findings.place(spot) })
}

/// Tells about each canary that another rule answers, or none.
pub(super) fn tell_unreached(reads: &[CompiledRead], entries: &[ReadEntry], findings: &mut Findings<'_>) {
    if reads.iter().all(|read| read.rule.canaries.is_empty()) {
        return;
    }
    let matchers: Vec<GlobMatcher> = reads.iter().map(|read| read.path.glob().compile_matcher()).collect();
    for read in reads {
        let written = entries.get(read.rule.index).map(|entry| entry.canaries.as_slice()).unwrap_or_default();
        for canary in &read.rule.canaries {
            let Some(At { spot, .. }) = written.iter().find(|at| at.value == canary.target.as_str()) else {
                continue;
            };
            match taker(reads, &matchers, &canary.target) {
                Some(taker) if taker.rule.index == read.rule.index => {}
                Some(early) if early.rule.index < read.rule.index => {
                    let name = quoted(&early.rule.name);
                    let message =
                        format!("{name} in line {} takes this request first", early.path_spot.place.line);
                    findings.mistake_with_hint(spot, message, "ask for something that only this rule takes");
                }
                Some(_) | None => {
                    let message = "its rule does not match this request";
                    findings.mistake_with_hint(spot, message, "it has to fit `match` and `where`");
                }
            }
        }
    }
}

/// The rule that decides about a request.
fn taker<'r>(
    reads: &'r [CompiledRead],
    matchers: &[GlobMatcher],
    target: &PathAndQuery,
) -> Option<&'r CompiledRead> {
    let (path, query) = (Path::parse(target.path()), Query::parse(target.query()));
    let values = |name: &str| {
        let values = query.values(name);
        values.map(|value| Cow::Owned(value.unwrap_or_default().to_owned())).collect::<Vec<_>>()
    };
    let mut rules = reads.iter().zip(matchers);
    let taker = rules.find(|(read, matcher)| {
        matcher.is_match(path.decoded())
            && condition::all_hold(&read.rule.conditions, QueryView::new(&values))
    });
    taker.map(|(read, _)| read)
}
