//! How does a command travel over HTTPS?

use std::sync::Arc;
use std::time::Duration;

use ::redis::Value;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::super::address::Rest;
use super::super::silence::Silence;
use super::reply;
use super::request::Said;

/// Largest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Connections that are kept although nobody uses them.
const IDLE_MAX: usize = 32;

/// Time after which a connection that nobody uses is closed: less than the minute after which
/// load balancers close theirs without a word.
const IDLE: Duration = Duration::from_secs(50);

/// Asks for strings in base64, without which bytes that are no text would be lost.
const ENCODING: HeaderName = HeaderName::from_static("upstash-encoding");

/// Says how much of what we wrote the next answer must know of.
const SYNC: HeaderName = HeaderName::from_static("upstash-sync-token");

/// Posts commands, with the token that lets one in.
pub(super) struct Wire {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
    synced: ArcSwapOption<HeaderValue>,
}

impl Wire {
    pub(super) fn new(rest: Rest) -> Self {
        let https = HttpsConnectorBuilder::new().with_tls_config(rest.tls).https_or_http();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(https.enable_all_versions().build());
        let authorization = HeaderValue::try_from(format!("Bearer {}", rest.token));
        // the token was looked at when the address was read
        let mut authorization = authorization.unwrap_or_else(|_unprintable| HeaderValue::from_static(""));
        authorization.set_sensitive(true);
        let base = rest.uri.to_string().trim_end_matches('/').to_owned();
        Self { client, base, authorization, synced: ArcSwapOption::empty() }
    }

    /// Sends one and reads its answer.
    pub(super) async fn post(&self, said: Said) -> Result<Value, Silence> {
        let uri = Uri::try_from(self.base.clone() + &said.path).map_err(|_unsayable| Silence::Broken)?;
        let kind = if said.path == "/" { "application/json" } else { "application/octet-stream" };
        let mut request = Request::new(Full::new(said.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(ENCODING, HeaderValue::from_static("base64"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(synced) = self.synced.load_full() {
            headers.insert(SYNC, HeaderValue::clone(&synced));
        }
        let answered = self.client.request(request).await;
        let response =
            answered.map_err(|error| if error.is_connect() { Silence::Away } else { Silence::Broken })?;
        if let Some(synced) = response.headers().get(SYNC) {
            self.synced.store(Some(Arc::new(synced.clone())));
        }
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        reply::read(status, &body.map_err(|_broken| Silence::Broken)?.to_bytes())
    }
}
