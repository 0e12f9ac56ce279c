//! What goes over the wire: a request that can be shown and sent again, and what of an answer must be equal.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::people::Person;

/// For a slow machine under load; a healthy one needs milliseconds.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Headers of an answer that mean something to an app.
const MEANINGFUL: [&str; 6] = [
    "content-type",
    "content-range",
    "preference-applied",
    "content-profile",
    "content-location",
    "location",
];

/// A request, ready to be sent to either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<String>,
    pub(crate) who: Person,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)?;
        for (name, value) in &self.headers {
            write!(f, "  {name}: {value}")?;
        }
        if let Some(body) = &self.body {
            write!(f, "  {body}")?;
        }
        write!(f, "  as {}", self.who.name)
    }
}

/// What must be equal on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, Option<String>)>,
    pub(crate) body: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.as_u16())?;
        for (name, value) in &self.headers {
            if let Some(value) = value {
                write!(f, "  {name}: {value}")?;
            }
        }
        write!(f, "\n      {}", self.body)
    }
}

/// An answer and what Larder said of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) answer: Answer,
    pub(crate) cache_status: String,
}

impl Told {
    pub(crate) fn is_hit(&self) -> bool {
        self.cache_status.starts_with("larder; hit")
    }
}

/// One side: an address, and the key that every caller sends.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    address: String,
    publishable_key: String,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

impl Side {
    pub(crate) fn new(address: &str, publishable_key: &str) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).build_http();
        Self { address: address.to_owned(), publishable_key: publishable_key.to_owned(), pool }
    }

    /// Asks; fails the test where no whole answer comes.
    pub(crate) async fn ask(&self, request: &Request) -> Told {
        let mut sent = http::Request::builder()
            .method(&request.method)
            .uri(format!("{}{}", self.address, request.target))
            .header("apikey", &self.publishable_key);
        for (name, value) in &request.headers {
            sent = sent.header(*name, value);
        }
        if let Some(token) = &request.who.token {
            sent = sent.header("authorization", format!("Bearer {token}"));
        }
        let body = Bytes::from(request.body.clone().unwrap_or_default());
        let sent = sent.body(Full::new(body)).unwrap_or_else(|error| panic!("{request}: {error}"));
        let asked = async {
            let answered =
                self.pool.request(sent).await.unwrap_or_else(|error| panic!("{request}: {error:?}"));
            let (head, body) = answered.into_parts();
            let body = body.collect().await.unwrap_or_else(|error| panic!("{request}: {error:?}")).to_bytes();
            (head, body)
        };
        let (head, body) = tokio::time::timeout(ANSWER_MAX, asked)
            .await
            .unwrap_or_else(|_| panic!("{request}: no answer in {ANSWER_MAX:?}"));
        let text =
            |name| head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Told {
            cache_status: text("cache-status").unwrap_or_default(),
            answer: Answer {
                status: head.status,
                headers: MEANINGFUL.iter().map(|name| (*name, text(name))).collect(),
                body: String::from_utf8_lossy(&body).into_owned(),
            },
        }
    }
}
