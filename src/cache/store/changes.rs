//! What has changed in the last moments, so that a replica that lags behind may not show it yet?

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::key::Tag;

/// Most changes that are remembered one by one; beyond this, everything counts as changed.
const TAGS_MAX: usize = 50_000;

/// Changes of late, as long as some rule wants to know of them.
#[derive(Debug)]
pub(super) struct Changes {
    clock: Clock,
    /// For how many milliseconds a change is remembered; nothing is where it is 0.
    kept_for: AtomicU64,
    of_late: Mutex<OfLate>,
}

/// Guarded by a plain mutex: writes take it, and misses of rules that ask.
#[derive(Debug, Default)]
struct OfLate {
    at: HashMap<Tag, Instant>,
    everything: Option<Instant>,
}

impl Changes {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, kept_for: AtomicU64::new(0), of_late: Mutex::default() }
    }

    /// Remembers changes for this long from now on.
    pub(super) fn keep_for(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        if self.kept_for.swap(millis, Ordering::AcqRel) < millis {
            // of what changed until now, not all was noted
            self.note_everything();
        }
    }

    /// These change now: noted before anybody can see that they have.
    pub(super) fn note(&self, tags: &[Tag]) {
        let kept_for = self.kept_for.load(Ordering::Acquire);
        if kept_for == 0 {
            return;
        }
        let now = self.clock.now();
        let mut of_late = self.lock();
        if of_late.at.len() + tags.len() > TAGS_MAX {
            let kept_for = Duration::from_millis(kept_for);
            of_late.at.retain(|_, at| now.saturating_duration_since(*at) < kept_for);
        }
        if of_late.at.len() + tags.len() > TAGS_MAX {
            of_late.at.clear();
            of_late.everything = Some(now);
        } else {
            of_late.at.extend(tags.iter().map(|tag| (tag.clone(), now)));
        }
    }

    /// Anything may have changed now.
    pub(super) fn note_everything(&self) {
        self.lock().everything = Some(self.clock.now());
    }

    /// Whether any of these has changed within this time.
    pub(super) fn has_any_of(&self, tags: &[Tag], time: Duration) -> bool {
        let now = self.clock.now();
        let is_late = |at: &Instant| now.saturating_duration_since(*at) < time;
        let of_late = self.lock();
        of_late.everything.as_ref().is_some_and(is_late)
            || tags.iter().filter_map(|tag| of_late.at.get(tag)).any(is_late)
    }

    /// A poisoned lock still guards whole values.
    fn lock(&self) -> MutexGuard<'_, OfLate> {
        self.of_late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn tag(number: usize) -> Tag {
        Tag::namespace(&number.to_string())
    }

    fn started() -> (Changes, Clock) {
        let clock = Clock::default();
        let changes = Changes::new(clock.clone());
        changes.keep_for(2 * SECOND);
        clock.advance(2 * SECOND);
        (changes, clock)
    }

    #[test]
    fn a_change_is_of_late_for_its_time() {
        let (changes, clock) = started();
        changes.note(&[tag(1)]);
        assert!(
            changes.has_any_of(&[tag(0), tag(1)], 2 * SECOND) && !changes.has_any_of(&[tag(0)], 2 * SECOND)
        );
        clock.advance(2 * SECOND);
        assert!(!changes.has_any_of(&[tag(1)], 2 * SECOND));
    }

    #[test]
    fn what_was_not_noted_may_have_changed() {
        let clock = Clock::default();
        let changes = Changes::new(clock.clone());
        changes.note(&[tag(1)]);
        changes.keep_for(2 * SECOND);
        assert!(changes.has_any_of(&[tag(2)], 2 * SECOND));
        clock.advance(2 * SECOND);
        changes.keep_for(SECOND);
        assert!(!changes.has_any_of(&[tag(2)], 2 * SECOND), "less is asked for: that was noted");
    }

    #[test]
    fn too_many_changes_are_a_change_of_everything_and_old_ones_make_room() {
        let (changes, clock) = started();
        let many = (0..TAGS_MAX).map(tag).collect::<Vec<_>>();
        changes.note(&many);
        clock.advance(2 * SECOND);
        changes.note(&many[..1]);
        assert!(!changes.has_any_of(&[tag(TAGS_MAX)], 2 * SECOND));
        changes.note(&many);
        assert!(changes.has_any_of(&[tag(TAGS_MAX)], 2 * SECOND));
    }
}
