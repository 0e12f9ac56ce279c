//! Asks, so many at a time, and hears from `Cache-Status` what came of each.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Empty};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::clock::Clock;
use crate::upstream::{Origin, client_tls};

use super::list::Wanted;

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was fetched, and is in the cache now.
    Filled,
    /// It was there.
    Known,
    /// It was answered, and not kept: this is why.
    Unkept(String),
    /// The upstream, or the proxy, refused it with this status.
    Refused(u16),
    /// It was answered, and not by larder.
    NotLarder,
    /// Nobody is there.
    Nobody,
    /// The answer broke off, or took too long.
    Broken,
}

/// What came of one request, how large it was, and how long it took.
#[derive(Clone, Debug)]
pub(super) struct Came {
    pub(super) target: String,
    pub(super) outcome: Outcome,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

/// Asks a proxy.
pub(super) struct Asker {
    origin: Origin,
    headers: HeaderMap,
    timeout: Duration,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    clock: Clock,
}

impl Asker {
    pub(super) fn new(origin: Origin, headers: HeaderMap, timeout: Duration) -> Self {
        let https =
            HttpsConnectorBuilder::new().with_tls_config(client_tls()).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(https);
        Self { origin, headers, timeout, client, clock: Clock::default() }
    }

    /// Asks for all of them, so many at a time; `hear` is told of each as it comes.
    pub(super) async fn ask_all(&self, wanted: &[Wanted], at_once: usize, mut hear: impl FnMut(&Came)) {
        let asked = wanted.iter().map(|wanted| self.ask(wanted));
        let mut answers = stream::iter(asked).buffer_unordered(at_once);
        while let Some(came) = answers.next().await {
            hear(&came);
        }
    }

    async fn ask(&self, wanted: &Wanted) -> Came {
        let began = self.clock.now();
        let asked = tokio::time::timeout(self.timeout, self.exchange(wanted)).await;
        let (outcome, bytes) = asked.unwrap_or((Outcome::Broken, 0));
        self.came(wanted, outcome, bytes, began)
    }

    fn came(&self, wanted: &Wanted, outcome: Outcome, bytes: u64, began: Instant) -> Came {
        let took = self.clock.now().saturating_duration_since(began);
        Came { target: wanted.target.as_str().to_owned(), outcome, bytes, took }
    }

    async fn exchange(&self, wanted: &Wanted) -> (Outcome, u64) {
        let Some(request) = self.request(wanted) else { return (Outcome::Broken, 0) };
        let answer = match self.client.request(request).await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return (Outcome::Nobody, 0),
            Err(_) => return (Outcome::Broken, 0),
        };
        let (head, mut body) = answer.into_parts();
        // to its end: what is not read to its end may not be kept
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
                Err(_) => return (Outcome::Broken, bytes),
            }
        }
        let said = head.headers.get("cache-status").and_then(|said| said.to_str().ok()).unwrap_or_default();
        (outcome(head.status.as_u16(), said), bytes)
    }

    fn request(&self, wanted: &Wanted) -> Option<Request<Empty<Bytes>>> {
        let mut request =
            Request::get(format!("{}{}", self.origin, wanted.target)).body(Empty::new()).ok()?;
        *request.headers_mut() = self.headers.clone();
        for (name, value) in &wanted.headers {
            let name: HeaderName = name.parse().ok()?;
            request.headers_mut().insert(name, HeaderValue::from_str(value).ok()?);
        }
        Some(request)
    }
}

/// What a proxy says with its answer.
fn outcome(status: u16, said: &str) -> Outcome {
    let parts: Vec<&str> = said.split(';').map(str::trim).collect();
    let detail = || parts.iter().find_map(|part| part.strip_prefix("detail="));
    match () {
        () if parts.first() != Some(&"larder") => Outcome::NotLarder,
        () if status >= 400 => Outcome::Refused(status),
        () if parts.contains(&"hit") => Outcome::Known,
        () if parts.contains(&"stored") || parts.contains(&"collapsed") => Outcome::Filled,
        () => Outcome::Unkept(detail().unwrap_or("unknown").trim_matches('"').to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_proxy_says_is_what_came_of_it() {
        for (status, said, expected) in [
            (200, "larder; hit; ttl=5; key=\"a:b\"", Outcome::Known),
            (200, "larder; fwd=miss; stored; key=\"a:b\"", Outcome::Filled),
            (200, "larder; fwd=miss; collapsed; key=\"a:b\"", Outcome::Filled),
            (200, "larder; fwd=bypass; detail=no-rule", Outcome::Unkept("no-rule".to_owned())),
            (200, "larder; fwd=miss; key=\"a:b\"; detail=too-large", Outcome::Unkept("too-large".to_owned())),
            (429, "larder; detail=refused-limited", Outcome::Refused(429)),
            (200, "", Outcome::NotLarder),
            (404, "nginx; hit", Outcome::NotLarder),
        ] {
            assert_eq!(outcome(status, said), expected, "{status} {said}");
        }
    }
}
