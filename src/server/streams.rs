//! Who runs the streams of HTTP/2, and what if a client stops reading one of them?
//!
//! On HTTP/1 a client that stops reading stops the socket, which `socket`
//! notices. On HTTP/2 it can stop one stream and go on with the others: hyper
//! then no longer asks for the body, so the stream's own task watches for that.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

tokio::task_local! {
    static PROGRESS: Arc<Progress>;
}

/// Spawns the streams of HTTP/2 connections where the shutdown waits for them.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) tasks: TaskTracker,
    pub(super) cut: CancellationToken,
    pub(super) stall: Duration,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let progress = Arc::new(Progress::default());
        let (cut, stall) = (self.cut.clone(), self.stall);
        let watched = Arc::clone(&progress);
        let task = async move {
            tokio::select! {
                biased;
                () = stream => {}
                () = watched.stalled(stall) => debug!("a client has stopped reading a stream: reset"),
                () = cut.cancelled() => {}
            }
        };
        self.tasks.spawn(PROGRESS.scope(progress, task));
    }
}

/// How far a body has been taken: even while we look for more of it, odd while the client takes its time.
#[derive(Debug, Default)]
pub(super) struct Progress {
    step: AtomicU64,
}

impl Progress {
    /// The progress of the stream that this task runs, if it runs one.
    pub(super) fn of_this_task() -> Option<Arc<Progress>> {
        PROGRESS.try_with(Arc::clone).ok()
    }

    /// The connection asks for more of the body.
    pub(super) fn asked(&self) {
        if self.is_client_due() {
            self.step.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The connection was given some of the body.
    pub(super) fn given(&self) {
        if !self.is_client_due() {
            self.step.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_client_due(&self) -> bool {
        self.step.load(Ordering::Relaxed) % 2 == 1
    }

    /// Resolves when a client has not taken what it was given for that long.
    ///
    /// Must be polled after the stream in the same task: then it sees every step.
    async fn stalled(&self, stall: Duration) {
        let mut timer: Option<(u64, Pin<Box<Sleep>>)> = None;
        poll_fn(|context| self.poll_stalled(context, stall, &mut timer)).await;
    }

    fn poll_stalled(
        &self,
        context: &mut Context<'_>,
        stall: Duration,
        timer: &mut Option<(u64, Pin<Box<Sleep>>)>,
    ) -> Poll<()> {
        if !self.is_client_due() {
            return Poll::Pending;
        }
        let step = self.step.load(Ordering::Relaxed);
        if timer.as_ref().is_none_or(|(since, _)| *since != step) {
            *timer = Some((step, Box::pin(sleep(stall))));
        }
        if let Some((_, timer)) = timer {
            ready!(timer.as_mut().poll(context));
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_client_that_was_given_something_can_stall() {
        let (stall, long) = (Duration::from_secs(30), Duration::from_secs(1000));
        let progress = Progress::default();
        assert!(tokio::time::timeout(long, progress.stalled(stall)).await.is_err());
        progress.given();
        progress.asked();
        progress.asked();
        assert!(tokio::time::timeout(long, progress.stalled(stall)).await.is_err());
        progress.given();
        assert!(tokio::time::timeout(long, progress.stalled(stall)).await.is_ok());
    }
}
