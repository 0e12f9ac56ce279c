//! Counting and logging what happened, once per request.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Response, StatusCode, Uri};
use prometheus::{Counter, Histogram, IntCounter};
use tracing::{info, warn};

use crate::hit_counts::HitCounts;
use crate::lately::Miss;
use crate::log::RequestLine;
use crate::metrics::{Metrics, NO_RULE, observe};
use crate::plan::{Pass, Planner, ReadPlan};

use super::arrival::Arrived;
use super::body::Body;
use super::metered::Meter;
use super::outcome::{self, Kind, Outcome};
use super::{Done, Proxy, reject, respond};

/// Longest path in a log line, in bytes.
const LOGGED_PATH_BYTES_MAX: usize = 512;

/// Most names that no schema knows which are told, each once. An app embeds a few dozen relations.
const UNRESOLVED_TOLD_MAX: usize = 100;

/// A planner, and the handles that its rules' most frequent outcomes are counted by.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) planner: Planner,
    hits: Arc<HitCounts>,
    /// By the rule's place in the file.
    stored: Vec<IntCounter>,
    waited: Vec<Counter>,
    /// By the number of the kind.
    latency: [Histogram; Kind::ALL.len()],
    /// Rules and what answers of theirs read that no schema knows. Held for a look and an insertion.
    told: Mutex<BTreeSet<(usize, String)>>,
}

/// What of a request is told in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'r> {
    pub(super) method: &'r Method,
    pub(super) uri: &'r Uri,
    /// What a rule wanted kept.
    pub(super) plan: Option<&'r ReadPlan>,
    pub(super) arrived: &'r Arrived,
    /// Whether a script of another origin asks, in a browser.
    pub(super) is_cross_origin: bool,
    /// What limits say.
    pub(super) meter: Option<&'r Meter>,
}

impl<'r> Seen<'r> {
    /// A hit, of which the head is still there. It is never refused, so nobody looks where it comes from.
    pub(super) fn hit(head: &'r Parts, plan: &'r ReadPlan, arrived: &'r Arrived) -> Self {
        let (method, uri, plan) = (&head.method, &head.uri, Some(plan));
        Self { method, uri, plan, arrived, is_cross_origin: false, meter: None }
    }

    /// The key that the rule gave; empty without one.
    pub(super) fn key(&self) -> &str {
        self.plan.map_or("", |plan| plan.key.as_str())
    }
}

impl Counted {
    pub(super) fn new(planner: Planner, metrics: &Metrics) -> Self {
        let names = || planner.rules().read_rules().iter().map(|rule| &*rule.name);
        let hits = metrics.hit_counts(names());
        let stored = names().map(|rule| metrics.requests(rule, "miss")).collect();
        let waited = names().map(|rule| metrics.waited(rule)).collect();
        Self {
            planner,
            hits,
            stored,
            waited,
            latency: Kind::ALL.map(|kind| metrics.latency(kind.as_str())),
            told: Mutex::default(),
        }
    }
}

impl Proxy {
    /// Looks at the planner in use, as `explain` does.
    pub fn with_planner<T>(&self, look: impl FnOnce(&Planner) -> T) -> T {
        look(&self.rules.load().planner)
    }

    /// Says what happened: to the client, and once to whoever counts and logs.
    pub(super) fn finish(&self, rules: &Counted, seen: &Seen<'_>, done: Done) -> Response<Body> {
        let (mut response, outcome) = done.unwrap_or_else(|rejection| {
            let (mut response, outcome) = reject::answer(&rejection);
            if seen.is_cross_origin {
                respond::allow_any_origin(response.headers_mut());
            }
            (response, outcome)
        });
        if let Some(meter) = seen.meter {
            meter.tell(response.headers_mut());
        }
        // the head of a hit may have been at hand, and says it then
        let is_told = outcome.is_hit() && response.headers().contains_key(outcome::CACHE_STATUS);
        if !is_told {
            response.headers_mut().insert(outcome::CACHE_STATUS, outcome.cache_status(seen.key()));
        }
        self.report(rules, seen, &outcome, response.status());
        response
    }

    /// Counts a request and writes its log line. Neither holds a query, a header
    /// or a body: any of them may hold a secret.
    fn report(&self, rules: &Counted, seen: &Seen<'_>, outcome: &Outcome, status: StatusCode) {
        let rule = seen.plan.map(|plan| &*plan.rule);
        let took = self.clock.now().saturating_duration_since(seen.arrived.at);
        let name = rule.map_or(NO_RULE, |rule| &rule.name);
        match (outcome, rule) {
            (Outcome::Hit { bytes, .. }, Some(rule)) => {
                rules.hits.count(rule.index, took, *bytes);
                self.metrics.lately.hit(seen.key());
            }
            _ => {
                if let Outcome::Stale { bytes, .. } = outcome {
                    self.metrics.saved_bytes.inc_by(*bytes);
                }
                self.note_miss(rules, seen, outcome, took);
                observe(&rules.latency[outcome.kind() as usize], took);
                let is_stored = matches!(outcome, Outcome::Stored { .. });
                let stored = rule.filter(|_| is_stored).and_then(|rule| rules.stored.get(rule.index));
                match stored {
                    Some(stored) => stored.inc(),
                    None => self.metrics.requests(name, outcome.as_str()).inc(),
                }
            }
        }
        rules.hits.count_unsent(outcome.unsent());
        if let Outcome::Passed(Pass::Unverified(reason)) = outcome {
            self.metrics.unverified_caller(reason.as_str());
        }
        if rule.is_some_and(|rule| rule.debug) {
            tell_debug(seen.key(), outcome, took);
        }
        self.tell_trace(seen, outcome, status, took);
        if outcome.is_hit() && !self.limits.logged_hits.picks() {
            return;
        }
        let line = RequestLine {
            method: seen.method.as_str(),
            path: logged_path(seen.uri),
            status: status.as_u16(),
            rule: name,
            outcome: outcome.as_str(),
            reason: outcome.reason(),
            at_micros: seen.arrived.unix_micros.saturating_add(u64::try_from(took.as_micros()).unwrap_or(0)),
            took,
        };
        line.write();
    }

    /// Notes by name a read that was no hit, and what it cost.
    fn note_miss(&self, rules: &Counted, seen: &Seen<'_>, outcome: &Outcome, took: Duration) {
        let Some(plan) = seen.plan else { return };
        let reason = match outcome {
            Outcome::Stored { .. } => None,
            Outcome::Joined { .. } => Some("joined another"),
            Outcome::Unkept { refusal } => Some(refusal.as_str()),
            _ => return,
        };
        if let Some(waited) = rules.waited.get(plan.rule.index) {
            waited.inc_by(took.as_secs_f64());
        }
        self.metrics.lately.missed(&Miss {
            key: plan.key.as_str(),
            question: question(plan),
            reason,
            // where the answer itself says it, nobody wonders later why it is gone
            lifetime: plan.lifetime(self.clock.unix_seconds()).unwrap_or_default(),
            at: self.clock.now(),
        });
    }

    /// Counts an answer that every write takes away, and says once what no schema knows.
    /// The upstream has answered 200, so these are names of its own schema, not anything a client made up.
    pub(super) fn report_unresolved(&self, plan: &ReadPlan) {
        if plan.unresolved().is_empty() {
            return;
        }
        self.metrics.unresolved_fill(&plan.rule.name);
        let rules = self.rules.load();
        for name in plan.unresolved() {
            let mut told = rules.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() < UNRESOLVED_TOLD_MAX && told.insert((plan.rule.index, name.clone())) {
                drop(told);
                warn!(
                    rule = &*plan.rule.name,
                    name,
                    "no schema knows what this reads, so every write takes these answers away: \
                     `larder explain` says what to add"
                );
            }
        }
    }
}

/// Enough of a fingerprint to tell two apart.
pub(super) fn question(plan: &ReadPlan) -> u64 {
    plan.fingerprint.as_bytes().iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

/// The line for a rule that says `debug: true`.
fn tell_debug(key: &str, outcome: &Outcome, took: Duration) {
    let word = if matches!(outcome, Outcome::Hit { .. } | Outcome::Stale { .. }) { "HIT" } else { "MISS" };
    let ms = took.as_secs_f64() * 1000.0;
    info!(target: "larder::debug", key, ms, outcome = outcome.as_str(), reason = outcome.reason(), "{word}");
}

pub(super) fn logged_path(uri: &Uri) -> &str {
    let path = uri.path();
    &path[..path.floor_char_boundary(LOGGED_PATH_BYTES_MAX)]
}
