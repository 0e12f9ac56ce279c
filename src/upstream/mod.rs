//! The server behind us: how a request gets there and its answer back.
//!
//! Connections are pooled and every wait has an end. A connection is never used
//! again after an error, an answer that came before its request was complete, or
//! a body that was not read to its end. Nothing is ever sent twice, except a
//! read whose connection turned out to be dead before a byte of an answer came.
//! This folder does not know what a cache is.

mod deadline;
mod forwarded;
mod headers;
mod request;

pub use deadline::{BodyFailure, Bounded, IncomingBody};
pub use forwarded::{Arrival, BadNetwork, TrustedProxies};
pub use headers::{
    BadAnswer, clean_request, clean_response, connection_options, is_end_to_end, put_back_upgrade,
};
pub use request::{Outgoing, OutgoingBody};

use headers::vet_answer;

use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{HttpConnector, capture_connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// How long an unused connection is kept: under the 60 s after which common
/// gateways close it, so that a request rarely meets a closing one.
const IDLE: Duration = Duration::from_secs(50);

/// Largest head of an answer, in bytes. PostgREST's are under 2 KB.
const ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of body that HTTP/2 lets the upstream send ahead on one stream.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    authority: Authority,
}

/// Why a text names no upstream.
#[derive(Debug, thiserror::Error)]
pub enum OriginMistake {
    /// Not a URL at all.
    #[error("not a URL")]
    Url(#[from] http::uri::InvalidUri),
    /// Neither http nor https.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// A user, a path or a query, which could not be honoured.
    #[error("must name a host and nothing else, as in https://<project>.supabase.co")]
    More,
}

impl Origin {
    /// Parses `https://<project>.supabase.co`.
    pub fn parse(text: &str) -> Result<Self, OriginMistake> {
        let parts = text.parse::<Uri>()?.into_parts();
        let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let (Some(scheme), Some(authority)) = (scheme, parts.authority) else {
            return Err(OriginMistake::Scheme);
        };
        let is_bare = parts.path_and_query.is_none_or(|path| path == "/");
        if !is_bare || authority.as_str().contains('@') {
            return Err(OriginMistake::More);
        }
        Ok(Self { scheme, authority })
    }

    /// Host and port, as sent in `Host`.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The URL of a target here. The target's bytes are kept as they are: nothing is joined or resolved.
    fn url(&self, target: PathAndQuery) -> Result<Uri, http::uri::InvalidUriParts> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        Uri::from_parts(parts)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// The waits on the way to the upstream.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For a connection to stand, TLS included.
    pub connect: Duration,
    /// For the head of the answer, from when the request was sent.
    pub answer: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection came about: nothing was sent.
    #[error("cannot connect to the upstream")]
    Connect(#[source] ClientError),
    /// The connection broke before the head of an answer.
    #[error("the upstream broke off")]
    Broken(#[source] ClientError),
    /// No head of an answer within `--upstream-timeout`.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// An answer that must not be passed on.
    #[error(transparent)]
    Bad(BadAnswer),
    /// The target cannot be written as a request line.
    #[error("the target is no request line")]
    Target(#[source] http::Error),
}

impl Failure {
    /// What a gateway answers for this.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Connect(_) | Self::Broken(_) | Self::Bad(_) | Self::Target(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// Is it certain that the upstream never saw the request?
    pub fn never_sent(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Target(_) => true,
            Self::Broken(_) | Self::Timeout | Self::Bad(_) => false,
        }
    }
}

/// An answer whose body is still to come.
pub type Answer = Response<Bounded<Incoming>>;

/// The upstream and the connections to it.
#[derive(Clone, Debug)]
pub struct Upstream {
    origin: Arc<Origin>,
    deadlines: Deadlines,
    client: Client<HttpsConnector<HttpConnector>, OutgoingBody>,
    /// Upgrades exist in HTTP/1.1 only, so they never go over a connection that negotiated HTTP/2.
    upgrading: Client<HttpsConnector<HttpConnector>, OutgoingBody>,
}

impl Upstream {
    /// Connects to nothing yet; the first request does.
    pub fn new(origin: Origin, deadlines: Deadlines, tls: rustls::ClientConfig) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(deadlines.connect));
        tcp.set_keepalive(Some(Duration::from_secs(15)));
        let https = |tls| HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let either = https(tls.clone()).enable_all_versions().wrap_connector(tcp.clone());
        let http1 = https(tls).enable_http1().wrap_connector(tcp);
        Self {
            origin: Arc::new(origin),
            deadlines,
            client: pool().build(either),
            upgrading: pool().build(http1),
        }
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
        let connection = capture_connection(&mut request);
        let client = if wants_upgrade { &self.upgrading } else { &self.client };
        // Connecting has its own, shorter wait inside; this one covers both.
        let wait = self.deadlines.connect + self.deadlines.answer;
        let answer = match tokio::time::timeout(wait, client.request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.is_connect() => return Err(Failure::Connect(error)),
            Ok(Err(error)) => return Err(Failure::Broken(error)),
            Err(_elapsed) => return Err(Failure::Timeout),
        };
        if !progress.is_complete() {
            // An answer before its request was sent: what follows on this connection belongs to nobody.
            if let Some(connected) = connection.connection_metadata().as_ref() {
                connected.poison();
            }
        }
        let (head, body) = answer.into_parts();
        vet_answer(&head, wants_upgrade).map_err(Failure::Bad)?;
        Ok(Response::from_parts(head, Bounded::new(body)))
    }

    /// Sends a read. A connection that dies before a byte of the answer is
    /// replaced once: reads change nothing, so asking again is safe.
    pub async fn read(&self, make: impl Fn() -> Outgoing) -> Result<Answer, Failure> {
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

/// TLS as a client: the system's roots and, for images without any, Mozilla's.
pub fn client_tls() -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    match builder.with_safe_default_protocol_versions() {
        Ok(builder) => builder.with_root_certificates(roots).with_no_client_auth(),
        Err(error) => unreachable!("ring offers TLS 1.2 and 1.3: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_host_and_nothing_else() {
        for (text, good) in [
            ("https://abc.supabase.co", true),
            ("http://127.0.0.1:54321/", true),
            ("http://[::1]:3000", true),
            ("ftp://abc", false),
            ("abc.supabase.co", false),
            ("https://user:secret@abc.supabase.co", false),
            ("https://abc.supabase.co/rest/v1", false),
            ("https://abc.supabase.co/?apikey=x", false),
            ("", false),
        ] {
            assert_eq!(Origin::parse(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn targets_are_never_joined_or_resolved() {
        let origin = Origin::parse("http://up:3000").unwrap();
        for target in ["//evil/a", "/http://evil/", "/a/../b", "/%zz?x=%0d", "/a?b=c;d"] {
            let url = origin.url(PathAndQuery::try_from(target).unwrap()).unwrap();
            assert_eq!(url.authority().unwrap(), "up:3000");
            assert_eq!(url.path_and_query().unwrap().as_str(), target);
        }
    }
}
