//! A body whose next piece is not waited for without end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use tokio::time::{Instant, Sleep};

/// Longest silence inside a body. Edge Functions may stay silent for 150 s by
/// Supabase's own limit; nothing that lives is silent for longer.
const SILENCE: Duration = Duration::from_secs(200);

/// Why a body ended before it was complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyFailure {
    /// Its connection broke or broke the protocol.
    #[error("the body broke off")]
    Broken(#[from] hyper::Error),
    /// It stood still for too long.
    #[error("the body stood still for too long")]
    Silent,
}

/// A client's body on its way to the upstream, possibly copied on the way.
pub type IncomingBody = BoxBody<Bytes, BodyFailure>;

/// A body with a bound on its silences.
#[derive(Debug)]
pub struct Bounded<B> {
    body: B,
    /// Made on the first wait: most bodies are there at once.
    silence: Option<Pin<Box<Sleep>>>,
}

impl<B> Bounded<B> {
    /// Bounds a body.
    pub fn new(body: B) -> Self {
        Self { body, silence: None }
    }
}

impl<B> Body for Bounded<B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some(silence) = &mut self.silence {
                silence.as_mut().reset(Instant::now() + SILENCE);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyFailure::Broken)));
        }
        let silence = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(SILENCE)));
        silence.as_mut().poll(context).map(|()| Some(Err(BodyFailure::Silent)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
