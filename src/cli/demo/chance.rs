//! Where do the demo's accidents come from? A small generator that gives the same ones every time.

/// SplitMix64: not for secrets, and good enough for visitors.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

/// Places drawn so that the first comes most often, as on a real site: the
/// second half as often as the first, the third a third as often.
#[derive(Clone, Debug)]
pub(super) struct Popularity {
    /// Up to here, of all weights together, reaches each place.
    bounds: Vec<f64>,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// At least `low`, less than `high`.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low).max(1));
        // the remainder is below a number of 32 bits
        low + u32::try_from(self.next() % span).unwrap_or_default()
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, of_hundred: u32) -> bool {
        self.between(0, 100) < of_hundred
    }

    /// One of these; the list is not empty.
    pub(super) fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        let count = u32::try_from(choices.len()).unwrap_or(u32::MAX);
        &choices[self.between(0, count) as usize]
    }

    /// One of these, the first ones more often.
    pub(super) fn popular<'c, T>(&mut self, choices: &'c [T], popularity: &Popularity) -> &'c T {
        let total = popularity.bounds.last().copied().unwrap_or_default();
        let drawn = total * f64::from(self.between(0, 1_000_000)) / 1_000_000.0;
        let place = popularity.bounds.partition_point(|bound| *bound <= drawn);
        &choices[place.min(choices.len() - 1)]
    }
}

impl Popularity {
    /// For a list of this length.
    pub(super) fn of(count: usize) -> Self {
        let weights = (1..=count).map(|place| 1.0 / place as f64);
        let bounds = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { bounds: bounds.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_repeats_itself_and_prefers_the_popular() {
        let draw = || {
            let (mut chance, popularity) = (Chance::new(7), Popularity::of(50));
            let places: Vec<usize> = (0..50).collect();
            (0..2000).map(|_| *chance.popular(&places, &popularity)).collect::<Vec<_>>()
        };
        let drawn = draw();
        assert_eq!(drawn, draw());
        let count = |place| drawn.iter().filter(|drawn| **drawn == place).count();
        assert!(count(0) > 2 * count(4) && count(4) > count(40), "{} {} {}", count(0), count(4), count(40));
    }
}
