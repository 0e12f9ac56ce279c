//! Reads that came before, word for word, and what was planned for them then.
//!
//! Vetting and planning are pure: the same head under the same rules and keys comes to the same. Comparing
//! a head with one that passed takes a third of the time. Each thread has heads of its own.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Uri, Version};

use crate::chance;
use crate::plan::{Grounds, ReadPlan};

/// Heads that a thread knows.
const KEPT: usize = 256;

/// The longest that is kept, in bytes of its target and its header lines.
const BYTES_MAX: usize = 8 * 1024;

/// One in so many unknown heads is kept: what comes again often is soon among them, and the others cost little.
const ONE_IN: u32 = 8;

/// What a thread knows, all of it under the same rules and keys.
struct Table {
    under: Option<Grounds>,
    heads: Vec<Option<Box<Known>>>,
}

/// A head that passed, and came to a plan. Never printed: it holds a token.
struct Known {
    is_tls: bool,
    version: Version,
    target: Box<str>,
    origin: Option<(Box<str>, Box<str>)>,
    lines: Box<[(HeaderName, HeaderValue)]>,
    plan: Arc<ReadPlan>,
}

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table { under: None, heads: Vec::new() }) };
}

/// What was planned for this very head, if it is known. Whether that still holds is for the plan to say.
pub(super) fn plan(under: Grounds, head: &Parts, is_tls: bool) -> Option<Arc<ReadPlan>> {
    TABLE.with_borrow(|table| {
        let known = table.heads.get(place(head)).filter(|_| table.under == Some(under))?.as_deref()?;
        known.is(head, is_tls).then(|| Arc::clone(&known.plan))
    })
}

/// Keeps some heads: no further back than these rules and keys.
pub(super) fn keep_some(under: Grounds, head: &Parts, is_tls: bool, plan: &Arc<ReadPlan>) {
    if !chance::next().is_multiple_of(ONE_IN) || bytes(head) > BYTES_MAX {
        return;
    }
    TABLE.with_borrow_mut(|table| {
        if table.under != Some(under) {
            table.under = Some(under);
            table.heads.clear();
            table.heads.resize_with(KEPT, || None);
        }
        table.heads[place(head)] = Known::new(head, is_tls, plan).map(Box::new);
    });
}

impl Known {
    /// In memory of its own: a head as it came is a part of what its connection reads.
    fn new(head: &Parts, is_tls: bool, plan: &Arc<ReadPlan>) -> Option<Self> {
        let copied = |(name, value): (&HeaderName, &HeaderValue)| {
            let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
        };
        Some(Self {
            is_tls,
            version: head.version,
            target: target(&head.uri).into(),
            origin: origin(&head.uri).map(|(scheme, authority)| (scheme.into(), authority.into())),
            lines: head.headers.iter().map(copied).collect::<Option<_>>()?,
            plan: Arc::clone(plan),
        })
    }

    fn is(&self, head: &Parts, is_tls: bool) -> bool {
        head.method == Method::GET
            && *self.target == *target(&head.uri)
            && self.lines.len() == head.headers.len()
            && (self.is_tls, self.version) == (is_tls, head.version)
            && self.origin.as_ref().map(|(scheme, authority)| (&**scheme, &**authority)) == origin(&head.uri)
            && self.lines.iter().map(|(name, value)| (name, value)).eq(&head.headers)
    }
}

/// Where a thread looks for a head: by its target and the end of each line, which differs between tokens.
/// Whoever makes others share a place makes them be planned, and nothing else.
fn place(head: &Parts) -> usize {
    let target = FixedState::default().hash_one(target(&head.uri));
    let mix = head.headers.values().fold(target, |mix, line| {
        let end = line.as_bytes().last_chunk::<8>().map_or(0, |end| u64::from_le_bytes(*end));
        (mix ^ end).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23)
    });
    usize::try_from(mix % KEPT as u64).unwrap_or(0)
}

fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("", PathAndQuery::as_str)
}

/// What a target names beside itself, as on HTTP/2.
fn origin(uri: &Uri) -> Option<(&str, &str)> {
    uri.authority().map(|authority| (uri.scheme_str().unwrap_or_default(), authority.as_str()))
}

fn bytes(head: &Parts) -> usize {
    let lines = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    target(&head.uri).len() + lines.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::plan::{Framing, Plan, Planner};
    use crate::rules::{Context, RuleSet};

    const RULES: &str = "{ version: 1, reads: [{ match: /rest/v1/todos, ttl: 1m, scope: token }] }";

    fn planner() -> Planner {
        Planner::new(RuleSet::parse(RULES, &Context::default()).unwrap().0, None)
    }

    fn head(target: &str, lines: &[(&'static str, &str)]) -> Parts {
        let request =
            lines.iter().fold(Request::get(target), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    /// Offers a head until chance has kept it.
    fn keep(planner: &Planner, head: &Parts) {
        let Plan::Read(plan) = planner.plan(head, Framing::default(), 0) else { panic!("no read") };
        (0..200).for_each(|_| keep_some(planner.grounds(), head, false, &plan));
    }

    #[test]
    fn a_head_is_known_word_for_word() {
        const LINES: [(&str, &str); 3] = [("host", "a.example"), ("apikey", "one"), ("x-own", "1")];
        let (planner, known) = (planner(), head("/rest/v1/todos?id=eq.1", &LINES));
        assert!(plan(planner.grounds(), &known, false).is_none(), "nothing is known yet");
        keep(&planner, &known);
        let again = plan(planner.grounds(), &head("/rest/v1/todos?id=eq.1", &LINES), false).expect("known");
        assert_eq!(again.question.target, "/rest/v1/todos?id=eq.1");

        let (mut posted, mut older) =
            (head("/rest/v1/todos?id=eq.1", &LINES), head("/rest/v1/todos?id=eq.1", &LINES));
        (posted.method, older.version) = (Method::POST, Version::HTTP_10);
        let target = "/rest/v1/todos?id=eq.1";
        let [host, key, own] = LINES;
        for other in [
            posted,
            older,
            head("/rest/v1/todos?id=eq.2", &LINES),
            head("http://a.example/rest/v1/todos?id=eq.1", &LINES),
            head(target, &[host, ("apikey", "two"), own]),
            head(target, &[host, ("apikey", "onE"), own]),
            head(target, &[host, key]),
            head(target, &[host, own, key]),
            head(target, &[host, key, own, ("accept", "text/csv")]),
            head(target, &[host, key, own, key]),
            head(target, &[host, ("x-own", "one"), ("apikey", "1")]),
        ] {
            assert!(!Known::new(&known, false, &again).unwrap().is(&other, false), "{other:?}");
        }
        assert!(plan(planner.grounds(), &known, true).is_none(), "what a target may say differs over TLS");
    }

    #[test]
    fn other_rules_know_nothing_of_it() {
        let (before, after) = (planner(), planner());
        let known = head("/rest/v1/todos", &[("host", "a.example")]);
        keep(&before, &known);
        assert!(plan(after.grounds(), &known, false).is_none());
        keep(&after, &known);
        assert!(plan(after.grounds(), &known, false).is_some());
        assert!(plan(before.grounds(), &known, false).is_none(), "nothing of the old rules is held on to");
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let planner = planner();
        let long = "x".repeat(BYTES_MAX);
        let head = head("/rest/v1/todos", &[("host", "a.example"), ("x-long", &long)]);
        keep(&planner, &head);
        assert!(plan(planner.grounds(), &head, false).is_none());
    }
}
