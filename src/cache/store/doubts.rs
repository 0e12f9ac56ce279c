//! Writes of which nobody knows whether they took effect.
//!
//! Supabase may commit them until a deadline; what they may change is changed again then.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::key::Tag;

/// Most tags that are remembered one by one; with more in doubt, everything is, until the
/// last of their deadlines.
const TAGS_MAX: usize = 100_000;

/// What is in doubt in this process, the oldest first.
#[derive(Debug)]
pub(super) struct Doubts {
    /// The longest time for which a write that nobody heard of may still be committed.
    deadline: Duration,
    /// A plain mutex: held for a few moves, when a write failed and once a second.
    left: Mutex<Left>,
}

#[derive(Debug, Default)]
struct Left {
    waiting: VecDeque<(Instant, Box<[Tag]>)>,
    tags: usize,
    everything_until: Option<Instant>,
}

impl Doubts {
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline, left: Mutex::default() }
    }

    /// For how long what nobody heard of stays in doubt.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Remembers what may still change.
    pub(super) fn leave(&self, tags: Box<[Tag]>, now: Instant) {
        let mut left = self.lock();
        let due = now + self.deadline;
        if left.tags + tags.len() > TAGS_MAX {
            *left = Left { everything_until: Some(due), ..Left::default() };
        } else {
            left.tags += tags.len();
            left.waiting.push_back((due, tags));
        }
    }

    /// What can no longer change, and has not been asked for before.
    pub(super) fn due(&self, now: Instant) -> Vec<Tag> {
        let mut left = self.lock();
        let mut due = Vec::new();
        if let Some(until) = left.everything_until {
            due.push(Tag::everything());
            left.everything_until = Some(until).filter(|until| now < *until);
        }
        while left.waiting.front().is_some_and(|(deadline, _)| *deadline <= now) {
            if let Some((_, tags)) = left.waiting.pop_front() {
                left.tags -= tags.len();
                due.extend(tags);
            }
        }
        due
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const DEADLINE: Duration = Duration::from_secs(130);

    fn tags(names: &[&str]) -> Vec<Tag> {
        names.iter().map(|name| Tag::namespace(name)).collect()
    }

    #[test]
    fn a_doubt_is_due_once_at_its_deadline() {
        let (doubts, now) = (Doubts::new(DEADLINE), Clock::default().now());
        let second = Duration::from_secs(1);
        doubts.leave(tags(&["a"]).into(), now);
        doubts.leave(tags(&["b"]).into(), now + second);
        assert_eq!(doubts.due(now + DEADLINE - second), []);
        assert_eq!(doubts.due(now + DEADLINE), tags(&["a"]));
        assert_eq!(doubts.due(now + DEADLINE + second), tags(&["b"]));
        assert_eq!(doubts.due(now + DEADLINE * 2), []);
    }

    #[test]
    fn too_many_doubts_are_about_everything() {
        let (doubts, now) = (Doubts::new(DEADLINE), Clock::default().now());
        doubts.leave(vec![Tag::namespace("a"); TAGS_MAX].into(), now);
        doubts.leave(tags(&["b"]).into(), now);
        for _ in 0..2 {
            assert_eq!(doubts.due(now), [Tag::everything()], "some of them may be due at any moment");
        }
        assert_eq!(doubts.due(now + DEADLINE), [Tag::everything()]);
        assert_eq!(doubts.due(now + DEADLINE), []);
    }
}
