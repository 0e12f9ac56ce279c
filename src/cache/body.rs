//! One upstream body, read by many.
//!
//! Chunks go as soon as every reader has them: they are slices of the
//! connection's read buffer, which is used again once they are gone. While the
//! body is being kept, it is also put together in one piece, so that whoever
//! joins late starts at the beginning, and nobody waits for anybody. Once it has
//! outgrown what is kept, the fetch waits for the slowest reader instead of
//! filling memory.
//!
//! The last piece of a body whose length is known is held until the body is kept: whoever has the
//! whole answer asks again at once, and is to find it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

/// The body ended before it was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream's answer broke off")]
pub struct Interrupted;

/// A body that is being received.
#[derive(Debug)]
pub(super) struct SharedBody {
    /// A plain mutex: held to push or take one chunk, never across an await.
    inner: Mutex<Inner>,
    length: Option<u64>,
}

#[derive(Debug)]
struct Inner {
    chunks: VecDeque<Bytes>,
    /// How many chunks were let go before the first one in `chunks`.
    gone: usize,
    held_bytes: usize,
    kept: Kept,
    end: Option<Result<(), Interrupted>>,
    readers: Vec<Option<Place>>,
    fetcher: Option<Waker>,
}

/// What is kept of the body.
#[derive(Debug)]
enum Kept {
    /// Everything so far.
    Growing(BytesMut),
    /// Everything there is.
    Whole(Bytes),
    /// It has outgrown what is kept: the beginning may be gone.
    Nothing,
}

/// Where one reader is.
#[derive(Debug)]
struct Place {
    /// What had come before it joined.
    missed: Bytes,
    next: usize,
    waker: Option<Waker>,
    cut: bool,
}

/// May the fetch go on?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Yes.
    Free,
    /// Nobody reads any more.
    Deserted,
}

impl SharedBody {
    pub(super) fn new(length: Option<u64>) -> Arc<Self> {
        let inner = Inner {
            chunks: VecDeque::new(),
            gone: 0,
            held_bytes: 0,
            kept: Kept::Growing(BytesMut::new()),
            end: None,
            readers: Vec::new(),
            fetcher: None,
        };
        Arc::new(Self { inner: Mutex::new(inner), length })
    }

    /// A reader from the first byte on; `None` once the beginning is gone.
    pub(super) fn reader(self: &Arc<Self>) -> Option<BodyReader> {
        let mut inner = self.lock();
        let missed = match &inner.kept {
            Kept::Growing(so_far) => Bytes::copy_from_slice(so_far),
            Kept::Whole(whole) => whole.clone(),
            Kept::Nothing => return None,
        };
        let next = inner.gone + inner.chunks.len();
        let place = Some(Place { missed, next, waker: None, cut: false });
        let slot = inner.readers.iter().position(Option::is_none);
        let slot = slot.unwrap_or_else(|| {
            inner.readers.push(None);
            inner.readers.len() - 1
        });
        inner.readers[slot] = place;
        drop(inner);
        Some(BodyReader { body: Arc::clone(self), slot, read: 0 })
    }

    pub(super) fn push(&self, chunk: Bytes) {
        let mut inner = self.lock();
        if let Kept::Growing(so_far) = &mut inner.kept {
            if so_far.is_empty() {
                let announced = self.length.and_then(|length| usize::try_from(length).ok());
                *so_far = BytesMut::with_capacity(announced.unwrap_or(chunk.len()));
            }
            so_far.extend_from_slice(&chunk);
        }
        inner.held_bytes += chunk.len();
        inner.chunks.push_back(chunk);
        inner.let_go_of_read();
        inner.wake_readers();
    }

    /// From now on only what some reader still needs is held, and nobody can join.
    pub(super) fn stop_keeping(&self) {
        let mut inner = self.lock();
        inner.kept = Kept::Nothing;
        inner.let_go_of_read();
        // some wait to hear whether it is kept
        inner.wake_readers();
    }

    /// Ends the body for every reader.
    pub(super) fn finish(&self, end: Result<(), Interrupted>) {
        let mut inner = self.lock();
        inner.end.get_or_insert(end);
        inner.wake_readers();
    }

    /// The whole body in one piece of its own, once it has come; nothing if it was not kept.
    pub(super) fn whole(&self) -> Bytes {
        let mut inner = self.lock();
        let whole = match std::mem::replace(&mut inner.kept, Kept::Nothing) {
            Kept::Growing(so_far) => without_waste(so_far),
            Kept::Whole(whole) => whole,
            Kept::Nothing => return Bytes::new(),
        };
        inner.kept = Kept::Whole(whole.clone());
        whole
    }

    /// Waits until at most `bytes_max` are held for slow readers.
    pub(super) async fn room(&self, bytes_max: usize) -> Room {
        std::future::poll_fn(|context| {
            let mut inner = self.lock();
            if inner.readers.iter().flatten().all(|place| place.cut) {
                return Poll::Ready(Room::Deserted);
            }
            if inner.held_bytes <= bytes_max {
                return Poll::Ready(Room::Free);
            }
            inner.fetcher = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Gives up on whoever holds everybody else back.
    pub(super) fn cut_slowest(&self) {
        let mut inner = self.lock();
        let gone = inner.gone;
        for place in inner.readers.iter_mut().flatten().filter(|place| place.next == gone) {
            place.cut = true;
        }
        inner.let_go_of_read();
        inner.wake_readers();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn let_go_of_read(&mut self) {
        let needed = self.readers.iter().flatten().filter(|place| !place.cut).map(|place| place.next).min();
        let needed = needed.unwrap_or(self.gone + self.chunks.len());
        while self.gone < needed {
            let Some(chunk) = self.chunks.pop_front() else { break };
            self.held_bytes -= chunk.len();
            self.gone += 1;
        }
        if let Some(fetcher) = self.fetcher.take() {
            fetcher.wake();
        }
    }

    fn wake_readers(&mut self) {
        for place in self.readers.iter_mut().flatten() {
            if let Some(waker) = place.waker.take() {
                waker.wake();
            }
        }
    }

    /// Ready once the body has ended, or can no longer be kept.
    fn poll_settled(&mut self, slot: usize, context: &Context<'_>) -> Poll<()> {
        let Some(place) = self.readers[slot].as_mut() else { return Poll::Ready(()) };
        if self.end.is_some() || matches!(self.kept, Kept::Nothing) {
            return Poll::Ready(());
        }
        place.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// `left` is what this reader still lacks, where that is known.
    fn poll_chunk(
        &mut self,
        slot: usize,
        left: Option<u64>,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Bytes, Interrupted>>> {
        let Some(place) = self.readers[slot].as_mut() else { return Poll::Ready(None) };
        if place.cut {
            return Poll::Ready(Some(Err(Interrupted)));
        }
        let is_settled = self.end.is_some() || matches!(self.kept, Kept::Nothing);
        let is_held = |piece: &Bytes| !is_settled && left.is_some_and(|left| left <= piece.len() as u64);
        let has_missed = !place.missed.is_empty();
        let piece = if has_missed { Some(&place.missed) } else { self.chunks.get(place.next - self.gone) };
        if let Some(piece) = piece.filter(|piece| !is_held(piece)).cloned() {
            if has_missed {
                place.missed = Bytes::new();
            } else {
                place.next += 1;
                self.let_go_of_read();
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        match self.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(interrupted)) => Poll::Ready(Some(Err(interrupted))),
            None => {
                place.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// An entry lives long: one that grew without a length known is copied rather than kept with room to spare.
fn without_waste(grown: BytesMut) -> Bytes {
    if grown.capacity() - grown.len() > grown.len() / 8 {
        Bytes::copy_from_slice(&grown)
    } else {
        grown.freeze()
    }
}

/// One client's view of a shared body.
#[derive(Debug)]
pub struct BodyReader {
    body: Arc<SharedBody>,
    slot: usize,
    read: u64,
}

impl BodyReader {
    /// Waits until the body has ended, or can no longer be kept.
    pub(super) async fn settled(&self) {
        std::future::poll_fn(|context| self.body.lock().poll_settled(self.slot, context)).await;
    }
}

impl Body for BodyReader {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        let left = self.size_hint().exact();
        let polled = self.body.lock().poll_chunk(self.slot, left, context);
        if let Poll::Ready(Some(Ok(chunk))) = &polled {
            self.read += chunk.len() as u64;
        }
        polled.map_ok(Frame::data)
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.length {
            Some(length) => SizeHint::with_exact(length.saturating_sub(self.read)),
            None => SizeHint::default(),
        }
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        let mut inner = self.body.lock();
        inner.readers[self.slot] = None;
        inner.let_go_of_read();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;
    use http_body_util::BodyExt;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    async fn next(reader: &mut BodyReader) -> Option<Result<Bytes, Interrupted>> {
        reader.frame().await.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }

    #[tokio::test]
    async fn late_readers_start_at_the_beginning() {
        let body = SharedBody::new(Some(4));
        let early = body.reader().unwrap();
        body.push("ab".into());
        let late = body.reader().unwrap();
        body.push("cd".into());
        body.finish(Ok(()));
        assert_eq!(early.size_hint().exact(), Some(4));
        assert_eq!(early.collect().await.unwrap().to_bytes(), "abcd");
        assert_eq!(late.collect().await.unwrap().to_bytes(), "abcd");
        assert_eq!(body.whole(), "abcd");
    }

    #[tokio::test]
    async fn the_last_piece_comes_when_the_body_is_kept_or_will_not_be() {
        for settle in [(|body| body.finish(Ok(()))) as fn(&SharedBody), SharedBody::stop_keeping] {
            let body = SharedBody::new(Some(4));
            let mut early = body.reader().unwrap();
            body.push("ab".into());
            assert_eq!(next(&mut early).await, Some(Ok("ab".into())));
            body.push("cd".into());
            let mut late = body.reader().unwrap();
            assert!(futures_pending(early.frame()) && futures_pending(late.frame()), "it is not kept yet");
            settle(&body);
            assert_eq!(next(&mut early).await, Some(Ok("cd".into())));
            assert_eq!(next(&mut late).await, Some(Ok("abcd".into())));
        }
    }

    #[tokio::test]
    async fn an_outgrown_body_waits_for_its_slowest_reader_and_gives_up_on_it() {
        let body = SharedBody::new(None);
        let mut quick = body.reader().unwrap();
        let mut slow = body.reader().unwrap();
        body.push("ab".into());
        body.stop_keeping();
        assert!(body.reader().is_none(), "the beginning may be gone");
        assert_eq!(next(&mut quick).await, Some(Ok("ab".into())));
        assert!(futures_pending(body.room(1)), "two bytes wait for the slow reader");
        body.cut_slowest();
        assert_eq!(body.room(1).await, Room::Free);
        assert_eq!(next(&mut slow).await, Some(Err(Interrupted)));
        body.push("cd".into());
        assert_eq!(next(&mut quick).await, Some(Ok("cd".into())));
        drop(quick);
        assert_eq!(body.room(1).await, Room::Deserted);
    }

    #[tokio::test]
    async fn a_body_is_settled_once_it_has_ended_or_outgrown_what_is_kept() {
        for settle in [
            (|body| body.finish(Ok(()))) as fn(&SharedBody),
            |body| body.finish(Err(Interrupted)),
            SharedBody::stop_keeping,
        ] {
            let body = SharedBody::new(None);
            let reader = body.reader().unwrap();
            let woken = Arc::new(Woken::default());
            let waker = Arc::clone(&woken).into();
            let mut settled = std::pin::pin!(reader.settled());
            let mut is_settled = || settled.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            assert!(!is_settled());
            body.push("ab".into());
            assert!(!is_settled(), "more may come");
            woken.0.store(false, Ordering::Relaxed);
            settle(&body);
            assert!(woken.0.load(Ordering::Relaxed) && is_settled());
        }
    }

    #[tokio::test]
    async fn a_broken_body_is_broken_for_everybody() {
        let body = SharedBody::new(Some(10));
        let mut reader = body.reader().unwrap();
        body.push("ab".into());
        body.finish(Err(Interrupted));
        assert_eq!(next(&mut reader).await, Some(Ok("ab".into())));
        assert_eq!(next(&mut reader).await, Some(Err(Interrupted)));
    }

    fn futures_pending(future: impl Future) -> bool {
        let mut future = std::pin::pin!(future);
        future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }
}
