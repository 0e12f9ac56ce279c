//! One client connection, from the handshake to the last byte.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::debug;

use crate::causes::in_full;
use crate::proxy::Peer;

use super::activity::{Activity, Overdue, Watch};
use super::exchange::{Exchange, Here};
use super::limits::{self, Limits};
use super::listen::{Entrance, Place};
use super::shutdown::Shutdown;
use super::socket::Socket;
use super::streams::Streams;

/// What the connections of one listener share.
#[derive(Debug)]
pub(super) struct Connections<H> {
    entrance: Entrance<H>,
    handshakes: Semaphore,
    http1: http1::Builder,
    http2: http2::Builder<Streams>,
}

/// The language a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// One request at a time.
    Http1,
    /// Streams.
    Http2,
}

impl<H> Connections<H> {
    pub(super) fn new(entrance: Entrance<H>) -> Connections<H> {
        let shutdown = &entrance.shutdown;
        let streams = Streams {
            tasks: shutdown.tasks().clone(),
            cut: shutdown.cut().clone(),
            stall: entrance.limits.stall,
        };
        Connections {
            handshakes: Semaphore::new(entrance.limits.handshakes),
            http1: http1_builder(),
            http2: http2_builder(streams),
            entrance,
        }
    }

    pub(super) fn entrance(&self) -> &Entrance<H> {
        &self.entrance
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.entrance.limits
    }

    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.entrance.shutdown
    }
}

fn http1_builder() -> http1::Builder {
    let mut http1 = http1::Builder::new();
    // Left alone: at most 100 headers (naming the number costs an allocation for each request), no
    // half-closed connections (a client that leaves ends its request), no `pipeline_flush`.
    http1
        .timer(TokioTimer::new())
        // `activity` watches heads: see there why.
        .header_read_timeout(None)
        .max_header_size(limits::HTTP1_HEAD_BYTES_MAX)
        .max_buf_size(limits::HTTP1_BUFFER_BYTES_MAX);
    http1
}

fn http2_builder(streams: Streams) -> http2::Builder<Streams> {
    let mut http2 = http2::Builder::new(streams);
    // Left alone: what h2 does against floods of resets, empty frames and continuations.
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::HTTP2_STREAMS_MAX)
        .max_header_list_size(limits::HTTP2_HEAD_BYTES_MAX)
        .initial_stream_window_size(limits::HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::HTTP2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(limits::HTTP2_SEND_BUFFER_BYTES_MAX)
        .keep_alive_interval(limits::HTTP2_PING_INTERVAL)
        .keep_alive_timeout(limits::HTTP2_PING_TIMEOUT);
    http2
}

/// Serves one connection until it ends, is overdue, or the grace period is over.
pub(super) async fn serve<H, F, B>(
    shared: Arc<Connections<H>>,
    stream: TcpStream,
    address: SocketAddr,
    place: Place,
) where
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let activity = Activity::new(Instant::now());
    let cut = shared.shutdown().until_cut();
    let socket = Socket::new(stream, Arc::clone(&activity), *shared.limits(), place);
    let serving = async {
        // In boxes, so that a connection that has begun holds no room for beginning: most are idle.
        let speaking = Box::pin(begin(shared, socket, address, activity)).await?;
        speaking.await.map_err(Into::into)
    };
    let served: Result<(), Broken> = tokio::select! {
        biased;
        served = serving => served,
        () = cut => return,
    };
    if let Err(error) = served {
        debug!(%address, error = in_full(error.as_ref()), "a connection ended early");
    }
}

/// Why a connection ended before its time.
type Broken = Box<dyn Error + Send + Sync>;

/// A connection that answers until it ends.
type Speaking = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// Finds out what the client speaks.
async fn begin<H, F, B>(
    shared: Arc<Connections<H>>,
    mut socket: Socket,
    address: SocketAddr,
    activity: Arc<Activity>,
) -> Result<Speaking, Broken>
where
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let limits = *shared.limits();
    let Some(tls) = &shared.entrance.tls else {
        let is_http2 = timeout(limits.head, until_farewell(&shared, socket.sniff_http2())).await??;
        let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
        let peer = Peer { address, is_tls: false };
        return Ok(speak(shared, socket, protocol, peer, activity));
    };
    let deadline = Instant::now() + limits.handshake;
    let handshaking = timeout_at(deadline, shared.handshakes.acquire()).await??;
    let socket = timeout_at(deadline, until_farewell(&shared, tls.acceptor().accept(socket))).await??;
    drop(handshaking);
    let is_http2 = socket.get_ref().1.alpn_protocol() == Some(b"h2");
    let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
    Ok(speak(shared, socket, protocol, Peer { address, is_tls: true }, activity))
}

/// Gives a client that has not said anything yet as long as an idle one when draining begins.
async fn until_farewell<H, T>(
    shared: &Connections<H>,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::select! {
        biased;
        done = work => done,
        () = farewell(shared) => Err(io::Error::new(io::ErrorKind::Interrupted, "draining")),
    }
}

/// Resolves when draining has begun and idle HTTP/1 connections have been kept long enough.
async fn farewell<H>(shared: &Connections<H>) {
    shared.shutdown().until_draining().await;
    sleep(shared.limits().farewell).await;
}

/// Answers requests.
fn speak<H, F, B, I>(
    shared: Arc<Connections<H>>,
    io: I,
    protocol: Protocol,
    peer: Peer,
    activity: Arc<Activity>,
) -> Speaking
where
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let watch = Watch::new(Arc::clone(&activity), *shared.limits());
    let here = Arc::new(Here { entrance: Arc::clone(&shared), peer, activity });
    let service = service_fn(move |request| Exchange::begin(&here, request));
    let io = TokioIo::new(io);
    match protocol {
        Protocol::Http1 => {
            let connection = shared.http1.serve_connection(io, service).with_upgrades();
            Box::pin(drive(Box::pin(connection), watch, shared))
        }
        Protocol::Http2 => {
            let connection = shared.http2.serve_connection(io, service);
            Box::pin(drive(Box::pin(connection), watch, shared))
        }
    }
}

/// A connection that can be asked to end: both of hyper's are.
trait Connection: Future<Output = hyper::Result<()>> {
    const PROTOCOL: Protocol;

    /// Answers what has begun, then closes.
    fn finish(self: Pin<&mut Self>);
}

impl<I, S, B> Connection for http1::UpgradeableConnection<I, S>
where
    S: HttpService<Incoming, ResBody = B, Error = Infallible>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    const PROTOCOL: Protocol = Protocol::Http1;

    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B> Connection for http2::Connection<I, S, Streams>
where
    S: HttpService<Incoming, ResBody = B, Error = Infallible>,
    S::Future: Send + 'static,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    const PROTOCOL: Protocol = Protocol::Http2;

    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs a connection; ends it when its client is overdue or the process drains.
async fn drive<C: Connection, H>(
    mut connection: Pin<Box<C>>,
    watch: Watch,
    shared: Arc<Connections<H>>,
) -> hyper::Result<()> {
    let patience = tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        overdue = watch => match (overdue, C::PROTOCOL) {
            (Overdue::Head, _) => return Ok(()),
            (Overdue::Idle, Protocol::Http1) => None,
            // Answers may still be in the connection's buffer, for a client that takes none of them.
            (Overdue::Idle, Protocol::Http2) => Some(shared.limits().stall),
        },
        () = leave::<C, H>(&shared) => None,
    };
    connection.as_mut().finish();
    match patience {
        Some(patience) => timeout(patience, connection).await.unwrap_or(Ok(())),
        None => connection.await,
    }
}

/// Resolves when draining asks a connection to end.
///
/// HTTP/2 says which streams it will still answer, so it says so at once. HTTP/1
/// cannot: closing an idle connection may cross a request on its way, so it
/// stays open a little longer for the client's next request to be its last.
async fn leave<C: Connection, H>(shared: &Connections<H>) {
    match C::PROTOCOL {
        Protocol::Http1 => farewell(shared).await,
        Protocol::Http2 => shared.shutdown().until_draining().await,
    }
}
