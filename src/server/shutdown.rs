//! How does this process end? One signal, one grace period, every task joined.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

/// The end of a group of tasks: announced, waited for, and enforced.
///
/// Clones share one end. Whoever spawns does so on [`Shutdown::tasks`].
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    cut: CancellationToken,
    /// Set before either token is cancelled.
    has_begun: Arc<AtomicBool>,
    tasks: TaskTracker,
}

/// Waiting for the end, by tasks that are woken for every packet: a token's own future takes a lock that all
/// connections share each time it is asked, and this one an atomic.
#[derive(Debug)]
pub(super) struct Until {
    has_begun: Arc<AtomicBool>,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The token knows whom to wake: a task's waker stays the same.
    is_registered: bool,
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_registered && !self.has_begun.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.is_registered = true;
        self.cancelled.as_mut().poll(context)
    }
}

/// How a grace period ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every task had finished.
    Everything,
    /// So many tasks were cut.
    Cut(usize),
}

impl Shutdown {
    /// Says that nothing new is to be begun.
    pub fn begin(&self) {
        self.has_begun.store(true, Ordering::Release);
        self.draining.cancel();
    }

    /// Whether nothing new is to be begun. Cheap enough for every request.
    pub(super) fn is_draining(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }

    /// Waits for [`Shutdown::draining`] in a task that is woken often for other reasons.
    pub(super) fn until_draining(&self) -> Until {
        self.until(&self.draining)
    }

    /// Waits for [`Shutdown::cut`] in a task that is woken often for other reasons.
    pub(super) fn until_cut(&self) -> Until {
        self.until(&self.cut)
    }

    fn until(&self, token: &CancellationToken) -> Until {
        let cancelled = Box::pin(token.clone().cancelled_owned());
        Until { has_begun: Arc::clone(&self.has_begun), cancelled, is_registered: false }
    }

    /// Cancelled when nothing new is to be begun; what was begun goes on.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Cancelled when the grace period is over: what still runs is dropped.
    pub(super) fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// Where tasks are spawned, so that the end waits for them.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Begins the end and waits until every task has finished, at most as long as `grace`.
    ///
    /// Tasks may still spawn tasks meanwhile: they are waited for too.
    pub async fn drain(&self, grace: Duration) -> Drained {
        self.begin();
        self.tasks.close();
        let finished = tokio::time::timeout(grace, self.tasks.wait()).await;
        let left = self.tasks.len();
        self.cut.cancel();
        if finished.is_ok() || left == 0 { Drained::Everything } else { Drained::Cut(left) }
    }

    /// Ends everything without waiting.
    pub(super) fn abandon(&self) {
        self.begin();
        self.tasks.close();
        self.cut.cancel();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tasks_are_waited_for_even_those_spawned_late() {
        let shutdown = Shutdown::default();
        let (finish, finished) = oneshot::channel::<()>();
        let tasks = shutdown.tasks().clone();
        let draining = shutdown.draining().clone();
        shutdown.tasks().spawn(async move {
            draining.cancelled().await;
            tasks.spawn(async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                finish.send(()).unwrap();
            });
        });
        assert_eq!(shutdown.drain(Duration::from_secs(30)).await, Drained::Everything);
        finished.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_outlasts_the_grace_period_is_cut() {
        let shutdown = Shutdown::default();
        let cut = shutdown.cut().clone();
        shutdown.tasks().spawn(async move { cut.cancelled().await });
        assert_eq!(shutdown.drain(Duration::from_secs(30)).await, Drained::Cut(1));
        shutdown.tasks().wait().await;
    }
}
