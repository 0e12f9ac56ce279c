//! A stored answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::chance;
use crate::key::Key;

use super::form::Forms;
use super::generation::Stamp;
use super::validator::Validator;

/// What an entry costs beside its parts: its slot in the store, its own fields,
/// the counts around its shared pointers. Measured generously.
const ENTRY_BYTES: usize = 448;

/// From when until when an answer may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// When it was complete.
    pub stored: Instant,
    /// Until when it is as good as a new one.
    pub expires: Instant,
    /// From when on it is of no use even where nothing better is to be had.
    pub ends: Instant,
}

impl Lifetime {
    /// As good as a new one at this moment?
    pub fn is_fresh(&self, now: Instant) -> bool {
        now < self.expires
    }

    /// Of any use at this moment?
    pub fn is_alive(&self, now: Instant) -> bool {
        now < self.ends
    }

    /// How long its time has been over.
    pub fn past(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.expires)
    }

    /// How long it has been kept.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.stored)
    }

    /// How much of its time is left.
    pub fn left(&self, now: Instant) -> Duration {
        self.expires.saturating_duration_since(now)
    }
}

/// Up to so many, hits of an entry are counted one by one.
const EXACT_UP_TO: u64 = 256;

/// From then on, one of so many counts for all of them: processors that count the same entry with every
/// hit would wait for one another.
const SAMPLED: u32 = 16;

/// How often an entry was served by this process.
#[derive(Debug, Default)]
pub struct Hits(AtomicU64);

impl Hits {
    /// Counts one more.
    pub fn add(&self) {
        if self.count() < EXACT_UP_TO {
            self.0.fetch_add(1, Ordering::Relaxed);
        } else if chance::next().is_multiple_of(SAMPLED) {
            self.0.fetch_add(SAMPLED.into(), Ordering::Relaxed);
        }
    }

    /// How many, about.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stored answer. Headers are a plain list: a `HeaderMap` takes 1.5 KB an entry.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub key: Key,
    /// 200 or 206.
    pub status: StatusCode,
    /// What of the upstream's headers is data; the rest is made for each response.
    pub headers: Arc<[(HeaderName, HeaderValue)]>,
    /// The whole body.
    pub body: Bytes,
    /// See [`Entry::validator`]. Known from the start where it was read with the rest.
    pub(super) validator: OnceLock<Validator>,
    /// Other forms of the body.
    pub forms: Forms,
    /// How often it was served.
    pub hits: Hits,
    /// From when until when.
    pub lifetime: Lifetime,
    /// The state of the world in which it was fetched.
    pub(super) stamp: Stamp,
}

impl Entry {
    /// What tells it from others, for whoever keeps a copy. Made when somebody first asks, because many
    /// answers are sent once and never asked for again.
    pub fn validator(&self) -> &Validator {
        self.validator.get_or_init(|| Validator::of(self.status, &self.headers, &self.body))
    }

    /// What it occupies in memory, headers and key included.
    pub fn bytes(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| size_of::<(HeaderName, HeaderValue)>() + name.as_str().len() + value.len())
            .sum();
        ENTRY_BYTES
            + self.stamp.bytes()
            + self.key.as_str().len()
            + headers
            + self.body.len()
            + self.forms.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_counted_exactly_and_then_about() {
        let hits = Hits::default();
        (0..EXACT_UP_TO).for_each(|_| hits.add());
        assert_eq!(hits.count(), EXACT_UP_TO);
        (0..100_000).for_each(|_| hits.add());
        assert!((95_000..105_000).contains(&hits.count()), "{}", hits.count());
    }
}
