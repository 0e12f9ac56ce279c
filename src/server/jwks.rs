//! Are the keys for tokens current?
//!
//! One task for each key set fetches it at the start, from time to time, and
//! when a token names a key that nobody knows, which tokens can provoke only
//! once in a while. A set that cannot be fetched is believed until it is too
//! old, and then nothing is verified with it: tokens pass through, none is
//! trusted. Redirects are not followed.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use crate::agent::AGENT;
use crate::causes::in_full;
use crate::identity::{Issuers, JWKS_BYTES_MAX, JwksMistake, Keys, PublicKeys, Verifier};
use crate::metrics::Metrics;
use crate::upstream::Origin;

use super::shutdown::Shutdown;

/// Where Supabase publishes its keys.
const UPSTREAM_PATH: &str = "/auth/v1/.well-known/jwks.json";

/// Largest head of an answer, in bytes; that of a key set is under 2 KB.
const ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;

/// How often, how long, how old.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Between fetches that succeed: half of the age, so that one failure is no outage.
    refresh: Duration,
    /// Between fetches that do not, and at least between two that tokens provoke.
    cool_down: Duration,
    /// From when a good fetch was begun. Supabase's own documents allow a copy this age;
    /// a key that was taken back is refused after it.
    max_age: Duration,
    /// For one fetch. An old set may be used for this much longer while a fetch is under way.
    fetch: Duration,
}

const PACE: Pace = Pace {
    refresh: Duration::from_mins(5),
    cool_down: Duration::from_secs(30),
    max_age: Duration::from_mins(10),
    fetch: Duration::from_secs(5),
};

/// A key set and whom its keys vouch for.
#[derive(Clone)]
pub struct KeySource {
    url: Uri,
    issuers: Issuers,
}

/// Why a text names no key set.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceMistake {
    /// Not a URL at all.
    #[error("not a URL")]
    Url(#[from] http::uri::InvalidUri),
    /// Whoever can change the keys on their way can be anybody.
    #[error("the URL of a key set begins with https://")]
    Scheme,
    /// Credentials in a URL end up in logs.
    #[error("the URL of a key set has no user and no password")]
    User,
}

impl KeySource {
    /// The issuer in the tokens of a project whose public address is that of the upstream.
    pub fn upstream_issuer(origin: &Origin) -> String {
        format!("{origin}/auth/v1")
    }

    /// The keys of the upstream itself, which is as trusted as its answers are.
    pub fn of_upstream(origin: &Origin, issuers: Issuers) -> Result<Self, KeySourceMistake> {
        Ok(Self { url: format!("{origin}{UPSTREAM_PATH}").parse()?, issuers })
    }

    /// The keys of another issuer.
    pub fn of_issuer(url: &str, issuers: Issuers) -> Result<Self, KeySourceMistake> {
        let url: Uri = url.parse()?;
        if url.scheme() != Some(&Scheme::HTTPS) {
            return Err(KeySourceMistake::Scheme);
        }
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(KeySourceMistake::User);
        }
        Ok(Self { url, issuers })
    }
}

/// Without the query, which may hold anything.
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        write!(f, "{}://{host}{}", self.url.scheme_str().unwrap_or_default(), self.url.path())
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySource({self})")
    }
}

/// Keeps a verifier's keys current until the process drains.
pub(super) fn keep_keys(
    key_ring: &Arc<KeyRing>,
    sources: Vec<KeySource>,
    tls: rustls::ClientConfig,
    shutdown: &Shutdown,
) {
    let client = client(tls);
    for (slot, source) in sources.into_iter().enumerate() {
        let client = client.clone();
        let keeper = Keeper::new(slot, source.to_string(), Arc::clone(key_ring), PACE);
        let kept = keeper.keep(move || fetch(client.clone(), source.url.clone()));
        let draining = shutdown.draining().clone();
        // Nothing is lost when a fetch is dropped half-way.
        shutdown.tasks().spawn(async move { draining.run_until_cancelled(kept).await });
    }
}

/// Why a key set could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no answer within {} s", PACE.fetch.as_secs())]
    Slow,
    #[error("not a request")]
    Request(#[from] http::Error),
    #[error("no answer")]
    NoAnswer(#[from] hyper_util::client::legacy::Error),
    #[error("answered with {0}")]
    Status(StatusCode),
    #[error("the answer broke off")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    #[error("the answer is no key set")]
    Set(#[from] JwksMistake),
}

/// Fetches a key set once, and says how many keys it has, or why it cannot be had.
pub(super) async fn ask_keys(source: &KeySource, tls: rustls::ClientConfig) -> Result<usize, String> {
    let fetched = timeout(PACE.fetch, fetch(client(tls), source.url.clone())).await;
    fetched.unwrap_or(Err(FetchError::Slow)).map(|set| set.len()).map_err(|error| in_full(&error))
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

fn client(tls: rustls::ClientConfig) -> HttpClient {
    let https =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().build();
    // Fetches are minutes apart: no connection is worth keeping.
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .http1_max_buf_size(ANSWER_HEAD_BYTES_MAX)
        .build(https)
}

async fn fetch(client: HttpClient, url: Uri) -> Result<PublicKeys, FetchError> {
    let json = HeaderValue::from_static("application/json");
    let request = Request::get(url).header(ACCEPT, json).header(USER_AGENT, AGENT).body(Empty::new())?;
    let answer = client.request(request).await?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(answer.status()));
    }
    let body = Limited::new(answer.into_body(), JWKS_BYTES_MAX).collect().await.map_err(|error| {
        let is_large = error.is::<LengthLimitError>();
        if is_large { FetchError::Set(JwksMistake::Large) } else { FetchError::Broken(error) }
    })?;
    Ok(PublicKeys::parse(&body.to_bytes())?)
}

/// All sets together, which is what the verifier wants.
#[derive(Debug)]
pub(super) struct KeyRing {
    verifier: Arc<Verifier>,
    /// The keys that are configured and never fetched.
    secrets: Keys,
    metrics: Metrics,
    /// Whether it was said that there is nothing to verify tokens with.
    is_told: AtomicBool,
    /// How many sources have been asked, whatever came of it.
    asked: watch::Sender<usize>,
    /// One for each source. Held while the verifier is given its keys, so that the last to write is the last to give.
    sets: Mutex<Vec<(Option<PublicKeys>, Issuers)>>,
}

impl KeyRing {
    pub(super) fn new(
        verifier: Arc<Verifier>,
        secrets: Keys,
        sources: &[KeySource],
        metrics: Metrics,
    ) -> Arc<Self> {
        show(&metrics, &secrets);
        let sets = sources.iter().map(|source| (None, source.issuers.clone())).collect();
        let (is_told, asked) = (AtomicBool::new(false), watch::Sender::new(0));
        Arc::new(Self { verifier, secrets, metrics, is_told, asked, sets: Mutex::new(sets) })
    }

    /// Waits until every source has been asked once.
    pub(super) async fn asked(&self) {
        let sources = self.sets.lock().unwrap_or_else(PoisonError::into_inner).len();
        let mut asked = self.asked.subscribe();
        let _it_lives_as_long_as_this = asked.wait_for(|asked| *asked >= sources).await;
    }

    /// Says once, after the first fetch, that no token can be verified, and what would change it.
    fn tell_if_empty(&self) {
        if !self.verifier.can_verify_anything() && !self.is_told.swap(true, Ordering::Relaxed) {
            warn!(
                "no token can be verified, so signed-in callers pass through uncached: set SUPABASE_JWT_SECRET \
                 (dashboard, Settings, JWT Keys), or let the project sign with an asymmetric key; \
                 rules with `scope: token` need neither"
            );
        }
    }

    /// Puts a set in its place; equal keys change nothing, so that what they verified stays remembered.
    fn put(&self, slot: usize, set: Option<PublicKeys>) -> bool {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if sets[slot].0 == set {
            return false;
        }
        sets[slot].0 = set;
        let known = sets.iter().filter_map(|(set, issuers)| Some((set.as_ref()?, issuers)));
        let keys = known.fold(self.secrets.clone(), |keys, (set, issuers)| keys.with(set, issuers.clone()));
        show(&self.metrics, &keys);
        self.verifier.replace_keys(keys);
        true
    }
}

fn show(metrics: &Metrics, keys: &Keys) {
    metrics.token_keys.set(i64::try_from(keys.len()).unwrap_or(i64::MAX));
}

/// What is known about one key set. Each change is one line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing yet.
    New,
    /// The last fetch succeeded.
    Good,
    /// The last fetch failed; the set before it is used, if there is one.
    Failing,
    /// Too old to be believed.
    Dropped,
}

/// Keeps one key set current.
#[derive(Debug)]
struct Keeper {
    slot: usize,
    /// For the log.
    name: String,
    key_ring: Arc<KeyRing>,
    pace: Pace,
    unknown_keys: watch::Receiver<()>,
    state: State,
    /// When the fetch began that gave the set in use.
    good_since: Option<Instant>,
}

impl Keeper {
    fn new(slot: usize, name: String, key_ring: Arc<KeyRing>, pace: Pace) -> Self {
        let unknown_keys = key_ring.verifier.unknown_keys();
        Self { slot, name, key_ring, pace, unknown_keys, state: State::New, good_since: None }
    }

    async fn keep<F>(mut self, fetch: impl Fn() -> F)
    where
        F: Future<Output = Result<PublicKeys, FetchError>>,
    {
        loop {
            self.unknown_keys.mark_unchanged();
            let begun = Instant::now();
            let fetched = timeout(self.pace.fetch, fetch()).await.unwrap_or(Err(FetchError::Slow));
            self.key_ring.metrics.key_fetch(if fetched.is_ok() { "ok" } else { "failed" });
            let is_first = self.state == State::New;
            let wait = match fetched {
                Ok(set) => self.use_set(set, begun),
                Err(error) => self.note_failure(&error),
            };
            if is_first {
                self.key_ring.asked.send_modify(|asked| *asked += 1);
            }
            self.key_ring.tell_if_empty();
            self.rest(begun, wait).await;
        }
    }

    /// Until the next fetch is due, or allowed and wanted. A set that grows too old meanwhile is dropped.
    async fn rest(&mut self, begun: Instant, wait: Duration) {
        let (cool, mut unknown_keys) = (begun + self.pace.cool_down, self.unknown_keys.clone());
        let mut due = pin!(sleep_until(begun + wait));
        let mut wanted = pin!(async move {
            if unknown_keys.changed().await.is_err() {
                pending::<()>().await; // the verifier is gone, and nobody asks any more
            }
            sleep_until(cool).await;
        });
        loop {
            let too_old = self.good_since.map(|since| since + self.pace.max_age);
            tokio::select! {
                biased;
                () = sleep_until(too_old.unwrap_or(begun)), if too_old.is_some() => self.drop_set(),
                () = &mut due => return,
                () = &mut wanted => return,
            }
        }
    }

    fn use_set(&mut self, set: PublicKeys, begun: Instant) -> Duration {
        let keys = set.len();
        self.good_since = Some(begun);
        let is_changed = self.key_ring.put(self.slot, Some(set));
        if is_changed || self.state != State::Good {
            info!(keys, source = self.name, "the keys for tokens are current");
        }
        self.state = State::Good;
        self.pace.refresh
    }

    fn note_failure(&mut self, error: &FetchError) -> Duration {
        match self.state {
            State::New | State::Good => {
                self.state = State::Failing;
                warn!(error = in_full(error), source = self.name, "the keys for tokens cannot be fetched");
            }
            State::Failing | State::Dropped => {}
        }
        self.pace.cool_down
    }

    fn drop_set(&mut self) {
        self.good_since = None;
        self.state = State::Dropped;
        if self.key_ring.put(self.slot, None) {
            warn!(source = self.name, "the keys for tokens are too old: tokens that need them pass through");
        }
    }
}

#[cfg(test)]
#[path = "jwks_tests.rs"]
mod tests;
