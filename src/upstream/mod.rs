//! The server behind us: how a request gets there and its answer back.
//!
//! Connections are pooled and every wait has an end. A connection is never used
//! again after an error, an answer that came before its request was complete, or
//! a body that was not read to its end. Nothing is ever sent twice, except a
//! read whose connection turned out to be dead before a byte of an answer came.
//! This folder does not know what a cache is.

mod deadline;
mod failure;
mod forwarded;
mod headers;
mod line;
mod origin;
mod request;
mod tls;

pub use deadline::{BodyFailure, Bounded, IncomingBody};
pub use failure::Failure;
pub use forwarded::{Arrival, BadNetwork, TrustedProxies};
pub use headers::{
    BadAnswer, clean_request, clean_response, connection_options, is_end_to_end, put_back_upgrade,
};
pub use line::Line;
pub use origin::{Origin, OriginMistake};
pub use request::{Outgoing, OutgoingBody};

use request::Progress;
pub use tls::client_tls;

use headers::vet_answer;

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use crate::workers::{Each, Workers};

/// How long an unused connection is kept: under the 60 s after which common
/// gateways close it, so that a request rarely meets a closing one.
const IDLE: Duration = Duration::from_secs(50);

/// Largest head of an answer, in bytes. PostgREST's are under 2 KB.
const ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of body that HTTP/2 lets the upstream send ahead on one stream.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;

/// The waits on the way to the upstream.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For a connection to stand, TLS included.
    pub connect: Duration,
    /// For the head of the answer, from when the request has gone out; connecting is part of it.
    pub answer: Duration,
}

/// An answer whose body is still to come.
pub type Answer = Response<Bounded<Incoming>>;

/// The upstream and the connections to it.
#[derive(Clone, Debug)]
pub struct Upstream {
    origin: Arc<Origin>,
    deadlines: Deadlines,
    clients: Arc<Each<Clients>>,
    line: Option<Arc<Line>>,
}

/// The connections of one worker.
#[derive(Debug)]
struct Clients {
    usual: Client<HttpsConnector<HttpConnector>, OutgoingBody>,
    /// Upgrades exist in HTTP/1.1 only, so they never go over a connection that negotiated HTTP/2.
    upgrading: Client<HttpsConnector<HttpConnector>, OutgoingBody>,
}

impl Upstream {
    /// Connects to nothing yet; the first request does.
    pub fn new(origin: Origin, deadlines: Deadlines, tls: rustls::ClientConfig, workers: &Workers) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(deadlines.connect));
        tcp.set_keepalive(Some(Duration::from_secs(15)));
        let https = |tls| HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let either = https(tls.clone()).enable_all_versions().wrap_connector(tcp.clone());
        let http1 = https(tls).enable_http1().wrap_connector(tcp);
        let clients =
            || Clients { usual: pool().build(either.clone()), upgrading: pool().build(http1.clone()) };
        let clients = Arc::new(Each::new(workers, clients));
        Self { origin: Arc::new(origin), deadlines, clients, line: None }
    }

    /// Lets reads wait for their turn.
    #[must_use]
    pub fn behind(self, line: Line) -> Self {
        Self { line: Some(Arc::new(line)), ..self }
    }

    /// Where requests go.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Sends a request once and waits for the head of its answer.
    ///
    /// Cancel safe in that dropping it drops the connection; whether the
    /// upstream acted on the request is then unknown.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Answer, Failure> {
        let wants_upgrade = outgoing.wants_upgrade();
        let progress = outgoing.progress();
        let mut request = outgoing.into_request(&self.origin).map_err(Failure::Target)?;
        let connection = (!progress.is_complete()).then(|| capture_connection(&mut request));
        let clients = self.clients.own();
        let client = if wants_upgrade { &clients.upgrading } else { &clients.usual };
        let answer = self.answered(client.request(request), &progress).await?;
        if !progress.is_complete() {
            // An answer before its request was sent: what follows on this connection belongs to nobody.
            if let Some(connected) = connection.as_ref().map(CaptureConnection::connection_metadata)
                && let Some(connected) = connected.as_ref()
            {
                connected.poison();
            }
        }
        let (head, body) = answer.into_parts();
        vet_answer(&head, wants_upgrade).map_err(Failure::Bad)?;
        Ok(Response::from_parts(head, Bounded::new(body)))
    }

    /// Waits for the head of an answer, from when its request has gone out: a large body takes its time, and has bounds
    /// of its own. Connecting has its own, shorter wait within this one.
    async fn answered(
        &self,
        asked: ResponseFuture,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Failure> {
        let begun = Instant::now();
        let mut asked = asked;
        let mut until = begun + self.deadlines.answer;
        loop {
            match tokio::time::timeout_at(until, &mut asked).await {
                Ok(answer) => return answer.map_err(Failure::of),
                Err(_elapsed) => {
                    let now = Instant::now();
                    until = progress.waiting_since(begun).unwrap_or(now) + self.deadlines.answer;
                    if until <= now {
                        return Err(Failure::Timeout);
                    }
                }
            }
        }
    }

    /// Sends a read when it is its turn. A connection that dies before a byte of the answer is
    /// replaced once: reads change nothing, so asking again is safe.
    pub async fn read(&self, make: impl Fn() -> Outgoing) -> Result<Answer, Failure> {
        let _turn = match &self.line {
            Some(line) => Some(line.turn().await?),
            None => None,
        };
        match self.send(make()).await {
            Err(Failure::Broken(_)) => self.send(make()).await,
            answer => answer,
        }
    }
}

fn pool() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .http1_max_buf_size(ANSWER_HEAD_BYTES_MAX)
        .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(Duration::from_secs(20))
        // the request's own Host is set from the origin
        .set_host(false);
    builder
}
