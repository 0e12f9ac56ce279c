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

/// How long a client's body may come as slowly as it likes.
const GRACE: Duration = Duration::from_secs(10);

/// From then on it has to have come as fast as this, on the whole: the slowest telephone line sends more.
const BYTES_A_SECOND_MIN: u64 = 1024;

/// Why a body ended before it was complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyFailure {
    /// Its connection broke or broke the protocol.
    #[error("the body broke off")]
    Broken(#[from] hyper::Error),
    /// It stood still for too long.
    #[error("the body stood still for too long")]
    Silent,
    /// It came too slowly.
    #[error("the body came too slowly")]
    Slow,
}

/// A client's body on its way to the upstream, possibly copied on the way.
pub type IncomingBody = BoxBody<Bytes, BodyFailure>;

/// A body with a bound on its silences, and perhaps on how slowly it comes.
#[derive(Debug)]
pub struct Bounded<B> {
    body: B,
    pace: Option<Pace>,
    /// Since when the next piece is waited for.
    waiting: Option<Instant>,
    /// Made on the first wait: most bodies are there at once.
    timer: Option<Pin<Box<Sleep>>>,
}

/// How a body has come so far. What counts is how long it was waited for: an upstream that takes a large body slowly
/// is not its sender's fault.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    bytes: u64,
    waited: Duration,
}

impl Pace {
    /// How much longer it may be waited for.
    fn left(&self) -> Duration {
        let earned = GRACE.saturating_add(Duration::from_secs(self.bytes / BYTES_A_SECOND_MIN));
        earned.saturating_sub(self.waited)
    }
}

impl<B> Bounded<B> {
    /// Bounds the silences of a body.
    pub fn new(body: B) -> Self {
        Self { body, pace: None, waiting: None, timer: None }
    }

    /// Bounds how slowly it may come, too: a client that sends a byte now and then holds a connection to the upstream.
    pub fn paced(body: B) -> Self {
        Self { pace: Some(Pace::default()), ..Self::new(body) }
    }

    /// Something has come.
    fn heard(&mut self, bytes: usize) {
        let waited = self.waiting.take().map(|since| since.elapsed());
        if let Some(pace) = &mut self.pace {
            pace.bytes += bytes as u64;
            pace.waited += waited.unwrap_or_default();
        }
    }

    /// Nothing has come; ready when it has been waited for long enough.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<BodyFailure> {
        let left = self.pace.map_or(SILENCE, |pace| pace.left().min(SILENCE));
        if self.waiting.is_none() {
            let now = Instant::now();
            self.waiting = Some(now);
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(now + left),
                None => self.timer = Some(Box::pin(tokio::time::sleep(left))),
            }
        }
        let is_over = self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready());
        match is_over {
            false => Poll::Pending,
            true if left < SILENCE => Poll::Ready(BodyFailure::Slow),
            true => Poll::Ready(BodyFailure::Silent),
        }
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
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            return self.wait(context).map(|failure| Some(Err(failure)));
        };
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        self.heard(data.map_or(0, Bytes::len));
        Poll::Ready(frame.map(|frame| frame.map_err(BodyFailure::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use http_body_util::channel::Channel;

    use super::*;

    type Sent = Channel<Bytes, hyper::Error>;

    /// Sends so many bytes after so long, a hundred times; why the body failed before its end, if it did.
    async fn failure(bytes: usize, after: Duration, bounded: fn(Sent) -> Bounded<Sent>) -> Option<String> {
        let (mut sender, receiver) = Sent::new(1);
        let mut body = bounded(receiver);
        let sending = async move {
            for _ in 0..100 {
                tokio::time::sleep(after).await;
                if sender.send_data(Bytes::from(vec![0; bytes])).await.is_err() {
                    return;
                }
            }
        };
        let taking = async move {
            let mut last = body.frame().await;
            while let Some(Ok(_)) = last {
                last = body.frame().await;
            }
            Some(last?.err()?.to_string())
        };
        tokio::join!(sending, taking).1
    }

    #[tokio::test(start_paused = true)]
    async fn a_clients_body_may_be_slow_for_a_while_and_not_for_ever() {
        let second = Duration::from_secs(1);
        for (bytes, after, expected) in [
            (1, 10 * second, Some("the body came too slowly")),
            (1023, second, None), // the grace is enough for a hundred of them
            (512, second, Some("the body came too slowly")),
            (1024, second, None),
            (9 * 1024, 9 * second, None),
        ] {
            let failure = failure(bytes, after, Bounded::paced).await;
            assert_eq!(failure.as_deref(), expected, "{bytes} bytes every {after:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_take_its_time() {
        assert_eq!(failure(1, Duration::from_secs(199), Bounded::new).await, None);
        let silent = failure(1, Duration::from_secs(201), Bounded::new).await;
        assert_eq!(silent.as_deref(), Some("the body stood still for too long"));
    }
}
