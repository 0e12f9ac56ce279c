//! Who stands in for Supabase in a measurement: fast, or as slow as asked, and counting?
//!
//! `origin PORT DELAY_MS`: a GET of any path gets a list of `limit=N` rows after the delay;
//! any other method gets 204 at once. `GET /requests` says how many requests there were.

mod rows;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The lists that can be asked for; any other number of rows gets the first.
const ROWS: [usize; 3] = [4, 64, 1024];

struct Origin {
    lists: HashMap<usize, (HeaderMap, Bytes)>,
    delay: Duration,
    requests: AtomicU64,
}

impl Origin {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path() == "/requests" {
            return Response::new(Full::from(self.requests.load(Ordering::Relaxed).to_string()));
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        if request.method() != Method::GET {
            let _drained = request.into_body().collect().await;
            let mut done = Response::new(Full::default());
            *done.status_mut() = StatusCode::NO_CONTENT;
            return done;
        }
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        let asked = limit(request.uri().query().unwrap_or_default());
        let (headers, body) = self.lists.get(&asked).unwrap_or(&self.lists[&ROWS[0]]);
        let mut response = Response::new(Full::new(body.clone()));
        *response.headers_mut() = headers.clone();
        response
    }
}

/// The value of `limit`, the first of that name.
fn limit(query: &str) -> usize {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("limit="));
    value.and_then(|value| value.parse().ok()).unwrap_or(ROWS[0])
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a peer has no tracker: its tasks end with it")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().and_then(|port| port.parse().ok()).expect("a port");
    let delay: u64 = arguments.next().and_then(|delay| delay.parse().ok()).expect("a delay in ms");
    let lists = ROWS.into_iter().map(|rows| (rows, (rows::headers(rows), rows::list(rows)))).collect();
    let delay = Duration::from_millis(delay);
    let origin = Arc::new(Origin { lists, delay, requests: AtomicU64::new(0) });
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let _best_effort = connection.set_nodelay(true);
        let origin = Arc::clone(&origin);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let origin = Arc::clone(&origin);
                async move { Ok::<_, Infallible>(origin.answer(request).await) }
            });
            let io = TokioIo::new(connection);
            // a client that leaves is no failure of a measurement
            let _ended = http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service).await;
        });
    }
}
