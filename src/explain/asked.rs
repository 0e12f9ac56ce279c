//! Which request is meant? From an operator's words to a head and a body.

use std::fmt;

use http::header::{InvalidHeaderName, InvalidHeaderValue, UPGRADE};
use http::method::InvalidMethod;
use http::request::Parts;
use http::uri::InvalidUri;
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use crate::plan::Framing;

/// A request to be explained. Not to be printed: its head holds credentials.
pub struct Asked {
    pub(super) head: Parts,
    pub(super) framing: Framing,
    pub(super) body: Option<String>,
}

/// Words that are no request.
#[derive(Debug, thiserror::Error)]
pub enum NoRequest {
    /// Not a method.
    #[error("`{0}` is not a method")]
    Method(String, #[source] InvalidMethod),
    /// Not a target; a blank has to be written `%20`.
    #[error("`{0}` is not a path with a query, as in '/rest/v1/properties?id=eq.5'")]
    Target(String, #[source] InvalidUri),
    /// Neither a path nor a whole URL.
    #[error("`{0}` does not begin with a slash")]
    NoPath(String),
    /// A header without a colon. Its text is not repeated: it may be a credential.
    #[error("a header has no colon: write it as 'name: value'")]
    NoColon,
    /// A header's name.
    #[error("`{0}` is not the name of a header")]
    Name(String, #[source] InvalidHeaderName),
    /// A header's value, which is not repeated either.
    #[error("the value of `{0}` cannot be sent")]
    Value(String, #[source] InvalidHeaderValue),
}

impl Asked {
    /// Puts a request together.
    pub fn new<'h>(
        method: &str,
        target: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        body: Option<String>,
    ) -> Result<Self, NoRequest> {
        let method = method.to_ascii_uppercase();
        let method: Method = method.parse().map_err(|error| NoRequest::Method(method, error))?;
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = method;
        head.uri = path_and_query(target)?;
        for (name, value) in headers {
            let value = HeaderValue::from_str(value.trim())
                .map_err(|error| NoRequest::Value(name.to_owned(), error))?;
            let name: HeaderName = name.parse().map_err(|error| NoRequest::Name(name.to_owned(), error))?;
            head.headers.append(name, value);
        }
        let wants_upgrade = head.headers.contains_key(UPGRADE);
        let framing = Framing { has_body: body.is_some(), wants_upgrade };
        Ok(Self { head, framing, body })
    }
}

/// A header as it stands on the wire.
pub fn header_line(line: &str) -> Result<(&str, &str), NoRequest> {
    let (name, value) = line.split_once(':').ok_or(NoRequest::NoColon)?;
    Ok((name.trim(), value))
}

/// The path and query of a whole URL too: that is what people copy.
fn path_and_query(text: &str) -> Result<Uri, NoRequest> {
    let uri: Uri = text.parse().map_err(|error| NoRequest::Target(text.to_owned(), error))?;
    if !text.starts_with('/') && uri.scheme().is_none() {
        return Err(NoRequest::NoPath(text.to_owned()));
    }
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    target.parse().map_err(|error| NoRequest::Target(text.to_owned(), error))
}

/// Names only: the values may be credentials.
impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("method", &self.head.method).finish_non_exhaustive()
    }
}
