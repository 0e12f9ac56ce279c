//! How slow, and how rude, is the upstream at the moment?

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::chance::Chance;

/// So long a write that a gateway gave up goes on: reads come in between.
const LATE_COMMIT: Duration = Duration::from_millis(150);

/// How the upstream ends a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With its answer.
    Answer,
    /// After the commit, without an answer.
    Cut,
    /// With a 504, before the commit.
    GivesUp,
}

/// The upstream's mood, changed by faults.
#[derive(Debug)]
pub(crate) struct Temper {
    /// A plain mutex: held to draw a number.
    chance: Mutex<Chance>,
    /// So many of 100 writes get no answer after their commit.
    cut_percent: AtomicU64,
    /// So many of 100 get a 504 before it.
    gives_up_percent: AtomicU64,
}

impl Temper {
    pub(crate) fn new(chance: Chance) -> Self {
        Self {
            chance: Mutex::new(chance),
            cut_percent: AtomicU64::new(0),
            gives_up_percent: AtomicU64::new(0),
        }
    }

    pub(crate) fn cut(&self, percent: u64) {
        self.cut_percent.store(percent, Ordering::Relaxed);
    }

    pub(crate) fn give_up(&self, percent: u64) {
        self.gives_up_percent.store(percent, Ordering::Relaxed);
    }

    /// Mostly nothing, often a little, rarely long: so that answers overtake each other.
    pub(super) fn pause(&self) -> Duration {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let micros = match chance.between(0, 99) {
            0..60 => 0,
            60..97 => chance.between(0, 3_000),
            _ => chance.between(0, 30_000),
        };
        Duration::from_micros(micros.unsigned_abs())
    }

    pub(super) fn before_commit(&self, end: End) -> Duration {
        match end {
            End::Answer | End::Cut => self.pause(),
            End::GivesUp => LATE_COMMIT + self.pause(),
        }
    }

    pub(super) fn end(&self) -> End {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        if chance.percent(self.cut_percent.load(Ordering::Relaxed)) {
            End::Cut
        } else if chance.percent(self.gives_up_percent.load(Ordering::Relaxed)) {
            End::GivesUp
        } else {
            End::Answer
        }
    }
}
