//! What may be looked at of a write while it passes: its body, and its answer's.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::upstream::{BodyFailure, Bounded};

use super::body::Body;

/// Most bytes of a write's body, and of its answer, that are looked at. A write
/// whose rows do not fit is taken to have changed any row.
const LOOKED_AT_BYTES_MAX: usize = 1024 * 1024;

/// A copy of a request's body, made while it goes by.
#[derive(Clone, Debug, Default)]
pub(super) struct Copy {
    /// A plain mutex: held to append one chunk.
    copied: Arc<Mutex<Copied>>,
}

#[derive(Debug, Default)]
struct Copied {
    bytes: BytesMut,
    too_large: bool,
}

impl Copy {
    /// Takes along what one frame carries.
    pub(super) fn add(&self, frame: &Frame<Bytes>) {
        let Some(data) = frame.data_ref() else { return };
        let mut copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
        if copied.bytes.len() + data.len() > LOOKED_AT_BYTES_MAX {
            *copied = Copied { bytes: BytesMut::new(), too_large: true };
        }
        if !copied.too_large {
            copied.bytes.extend_from_slice(data);
        }
    }

    /// The whole body, unless it was too large.
    pub(super) fn take(&self) -> Option<Bytes> {
        let mut copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
        (!copied.too_large).then(|| copied.bytes.split().freeze())
    }
}

/// A body, of which the beginning may have been looked at.
#[derive(Debug)]
pub(super) enum Seen<B = Bounded<Incoming>> {
    /// Not looked at.
    Unread(B),
    /// All of it.
    Whole(Bytes),
    /// Its beginning, and how it goes on: it was too large, or it broke.
    Begun { read: VecDeque<Bytes>, rest: Result<B, BodyFailure> },
}

impl<B> Seen<B>
where
    B: http_body::Body<Data = Bytes, Error = BodyFailure> + Unpin,
{
    /// Reads a body to its end or to the limit.
    pub(super) async fn look_at(mut body: B) -> Self {
        let mut read = VecDeque::new();
        let mut bytes = 0;
        while bytes <= LOOKED_AT_BYTES_MAX {
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        bytes += data.len();
                        read.push_back(data);
                    }
                }
                Some(Err(failure)) => return Self::Begun { read, rest: Err(failure) },
                None => {
                    let mut whole = BytesMut::with_capacity(bytes);
                    read.iter().for_each(|chunk| whole.extend_from_slice(chunk));
                    return Self::Whole(whole.freeze());
                }
            }
        }
        Self::Begun { read, rest: Ok(body) }
    }

    /// The whole body, if it was small enough to be read.
    pub(super) fn whole(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(whole) => Some(whole),
            Self::Unread(_) | Self::Begun { .. } => None,
        }
    }
}

/// Puts the body together again.
impl<B> From<Seen<B>> for Body
where
    B: http_body::Body<Data = Bytes, Error = BodyFailure> + Unpin + Send + Sync + 'static,
{
    fn from(seen: Seen<B>) -> Self {
        match seen {
            Seen::Unread(body) => Self::streamed(body),
            Seen::Whole(whole) => Self::whole(whole),
            Seen::Begun { read, rest } => Self::streamed(Resumed { read, rest: Some(rest) }),
        }
    }
}

/// What was read already, then the rest.
#[derive(Debug)]
struct Resumed<B> {
    read: VecDeque<Bytes>,
    rest: Option<Result<B, BodyFailure>>,
}

impl<B> http_body::Body for Resumed<B>
where
    B: http_body::Body<Data = Bytes, Error = BodyFailure> + Unpin,
{
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        if let Some(chunk) = self.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match self.rest.take() {
            None => Poll::Ready(None),
            Some(Err(failure)) => Poll::Ready(Some(Err(failure))),
            Some(Ok(mut body)) => {
                let polled = Pin::new(&mut body).poll_frame(context);
                self.rest = Some(Ok(body));
                polled
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            Some(Ok(body)) => {
                let read: usize = self.read.iter().map(Bytes::len).sum();
                body.size_hint()
                    .exact()
                    .map_or_else(SizeHint::default, |rest| SizeHint::with_exact(rest + read as u64))
            }
            Some(Err(_)) | None => SizeHint::default(),
        }
    }
}
