//! What time is it? From the system, or moved by a test.
//!
//! The only file that reads the system's clocks. Ages and expiries are computed
//! from a [`Clock`] handed down from `server`; pure functions take `now`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time of day and the time that only moves forward.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// How far a test has moved this clock ahead, in milliseconds.
    ahead: Arc<AtomicU64>,
}

impl Clock {
    /// Reads the monotonic clock.
    #[allow(clippy::disallowed_methods, reason = "this file is where time comes from")]
    pub fn now(&self) -> Instant {
        Instant::now() + self.ahead()
    }

    /// Reads the time of day as seconds since 1970, for comparing with a token's `exp`.
    pub fn unix_seconds(&self) -> u64 {
        self.unix_millis() / 1_000
    }

    /// Reads the time since the machine started, in milliseconds, times when it slept included:
    /// for promises made to others, who go on while it sleeps.
    pub fn boot_millis(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let millis = u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000_000;
        seconds * 1_000 + millis + self.ahead.load(Ordering::Relaxed)
    }

    /// Reads the time of day as milliseconds since 1970.
    #[allow(clippy::disallowed_methods, reason = "this file is where time comes from")]
    pub fn unix_millis(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from((since_epoch + self.ahead()).as_millis()).unwrap_or(u64::MAX)
    }

    /// Reads the time of day as microseconds since 1970, for numbers that rise across restarts.
    #[allow(clippy::disallowed_methods, reason = "this file is where time comes from")]
    pub fn unix_micros(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from((since_epoch + self.ahead()).as_micros()).unwrap_or(u64::MAX)
    }

    /// Moves this clock, and every clone of it, forward.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.ahead.fetch_add(millis, Ordering::Relaxed);
    }

    fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead.load(Ordering::Relaxed))
    }
}
