//! A scripted Supabase: answers by route, counts, and can be made to wait.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::soon;

/// What the origin says to one request.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// A reply with this status and no body.
pub(crate) fn status(code: u16) -> Reply {
    Reply { status: StatusCode::from_u16(code).unwrap(), headers: HeaderMap::new(), body: Bytes::new() }
}

/// A reply with this text.
pub(crate) fn text(body: impl Into<Bytes>) -> Reply {
    let mut reply = status(200);
    reply.body = body.into();
    reply.header("content-type", "text/plain")
}

impl Reply {
    /// Of this media type instead.
    pub(crate) fn typed(mut self, media: &'static str) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }
}

impl From<Value> for Reply {
    fn from(body: Value) -> Self {
        (200, body).into()
    }
}

impl From<(u16, Value)> for Reply {
    fn from((code, body): (u16, Value)) -> Self {
        let mut reply = status(code);
        reply.body = body.to_string().into();
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        reply
    }
}

/// A request as the origin saw it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// `GET /rest/v1/todos`, without the query.
    pub(crate) route: String,
    /// Path and query exactly as they came.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Recorded {
    /// All values of a header, joined.
    pub(crate) fn header(&self, name: &str) -> String {
        let values: Vec<_> = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        values.join(", ")
    }
}

#[derive(Debug, Default)]
struct State {
    /// By route: the answers still to give; the last one repeats. Guarded because requests run side by side.
    replies: Mutex<HashMap<String, Vec<Reply>>>,
    seen: Mutex<Vec<Recorded>>,
    /// Routes whose answers wait, with the gate that opens them.
    gates: Mutex<HashMap<String, watch::Receiver<bool>>>,
    /// How many requests have come.
    count: watch::Sender<usize>,
}

/// An origin to be started.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    state: State,
}

/// An origin that knows nothing yet.
pub(crate) fn origin() -> Builder {
    Builder::default()
}

/// A running origin; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

/// Answers that wait; dropping this lets them go, too.
#[derive(Debug)]
pub(crate) struct Held {
    gate: watch::Sender<bool>,
}

impl Held {
    /// Lets the answers go.
    pub(crate) fn release(self) {
        self.gate.send_replace(true);
    }
}

/// The requests to one route.
#[derive(Debug)]
pub(crate) struct Saw {
    what: String,
    requests: Vec<Recorded>,
}

impl Builder {
    /// What to say to `GET /path` or `GET /path?query`. Said again, it is for the next request.
    pub(crate) fn route(self, route: &str, reply: impl Into<Reply>) -> Self {
        self.state.replies.lock().unwrap().entry(route.to_owned()).or_default().push(reply.into());
        self
    }

    /// An empty table: `[]` to reads, 201 and 204 to writes.
    pub(crate) fn table(self, name: &str) -> Self {
        let path = format!("/rest/v1/{name}");
        self.route(&format!("GET {path}"), json!([]))
            .route(&format!("HEAD {path}"), status(200).header("content-type", "application/json"))
            .route(&format!("POST {path}"), status(201))
            .route(&format!("PUT {path}"), status(201))
            .route(&format!("PATCH {path}"), status(204))
            .route(&format!("DELETE {path}"), status(204))
    }

    pub(crate) async fn start(self) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(self.state);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&state)));
        Origin { address, state, _tasks: tasks }
    }
}

impl Origin {
    /// From now on says this to a route.
    pub(crate) fn now(&self, route: &str, reply: impl Into<Reply>) {
        self.state.replies.lock().unwrap().insert(route.to_owned(), vec![reply.into()]);
    }

    /// From now on says this to a route where it is this bearer who asks.
    pub(crate) fn tells(&self, bearer: &str, route: &str, reply: impl Into<Reply>) {
        self.now(&format!("{route} as Bearer {bearer}"), reply);
    }

    /// Says this to the next request to a route, and from then on that.
    pub(crate) fn twice(&self, route: &str, next: impl Into<Reply>, then: impl Into<Reply>) {
        self.state.replies.lock().unwrap().insert(route.to_owned(), vec![next.into(), then.into()]);
    }

    /// Makes the answers to a route wait until they are released. Each has been decided when its request came.
    pub(crate) fn hold(&self, route: &str) -> Held {
        let (gate, waiting) = watch::channel(false);
        self.state.gates.lock().unwrap().insert(route.to_owned(), waiting);
        Held { gate }
    }

    /// Waits until so many requests have come to a route.
    pub(crate) async fn reached(&self, route: &str, times: usize) {
        let mut count = self.state.count.subscribe();
        let came = async { while self.saw(route).requests.len() < times && count.changed().await.is_ok() {} };
        soon(&format!("{times} times {route}"), came).await;
    }

    /// The requests to a route so far, with or without its query; `*` for all.
    pub(crate) fn saw(&self, route: &str) -> Saw {
        let seen = self.state.seen.lock().unwrap();
        let is_it = |one: &&Recorded| route == "*" || one.route == route || one.with_query() == route;
        Saw { what: route.to_owned(), requests: seen.iter().filter(is_it).cloned().collect() }
    }
}

impl Recorded {
    fn with_query(&self) -> String {
        let method = self.route.split(' ').next().unwrap_or_default();
        format!("{method} {}", self.target)
    }
}

impl Saw {
    #[track_caller]
    pub(crate) fn times(&self, times: usize) -> &Self {
        assert_eq!(self.requests.len(), times, "{}: {:#?}", self.what, self.requests);
        self
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.len()
    }

    #[track_caller]
    pub(crate) fn last(&self) -> &Recorded {
        self.requests.last().unwrap_or_else(|| panic!("the origin never saw {}", self.what))
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            let server = auto::Builder::new(TokioExecutor::new());
            let _ended = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().unwrap().as_str().to_owned();
    let route = format!("{} {}", head.method, head.uri.path());
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let recorded = Recorded { route: route.clone(), target, headers: head.headers, body };
    let exact = recorded.with_query();
    let whose = format!("{route} as {}", recorded.header("authorization"));
    state.seen.lock().unwrap().push(recorded);
    let reply = [&exact, &whose, &route].into_iter().find_map(|asked| state.next_reply(asked));
    let gate = state.gate(&exact).or_else(|| state.gate(&route));
    state.count.send_modify(|count| *count += 1);
    if let Some(mut gate) = gate {
        let _opened_or_dropped = gate.wait_for(|is_open| *is_open).await;
    }
    let unknown =
        || (404, json!({"code": "PGRST205", "message": "no such route", "details": null, "hint": null}));
    let reply = reply.unwrap_or_else(|| unknown().into());
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    Ok(response)
}

impl State {
    fn next_reply(&self, route: &str) -> Option<Reply> {
        let mut replies = self.replies.lock().unwrap();
        let queue = replies.get_mut(route)?;
        if queue.len() > 1 { Some(queue.remove(0)) } else { queue.first().cloned() }
    }

    fn gate(&self, route: &str) -> Option<watch::Receiver<bool>> {
        self.gates.lock().unwrap().get(route).cloned()
    }
}
