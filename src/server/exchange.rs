//! One request and its answer, as the connection sees them: counted, and never the end of the process.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tracing::error;

use crate::proxy::Peer;

use super::activity::{Activity, Busy};
use super::connection::Connections;
use super::streams::Progress;

/// What a client is told when answering its request panicked; the log is told more.
const PANICKED: &[u8] =
    br#"{"code":"LARDER500","message":"internal error in the proxy","details":null,"hint":null}"#;

/// What a stream of HTTP/2 is given at once; a client must take that much within the stall time.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// What the requests of one connection share.
#[derive(Debug)]
pub(super) struct Here<H> {
    pub(super) entrance: Arc<Connections<H>>,
    pub(super) peer: Peer,
    pub(super) activity: Arc<Activity>,
}

pin_project! {
    /// A request on its way to its answer. Cancel safe as far as the handler is: hyper drops this when the
    /// client leaves.
    ///
    /// Written by hand, because an `async` block would be several times as large and is moved for each request.
    pub(super) struct Exchange<H, F> {
        here: Arc<Here<H>>,
        busy: Option<Busy>,
        is_multiplexed: bool,
        // `None` if the handler panicked before there was anything to wait for
        #[pin]
        handling: Option<F>,
        panic: Option<Panic>,
    }
}

type Panic = Box<dyn Any + Send>;

impl<H, F> Exchange<H, F>
where
    H: Fn(Request<Incoming>, Peer) -> F,
{
    /// Hands a request to the handler.
    pub(super) fn begin(here: &Arc<Here<H>>, request: Request<Incoming>) -> Exchange<H, F> {
        let is_multiplexed = request.version() == Version::HTTP_2;
        let busy = here.activity.begin(is_multiplexed, !request.body().is_end_stream());
        let handler = &here.entrance.entrance().handler;
        let (handling, panic) = match catch_unwind(AssertUnwindSafe(|| handler(request, here.peer))) {
            Ok(handling) => (Some(handling), None),
            Err(panic) => (None, Some(panic)),
        };
        Exchange { here: Arc::clone(here), busy: Some(busy), is_multiplexed, handling, panic }
    }
}

impl<H, F, B> Future for Exchange<H, F>
where
    F: Future<Output = Response<B>>,
{
    type Output = Result<Response<Answer<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // a panic in the handler is a value
        let handled = match this.handling.as_pin_mut() {
            Some(handling) => match catch_unwind(AssertUnwindSafe(|| handling.poll(context))) {
                Ok(polled) => Ok(ready!(polled)),
                Err(panic) => Err(Some(panic)),
            },
            None => Err(this.panic.take()),
        };
        let entrance = this.here.entrance.entrance();
        let (busy, progress) = (this.busy.take(), Progress::of_this_task());
        let mut response = match handled {
            Ok(response) => response.map(|body| Answer::new(Part::Handled(body), progress, busy)),
            Err(panic) => {
                entrance.panics.inc();
                panicked(panic.as_deref(), busy)
            }
        };
        // After a panic nothing half-read is continued. When draining, the client's next request goes
        // to whoever takes over.
        let is_last = entrance.shutdown.is_draining() || matches!(response.body().part, Part::Panicked(_));
        if is_last && !*this.is_multiplexed && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response))
    }
}

fn panicked<B>(panic: Option<&(dyn Any + Send)>, busy: Option<Busy>) -> Response<Answer<B>> {
    let text = panic.and_then(|panic| {
        let literal = panic.downcast_ref::<&str>().copied();
        literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
    });
    error!(panic = text.unwrap_or("not a text"), "answering a request panicked");
    let part = Part::Panicked(Some(Bytes::from_static(PANICKED)));
    let mut response = Response::new(Answer::new(part, None, busy));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// The body of an answer; its request counts as busy until it is dropped.
#[derive(Debug)]
pub(super) struct Answer<B> {
    part: Part<B>,
    /// Only where the connection cannot see by itself that the client has stopped reading.
    progress: Option<Arc<Progress>>,
    /// Behind the piece given last, only on HTTP/2.
    rest: Bytes,
    _busy: Option<Busy>,
}

#[derive(Debug)]
enum Part<B> {
    /// From the handler.
    Handled(B),
    /// From us, once.
    Panicked(Option<Bytes>),
}

impl<B> Answer<B> {
    fn new(part: Part<B>, progress: Option<Arc<Progress>>, busy: Option<Busy>) -> Answer<B> {
        Answer { part, progress, rest: Bytes::new(), _busy: busy }
    }

    /// Gives a stream of HTTP/2 a piece at a time: a large one would be copied into the
    /// connection's buffer at once, and would hide whether the client takes it.
    fn piece(&mut self, mut bytes: Bytes) -> Frame<Bytes> {
        if let Some(progress) = &self.progress {
            self.rest = bytes.split_off(bytes.len().min(PIECE_BYTES_MAX));
            progress.given();
        }
        Frame::data(bytes)
    }
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(progress) = &self.progress {
            progress.asked();
        }
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(self.piece(rest))));
        }
        let frame = match &mut self.part {
            Part::Handled(body) => ready!(Pin::new(body).poll_frame(context)),
            Part::Panicked(text) => text.take().map(|text| Ok(Frame::data(text))),
        };
        Poll::Ready(frame.map(|frame| match frame?.into_data() {
            Ok(bytes) => Ok(self.piece(bytes)),
            Err(trailers) => Ok(trailers),
        }))
    }

    fn is_end_stream(&self) -> bool {
        match &self.part {
            _ if !self.rest.is_empty() => false,
            Part::Handled(body) => body.is_end_stream(),
            Part::Panicked(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let hint = match &self.part {
            Part::Handled(body) => body.size_hint(),
            Part::Panicked(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
        };
        let rest = self.rest.len() as u64;
        match hint.exact() {
            Some(exact) => SizeHint::with_exact(exact + rest),
            None => hint,
        }
    }
}
