//! How many came in this window? Pure: the time is an argument.
//!
//! A window is cut into sixty slots. A sliding window looks at sixty-one of
//! them, which cover every stretch of its length whole: no such stretch ever
//! sees more than the rate, and a request counts for at most a sixtieth longer
//! than it should. A fixed window looks at the slots since it began.

use std::time::Duration;

use crate::rules::{Quota, Window};

/// Slots of a window.
const SLOTS: u64 = 60;

/// Slots of a tenth of a window, and the one that it may reach into.
const BURST_SLOTS: u64 = SLOTS / 10 + 1;

/// What is kept of one budget.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counter {
    /// By slot number modulo their count.
    counts: [u32; SLOTS as usize + 1],
    newest: u64,
}

/// What is left, and until when there is not more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) left: u32,
    pub(super) more_in: Duration,
    /// The slot that it was counted in.
    pub(super) slot: u64,
}

impl Default for Counter {
    fn default() -> Self {
        Self { counts: [0; SLOTS as usize + 1], newest: 0 }
    }
}

impl Counter {
    /// Counts one request if there is room for it, and says what is left; the time is in
    /// microseconds since 1970.
    pub(super) fn take(&mut self, quota: &Quota, now: u64) -> Result<Left, Left> {
        let window = micros(quota.window);
        let slot = now.saturating_mul(SLOTS) / window;
        self.turn_to(slot);
        let slot = self.newest;
        let begins = match quota.kind {
            Window::Fixed => (slot / SLOTS) * SLOTS,
            Window::Sliding => slot.saturating_sub(SLOTS),
        };
        let left = quota.rate.saturating_sub(self.sum(begins, slot));
        let burst_begins = slot.saturating_sub(BURST_SLOTS - 1);
        let burst_left = quota.burst.map(|burst| burst.saturating_sub(self.sum(burst_begins, slot)));
        let until = |slot_number: u64| {
            Duration::from_micros((slot_number * window).div_ceil(SLOTS).saturating_sub(now))
        };
        let more_in = match quota.kind {
            Window::Fixed => until(begins + SLOTS),
            Window::Sliding => until(self.oldest(begins, slot) + SLOTS + 1),
        };
        if left == 0 {
            return Err(Left { left: 0, more_in, slot });
        }
        if burst_left == Some(0) {
            let more_in = until(self.oldest(burst_begins, slot) + BURST_SLOTS);
            return Err(Left { left: 0, more_in, slot });
        }
        self.counts[place(slot)] += 1;
        let left = burst_left.map_or(left, |burst| left.min(burst)) - 1;
        Ok(Left { left, more_in, slot })
    }

    /// Takes back what was counted in this slot.
    pub(super) fn give_back(&mut self, slot: u64) {
        if slot + SLOTS >= self.newest && slot <= self.newest {
            let count = &mut self.counts[place(slot)];
            *count = count.saturating_sub(1);
        }
    }

    /// Empties the slots that time has passed over. A slot from long ago means that the window has
    /// another length now: everything before is forgotten.
    fn turn_to(&mut self, slot: u64) {
        if slot > self.newest + SLOTS || slot + SLOTS < self.newest {
            *self = Self { newest: slot, ..Self::default() };
        }
        while self.newest < slot {
            self.newest += 1;
            self.counts[place(self.newest)] = 0;
        }
    }

    fn sum(&self, from: u64, to: u64) -> u32 {
        (from..=to).fold(0, |sum: u32, slot| sum.saturating_add(self.counts[place(slot)]))
    }

    /// The first slot with anything in it; the last if there is none.
    fn oldest(&self, from: u64, to: u64) -> u64 {
        (from..=to).find(|slot| self.counts[place(*slot)] > 0).unwrap_or(to)
    }
}

fn place(slot: u64) -> usize {
    usize::try_from(slot % (SLOTS + 1)).unwrap_or(0)
}

fn micros(window: Duration) -> u64 {
    u64::try_from(window.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;
    /// The beginning of a minute.
    const START: u64 = 1_700_000_040 * SECOND;

    fn quota(rate: u32, seconds: u64, kind: Window, burst: Option<u32>) -> Quota {
        Quota { rate, window: Duration::from_secs(seconds), burst, kind }
    }

    /// The times at which one of these got through.
    fn through(quota: &Quota, times: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut counter = Counter::default();
        times.filter(|now| counter.take(quota, *now).is_ok()).collect()
    }

    #[test]
    fn a_fixed_window_lets_exactly_the_rate_through() {
        let quota = quota(100, 60, Window::Fixed, None);
        let passed = through(&quota, (0..100 * 60 * 10).map(|tenth| START + tenth * SECOND / 10));
        assert_eq!(passed.len(), 100 * 100, "100 windows, 600 asked in each");
        let in_window = |number: u64| {
            let begin = START + number * 60 * SECOND;
            passed.iter().filter(|at| (begin..begin + 60 * SECOND).contains(*at)).count()
        };
        assert!((0..100).all(|number| in_window(number) == 100));
    }

    #[test]
    fn what_is_left_and_when_there_is_more() {
        let mut counter = Counter::default();
        let fixed = quota(2, 60, Window::Fixed, None);
        assert_eq!(counter.take(&fixed, START + 10 * SECOND).unwrap().left, 1);
        assert_eq!(counter.take(&fixed, START + 10 * SECOND).unwrap().left, 0);
        let refused = counter.take(&fixed, START + 20 * SECOND).unwrap_err();
        assert_eq!((refused.left, refused.more_in), (0, Duration::from_secs(40)));
        assert!(counter.take(&fixed, START + 60 * SECOND).is_ok());

        let mut counter = Counter::default();
        let sliding = quota(1, 60, Window::Sliding, None);
        assert!(counter.take(&sliding, START).is_ok());
        let refused = counter.take(&sliding, START + 20 * SECOND).unwrap_err();
        assert_eq!(refused.more_in, Duration::from_secs(41), "a sixtieth more than it should be");
        assert!(counter.take(&sliding, START + 61 * SECOND - 1).is_err());
        assert!(counter.take(&sliding, START + 61 * SECOND).is_ok());
    }

    #[test]
    fn a_burst_is_spread() {
        let quota = quota(60, 60, Window::Sliding, Some(5));
        let passed = through(&quota, (0..600).map(|tenth| START + tenth * SECOND / 10));
        assert!(
            passed.iter().all(|from| passed
                .iter()
                .filter(|at| (*from..*from + 6 * SECOND).contains(at))
                .count()
                <= 5)
        );
        assert!(passed.len() >= 40, "{}", passed.len());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_another_window_begins_anew() {
        let mut counter = Counter::default();
        let minute = quota(1, 60, Window::Sliding, None);
        let slot = counter.take(&minute, START).unwrap().slot;
        assert!(counter.take(&minute, START).is_err());
        counter.give_back(slot);
        assert!(counter.take(&minute, START).is_ok());
        let hour = quota(1, 3_600, Window::Sliding, None);
        assert!(counter.take(&hour, START).is_ok(), "shorter slots have higher numbers");
        assert!(counter.take(&minute, START).is_ok());
    }

    proptest! {
        #[test]
        fn no_stretch_of_a_sliding_window_sees_more_than_the_rate(
            rate in 1_u32..50,
            seconds in 1_u64..100,
            gaps in proptest::collection::vec(0_u64..3_000_000, 100..400),
        ) {
            let quota = quota(rate, seconds, Window::Sliding, None);
            let mut now = START;
            let times: Vec<u64> = gaps.iter().map(|gap| { now += gap * seconds / 60; now }).collect();
            let passed = through(&quota, times.into_iter());
            for (index, from) in passed.iter().enumerate() {
                let within = passed[index..].iter().filter(|at| **at < from + seconds * SECOND).count();
                prop_assert!(within <= rate as usize, "{within} from {from}");
            }
        }
    }
}
