//! One span a request, and one below it for each call to the upstream, for whoever follows a request through
//! several services.
//!
//! [`Tracer::begin`] decides whether a request is traced: as its `traceparent` says, or, where it brings
//! none, by the ratio that was set. [`follow`] lets the [`call`] know whose it is. [`Tracer::end`] puts the span into a queue of bounded length; `server`
//! sends them. No span holds a query, a header, a body or a key.

mod context;
mod follow;
mod wire;

pub use context::{Context, TRACEPARENT};
pub use follow::{call, follow, follow_on};
pub use wire::{Kind, Span, request};

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use prometheus::IntCounter;
use tokio::sync::mpsc;

/// Spans that wait to be sent: a few seconds of a busy proxy, about a megabyte.
const QUEUE_MAX: usize = 4_096;

/// The places of a request in its trace.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its own.
    pub own: Context,
    /// Its first call to the upstream, which is known before, so that the upstream can be told.
    pub call: Context,
}

impl From<Context> for Place {
    fn from(own: Context) -> Self {
        Self { own, call: own.child() }
    }
}

/// Decides what is traced, and takes what was.
pub struct Tracer {
    /// A request is traced if its number, scattered over all of `u64`, is below this.
    below: u64,
    requests: AtomicU64,
    spans: mpsc::Sender<Span>,
    lost: IntCounter,
}

impl Tracer {
    /// A tracer of this share of the requests that bring no `traceparent`, and where its spans come out.
    pub fn new(ratio: f64, lost: IntCounter) -> (Self, mpsc::Receiver<Span>) {
        let (spans, queue) = mpsc::channel(QUEUE_MAX);
        // 1.0 becomes the largest number
        let below = (ratio.clamp(0.0, 1.0) * u64::MAX as f64) as u64;
        (Self { below, requests: AtomicU64::new(0), spans, lost }, queue)
    }

    /// The places of a request in its trace, if it is traced.
    pub fn begin(&self, headers: &HeaderMap) -> Option<Box<Place>> {
        match Context::of_caller(headers) {
            Some((context, is_traced)) => is_traced.then(|| Box::new(context.into())),
            None => self.is_chosen().then(|| Box::new(Context::root().into())),
        }
    }

    /// Takes the span of a request that has been answered.
    pub fn end(&self, span: Span) {
        // who sends them is slower than we are: better a hole in a trace than a request that waits
        if self.spans.try_send(span).is_err() {
            self.lost.inc();
        }
    }

    /// Multiplying by 2^64 over the golden ratio scatters consecutive numbers evenly.
    fn is_chosen(&self) -> bool {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) < self.below
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tracer")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn traced(ratio: f64, headers: &HeaderMap) -> usize {
        let (tracer, _queue) = Tracer::new(ratio, IntCounter::new("lost", "lost").unwrap());
        (0..10_000).filter(|_| tracer.begin(headers).is_some()).count()
    }

    #[test]
    fn a_share_is_traced_and_whoever_decided_before_us_is_followed() {
        let mut headers = HeaderMap::new();
        assert_eq!((traced(0.0, &headers), traced(1.0, &headers)), (0, 10_000));
        let tenth = traced(0.1, &headers);
        assert!((990..=1_010).contains(&tenth), "{tenth}");
        for (flags, all) in [("01", 10_000), ("00", 0), ("03", 10_000)] {
            let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
            headers.insert(TRACEPARENT, HeaderValue::try_from(parent).unwrap());
            assert_eq!(traced(0.5, &headers), all, "{flags}");
        }
    }

    #[test]
    fn spans_that_nobody_takes_are_counted_and_let_go() {
        let lost = IntCounter::new("lost", "lost").unwrap();
        let (tracer, _queue) = Tracer::new(1.0, lost.clone());
        for _ in 0..QUEUE_MAX + 7 {
            tracer.end(Span::default());
        }
        assert_eq!(lost.get(), 7);
    }
}
