//! What made entries disappear, in the order in which it happened?

use std::collections::VecDeque;
use std::time::Duration;

/// Changes remembered: what a person scrolls through.
const CHANGES_MAX: usize = 200;

/// Tags of one change that are named; the rest is counted.
const NAMED_MAX: usize = 4;

/// Longest name of a tag, in bytes: a line of a screen.
const NAME_BYTES_MAX: usize = 160;

/// Who or what made entries disappear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// A write through the proxy, which took effect.
    #[default]
    Write,
    /// A write of which nobody knows whether it took effect.
    Doubt,
    /// An operator.
    Operator,
    /// The database, of something that bypassed the proxy.
    Database,
}

impl Why {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Doubt => "write in doubt",
            Self::Operator => "operator",
            Self::Database => "database",
        }
    }
}

/// Something that made entries disappear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Its place among all since the start; given when it is noted.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_millis: u64,
    /// Why.
    pub why: Why,
    /// How many tags were given a new generation.
    pub tags: usize,
    /// The first of them.
    pub named: Vec<String>,
    /// Until every later read saw it.
    pub took: Duration,
}

impl Happened {
    /// What happened to these tags.
    pub fn new<'t>(
        why: Why,
        tags: impl ExactSizeIterator<Item = &'t str>,
        at_millis: u64,
        took: Duration,
    ) -> Self {
        let count = tags.len();
        let short = |tag: &str| tag[..tag.floor_char_boundary(NAME_BYTES_MAX)].to_owned();
        let named = tags.take(NAMED_MAX).map(short).collect();
        Self { number: 0, at_millis, why, tags: count, named, took }
    }
}

/// The latest changes.
#[derive(Debug, Default)]
pub(super) struct History {
    latest: VecDeque<Happened>,
    last: u64,
}

impl History {
    /// Notes one, and forgets the oldest where there is no room.
    pub(super) fn add(&mut self, mut happened: Happened) {
        self.last += 1;
        happened.number = self.last;
        if self.latest.len() == CHANGES_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back(happened);
    }

    /// Those that came after this one and are remembered.
    pub(super) fn after(&self, number: u64) -> Vec<Happened> {
        let from = self.latest.partition_point(|happened| happened.number <= number);
        self.latest.range(from..).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_told_once() {
        let mut history = History::default();
        let names = ["a"; 9];
        for _ in 0..CHANGES_MAX + 50 {
            history.add(Happened::new(Why::Write, names.into_iter(), 1, Duration::ZERO));
        }
        let all = history.after(0);
        assert_eq!((all.len(), all[0].number), (CHANGES_MAX, 51));
        assert_eq!((all[0].tags, all[0].named.len()), (9, NAMED_MAX));
        assert_eq!(history.after(248).iter().map(|one| one.number).collect::<Vec<_>>(), [249, 250]);
        assert!(history.after(250).is_empty());
    }
}
