//! What could not be told to the store, and is owed to it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key::Tag;

use super::super::Announced;

/// Most tags that are remembered one by one; beyond this, everything is owed.
const TAGS_MAX: usize = 100_000;

/// Most announcements that are remembered; of others the store takes care at their deadline.
const ANNOUNCED_MAX: usize = 10_000;

/// What is owed, all of it together.
#[derive(Debug, Default)]
pub(super) struct Owed {
    pub(super) tags: HashSet<Tag>,
    /// Completed or withdrawn.
    pub(super) announced: Vec<Announced>,
}

/// The debts of this process. While there are any, it does not believe the store.
#[derive(Debug, Default)]
pub(super) struct Journal {
    owed: Mutex<Owed>,
    /// Changes that were written down and not yet carried out.
    open: AtomicUsize,
}

impl Journal {
    /// Is nothing owed?
    pub(super) fn is_clear(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    /// How many changes are owed.
    pub(super) fn len(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Writes down what the store was not told.
    pub(super) fn owe(&self, tags: &[Tag], announced: Option<Announced>) {
        let mut owed = self.lock();
        self.open.fetch_add(1, Ordering::AcqRel);
        owed.add(tags.iter().cloned());
        if owed.announced.len() < ANNOUNCED_MAX {
            owed.announced.extend(announced);
        }
    }

    /// What is owed, with how many changes that is. It stays owed until it is [`Journal::paid`].
    pub(super) fn take(&self) -> (Owed, usize) {
        let mut owed = self.lock();
        (std::mem::take(&mut *owed), self.open.load(Ordering::Acquire))
    }

    /// So many changes have been carried out.
    pub(super) fn paid(&self, changes: usize) {
        self.open.fetch_sub(changes, Ordering::AcqRel);
    }

    /// It could not be paid: it is owed as before.
    pub(super) fn put_back(&self, unpaid: Owed) {
        let mut owed = self.lock();
        owed.add(unpaid.tags);
        owed.announced.extend(unpaid.announced);
    }

    fn lock(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owed {
    fn add(&mut self, tags: impl IntoIterator<Item = Tag>) {
        self.tags.extend(tags);
        if self.tags.len() > TAGS_MAX {
            self.tags = HashSet::from([Tag::everything()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_stays_owed_until_it_is_paid() {
        let journal = Journal::default();
        journal.owe(&[Tag::namespace("a")], None);
        journal.owe(&[Tag::namespace("a"), Tag::namespace("b")], None);
        let (owed, changes) = journal.take();
        assert_eq!((owed.tags.len(), changes), (2, 2));
        journal.owe(&[Tag::namespace("c")], None);
        journal.put_back(owed);
        let (owed, changes) = journal.take();
        assert_eq!((owed.tags.len(), changes), (3, 3));
        assert!(!journal.is_clear(), "taken is not paid");
        journal.paid(changes);
        assert!(journal.is_clear());
    }

    #[test]
    fn a_journal_that_overflows_owes_everything() {
        let journal = Journal::default();
        let tags = (0..=TAGS_MAX).map(|i| Tag::namespace(&i.to_string())).collect::<Vec<_>>();
        journal.owe(&tags, None);
        assert_eq!(journal.take().0.tags, HashSet::from([Tag::everything()]));
    }
}
