//! A client's request, from arrival to answer.
//!
//! [`Proxy::handle`] is the whole journey: vet, plan, recall; or go on to read,
//! write or pass; and report once. Everything larder refuses itself is answered in `reject`,
//! every outcome is told in `outcome`, and everything that disappears goes
//! through `invalidation`.

mod accept_encoding;
mod addressed;
mod answering;
mod arrival;
mod audit;
mod body;
mod conditional;
mod decide;
mod glimpse;
mod guarded;
mod means;
mod metered;
mod origin;
mod outcome;
mod outlive;
mod pass;
mod piece;
mod read;
mod ready;
mod refill;
mod refusal;
mod reject;
mod report;
mod respond;
mod serve;
mod stale;
mod vet;
mod write;

pub use answering::Answering;
pub use body::{Body, BodyBroken};
pub use means::{Limits, Means, Peer, Tasks};

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use http::header::ORIGIN;
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::guard::Guards;
use crate::identity::Verifier;
use crate::invalidation::Invalidator;
use crate::metrics::Metrics;
use crate::plan::{Plan, Planner};
use crate::trace::{Tracer, follow};
use crate::upstream::Upstream;

use audit::Auditor;
use metered::Meter;
use outcome::Outcome;
use refill::Refills;
use reject::Rejection;
use report::{Counted, Seen};
use vet::Fault;
use write::WriteRequest;

/// An answer and what happened, or why there is none.
type Done = Result<(Response<Body>, Outcome), Rejection>;

/// The proxy: everything that one request needs.
#[derive(Debug)]
pub struct Proxy {
    /// Swapped as a whole: a request sees one set of rules from beginning to end.
    rules: ArcSwap<Counted>,
    cache: Arc<Cache>,
    guards: Arc<Guards>,
    upstream: Upstream,
    verifier: Option<Arc<Verifier>>,
    invalidator: Invalidator,
    refills: Refills,
    auditor: Auditor,
    metrics: Metrics,
    clock: Clock,
    limits: Limits,
    tasks: TaskTracker,
    stopping: CancellationToken,
    tracer: Option<Tracer>,
}

impl Proxy {
    /// A proxy that begins with the rules of this planner.
    pub fn new(planner: Planner, means: Means) -> Arc<Self> {
        let Means { cache, invalidator, guards, upstream, verifier, metrics, clock, limits, tasks, tracer } =
            means;
        cache.keep_changes_for(planner.rules().longest_quiet());
        Arc::new(Self {
            rules: ArcSwap::from_pointee(Counted::new(planner, &metrics)),
            verifier,
            invalidator,
            refills: Refills::new(),
            auditor: Auditor::new(),
            cache,
            guards,
            upstream,
            metrics,
            clock,
            limits,
            tasks: tasks.tracker,
            stopping: tasks.stopping,
            tracer,
        })
    }

    /// Applies other rules to every request from now on. Entries of the old
    /// rules are not found under the new ones: the rules are part of every fingerprint.
    pub fn replace_rules(&self, planner: Planner) {
        self.cache.keep_changes_for(planner.rules().longest_quiet());
        self.rules.store(Arc::new(Counted::new(planner, &self.metrics)));
    }

    /// Decides what a request needs. What memory holds is answered at once, everything
    /// else in a future of its own, which hyper drops when the client leaves; each step
    /// says what that means.
    pub fn handle(self: &Arc<Self>, request: Request<Incoming>, peer: Peer) -> Answering {
        let rules = self.rules.load();
        let (mut head, body) = request.into_parts();
        let arrived = self.arrive(&mut head.headers);
        let planned = self.plan(&rules, &mut head, (&body, peer), arrived.unix_micros / 1_000_000);
        let meter = self.meter(&rules, &planned, &head, peer);
        if let Ok(Plan::Read(plan)) = &planned
            && Meter::lets_pass(meter.as_deref())
            && let Some(done) = self.recall(plan, &head.headers, arrived.at)
        {
            let seen = Seen { meter: meter.as_deref(), ..Seen::hit(&head, plan, &arrived) };
            return Answering::Now(Some(self.finish(&rules, &seen, done)));
        }
        if let Ok(Plan::Pass(pass)) = planned
            && Meter::lets_pass(meter.as_deref())
            && let Some((plan, done)) = self.at_hand(&rules, pass, &head, arrived.at)
        {
            let seen = Seen { meter: meter.as_deref(), ..Seen::hit(&head, &plan, &arrived) };
            return Answering::Now(Some(self.finish(&rules, &seen, done)));
        }
        let (rules, place) = (Guard::into_inner(rules), arrived.trace.as_deref().copied());
        let going_on = Arc::clone(self).go_on(rules, (planned, meter), (head, body), arrived);
        Answering::Later(Box::pin(follow(place, going_on)))
    }

    /// Does what was decided.
    async fn go_on(
        self: Arc<Self>,
        rules: Arc<Counted>,
        (planned, mut meter): (Result<Plan, Fault>, Option<Box<Meter>>),
        (head, body): (Parts, Incoming),
        arrived: arrival::Arrived,
    ) -> Response<Body> {
        let (method, uri) = (head.method.clone(), head.uri.clone());
        let is_cross_origin = head.headers.contains_key(ORIGIN);
        let mut read = None;
        let done = match (self.admit(meter.as_deref_mut()).await, planned) {
            (_, Err(fault)) => Err(Rejection::Fault(fault)),
            (Err(limited), Ok(_)) => Err(limited),
            (Ok(()), Ok(plan)) => match plan {
                Plan::Read(plan) => self.read(read.insert(plan), &head.headers, meter.as_deref_mut()).await,
                // in a box of its own: it is large, and reads should not carry it about
                Plan::Write(plan) => Box::pin(self.write(*plan, WriteRequest::new(head, body))).await,
                Plan::Pass(pass) => self.pass(pass, head, body).await,
                Plan::Refuse(path) => Err(Rejection::Path(path)),
            },
        };
        let (plan, meter, arrived) = (read.as_deref(), meter.as_deref(), &arrived);
        let seen = Seen { method: &method, uri: &uri, plan, arrived, is_cross_origin, meter };
        self.finish(&rules, &seen, done)
    }
}
