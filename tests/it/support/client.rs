//! A well-behaved client, in the voice of a test.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::soon;

/// A client of one address; cloned, it shares its connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    headers: HeaderMap,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

/// What a header must be like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected<'a> {
    /// Its only value is this.
    Is(&'a str),
    /// Its only value has this in it.
    Contains(&'a str),
    /// It is not there.
    Absent,
}

/// Has this in it.
pub(crate) fn contains(part: &str) -> Expected<'_> {
    Expected::Contains(part)
}

/// Is not there.
pub(crate) fn absent() -> Expected<'static> {
    Expected::Absent
}

impl<'a> From<&'a str> for Expected<'a> {
    fn from(value: &'a str) -> Self {
        Self::Is(value)
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The answer broke off, or none came.
#[derive(Debug)]
pub(crate) struct NoAnswer;

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).build_http();
        Self { address, headers: HeaderMap::new(), pool }
    }

    /// The same client, sending this header too.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut more = self.clone();
        more.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        more
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask(Method::GET, target, Bytes::new()).await
    }

    pub(crate) async fn head(&self, target: &str) -> Answer {
        self.ask(Method::HEAD, target, Bytes::new()).await
    }

    pub(crate) async fn delete(&self, target: &str) -> Answer {
        self.ask(Method::DELETE, target, Bytes::new()).await
    }

    pub(crate) async fn post(&self, target: &str, body: Value) -> Answer {
        self.json().ask(Method::POST, target, body.to_string().into()).await
    }

    pub(crate) async fn patch(&self, target: &str, body: Value) -> Answer {
        self.json().ask(Method::PATCH, target, body.to_string().into()).await
    }

    pub(crate) async fn put(&self, target: &str, body: Value) -> Answer {
        self.json().ask(Method::PUT, target, body.to_string().into()).await
    }

    /// Asks, and fails the test if no whole answer comes.
    pub(crate) async fn ask(&self, method: Method, target: &str, body: Bytes) -> Answer {
        let answer = self.try_ask(method.clone(), target, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {target}: {error:?}"))
    }

    /// Asks; an answer that breaks off is an error.
    pub(crate) async fn try_ask(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        let uri: Uri = format!("http://{}{target}", self.address).parse().unwrap();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        let asked = async {
            let (head, body) = self.pool.request(request).await.map_err(|_| NoAnswer)?.into_parts();
            let body = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        soon("an answer", asked).await
    }

    fn json(&self) -> Self {
        let mut json = self.clone();
        json.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        json
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect_status(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{:?} {body}", self.headers);
        self
    }

    #[track_caller]
    pub(crate) fn expect_header<'a>(self, name: &str, expected: impl Into<Expected<'a>>) -> Self {
        let values: Vec<_> = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        match expected.into() {
            Expected::Is(value) => assert_eq!(values, [value], "{name}"),
            Expected::Contains(part) => {
                assert!(values.len() == 1 && values[0].contains(part), "{name}: {values:?} has no {part:?}");
            }
            Expected::Absent => assert!(values.is_empty(), "{name}: {values:?}"),
        }
        self
    }

    #[track_caller]
    pub(crate) fn expect_body(self, body: impl AsRef<[u8]>) -> Self {
        let (is, wanted) = (String::from_utf8_lossy(&self.body), String::from_utf8_lossy(body.as_ref()));
        assert_eq!(is, wanted);
        self
    }

    #[track_caller]
    pub(crate) fn expect_json(self, json: &Value) -> Self {
        assert_eq!(self.json(), *json);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}
