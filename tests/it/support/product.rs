//! How the product is put together for a test: the one file that changes when that changes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use larder::cache::{Cache, MemoryStore};
use larder::clock::Clock;
use larder::metrics::Metrics;
use larder::proxy::{Limits, Means, Peer, Proxy, Tasks};
use larder::rules::{Context, RuleSet};
use larder::upstream::{Deadlines, Origin, TrustedProxies, Upstream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::proxy::Builder;

/// Room for entries: more than any test fills.
const MEMORY_BYTES: u64 = 64 * 1024 * 1024;

/// Largest answer that is kept.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A running product.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    metrics: Metrics,
    tasks: Tasks,
    listening: JoinSet<()>,
}

/// Starts the product on a free port.
pub(crate) async fn start(builder: &Builder) -> Running {
    let upstream = format!("http://{}", builder.upstream);
    let context = Context { default_schema: "public".to_owned(), upstream: upstream.clone() };
    let rules = if builder.rules.is_empty() {
        RuleSet::empty(&context)
    } else {
        RuleSet::parse(&builder.rules, &context).unwrap_or_else(|mistakes| panic!("{mistakes:#?}")).0
    };
    let deadlines = Deadlines { connect: Duration::from_secs(2), answer: builder.answer_within };
    let (clock, metrics, tasks) = (Clock::default(), Metrics::new(), Tasks::default());
    let means = Means {
        cache: Arc::new(Cache::new(Arc::new(MemoryStore::new(MEMORY_BYTES)), clock.clone())),
        upstream: Upstream::new(Origin::parse(&upstream).unwrap(), deadlines, no_roots()),
        metrics: metrics.clone(),
        clock,
        limits: Limits {
            body_bytes_max: BODY_BYTES_MAX,
            extra_methods: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
        },
        tasks: tasks.clone(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut listening = JoinSet::new();
    listening.spawn(listen(listener, Proxy::new(rules, means)));
    Running { address, metrics, tasks, listening }
}

impl Running {
    pub(crate) fn metrics(&self) -> String {
        self.metrics.render()
    }

    pub(crate) async fn shutdown(mut self) {
        self.listening.shutdown().await;
        self.tasks.stopping.cancel();
        self.tasks.tracker.close();
        self.tasks.tracker.wait().await;
    }
}

async fn listen(listener: TcpListener, proxy: Arc<Proxy>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, address) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        connections.spawn(serve(stream, Peer { address, is_tls: false }, Arc::clone(&proxy)));
    }
}

async fn serve(stream: TcpStream, peer: Peer, proxy: Arc<Proxy>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let proxy = Arc::clone(&proxy);
        async move { Ok::<_, Infallible>(proxy.handle(request, peer).await) }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .max_buf_size(64 * 1024);
    server.http2().timer(TokioTimer::new()).max_header_list_size(32 * 1024);
    let _ended = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

/// TLS that trusts nobody: upstreams of tests speak plain HTTP, and reading the system's roots takes time.
fn no_roots() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.unwrap().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
}
