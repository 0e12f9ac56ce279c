//! A client of a proxy or of the upstream itself: an answer, or none.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Cloned, it shares its connections.
#[derive(Clone)]
pub(crate) struct Client {
    address: String,
    headers: HeaderMap,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) is_replay: bool,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(address: &str, key: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("apikey", HeaderValue::from_str(key).unwrap());
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {key}")).unwrap());
        let pool = Pool::builder(TokioExecutor::new()).build_http();
        Self { address: address.to_owned(), headers, pool }
    }

    /// The same client, sending this header too.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut more = self.clone();
        more.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        more
    }

    pub(crate) async fn get(&self, target: &str) -> Option<Answer> {
        self.ask(Method::GET, target, Bytes::new(), None).await
    }

    pub(crate) async fn post(&self, target: &str, body: &Value, operation: Option<&str>) -> Option<Answer> {
        self.ask(Method::POST, target, body.to_string().into(), operation).await
    }

    async fn ask(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
        operation: Option<&str>,
    ) -> Option<Answer> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{target}", self.address).parse().unwrap();
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(operation) = operation {
            headers.insert("idempotency-key", HeaderValue::from_str(operation).unwrap());
        }
        let (head, body) = self.pool.request(request).await.ok()?.into_parts();
        let bytes = body.collect().await.ok()?.to_bytes();
        Some(Answer {
            status: head.status.as_u16(),
            is_replay: head.headers.contains_key("idempotent-replayed"),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    }
}
