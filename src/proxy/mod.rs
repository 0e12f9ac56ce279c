//! A client's request, from arrival to answer.
//!
//! [`Proxy::handle`] is the whole journey: vet, plan, recall; or go on to read,
//! write or pass; and report once. Everything larder refuses itself is answered in `reject`,
//! every outcome is told in `outcome`, and everything that disappears goes
//! through `invalidation`.

mod answering;
mod body;
mod decide;
mod glimpse;
mod outcome;
mod outlive;
mod pass;
mod read;
mod reject;
mod report;
mod respond;
mod vet;
mod write;

pub use answering::Answering;
pub use body::{Body, BodyBroken};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::identity::Verifier;
use crate::invalidation::Invalidator;
use crate::metrics::Metrics;
use crate::plan::Plan;
use crate::rules::RuleSet;
use crate::upstream::{TrustedProxies, Upstream};

use outcome::Outcome;
use reject::Rejection;
use report::{Counted, Seen};
use vet::Fault;
use write::WriteRequest;

/// An answer and what happened, or why there is none.
type Done = Result<(Response<Body>, Outcome), Rejection>;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Does it speak TLS with us?
    pub is_tls: bool,
}

/// What bounds a request.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest body that is kept, in bytes.
    pub body_bytes_max: usize,
    /// Methods that are forwarded beside the usual ones.
    pub extra_methods: Vec<Method>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
}

/// The owner of every task that outlives its request.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    /// Awaited before the process ends.
    pub tracker: TaskTracker,
    /// Cancelled when the process ends: what could wait for ever stops waiting.
    pub stopping: CancellationToken,
}

/// What a proxy is made of.
#[derive(Debug)]
pub struct Means {
    /// Where answers are kept.
    pub cache: Arc<Cache>,
    /// Where they come from.
    pub upstream: Upstream,
    /// Tells who asks; without it every answer is for the very same credentials.
    pub verifier: Option<Arc<Verifier>>,
    /// What is counted.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
    /// What bounds a request.
    pub limits: Limits,
    /// Who owns what outlives a request.
    pub tasks: Tasks,
}

/// The proxy: everything that one request needs.
#[derive(Debug)]
pub struct Proxy {
    /// Swapped as a whole: a request sees one set of rules from beginning to end.
    rules: ArcSwap<Counted>,
    cache: Arc<Cache>,
    upstream: Upstream,
    verifier: Option<Arc<Verifier>>,
    invalidator: Invalidator,
    metrics: Metrics,
    clock: Clock,
    limits: Limits,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Proxy {
    /// A proxy that begins with these rules.
    pub fn new(rules: RuleSet, means: Means) -> Arc<Self> {
        let Means { cache, upstream, verifier, metrics, clock, limits, tasks } = means;
        Arc::new(Self {
            rules: ArcSwap::from_pointee(Counted::new(rules, verifier.clone(), &metrics)),
            verifier,
            invalidator: Invalidator::new(Arc::clone(&cache), metrics.clone()),
            cache,
            upstream,
            metrics,
            clock,
            limits,
            tasks: tasks.tracker,
            stopping: tasks.stopping,
        })
    }

    /// Applies other rules to every request from now on. Entries of the old
    /// rules are not found under the new ones: the rules are part of every fingerprint.
    pub fn replace_rules(&self, rules: RuleSet) {
        let counted = Counted::new(rules, self.verifier.clone(), &self.metrics);
        self.rules.store(Arc::new(counted));
    }

    /// Decides what a request needs. What memory holds is answered at once, everything
    /// else in a future of its own, which hyper drops when the client leaves; each step
    /// says what that means.
    pub fn handle(self: &Arc<Self>, request: Request<Incoming>, peer: Peer) -> Answering {
        let arrived = self.clock.now();
        let rules = self.rules.load();
        let (mut head, body) = request.into_parts();
        let planned = self.plan(&rules, &mut head, &body, peer);
        if let Ok(Plan::Read(plan)) = &planned
            && let Some(done) = self.recall(plan, &head.headers, arrived)
        {
            let seen = Seen { method: &head.method, uri: &head.uri, plan: Some(plan), arrived };
            return Answering::Now(Some(self.finish(&rules, &seen, done)));
        }
        let (proxy, rules) = (Arc::clone(self), Guard::into_inner(rules));
        Answering::Later(Box::pin(proxy.go_on(rules, planned, (head, body), arrived)))
    }

    /// Does what was decided.
    async fn go_on(
        self: Arc<Self>,
        rules: Arc<Counted>,
        planned: Result<Plan, Fault>,
        (head, body): (Parts, Incoming),
        arrived: Instant,
    ) -> Response<Body> {
        let (method, uri) = (head.method.clone(), head.uri.clone());
        let mut read = None;
        let done = match planned {
            Err(fault) => Err(Rejection::Fault(fault)),
            Ok(Plan::Read(plan)) => self.read(read.insert(plan), &head.headers).await,
            Ok(Plan::Write(plan)) => self.write(*plan, WriteRequest::new(head, body)).await,
            Ok(Plan::Pass(pass)) => self.pass(pass, head, body).await,
            Ok(Plan::Refuse(path)) => Err(Rejection::Path(path)),
        };
        let seen = Seen { method: &method, uri: &uri, plan: read.as_deref(), arrived };
        self.finish(&rules, &seen, done)
    }

    /// Says what happened: to the client, and once to whoever counts and logs.
    fn finish(&self, rules: &Counted, seen: &Seen<'_>, done: Done) -> Response<Body> {
        let (mut response, outcome) = done.unwrap_or_else(|rejection| reject::answer(&rejection));
        response.headers_mut().insert(outcome::CACHE_STATUS, outcome.cache_status(seen.key()));
        self.report(rules, seen, &outcome, response.status());
        response
    }
}
