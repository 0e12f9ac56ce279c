//! Work that goes on when whoever began it leaves.
//!
//! Whoever waits for it does it, which spares a task and its wake-ups; if the
//! waiting ends early, a task finishes it. So no client can cancel it, and one
//! that stays pays for nothing that it does not need.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// See [`outlive`].
pub(super) struct Outliving<'t> {
    /// `None` once it is done, and while it is polled: work that panicked is not tried again.
    work: Option<Work>,
    tasks: &'t TaskTracker,
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes work that is finished in a task of its own if it is dropped before.
pub(super) fn outlive(tasks: &TaskTracker, work: impl Future<Output = ()> + Send + 'static) -> Outliving<'_> {
    Outliving { work: Some(Box::pin(work)), tasks }
}

impl Future for Outliving<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(mut work) = self.work.take() else { return Poll::Ready(()) };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl Drop for Outliving<'_> {
    fn drop(&mut self) {
        // without a runtime the process is over, and everything that began with it
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            self.tasks.spawn_on(work, &runtime);
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test owns the tasks it spawns, and joins them")]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_is_done_by_whoever_waits() {
        let tasks = TaskTracker::new();
        let (done, told) = oneshot::channel();
        outlive(&tasks, async move { done.send(()).unwrap() }).await;
        assert!(told.await.is_ok());
        assert_eq!(tasks.len(), 0, "without a task");
    }

    #[tokio::test]
    async fn work_that_is_left_is_finished_by_a_task() {
        let tasks = TaskTracker::new();
        let (go, wait) = oneshot::channel::<()>();
        let (done, told) = oneshot::channel();
        let mut work = outlive(&tasks, async move {
            wait.await.unwrap();
            done.send(()).unwrap();
        });
        assert!(polled_once(&mut work).await.is_pending());
        drop(work);
        assert_eq!(tasks.len(), 1);
        go.send(()).unwrap();
        assert!(told.await.is_ok());
    }

    #[tokio::test]
    async fn work_that_panicked_is_not_tried_again() {
        let tasks = TaskTracker::new();
        let owned = tasks.clone();
        let waiting = tokio::task::spawn(async move { outlive(&owned, async { panic!("a bug") }).await });
        assert!(waiting.await.is_err_and(|error| error.is_panic()));
        assert_eq!(tasks.len(), 0);
    }

    /// Polls once.
    async fn polled_once(work: &mut Outliving<'_>) -> Poll<()> {
        std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *work).poll(context))).await
    }
}
