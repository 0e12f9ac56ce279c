//! How do connections get in? Accepted up to a limit, each in a task that the shutdown waits for.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use prometheus::{IntCounter, IntGauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::proxy::Peer;
use crate::workers::{Seat, Workers};

use super::connection::{self, Connections};
use super::limits::Limits;
use super::shutdown::Shutdown;
use super::tls::Tls;

/// Accepting fails for want of something (descriptors, memory) that a client must give back first.
const BACKOFF_FIRST: Duration = Duration::from_millis(5);
/// Long enough to be no load, short enough to be back at once.
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// Connections taken from the kernel's queue when draining begins: what Linux queues at most by default.
const QUEUE_MAX: usize = 4096;

/// A connection's place among those that may be open at a time, given back when it closes.
#[derive(Debug)]
pub(super) struct Place {
    open: Option<IntGauge>,
    _permit: OwnedSemaphorePermit,
    _seat: Seat,
}

impl Place {
    fn take(permit: OwnedSemaphorePermit, seat: Seat, open: Option<&IntGauge>) -> Place {
        if let Some(open) = open {
            open.inc();
        }
        Place { open: open.cloned(), _permit: permit, _seat: seat }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.dec();
        }
    }
}

/// What waits behind a listening socket.
#[derive(Clone, Debug)]
pub struct Entrance<H> {
    pub limits: Limits,
    /// Where connections live.
    pub workers: Workers,
    /// Clients speak TLS where this is given.
    pub tls: Option<Tls>,
    pub shutdown: Shutdown,
    /// Counts the connections open.
    pub open: Option<IntGauge>,
    /// Handlers that panicked.
    pub panics: IntCounter,
    /// Answers a request.
    pub handler: H,
}

/// Accepts connections until draining begins. Spawn it on the shutdown's own tasks.
pub async fn serve<H, F, B>(listener: TcpListener, entrance: Entrance<H>)
where
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connections = Arc::new(Semaphore::new(entrance.limits.connections));
    let (open, workers) = (entrance.open.clone(), entrance.workers.clone());
    let shared = Arc::new(Connections::new(entrance));
    let admit = |stream: TcpStream, address, permit| {
        // Answers are written whole; waiting for more to send would only delay their last packet.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%address, %error, "cannot set TCP_NODELAY");
        }
        let seat = workers.seat();
        let runtime = seat.runtime().clone();
        let place = Place::take(permit, seat, open.as_ref());
        let shared_there = Arc::clone(&shared);
        let serving = async move {
            match moved(stream) {
                Ok(stream) => connection::serve(shared_there, stream, address, place).await,
                Err(error) => debug!(%address, %error, "a connection could not be moved to its thread"),
            }
        };
        shared.shutdown().tasks().spawn_on(serving, &runtime);
    };
    let draining = shared.shutdown().draining().clone();
    loop {
        let next = accept(&listener, &connections);
        let (stream, address, permit) = tokio::select! {
            biased;
            () = draining.cancelled() => break,
            next = next => next,
        };
        admit(stream, address, permit);
    }
    // Clients in the queue believe that they are connected: closing the socket would reset them.
    for _ in 0..QUEUE_MAX {
        let Some((stream, address)) = queued(&listener).await else { break };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { break };
        admit(stream, address, permit);
    }
}

/// The same connection, woken by the runtime that calls.
fn moved(stream: TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(stream.into_std()?)
}

/// Waits for room and then for a client.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = loop {
        // The semaphore is never closed: an error cannot happen, and would mean "not now".
        if let Ok(permit) = Arc::clone(connections).acquire_owned().await {
            break permit;
        }
    };
    let mut backoff = BACKOFF_FIRST;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address, permit),
            Err(error) if is_about_one_client(&error) => {
                debug!(%error, "a client left before it was accepted")
            }
            Err(error) => {
                warn!(%error, "cannot accept connections: waiting");
                sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

/// A client that the kernel has already connected.
async fn queued(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    tokio::select! {
        biased;
        accepted = listener.accept() => accepted.ok(),
        () = std::future::ready(()) => None,
    }
}

fn is_about_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
