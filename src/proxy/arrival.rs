//! When did a request come, and does somebody follow it through several services?

use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};

use crate::metrics::NO_RULE;
use crate::trace::{Context, Span, TRACEPARENT};

use super::Proxy;
use super::outcome::Outcome;
use super::report::{Seen, logged_path};

/// The arrival of a request.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) at: Instant,
    /// The same as the time of day, in microseconds since 1970.
    pub(super) unix_micros: u64,
    /// Its place in a trace, if it is traced.
    pub(super) trace: Option<Box<Context>>,
}

impl Proxy {
    /// Notes that a request is here. What is passed on of it names our span as its parent; a read that
    /// is kept is asked in words of our own, which say nothing of whoever asked first.
    pub(super) fn arrive(&self, headers: &mut HeaderMap) -> Arrived {
        let trace = self.tracer.as_ref().and_then(|tracer| tracer.begin(headers));
        if let Some(context) = &trace {
            headers.insert(TRACEPARENT, context.traceparent());
        }
        Arrived { at: self.clock.now(), unix_micros: self.clock.unix_micros(), trace }
    }

    /// Tells whoever follows a request what became of it: what its log line tells, and no more.
    pub(super) fn tell_trace(&self, seen: &Seen<'_>, outcome: &Outcome, status: StatusCode, took: Duration) {
        let (Some(tracer), Some(context)) = (&self.tracer, &seen.arrived.trace) else { return };
        let rule = seen.plan.map_or(NO_RULE, |plan| &plan.rule.name);
        let from = seen.arrived.unix_micros.saturating_mul(1_000);
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let about = if rule == NO_RULE { outcome.as_str() } else { rule };
        let mut words = vec![
            ("http.request.method", seen.method.to_string()),
            ("url.path", logged_path(seen.uri).to_owned()),
            ("larder.rule", rule.to_owned()),
            ("larder.outcome", outcome.as_str().to_owned()),
        ];
        if !outcome.reason().is_empty() {
            words.push(("larder.reason", outcome.reason().to_owned()));
        }
        tracer.end(Span {
            context: **context,
            name: format!("{} {about}", seen.method),
            from_to: (from, from.saturating_add(took)),
            words,
            status: status.as_u16(),
        });
    }
}
