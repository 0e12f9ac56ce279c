//! Who has changed something softly, and is not served what was true before?

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Most writers that are remembered one by one; beyond this, everybody counts as one.
const WRITERS_MAX: usize = 10_000;

/// The writers, each until nothing can be left that is from before their last change.
#[derive(Debug, Default)]
pub(super) struct Writers {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    until: HashMap<[u8; 32], Instant>,
    everybody: Option<Instant>,
}

impl Writers {
    /// Somebody changes something now.
    pub(super) fn note(&self, writer: &[u8; 32], until: Instant, now: Instant) {
        let mut known = self.lock();
        if known.until.len() >= WRITERS_MAX {
            known.until.retain(|_, until| *until > now);
        }
        if known.until.len() >= WRITERS_MAX {
            let last = known.until.drain().map(|(_, until)| until).max();
            known.everybody = known.everybody.max(last);
        }
        let held = known.until.entry(*writer).or_insert(until);
        *held = (*held).max(until);
    }

    /// Whether it may be one of them.
    pub(super) fn has(&self, caller: &[u8; 32], now: Instant) -> bool {
        let known = self.lock();
        known.until.get(caller).copied().max(known.everybody).is_some_and(|until| until > now)
    }

    /// A poisoned lock still guards whole values.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    const MINUTE: Duration = Duration::from_secs(60);

    fn writer(number: usize) -> [u8; 32] {
        *blake3::hash(&number.to_le_bytes()).as_bytes()
    }

    #[test]
    fn a_writer_is_known_until_the_time_is_over() {
        let (writers, now) = (Writers::default(), Clock::default().now());
        writers.note(&writer(1), now + 2 * MINUTE, now);
        writers.note(&writer(1), now + MINUTE, now);
        assert!(writers.has(&writer(1), now + MINUTE) && !writers.has(&writer(2), now));
        assert!(!writers.has(&writer(1), now + 2 * MINUTE));
    }

    #[test]
    fn where_too_many_write_everybody_counts_as_a_writer() {
        let (writers, now) = (Writers::default(), Clock::default().now());
        (0..=WRITERS_MAX).for_each(|number| writers.note(&writer(number), now + MINUTE, now));
        assert!(writers.has(&writer(WRITERS_MAX + 1), now) && writers.has(&writer(0), now));
        assert!(!writers.has(&writer(0), now + MINUTE));
        // those whose time is over make room
        let later = now + 2 * MINUTE;
        (0..WRITERS_MAX).for_each(|number| writers.note(&writer(number), now + MINUTE, now));
        writers.note(&writer(0), later + MINUTE, later);
        assert!(writers.has(&writer(0), later) && !writers.has(&writer(1), later));
    }
}
