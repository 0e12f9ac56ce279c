//! The body of an answer to a client.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use crate::cache::{BodyReader, Interrupted};
use crate::postgrest::{Path, Resource};
use crate::upstream::{BodyFailure, Bounded, IncomingBody};

/// A client's body on its way to this path. It may not come too slowly, but where it may be a stream that has little
/// to say.
pub(super) fn of_client(body: Incoming, path: &str) -> IncomingBody {
    match Resource::of(&Path::parse(path)) {
        Resource::Functions | Resource::Realtime => Bounded::new(body).boxed(),
        _ => Bounded::paced(body).boxed(),
    }
}

/// Why a body breaks off; hyper then breaks off the connection, so that the
/// client sees an incomplete answer and never a short complete one.
#[derive(Debug, thiserror::Error)]
pub enum BodyBroken {
    /// A shared fetch broke.
    #[error(transparent)]
    Shared(#[from] Interrupted),
    /// The upstream's own body broke.
    #[error(transparent)]
    Upstream(#[from] BodyFailure),
}

/// A body: whole in memory, as for every hit, or still coming.
#[derive(Debug)]
pub enum Body {
    /// There already; shared with the cache, never copied.
    Whole(Full<Bytes>),
    /// A reader of a shared fetch.
    Shared(BodyReader),
    /// Passing through.
    Streamed(BoxBody<Bytes, BodyFailure>),
}

impl Body {
    /// A body that is there.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }

    /// No body.
    pub fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// A body that passes through.
    pub(super) fn streamed<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = BodyFailure> + Send + Sync + 'static,
    {
        Self::Streamed(body.boxed())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyBroken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyBroken>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Self::Shared(body) => Pin::new(body).poll_frame(context).map_err(BodyBroken::Shared),
            Self::Streamed(body) => Pin::new(body).poll_frame(context).map_err(BodyBroken::Upstream),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Shared(body) => body.is_end_stream(),
            Self::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Shared(body) => body.size_hint(),
            Self::Streamed(body) => body.size_hint(),
        }
    }
}
