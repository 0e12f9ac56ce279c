//! How does this process end? One signal, one grace period, every task joined.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The end of a group of tasks: announced, waited for, and enforced.
///
/// Clones share one end. Whoever spawns does so on [`Shutdown::tasks`].
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    cut: CancellationToken,
    tasks: TaskTracker,
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
        self.draining.cancel();
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
