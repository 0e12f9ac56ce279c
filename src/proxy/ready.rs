//! Heads of answers that are sent again and again, as this thread sent them last.
//!
//! Copying a head takes less time than making it. And what an entry says of itself belongs to all threads:
//! processors that count the users of the same text with every hit wait for one another, so that each
//! thread copies from texts of its own.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Instant;

use http::header::{AGE, HeaderMap, HeaderValue};

use crate::cache::{Coding, Entry};
use crate::key::Key;
use crate::plan::ReadPlan;
use crate::rules::ReadRule;

use super::outcome::{CACHE_STATUS, hit_status};

/// Heads that a thread keeps, of about two kilobytes each.
const KEPT: usize = 256;

/// An answer is sent so often before its head is kept.
const OFTEN: u64 = 4;

/// Everything that the head of a hit hangs on, if the hit is no network's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit<'h> {
    pub(super) entry: &'h Arc<Entry>,
    pub(super) plan: &'h ReadPlan,
    /// The form in which the body is sent.
    pub(super) coding: Option<Coding>,
    /// Whether a script of another origin asks, in a browser.
    pub(super) is_cross_origin: bool,
    pub(super) now: Instant,
}

/// A head that was sent, and what it was made for.
#[derive(Debug)]
struct Ready {
    /// Weak, so that nothing here holds on to a body. While it is here, no other entry has its address.
    entry: Weak<Entry>,
    rule: Arc<ReadRule>,
    key: Key,
    coding: Option<Coding>,
    is_cross_origin: bool,
    /// The seconds that it tells: how old the answer is, and how long it may still be served.
    told: (u64, u64),
    head: HeaderMap,
}

thread_local! {
    static READY: RefCell<[Option<Box<Ready>>; KEPT]> = const { RefCell::new([const { None }; KEPT]) };
}

/// The head of a hit, its `Cache-Status` included where it is at hand; what `make` makes lacks that alone.
pub(super) fn head(hit: Hit<'_>, make: impl FnOnce() -> HeaderMap) -> HeaderMap {
    READY.with_borrow_mut(|kept| {
        let place = &mut kept[hit.place()];
        if let Some(ready) = place.as_mut().filter(|ready| ready.is_for(&hit)) {
            ready.tell(&hit);
            return ready.head.clone();
        }
        let head = make();
        if hit.entry.hits.count() >= OFTEN {
            *place = Some(Box::new(Ready::new(&hit, &head)));
        }
        head
    })
}

impl Hit<'_> {
    /// Where a thread looks for its head.
    fn place(&self) -> usize {
        let form =
            self.coding.map_or(0, |coding| 1 + coding as usize) << 1 | usize::from(self.is_cross_origin);
        let address = Arc::as_ptr(self.entry).addr();
        // entries lie at least a few hundred bytes apart, often at multiples of more
        ((address >> 6 ^ address >> 14).wrapping_add(form)) % KEPT
    }

    fn seconds(&self) -> (u64, u64) {
        let lifetime = &self.entry.lifetime;
        (lifetime.age(self.now).as_secs(), lifetime.left(self.now).as_secs())
    }
}

impl Ready {
    fn new(hit: &Hit<'_>, head: &HeaderMap) -> Self {
        let mut own = HeaderMap::with_capacity(head.len() + 1);
        for (name, value) in head {
            own.append(name.clone(), copied(value));
        }
        let mut ready = Self {
            entry: Arc::downgrade(hit.entry),
            rule: Arc::clone(&hit.plan.rule),
            key: hit.plan.key.clone(),
            coding: hit.coding,
            is_cross_origin: hit.is_cross_origin,
            told: hit.seconds(),
            head: own,
        };
        ready.say(hit);
        ready
    }

    fn is_for(&self, hit: &Hit<'_>) -> bool {
        std::ptr::eq(self.entry.as_ptr(), Arc::as_ptr(hit.entry))
            && Arc::ptr_eq(&self.rule, &hit.plan.rule)
            && (self.coding, self.is_cross_origin) == (hit.coding, hit.is_cross_origin)
            && self.key == hit.plan.key
    }

    /// Makes it say what is so now, which changes once a second.
    fn tell(&mut self, hit: &Hit<'_>) {
        let seconds = hit.seconds();
        if self.told != seconds {
            self.told = seconds;
            self.say(hit);
        }
    }

    fn say(&mut self, hit: &Hit<'_>) {
        let (age, left) = self.told;
        self.head.insert(AGE, HeaderValue::from(age));
        self.head.insert(CACHE_STATUS, hit_status(left, hit.plan.key.as_str()));
    }
}

/// The same text in memory of its own.
fn copied(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
}
