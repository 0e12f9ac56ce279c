//! What is remembered, for operators who look?
//!
//! Of what this process holds, every page walks over everything and keeps what comes next in the
//! order of keys: that is the same order whatever comes and goes meanwhile, so an entry that is
//! there all along is listed once. A shared store is scanned as it lets itself be. Looking changes
//! nothing: neither an entry's life nor its place in the order of eviction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::key::{Fingerprint, Key, KeyGlob, Tag};

use super::Cache;
use super::entry::Entry;
use super::store::{Held, NoPage, Stored, StoredPage};

/// Bytes of a fingerprint that tell the entries of one key apart: as many as stand in a shared store.
pub(super) const SHOWN_BYTES: usize = 16;

/// Most entries of one key that are looked into: a key for each page of a long list has as many.
pub const VARIANTS_MAX: usize = 100;

/// Which entries are looked at.
#[derive(Clone, Debug)]
pub enum Which {
    /// Those whose key looks like this.
    Like(KeyGlob),
    /// Those of these keys.
    Of(BTreeSet<Key>),
}

impl Which {
    fn includes(&self, key: &Key) -> bool {
        match self {
            Self::Like(glob) => glob.matches(key.as_str()),
            Self::Of(keys) => keys.contains(key),
        }
    }
}

/// Where an entry stands in the order of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// Its key.
    pub key: Key,
    /// What tells it from others of that key, in hexadecimal digits.
    pub variant: String,
}

impl Standing {
    fn of(key: &Key, fingerprint: &Fingerprint) -> Self {
        let digits = fingerprint.as_bytes()[..SHOWN_BYTES].iter();
        Self { key: key.clone(), variant: digits.map(|byte| format!("{byte:02x}")).collect() }
    }
}

/// May an entry be served?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Everything it depends on is as it was.
    Valid,
    /// Something has changed, or it is too old.
    Overtaken,
    /// A shared store does not say what it depends on.
    Unknown,
}

/// An entry in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which one it is.
    pub standing: Standing,
    /// Its status.
    pub status: u16,
    /// How long it has been kept.
    pub age: Duration,
    /// How long it may still be served.
    pub left: Duration,
    /// Bytes of its body.
    pub body_bytes: u64,
    /// How often this process served it, about; nothing where it does not hold it.
    pub hits: Option<u64>,
    /// Whether it may be served.
    pub validity: Validity,
    /// Whether it is sealed where others can reach it.
    pub is_sealed: bool,
}

/// Part of a list.
#[derive(Debug)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Listed>,
    /// Where to go on; nothing at the end.
    pub next: Option<String>,
}

/// An entry, looked into.
#[derive(Debug)]
pub struct Inspected {
    /// What a list says of it.
    pub listed: Listed,
    /// What of the upstream's headers is kept.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What it depends on, and whether that is as it was.
    pub tags: Vec<(Tag, bool)>,
    /// The body.
    pub body: Bytes,
    /// Whether it is in this process's memory.
    pub is_in_memory: bool,
}

/// All entries of a key, as far as they were found in time.
#[derive(Debug)]
pub struct Inspection {
    /// The entries.
    pub entries: Vec<Inspected>,
    /// Whether these are all there are.
    pub is_whole: bool,
}

/// What of this process's memory comes next, kept while it is walked over.
#[derive(Debug)]
pub struct Walk<'w> {
    which: &'w Which,
    after: Option<&'w Standing>,
    limit: usize,
    found: BTreeMap<Standing, Arc<Entry>>,
}

impl<'w> Walk<'w> {
    pub(super) fn new(which: &'w Which, after: Option<&'w Standing>, limit: usize) -> Self {
        Self { which, after, limit, found: BTreeMap::new() }
    }

    /// Looks at one more; keeps one more than the limit, which says that there are more.
    pub(super) fn meet(&mut self, fingerprint: &Fingerprint, entry: &Arc<Entry>) {
        if !self.which.includes(&entry.key) || self.after.is_some_and(|after| entry.key < after.key) {
            return;
        }
        let is_full = self.found.len() > self.limit;
        if is_full && self.found.last_key_value().is_some_and(|(last, _)| entry.key > last.key) {
            return;
        }
        let standing = Standing::of(&entry.key, fingerprint);
        if self.after.is_none_or(|after| standing > *after) {
            self.found.insert(standing, Arc::clone(entry));
        }
        if self.found.len() > self.limit + 1 {
            self.found.pop_last();
        }
    }

    /// What was found, and whether there is more.
    fn end(mut self) -> (Vec<(Standing, Arc<Entry>)>, bool) {
        let has_more = self.found.len() > self.limit;
        if has_more {
            self.found.pop_last();
        }
        (self.found.into_iter().collect(), has_more)
    }
}

impl Cache {
    /// What this process holds of each namespace, in no order.
    pub fn namespaces(&self) -> Vec<(String, Held)> {
        self.means.store.namespaces()
    }

    /// Part of a list of what this process holds, in the order of keys. On a thread of its own: it
    /// takes as long as there are entries.
    pub async fn list_held(&self, which: Which, after: Option<Standing>, limit: usize) -> Page {
        let (found, has_more) = self.walk(which, after, limit).await;
        let now = self.means.clock.now();
        let entries: Vec<Listed> =
            found.into_iter().map(|(standing, entry)| listed(standing, &entry, now)).collect();
        let last = entries.last().filter(|_| has_more);
        let next = last.map(|last| format!("{}#{}", last.standing.key, last.standing.variant));
        Page { entries, next }
    }

    /// Part of a list of what a shared store holds, in no order; nothing where there is none.
    pub async fn list_stored(
        &self,
        glob: &KeyGlob,
        after: Option<&str>,
        limit: usize,
    ) -> Option<Result<Page, NoPage>> {
        let asked = self.means.store.stored(glob, after, limit).await?;
        let StoredPage { entries, next } = match asked {
            Ok(page) => page,
            Err(no) => return Some(Err(no)),
        };
        let keys = entries.iter().map(|stored| stored.standing.key.clone()).collect();
        let held: BTreeMap<Standing, Arc<Entry>> =
            self.walk(Which::Of(keys), None, usize::MAX - 1).await.0.into_iter().collect();
        let (now, unix) = (self.means.clock.now(), self.means.clock.unix_millis());
        let entries = entries.into_iter().map(|stored| {
            let held = held.get(&stored.standing).map(|entry| (validity(entry, now), entry.hits.count()));
            self.told(stored, held, unix)
        });
        Some(Ok(Page { entries: entries.collect(), next }))
    }

    /// Looks into the entries of a key, those of a shared store too.
    pub async fn inspect(&self, key: &Key) -> Result<Inspection, NoPage> {
        let which = Which::Of(BTreeSet::from([key.clone()]));
        let (held, has_more) = self.walk(which, None, VARIANTS_MAX).await;
        let now = self.means.clock.now();
        let mut entries: BTreeMap<Standing, Inspected> = BTreeMap::new();
        for (standing, entry) in held {
            let tags = entry.stamp.tags().map(|(tag, is_current)| (tag.clone(), is_current)).collect();
            let inspected = Inspected {
                listed: listed(standing.clone(), &entry, now),
                headers: entry.headers.to_vec(),
                tags,
                body: entry.body.clone(),
                is_in_memory: true,
            };
            entries.insert(standing, inspected);
        }
        let mut is_whole = !has_more;
        if let Some(stored) = self.means.store.records(key, VARIANTS_MAX).await {
            let (records, is_all) = stored?;
            is_whole &= is_all;
            let unix = self.means.clock.unix_millis();
            for (stored, record) in records {
                let standing = stored.standing.clone();
                let is_sealed = stored.is_sealed;
                let inspected = entries.entry(standing).or_insert_with(|| Inspected {
                    tags: stored.tags.clone(),
                    listed: self.told(stored, None, unix),
                    headers: record.headers,
                    body: record.body,
                    is_in_memory: false,
                });
                inspected.listed.is_sealed = is_sealed;
            }
        }
        Ok(Inspection { entries: entries.into_values().collect(), is_whole })
    }

    async fn walk(
        &self,
        which: Which,
        after: Option<Standing>,
        limit: usize,
    ) -> (Vec<(Standing, Arc<Entry>)>, bool) {
        let means = Arc::clone(&self.means);
        let walked = tokio::task::spawn_blocking(move || {
            let mut walk = Walk::new(&which, after.as_ref(), limit);
            means.store.walk(&mut walk);
            walk.end()
        });
        walked.await.unwrap_or_default()
    }

    /// What a list says of an entry in a shared store, given what this process knows of it.
    fn told(&self, stored: Stored, held: Option<(Validity, u64)>, unix: u64) -> Listed {
        let left = Duration::from_millis(stored.expires_at.saturating_sub(unix));
        let is_as_it_was = stored.is_of_this_run && stored.tags.iter().all(|(_, is_current)| *is_current);
        let known = match (is_as_it_was, stored.tags.is_empty()) {
            (false, _) => Validity::Overtaken,
            (true, false) => Validity::Valid,
            (true, true) => Validity::Unknown,
        };
        Listed {
            status: stored.status,
            age: Duration::from_millis(unix.saturating_sub(stored.stored_at)),
            left,
            body_bytes: stored.body_bytes,
            hits: held.map(|(_, hits)| hits),
            validity: if left.is_zero() {
                Validity::Overtaken
            } else {
                held.map_or(known, |(validity, _)| validity)
            },
            is_sealed: stored.is_sealed,
            standing: stored.standing,
        }
    }
}

fn listed(standing: Standing, entry: &Entry, now: Instant) -> Listed {
    Listed {
        standing,
        status: entry.status.as_u16(),
        age: entry.lifetime.age(now),
        left: entry.lifetime.left(now),
        body_bytes: entry.body.len() as u64,
        hits: Some(entry.hits.count()),
        validity: validity(entry, now),
        is_sealed: false,
    }
}

fn validity(entry: &Entry, now: Instant) -> Validity {
    if entry.lifetime.is_alive(now) && entry.stamp.is_current() {
        Validity::Valid
    } else {
        Validity::Overtaken
    }
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
