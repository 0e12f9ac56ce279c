//! The way to the upstream, one step after another: its name, a connection, TLS, an answer, the time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, DATE, HOST};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::doctor::{Callers as Found, Finding, Upstream};
use crate::identity::{APIKEY, Keys};
use crate::upstream::client_tls;

use super::super::jwks::{KeySource, ask_keys};
use super::super::settings::Settings;

/// Where PostgREST answers on every project.
const REST: &str = "/rest/v1/";

/// Longest wait for an answer: a person waits for it.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Bytes of an answer that are looked at; what a gateway says about a key is far shorter.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// So many answers are timed, and the quickest is told: the first may wait for a database to wake up.
const TIMED: usize = 3;

/// A connection to the upstream.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An answer as far as it matters here.
struct Answered {
    status: StatusCode,
    took: Duration,
    /// In milliseconds since 1970: ours half-way, and the upstream's.
    clocks: Option<(u64, u64)>,
    /// Whether what it says is about the key.
    blames_key: bool,
}

/// Looks at the upstream and at the public keys there.
pub(super) async fn look(settings: &Settings, clock: &Clock) -> Vec<Finding> {
    let mut found = Vec::new();
    let tasks = TaskTracker::new();
    let mut told = Vec::new();
    let sender = connect(settings, clock, &tasks, &mut told).await;
    found.extend(told.into_iter().map(Finding::Upstream));
    let public_key = settings.callers.as_ref().and_then(|callers| callers.verifier.api_keys().first());
    let key = public_key.and_then(|key| HeaderValue::try_from(key).ok());
    let mut answered = None;
    if let Some(mut sender) = sender {
        match ask(settings, clock, &mut sender, key.as_ref()).await {
            Err(why) => found.push(Finding::Upstream(Upstream::Silent { why })),
            Ok(answer) => {
                found.push(Finding::Upstream(Upstream::of_answer(answer.status.as_u16(), answer.took)));
                found.push(Finding::Upstream(match answer.clocks {
                    Some((ours, theirs)) => Upstream::of_clock(ours, theirs, answer.took),
                    None => Upstream::NoClock,
                }));
                answered = Some(answer);
            }
        }
    }
    found.extend(keys(settings, clock, answered.as_ref()).into_iter().map(Finding::Callers));
    found
}

/// Goes as far as a connection that can be asked.
async fn connect(
    settings: &Settings,
    clock: &Clock,
    tasks: &TaskTracker,
    found: &mut Vec<Upstream>,
) -> Option<SendRequest<Empty<Bytes>>> {
    let (origin, wait) = (&settings.upstream, settings.upstream_connect_timeout);
    let host = origin.host().to_owned();
    let began = clock.now();
    let looked_up = within(wait, lookup_host((origin.host(), origin.port()))).await;
    let addresses: Vec<SocketAddr> = match looked_up.map(Iterator::collect) {
        Ok(addresses) => addresses,
        Err(why) => {
            found.push(Upstream::Unresolved { host, why });
            return None;
        }
    };
    let took = clock.now().saturating_duration_since(began);
    found.push(Upstream::Resolved { host: host.clone(), addresses: addresses.len(), took });

    let began = clock.now();
    let stream = match within(wait, TcpStream::connect(addresses.as_slice())).await {
        Ok(stream) => stream,
        Err(why) => {
            found.push(Upstream::Unconnected { host: origin.authority().to_string(), why });
            return None;
        }
    };
    let address = stream.peer_addr().map_or_else(|_| host.clone(), |address| address.to_string());
    let took = clock.now().saturating_duration_since(began);
    let is_near = stream.peer_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
    found.push(Upstream::Connected { address, took });

    let stream: Box<dyn Stream> = if origin.is_secure() {
        Box::new(secure(settings, clock, stream, found).await?)
    } else {
        if !is_near {
            found.push(Upstream::Plain { host });
        }
        Box::new(stream)
    };
    match http1::handshake(TokioIo::new(stream)).await {
        Ok((sender, connection)) => {
            // ends with the sender
            tasks.spawn(connection);
            Some(sender)
        }
        Err(error) => {
            found.push(Upstream::Silent { why: error.to_string() });
            None
        }
    }
}

async fn secure(
    settings: &Settings,
    clock: &Clock,
    stream: TcpStream,
    found: &mut Vec<Upstream>,
) -> Option<tokio_rustls::client::TlsStream<TcpStream>> {
    let name = match ServerName::try_from(settings.upstream.host().to_owned()) {
        Ok(name) => name,
        Err(error) => {
            found.push(Upstream::Unsecured { why: error.to_string() });
            return None;
        }
    };
    let began = clock.now();
    let connector = TlsConnector::from(Arc::new(client_tls()));
    match within(settings.upstream_connect_timeout, connector.connect(name, stream)).await {
        Ok(stream) => {
            let version = stream.get_ref().1.protocol_version();
            let version =
                version.and_then(|version| version.as_str()).unwrap_or("TLS").replace("TLSv", "TLS ");
            let took = clock.now().saturating_duration_since(began);
            found.push(Upstream::Secured { version: version.replace('_', "."), took });
            Some(stream)
        }
        Err(why) => {
            found.push(Upstream::Unsecured { why });
            None
        }
    }
}

/// Asks for the root, with the first public key where there is one, as often as it is timed.
async fn ask(
    settings: &Settings,
    clock: &Clock,
    sender: &mut SendRequest<Empty<Bytes>>,
    key: Option<&HeaderValue>,
) -> Result<Answered, String> {
    let mut best: Option<Answered> = None;
    for _ in 0..TIMED {
        let answer = match timeout(ANSWER_WAIT, ask_once(settings, clock, sender, key)).await {
            Ok(Ok(answer)) => answer,
            // an answer before it counts: some close after each
            Ok(Err(error)) => return best.ok_or(error),
            Err(_elapsed) => return best.ok_or(format!("no answer within {} s", ANSWER_WAIT.as_secs())),
        };
        if best.as_ref().is_none_or(|best| answer.took < best.took) {
            best = Some(answer);
        }
    }
    best.ok_or_else(|| "it was not asked".to_owned())
}

async fn ask_once(
    settings: &Settings,
    clock: &Clock,
    sender: &mut SendRequest<Empty<Bytes>>,
    key: Option<&HeaderValue>,
) -> Result<Answered, String> {
    let mut request = Request::get(REST).header(HOST, settings.upstream.authority().as_str());
    if let Some(key) = key {
        request = request.header(APIKEY, key);
        // an anon key is a token, too; a publishable one means nothing there
        if key.as_bytes().starts_with(b"ey")
            && let Ok(line) = HeaderValue::try_from([b"Bearer ", key.as_bytes()].concat())
        {
            request = request.header(AUTHORIZATION, line);
        }
    }
    let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
    let (began, at) = (clock.now(), clock.unix_millis());
    sender.ready().await.map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let took = clock.now().saturating_duration_since(began);
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let said = body.map_or_else(|_too_long| Bytes::new(), |body| body.to_bytes());
    let half = u64::try_from((took / 2).as_millis()).unwrap_or(0);
    Ok(Answered {
        status: head.status,
        took,
        clocks: date(&head.headers).map(|theirs| (at + half, theirs)),
        blames_key: blames_key(&said),
    })
}

/// The middle of the second that `Date` names.
fn date(headers: &HeaderMap) -> Option<u64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().map(|millis| millis + 500)
}

/// A gateway's words about a key, as Kong, Envoy and hosted projects have them; PostgREST speaks of tokens (`PGRST3…`).
fn blames_key(said: &[u8]) -> bool {
    let said = String::from_utf8_lossy(said).to_ascii_lowercase();
    ["api key", "apikey", "pgrst301", "unauthorized", "invalid authentication"]
        .iter()
        .any(|word| said.contains(word))
}

/// What is known of the public keys, and what the upstream says to the first.
fn keys(settings: &Settings, clock: &Clock, answered: Option<&Answered>) -> Vec<Found> {
    let Some(callers) = &settings.callers else { return vec![Found::NoPublicKey] };
    let api_keys = callers.verifier.api_keys();
    let mut found = Vec::new();
    for (kind, ends) in api_keys.known() {
        let kind = kind.as_str();
        found.push(Found::PublicKey { kind });
        found.extend(ends.map(|ends| Found::of_end(kind, ends, clock.unix_seconds())));
    }
    let Some((first, _)) = api_keys.known().next() else { return vec![Found::NoPublicKey] };
    if let Some(Answered { status, blames_key, .. }) = answered {
        found.push(Found::of_answer(first.as_str(), status.as_u16(), *blames_key));
    }
    if let Some(is_signed) = api_keys.are_signed_by(&callers.secrets) {
        found.push(if is_signed { Found::SecretFits } else { Found::SecretForeign });
    }
    found
}

/// Looks at the key sets of the upstream and of other issuers.
pub(super) async fn look_at_key_sets(settings: &Settings, clock: &Clock) -> Vec<Finding> {
    let Some(callers) = &settings.callers else { return vec![Finding::Callers(Found::VerifiesNothing)] };
    let own: Keys = callers.secrets.clone();
    let sources = callers.key_sources(&settings.upstream);
    let looks = sources.iter().map(|source| look_at_key_set(source, clock));
    let looked = futures_util::future::join_all(looks).await;
    let has_secret = !own.is_empty();
    let mut keys = own.len();
    let mut found = Vec::new();
    for (count, told) in looked {
        keys += count;
        // a project that signs with its secret publishes nothing, and needs not
        if !(has_secret && matches!(told, Found::NoKeysIn { .. })) {
            found.push(told);
        }
    }
    found.push(Found::of_keys(keys));
    found.into_iter().map(Finding::Callers).collect()
}

async fn look_at_key_set(source: &KeySource, clock: &Clock) -> (usize, Found) {
    let began = clock.now();
    match ask_keys(source, client_tls()).await {
        Ok(keys) => {
            let took = clock.now().saturating_duration_since(began);
            (keys, Found::of_key_set(source.to_string(), keys, took))
        }
        Err(why) => (0, Found::KeySetAway { source: source.to_string(), why }),
    }
}

/// In time, or why not.
async fn within<T>(wait: Duration, asked: impl Future<Output = std::io::Result<T>>) -> Result<T, String> {
    match timeout(wait, asked).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_elapsed) => {
            Err(format!("nothing within {:.1} s (--upstream-connect-timeout)", wait.as_secs_f64()))
        }
    }
}
