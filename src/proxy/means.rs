//! What is a proxy made of, and what bounds it?

use std::net::SocketAddr;
use std::sync::Arc;

use http::Method;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::Cache;
use crate::chance::Share;
use crate::clock::Clock;
use crate::guard::Guards;
use crate::identity::Verifier;
use crate::invalidation::Invalidator;
use crate::metrics::Metrics;
use crate::trace::Tracer;
use crate::upstream::{TrustedProxies, Upstream};

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
    /// How many hits write a line into the log.
    pub logged_hits: Share,
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
    /// The door through which they disappear.
    pub invalidator: Invalidator,
    /// Locks, operations and limits.
    pub guards: Arc<Guards>,
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
    /// Takes spans, where somebody wants them.
    pub tracer: Option<Tracer>,
}
