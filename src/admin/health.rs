//! Is this process alive, and should clients be sent to it?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// What the process is doing, as told to load balancers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not everything is built yet.
    Starting,
    /// Clients can be answered.
    Ready,
    /// What was begun is finished, nothing new is taken.
    Draining,
}

/// The phase of this process and what is not as it should be, shared with whoever changes it.
#[derive(Clone, Debug, Default)]
pub struct Health {
    phase: Arc<AtomicU8>,
    rules_broken: Arc<AtomicBool>,
}

impl Phase {
    /// The word in the body of `/readyz`.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::Draining => "draining",
        }
    }
}

impl Health {
    /// Moves to another phase; draining is never left.
    pub fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::Relaxed);
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// Remembers whether the rules on disk are the ones in use.
    pub fn set_rules_broken(&self, broken: bool) {
        self.rules_broken.store(broken, Ordering::Relaxed);
    }

    /// Whether the file on disk was refused and older rules are in use.
    pub fn rules_broken(&self) -> bool {
        self.rules_broken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draining_is_never_left() {
        let health = Health::default();
        for (enter, phase) in [
            (Phase::Starting, "starting"),
            (Phase::Ready, "ready"),
            (Phase::Draining, "draining"),
            (Phase::Ready, "draining"),
        ] {
            health.enter(enter);
            assert_eq!(health.phase().as_str(), phase);
        }
    }
}
