//! Which names were met most often? Counted in bounded room.
//!
//! Where there is no room for another name, the rarer half is forgotten. A name that comes back
//! begins again at none, so no count is too high, and one that is met much more often than once for
//! every [`NAMES_MAX`] others is always among those that stay.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Names counted: many times as many as are shown.
const NAMES_MAX: usize = 512;

/// Longest name that is told, in bytes: a line of a screen.
const NAME_BYTES_MAX: usize = 256;

/// How often something was met, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// How often, about.
    pub times: u64,
    /// Why, and how often for that reason. Reasons are words of ours, so they are few.
    pub reasons: Vec<(&'static str, u64)>,
}

impl Met {
    fn add(&mut self, times: u64, reason: Option<&'static str>) {
        self.times += times;
        let Some(reason) = reason else { return };
        match self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, known)) => *known += times,
            None => self.reasons.push((reason, times)),
        }
    }
}

/// The most frequent names of all that were met.
#[derive(Debug, Default)]
pub(super) struct Top {
    names: HashMap<Box<str>, Met, RandomState>,
}

impl Top {
    /// Counts a name.
    pub(super) fn add(&mut self, name: &str, times: u64, reason: Option<&'static str>) {
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        if let Some(met) = self.names.get_mut(name) {
            return met.add(times, reason);
        }
        if self.names.len() >= NAMES_MAX {
            self.forget_the_rarer_half();
        }
        let mut met = Met::default();
        met.add(times, reason);
        self.names.insert(name.into(), met);
    }

    /// Done once for each few hundred new names, so that none of them waits for long.
    fn forget_the_rarer_half(&mut self) {
        let mut times: Vec<u64> = self.names.values().map(|met| met.times).collect();
        let (_, middle, _) = times.select_nth_unstable(NAMES_MAX / 2);
        let middle = *middle;
        self.names.retain(|_, met| met.times > middle);
    }

    /// The most frequent names of several such counts.
    pub(super) fn most<'t>(counts: impl IntoIterator<Item = &'t Top>, most: usize) -> Vec<(String, Met)> {
        let mut all: HashMap<&str, Met> = HashMap::new();
        for (name, met) in counts.into_iter().flat_map(|top| &top.names) {
            let sum = all.entry(name).or_default();
            sum.times += met.times;
            for (reason, times) in &met.reasons {
                let whole = sum.times;
                sum.add(*times, Some(reason));
                sum.times = whole;
            }
        }
        let mut all: Vec<(&str, Met)> = all.into_iter().collect();
        all.sort_unstable_by(|(one, met), (other, as_often)| {
            as_often.times.cmp(&met.times).then_with(|| one.cmp(other))
        });
        all.truncate(most);
        all.into_iter().map(|(name, met)| (name.to_owned(), met)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_names_stay_however_many_others_come() {
        let mut top = Top::default();
        for nth in 0..100_000_u32 {
            top.add(&format!("rare:{nth}"), 1, None);
            if nth % 10 == 0 {
                top.add("often", 1, Some("new"));
            }
        }
        assert!(top.names.len() <= NAMES_MAX);
        let most = Top::most([&top], 1);
        assert_eq!((&*most[0].0, most[0].1.times), ("often", 10_000), "counted from the first to the last");
    }

    #[test]
    fn a_long_name_is_cut_between_letters() {
        let mut top = Top::default();
        top.add(&"é".repeat(1_000), 1, None);
        assert_eq!(Top::most([&top], 1)[0].0.len(), NAME_BYTES_MAX);
    }
}
