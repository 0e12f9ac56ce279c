//! When did a request come, and does somebody follow it through several services?

use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};

use crate::metrics::NO_RULE;
use crate::trace::{self, Kind, Place, Span, TRACEPARENT};
use crate::upstream::Failure;

use super::Proxy;
use super::outcome::Outcome;
use super::report::{Seen, logged_path};

/// The arrival of a request.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) at: Instant,
    /// The same as the time of day, in microseconds since 1970.
    pub(super) unix_micros: u64,
    /// Its places in a trace, if it is traced.
    pub(super) trace: Option<Box<Place>>,
}

impl Proxy {
    /// Notes that a request is here. What is passed on of it names our call as its parent; a read that
    /// is kept is asked in words of our own, which say nothing of whoever asked first.
    pub(super) fn arrive(&self, headers: &mut HeaderMap) -> Arrived {
        let trace = self.tracer.as_ref().and_then(|tracer| tracer.begin(headers));
        if let Some(place) = &trace {
            headers.insert(TRACEPARENT, place.call.traceparent());
        }
        Arrived { at: self.clock.now(), unix_micros: self.clock.unix_micros(), trace }
    }

    /// Tells whoever follows a request what became of it: what its log line tells, and no more.
    pub(super) fn tell_trace(&self, seen: &Seen<'_>, outcome: &Outcome, status: StatusCode, took: Duration) {
        let (Some(tracer), Some(place)) = (&self.tracer, &seen.arrived.trace) else { return };
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
            context: place.own,
            kind: Kind::Server,
            name: format!("{} {about}", seen.method),
            from_to: (from, from.saturating_add(took)),
            words,
            status: status.as_u16(),
        });
    }

    /// Tells whoever follows a request how long the upstream took for it, and what came of that.
    pub(super) fn tell_call(&self, took: Duration, answered: Result<StatusCode, &Failure>) {
        let Some((tracer, context)) = self.tracer.as_ref().zip(trace::call()) else { return };
        let to = self.clock.unix_micros() * 1_000;
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let mut words = vec![("server.address", self.upstream.origin().authority().host().to_owned())];
        words.extend(answered.err().map(|failure| ("error.type", failure.status().as_str().to_owned())));
        tracer.end(Span {
            context,
            kind: Kind::Client,
            name: "upstream".to_owned(),
            from_to: (to.saturating_sub(took), to),
            words,
            status: answered.map_or(0, |status| status.as_u16()),
        });
    }
}
