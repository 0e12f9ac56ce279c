//! What do both models count, and which promises do they check?

use std::fmt;

/// Which commit of the row an answer shows. Postgres gives each row's versions in
/// commit order, so a larger one is a later one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version(u8);

impl Version {
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// The stamp of a tag. Zero is a tag that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Generation(u8);

impl Generation {
    pub(crate) const ABSENT: Self = Self(0);
    pub(crate) const FIRST: Self = Self(1);

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Renames the generations of each tag in the order in which they are met, and says which
/// comes next. Generations are only ever compared, so states that differ in nothing but
/// their names are one state. An absent one stays absent.
pub(crate) fn rename<'a>(met: impl Iterator<Item = &'a mut Generations>) -> Generations {
    let mut unused = [Generation::FIRST; TAGS];
    let mut names = [[Generation::ABSENT; GENERATIONS_MAX]; TAGS];
    for generations in met {
        for tag in 0..TAGS {
            let old = generations[tag];
            if old == Generation::ABSENT {
                continue;
            }
            let name = &mut names[tag][usize::from(old.0)];
            if *name == Generation::ABSENT {
                *name = unused[tag];
                unused[tag] = unused[tag].next();
            }
            generations[tag] = *name;
        }
    }
    unused
}

/// More than there are places for them in either model.
const GENERATIONS_MAX: usize = 16;

/// How many tags an entry depends on in these models.
pub(crate) const TAGS: usize = 2;

/// One generation for each tag.
pub(crate) type Generations = [Generation; TAGS];

/// What no course of events may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// P1: a read that starts after a write was acknowledged sees that write.
    FreshAfterAcknowledgement,
    /// P2: a read that starts after another read ended never sees an older version than that one did.
    NeverBackwards,
    /// P2 for each URL alone: two URLs that show one row may differ while a write is on its way.
    NeverBackwardsPerUrl,
}
