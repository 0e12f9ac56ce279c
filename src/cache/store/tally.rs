//! How much does this process hold of each namespace?
//!
//! Counted as entries come and go, so that whoever asks waits for nobody: nothing is walked over.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key::Key;

/// Most namespaces that are told apart. Rules name a handful; where one rule matches every table,
/// there is one for each.
const NAMESPACES_MAX: usize = 1_000;

/// What stands for all further ones; no rule can be given such a name.
const OTHERS: &str = "(others)";

/// What is held of one namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Entries, dead ones included until they are swept.
    pub entries: u64,
    /// Bytes they occupy, with headers, keys and tags.
    pub bytes: u64,
}

/// What is held, by namespace.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Held for as long as it takes to add two numbers, by whoever fills; a hit does without. A name
    /// that was met stays, so that what was counted under it is taken from it too.
    held: Mutex<HashMap<Box<str>, Held>>,
}

impl Tally {
    /// An entry of this weight comes.
    pub(super) fn add(&self, key: &Key, bytes: u32) {
        let mut held = self.lock();
        let namespace = told_apart(&held, key);
        match held.get_mut(namespace) {
            Some(held) => {
                held.entries += 1;
                held.bytes += u64::from(bytes);
            }
            None => {
                held.insert(namespace.into(), Held { entries: 1, bytes: u64::from(bytes) });
            }
        }
    }

    /// It has gone.
    pub(super) fn take(&self, key: &Key, bytes: u32) {
        let mut held = self.lock();
        let namespace = told_apart(&held, key);
        if let Some(held) = held.get_mut(namespace) {
            held.entries = held.entries.saturating_sub(1);
            held.bytes = held.bytes.saturating_sub(u64::from(bytes));
        }
    }

    /// What is held now, in no order.
    pub(super) fn now(&self) -> Vec<(String, Held)> {
        let held = self.lock();
        let some = held.iter().filter(|(_, held)| held.entries > 0);
        some.map(|(namespace, held)| (namespace.to_string(), *held)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under which name this key is counted.
fn told_apart<'k>(held: &HashMap<Box<str>, Held>, key: &'k Key) -> &'k str {
    let namespace = key.namespace();
    if held.len() < NAMESPACES_MAX || held.contains_key(namespace) { namespace } else { OTHERS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_counted_under_one_name_however_many_there_are() {
        let tally = Tally::default();
        let key = |number: usize| Key::new(&format!("table_{number}"), "5");
        (0..NAMESPACES_MAX + 10).for_each(|number| tally.add(&key(number), 7));
        let told = tally.now();
        assert_eq!(told.len(), NAMESPACES_MAX + 1);
        assert!(told.contains(&(OTHERS.to_owned(), Held { entries: 10, bytes: 70 })));
        // room under other names does not move what was counted under this one
        (0..NAMESPACES_MAX).for_each(|number| tally.take(&key(number), 7));
        (NAMESPACES_MAX..NAMESPACES_MAX + 9).for_each(|number| tally.take(&key(number), 7));
        assert_eq!(tally.now(), [(OTHERS.to_owned(), Held { entries: 1, bytes: 7 })]);
    }
}
