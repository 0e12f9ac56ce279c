//! What is a connection doing, and when has it done that for too long?
//!
//! The socket notes bytes that arrive, the exchange notes requests that begin
//! and end, and the connection's own task asks for the next deadline. hyper's
//! `header_read_timeout` cannot be used: it also runs while a connection is
//! idle, so it would close idle connections after as little time as a slow head.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::Limits;

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    /// Held for a few instructions only, by the connection's task and by the streams of HTTP/2.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    requests: u32,
    waiting: Waiting,
    /// Bytes of HTTP/2 between requests are pings and windows, not the beginning of a head.
    is_multiplexed: bool,
    last_had_body: bool,
}

/// What a connection without a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// The rest of a head, since then.
    Head(Instant),
    /// The first byte of the next one, since then.
    Idle(Instant),
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A head that was begun, or the first one.
    Head,
    /// The next request.
    Idle,
}

impl Activity {
    /// A connection just accepted: its first request is due.
    pub(super) fn new(now: Instant) -> Arc<Activity> {
        let waiting = Waiting::Head(now);
        let state = State { requests: 0, waiting, is_multiplexed: false, last_had_body: false };
        Arc::new(Activity { state: Mutex::new(state) })
    }

    /// Bytes came in.
    pub(super) fn received(&self) {
        let mut state = self.state();
        if state.requests == 0 && !state.is_multiplexed && matches!(state.waiting, Waiting::Idle(_)) {
            state.waiting = Waiting::Head(Instant::now());
        }
    }

    /// A head is complete; the request lasts until the value is dropped.
    pub(super) fn begin(self: &Arc<Activity>, is_multiplexed: bool, has_body: bool) -> Busy {
        let mut state = self.state();
        state.requests += 1;
        state.is_multiplexed = is_multiplexed;
        state.last_had_body = has_body;
        Busy { activity: Arc::clone(self) }
    }

    /// Whether a client may still be sending what nobody reads.
    pub(super) fn last_had_body(&self) -> bool {
        self.state().last_had_body
    }

    #[cfg(test)]
    fn is_idle(&self) -> bool {
        let state = self.state();
        state.requests == 0 && matches!(state.waiting, Waiting::Idle(_))
    }

    fn due(&self, limits: &Limits) -> Option<(Instant, Overdue)> {
        let state = self.state();
        match state.waiting {
            _ if state.requests > 0 => None,
            Waiting::Head(since) => Some((since + limits.head, Overdue::Head)),
            Waiting::Idle(since) => Some((since + limits.idle, Overdue::Idle)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request being answered.
#[derive(Debug)]
pub(super) struct Busy {
    activity: Arc<Activity>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.requests -= 1;
        if state.requests == 0 {
            state.waiting = Waiting::Idle(Instant::now());
        }
    }
}

/// Resolves when the connection has waited too long for its client.
///
/// Polled after the connection in the same task, it sees every change. Its timer
/// is only ever moved forward when it fires: a busy connection costs no timer work.
#[derive(Debug)]
pub(super) struct Watch {
    activity: Arc<Activity>,
    limits: Limits,
    timer: Pin<Box<Sleep>>,
}

impl Watch {
    pub(super) fn new(activity: Arc<Activity>, limits: Limits) -> Watch {
        let timer = Box::pin(sleep_until(Instant::now() + limits.idle));
        Watch { activity, limits, timer }
    }
}

impl Future for Watch {
    type Output = Overdue;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Overdue> {
        loop {
            let due = self.activity.due(&self.limits);
            if let Some((at, _)) = due
                && at < self.timer.deadline()
            {
                self.timer.as_mut().reset(at);
            }
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            let next = match due {
                Some((at, overdue)) if at <= now => return Poll::Ready(overdue),
                Some((at, _)) => at,
                // Looked at again then, because the end of a stream need not wake this task.
                None => now + self.limits.idle,
            };
            self.timer.as_mut().reset(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// How many seconds pass until the watch calls, and why.
    async fn overdue(activity: &Arc<Activity>) -> (u64, Overdue) {
        let begun = Instant::now();
        let overdue = Watch::new(Arc::clone(activity), Limits::default()).await;
        (begun.elapsed().as_secs(), overdue)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_head_is_due_from_the_start() {
        let activity = Activity::new(Instant::now());
        tokio::time::advance(Duration::from_secs(4)).await;
        activity.received();
        assert_eq!(overdue(&activity).await, (6, Overdue::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_lives_longer_than_a_slow_head() {
        let activity = Activity::new(Instant::now());
        drop(activity.begin(false, false));
        assert!(activity.is_idle());
        assert_eq!(overdue(&activity).await, (75, Overdue::Idle));
        activity.received();
        assert_eq!(overdue(&activity).await, (10, Overdue::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_between_streams_are_not_a_head() {
        let activity = Activity::new(Instant::now());
        drop(activity.begin(true, false));
        activity.received();
        assert_eq!(overdue(&activity).await, (75, Overdue::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_may_take_as_long_as_its_handler_allows() {
        let activity = Activity::new(Instant::now());
        let busy = activity.begin(false, true);
        let watch = Watch::new(Arc::clone(&activity), Limits::default());
        assert!(tokio::time::timeout(Duration::from_secs(3600), watch).await.is_err());
        drop(busy);
        assert_eq!(overdue(&activity).await, (75, Overdue::Idle));
    }
}
