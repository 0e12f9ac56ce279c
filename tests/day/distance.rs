//! How far away is the upstream? A quarter of a second, as a project in another country is; what passes is counted.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a request waits for beside the work itself.
const AWAY: Duration = Duration::from_millis(250);

/// Stands between the proxies and the upstream, as long as it is kept.
pub(crate) struct Distance {
    pub(crate) address: String,
    asked: Arc<AtomicU64>,
    _serving: JoinSet<()>,
}

type Body = Either<Incoming, Empty<Bytes>>;

impl Distance {
    pub(crate) async fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicU64::new(0));
        let way = Arc::new(Way {
            // the upstream closes what is idle when it likes: a connection is used once
            client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http(),
            upstream: upstream.trim_start_matches("http://").to_owned(),
            asked: Arc::clone(&asked),
        });
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let way = Arc::clone(&way);
                let service = service_fn(move |request| {
                    let way = Arc::clone(&way);
                    async move { Ok::<_, Infallible>(way.go(request).await) }
                });
                let serving = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(connection), service);
                connections.spawn(async move {
                    let _closed = serving.await;
                });
            }
        });
        Self { address, asked, _serving: serving }
    }

    /// How many requests have come this way.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

struct Way {
    client: Client<HttpConnector, Incoming>,
    upstream: String,
    asked: Arc<AtomicU64>,
}

impl Way {
    async fn go(&self, mut request: Request<Incoming>) -> Response<Body> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(AWAY).await;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = Uri::try_from(format!("http://{}{path}", self.upstream)).unwrap();
        let host = HeaderValue::from_str(&self.upstream).unwrap();
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
