//! An answer that is there, or on its way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

use super::body::Body;

/// What a client waits for. An answer from memory is there at once; every other is made by
/// a future in a box, so that hits do not carry about the room that other journeys need.
pub enum Answering {
    /// There; taken when it is first asked for.
    Now(Option<Response<Body>>),
    /// On its way.
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Later(_) => "Later",
        })
    }
}

impl Future for Answering {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response<Body>> {
        match &mut *self {
            Self::Now(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            Self::Later(journey) => journey.as_mut().poll(context),
        }
    }
}
