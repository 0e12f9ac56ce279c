//! What is the least that an answer from memory can cost with hyper? The limit for a hit.
//!
//! `bare_server PORT ROWS`: every request gets the same list, with nothing done for it.

mod rows;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.headers_mut() = self.headers.clone();
        response
    }
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a peer has no tracker: its tasks end with it")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().and_then(|port| port.parse().ok()).expect("a port");
    let rows: usize = arguments.next().and_then(|rows| rows.parse().ok()).expect("a number of rows");
    let answer = Arc::new(Answer { headers: rows::headers(rows), body: rows::list(rows) });
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let _best_effort = connection.set_nodelay(true);
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            let service = service_fn(|_| std::future::ready(Ok::<_, Infallible>(answer.response())));
            let io = TokioIo::new(connection);
            // a client that leaves is no failure of a measurement
            let _ended = http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service).await;
        });
    }
}
