//! How many reads may ask the upstream at a time?
//!
//! A cache that has lost everything must not fell the database that would fill it again. So many
//! reads ask at once; the others stand in a line that is short enough to move, and whoever would
//! stand in it for too long hears so instead. Writes and what merely passes through do not wait:
//! nobody else would be served by their answer.

use std::time::Duration;

use prometheus::{IntCounter, IntGauge};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Failure;

/// Most that stand in the line: as many answers as a project under load gives in a few seconds.
const WAITING_MAX: i64 = 1024;

/// Longest time in the line: as long as PostgREST itself waits for a connection to its database.
const WAIT: Duration = Duration::from_secs(10);

/// The line, and whose turn it is.
#[derive(Debug)]
pub struct Line {
    turns: Semaphore,
    /// How many stand in it.
    waiting: IntGauge,
    /// Those who could not.
    turned_away: IntCounter,
}

/// The right to ask, given back when it is dropped.
pub(super) type Turn<'l> = SemaphorePermit<'l>;

impl Line {
    /// A line in front of so many who may ask at once.
    pub fn new(at_once: usize, waiting: IntGauge, turned_away: IntCounter) -> Self {
        Self { turns: Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)), waiting, turned_away }
    }

    /// Waits for a turn, first come, first served.
    ///
    /// Cancel safe: whoever leaves leaves the line.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, Failure> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        let standing = Standing::new(&self.waiting);
        if self.waiting.get() <= WAITING_MAX
            && let Ok(Ok(turn)) = tokio::time::timeout(WAIT, self.turns.acquire()).await
        {
            drop(standing);
            return Ok(turn);
        }
        self.turned_away.inc();
        Err(Failure::Crowded)
    }
}

/// A place in the line.
struct Standing<'l>(&'l IntGauge);

impl<'l> Standing<'l> {
    fn new(waiting: &'l IntGauge) -> Self {
        waiting.inc();
        Self(waiting)
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;
    use tokio::time::Instant;

    use super::*;

    fn line(at_once: usize) -> Arc<Line> {
        let waiting = IntGauge::new("waiting", "waiting").unwrap();
        Arc::new(Line::new(at_once, waiting, IntCounter::new("away", "away").unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_taken_in_the_order_of_coming_and_given_back() {
        let line = line(2);
        let (first, second) = (line.turn().await.unwrap(), line.turn().await.unwrap());
        let mut third = Box::pin(line.turn());
        let mut fourth = Box::pin(line.turn());
        assert!(
            futures_util::poll!(&mut third).is_pending() && futures_util::poll!(&mut fourth).is_pending()
        );
        assert_eq!(line.waiting.get(), 2);
        drop(first);
        assert!(futures_util::poll!(&mut fourth).is_pending(), "it came later");
        let third = third.await.unwrap();
        drop((second, third));
        assert!(fourth.await.is_ok());
        assert_eq!((line.waiting.get(), line.turned_away.get()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_would_wait_too_long_hears_so() {
        let line = line(1);
        let _held = line.turn().await.unwrap();
        let began = Instant::now();
        assert!(matches!(line.turn().await, Err(Failure::Crowded)));
        assert_eq!(began.elapsed(), WAIT);
        assert_eq!((line.waiting.get(), line.turned_away.get()), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_has_an_end() {
        let line = line(1);
        let _held = line.turn().await.unwrap();
        let mut standing = JoinSet::new();
        for _ in 0..WAITING_MAX {
            let line = Arc::clone(&line);
            standing.spawn(async move { line.turn().await.is_ok() });
        }
        while line.waiting.get() < WAITING_MAX {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        assert!(matches!(line.turn().await, Err(Failure::Crowded)));
        assert_eq!(began.elapsed(), Duration::ZERO, "at once");
        standing.abort_all();
        while standing.join_next().await.is_some() {}
        assert_eq!(line.waiting.get(), 0, "whoever leaves leaves the line");
    }
}
