//! What is the greatest version that was reached before a moment?

use std::collections::VecDeque;

use super::{Nanos, Version};

/// Moments and the greatest version reached by then: both only rise from step to step.
#[derive(Debug, Default)]
pub(crate) struct Staircase {
    steps: VecDeque<(Nanos, Version)>,
}

impl Staircase {
    /// From this moment on, this version is reached. Moments may come in any order.
    pub(crate) fn raise(&mut self, at: Nanos, version: Version) {
        let place = self.steps.partition_point(|(moment, _)| *moment <= at);
        if place > 0 && self.steps[place - 1].1 >= version {
            return;
        }
        let overtaken = self.steps.iter().skip(place).take_while(|(_, later)| *later <= version).count();
        self.steps.drain(place..place + overtaken);
        self.steps.insert(place, (at, version));
    }

    /// The greatest version reached before this moment, and when it was; 0 at 0 if none was.
    pub(crate) fn before(&self, moment: Nanos) -> (Nanos, Version) {
        let place = self.steps.partition_point(|(at, _)| *at < moment);
        if place == 0 { (0, 0) } else { self.steps[place - 1] }
    }

    /// When something newer than this version was first reached.
    pub(crate) fn first_above(&self, version: Version) -> Option<Nanos> {
        let place = self.steps.partition_point(|(_, reached)| *reached <= version);
        self.steps.get(place).map(|(at, _)| *at)
    }

    /// Forgets what no question about a moment after this one needs.
    pub(crate) fn forget_before(&mut self, moment: Nanos) {
        let place = self.steps.partition_point(|(at, _)| *at < moment);
        self.steps.drain(..place.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_version_counts_whenever_it_came() {
        let mut stairs = Staircase::default();
        for (at, version) in [(30, 3), (10, 1), (20, 5), (25, 4), (40, 6)] {
            stairs.raise(at, version);
        }
        let asked = [5, 10, 11, 21, 35, 41];
        assert_eq!(asked.map(|moment| stairs.before(moment).1), [0, 0, 1, 5, 5, 6], "before, not at");
        assert_eq!(
            (stairs.first_above(1), stairs.first_above(5), stairs.first_above(6)),
            (Some(20), Some(40), None)
        );
        stairs.forget_before(30);
        assert_eq!((stairs.before(30).1, stairs.before(50).1, stairs.steps.len()), (5, 6, 2));
    }
}
