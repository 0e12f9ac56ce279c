//! Has a store failed so often that it is better not asked for a while?

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// So many failures one after another, and the store is left alone.
const IN_A_ROW_MAX: u32 = 5;

/// Or half of so many calls.
const LOOKED_AT: u32 = 20;

/// The last calls, one bit each, a set bit for a failure.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: AtomicU32,
    is_open: AtomicBool,
}

impl Breaker {
    /// A call was answered.
    pub(super) fn succeeded(&self) {
        // the usual case writes nothing, so that cores do not fight over it
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.note(0);
        }
    }

    /// A call failed; is that one too many?
    pub(super) fn failed(&self) -> bool {
        let calls = self.note(1);
        let is_too_many = calls.trailing_ones() >= IN_A_ROW_MAX || calls.count_ones() >= LOOKED_AT / 2;
        if is_too_many {
            self.is_open.store(true, Ordering::Relaxed);
        }
        is_too_many
    }

    /// A connection has been made anew: what was before is forgotten.
    pub(super) fn forget(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.is_open.store(false, Ordering::Relaxed);
    }

    /// Is the store left alone, because it failed too often?
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    fn note(&self, failed: u32) -> u32 {
        let shift = |calls: u32| (calls << 1 | failed) & ((1 << LOOKED_AT) - 1);
        let before =
            self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |calls| Some(shift(calls)));
        shift(before.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_are_too_many() {
        let breaker = Breaker::default();
        assert_eq!([0; 5].map(|_| breaker.failed()), [false, false, false, false, true]);
        assert!(breaker.is_open());
        breaker.succeeded();
        assert!(breaker.is_open(), "one that was asked before answers late: nobody is asked again for that");
        breaker.forget();
        assert!(!breaker.is_open() && !breaker.failed());
    }

    #[test]
    fn half_of_the_last_twenty_are_too_many() {
        let breaker = Breaker::default();
        for call in 1..=9 {
            assert!(!breaker.failed(), "{call}");
            breaker.succeeded();
        }
        assert!(breaker.failed());
    }

    #[test]
    fn old_failures_are_forgotten() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            assert!(!breaker.failed());
            for _ in 0..LOOKED_AT {
                breaker.succeeded();
            }
        }
    }
}
