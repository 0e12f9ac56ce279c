//! A request on its way to the upstream.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::deadline::{BodyFailure, IncomingBody};
use super::origin::Origin;

/// A request that has been decided upon, but not sent.
#[derive(Debug)]
pub struct Outgoing {
    method: Method,
    target: Uri,
    headers: HeaderMap,
    body: OutgoingBody,
    wants_upgrade: bool,
    is_timed_whole: bool,
}

impl Outgoing {
    /// A request to a target, which is path and query exactly as they shall be sent.
    pub fn new(method: Method, target: Uri, headers: HeaderMap, body: Option<IncomingBody>) -> Self {
        // a request without a body is sent as soon as it is begun
        let is_empty = body.as_ref().is_none_or(Body::is_end_stream);
        let sent = (!is_empty).then(Arc::default);
        Self {
            method,
            target,
            headers,
            body: OutgoingBody { inner: body, sent },
            wants_upgrade: false,
            is_timed_whole: false,
        }
    }

    /// Asks for a switch of protocols; the headers that say so are in place.
    pub fn upgrading(mut self) -> Self {
        self.wants_upgrade = true;
        self
    }

    /// Its answer is waited for from the beginning, not from when its body has gone out: somebody relies on when
    /// this is over.
    #[must_use]
    pub fn timed_whole(mut self) -> Self {
        self.is_timed_whole = true;
        self
    }

    pub(super) fn wants_upgrade(&self) -> bool {
        self.wants_upgrade
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { sent: self.body.sent.clone(), is_timed_whole: self.is_timed_whole }
    }

    pub(super) fn into_request(self, origin: &Origin) -> Result<Request<OutgoingBody>, http::Error> {
        let target = match self.target.into_parts().path_and_query {
            Some(target) => target,
            None => PathAndQuery::from_static("/"),
        };
        // hyper takes reads for bodiless unless told otherwise
        let has_hidden_body = self.method.is_safe() && self.body.size_hint().exact().is_none();
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = origin.url(target)?;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers;
        if has_hidden_body {
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        request.headers_mut().insert(HOST, HeaderValue::from_str(origin.authority().as_str())?);
        Ok(request)
    }
}

/// When has the whole body gone out? `None` where there is none.
type Sent = Option<Arc<OnceLock<Instant>>>;

/// Has the whole request gone out?
#[derive(Debug)]
pub(super) struct Progress {
    sent: Sent,
    is_timed_whole: bool,
}

impl Progress {
    pub(super) fn is_complete(&self) -> bool {
        self.sent.as_ref().is_none_or(|sent| sent.get().is_some())
    }

    /// Since when its answer is waited for, if it was begun at this moment; `None` while it goes out.
    pub(super) fn waiting_since(&self, begun: Instant) -> Option<Instant> {
        let sent = self.sent.as_ref().filter(|_| !self.is_timed_whole);
        sent.map_or(Some(begun), |sent| sent.get().copied())
    }
}

/// A request's body, which knows when it has been read to its end.
#[derive(Debug)]
pub struct OutgoingBody {
    inner: Option<IncomingBody>,
    sent: Sent,
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            let Some(body) = self.inner.as_mut() else { return Poll::Ready(None) };
            let polled = std::task::ready!(Pin::new(&mut *body).poll_frame(context));
            if let Some(sent) = &self.sent
                && (polled.is_none() || self.inner.as_ref().is_none_or(Body::is_end_stream))
            {
                sent.get_or_init(Instant::now);
            }
            match polled {
                // A client's trailers are not forwarded: they could say what no check has seen.
                Some(Ok(frame)) if frame.is_trailers() => {}
                polled => return Poll::Ready(polled),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
