//! For how long may what this process remembers be believed?

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::sabotage::{self, Bug};

/// How late another process's write may be seen at most, where nobody waits for anybody.
pub(super) const DELTA: Duration = Duration::from_secs(1);

/// Between two beats: two of them may be lost before the lease ends.
pub(super) const BEAT_EVERY: Duration = Duration::from_millis(333);

/// By how much others believe in our lease longer than we do, so that clocks may run apart.
pub(super) const MARGIN: Duration = Duration::from_millis(50);

/// Longest that others believe in a lease from when they hear that it was kept.
pub(super) const LEASE_MAX: Duration = DELTA.saturating_add(MARGIN);

/// An answered beat proves that everything published before it has been heard. So memory is
/// believed until a fixed time after the last answered beat was *sent*, on a clock that
/// counts the time for which the machine slept.
#[derive(Debug)]
pub(super) struct Lease {
    clock: Clock,
    until: AtomicU64,
}

impl Lease {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, until: AtomicU64::new(0) }
    }

    /// May memory be believed?
    pub(super) fn holds(&self) -> bool {
        if sabotage::is(Bug::LeaseNeverEnds) {
            return self.until.load(Ordering::Acquire) > 0;
        }
        // strictly less: a millisecond that has begun may be nearly over
        self.clock.boot_millis() < self.until.load(Ordering::Acquire)
    }

    /// When a beat is sent.
    pub(super) fn beat(&self) -> Beat {
        Beat { sent: self.clock.boot_millis() }
    }

    /// A beat was answered.
    pub(super) fn extend(&self, beat: &Beat) {
        let delta = u64::try_from(DELTA.as_millis()).unwrap_or(u64::MAX);
        self.until.store(beat.sent.saturating_add(delta), Ordering::Release);
    }

    /// Something may not have been heard.
    pub(super) fn end(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// How long it still holds.
    pub(super) fn left(&self) -> Duration {
        let until = self.until.load(Ordering::Acquire);
        Duration::from_millis(until.saturating_sub(self.clock.boot_millis()))
    }
}

/// A beat that was sent and may be answered.
#[derive(Debug)]
pub(super) struct Beat {
    sent: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_runs_from_when_its_beat_was_sent() {
        let clock = Clock::default();
        let lease = Lease::new(clock.clone());
        assert!(!lease.holds(), "nothing is believed before the first answer");
        let beat = lease.beat();
        clock.advance(DELTA / 2);
        lease.extend(&beat);
        assert!(lease.holds());
        clock.advance(DELTA / 2);
        assert!(!lease.holds());
        lease.extend(&lease.beat());
        assert!(lease.holds());
        lease.end();
        assert!(!lease.holds());
    }
}
