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

    /// Reads the time of day as people and programs write it, in UTC: `2026-11-21T19:36:02.114Z`.
    pub fn timestamp(&self) -> String {
        timestamp(self.unix_millis())
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

/// A moment in milliseconds since 1970, written as RFC 3339 has it.
fn timestamp(unix_millis: u64) -> String {
    let (seconds, millis) = (unix_millis / 1_000, unix_millis % 1_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    // years that begin in March, so that a leap day is the last of its year; 719,468 days lie between
    // the first of March of the year 0 and 1970, and the calendar repeats every 146,097 days
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year + month / 10, if month < 10 { month + 3 } else { month - 9 });
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_programs_read_it() {
        for (unix_millis, written) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_001, "2000-03-01T00:00:00.001Z"),
            (1_735_689_599_000, "2024-12-31T23:59:59.000Z"),
            (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(timestamp(unix_millis), written);
        }
    }
}
