//! Who closes a connection first? The client, who alone knows that no request of its own is on its way.
//!
//! A server that closes an idle connection may cross the next request on it, which then fails with "connection closed
//! before message completed", and HTTP/1.1 has no word to prevent it. Larder gives a connection up that has said
//! nothing for 10 s, or for 75 s between two requests. These here are opened for a request, never ahead, and left
//! after less: so whatever is closed under a request was closed by mistake.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Long before the proxy gives an idle connection up, however busy the machine is.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// One answer.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("no connection")]
    Connecting(#[source] std::io::Error),
    #[error("{}", if *.is_first { "a new connection" } else { "a connection that had answered before" })]
    Exchange { is_first: bool, source: hyper::Error },
}

/// Those to one proxy that wait for their next request, the latest last.
#[derive(Debug)]
pub(super) struct Connections {
    address: SocketAddr,
    /// A plain mutex: held to take one or to put one back.
    idle: Mutex<VecDeque<(Instant, SendRequest<Full<Bytes>>)>>,
}

impl Connections {
    pub(super) fn to(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks; a caller that drops this breaks its connection.
    pub(super) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answered, Broken> {
        let mut request = request;
        loop {
            let (is_first, mut connection) = match self.latest() {
                Some(connection) => (false, connection),
                None => (true, self.open().await.map_err(Broken::Connecting)?),
            };
            let response = match connection.try_send_request(request).await {
                Ok(response) => response,
                Err(mut failed) => match failed.take_message() {
                    // closed before a byte of it was sent: for another connection
                    Some(unsent) if !is_first => {
                        request = unsent;
                        continue;
                    }
                    Some(_) | None => {
                        return Err(Broken::Exchange { is_first, source: failed.into_error() });
                    }
                },
            };
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|source| Broken::Exchange { is_first, source })?;
            self.put_back(connection);
            return Ok(Answered { status: head.status, headers: head.headers, body: body.to_bytes() });
        }
    }

    fn latest(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while idle.front().is_some_and(|(since, _)| since.elapsed() >= IDLE_MAX) {
            idle.pop_front();
        }
        std::iter::from_fn(|| idle.pop_back())
            .map(|(_, connection)| connection)
            .find(|connection| !connection.is_closed())
    }

    fn put_back(&self, connection: SendRequest<Full<Bytes>>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push_back((Instant::now(), connection));
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, std::io::Error> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (connection, speaking) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(speaking);
        Ok(connection)
    }
}
