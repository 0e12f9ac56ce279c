//! What is the least that forwarding can cost with hyper? The limit for a miss.
//!
//! `bare_proxy PORT UPSTREAM_PORT`: every request goes to the upstream over a pool, its
//! answer is streamed back, nothing is looked at and nothing is kept.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Body = Either<Incoming, Empty<Bytes>>;

struct Proxy {
    client: Client<HttpConnector, Incoming>,
    upstream: String,
}

impl Proxy {
    async fn forward(&self, mut request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let target = Uri::try_from(format!("http://{}{path}", self.upstream)).expect("a path makes a target");
        *request.uri_mut() = target;
        let host = HeaderValue::from_str(&self.upstream).expect("an address is a header value");
        request.headers_mut().insert(header::HOST, host);
        request.headers_mut().remove(header::CONNECTION);
        match self.client.request(request).await {
            Ok(response) => response.map(Either::Left),
            Err(_) => {
                let mut failed = Response::new(Either::Right(Empty::new()));
                *failed.status_mut() = StatusCode::BAD_GATEWAY;
                failed
            }
        }
    }
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a peer has no tracker: its tasks end with it")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().and_then(|port| port.parse().ok()).expect("a port");
    let upstream: u16 = arguments.next().and_then(|port| port.parse().ok()).expect("the upstream's port");
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let proxy = Arc::new(Proxy { client, upstream: format!("127.0.0.1:{upstream}") });
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let _best_effort = connection.set_nodelay(true);
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let proxy = Arc::clone(&proxy);
                async move { Ok::<_, Infallible>(proxy.forward(request).await) }
            });
            let io = TokioIo::new(connection);
            // a client that leaves is no failure of a measurement
            let _ended = http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service).await;
        });
    }
}
