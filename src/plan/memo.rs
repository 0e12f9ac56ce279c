//! Which reads were planned lately?
//!
//! Planning is pure: the same words under the same rules give the same plan. So
//! a read that comes again, byte for byte in everything that planning looks at,
//! is not parsed again. Each set of rules has a memo of its own.

use std::sync::Arc;

use http::header::{CONNECTION, COOKIE};
use http::request::Parts;
use http::{HeaderName, Method};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::rules::RuleSet;

use super::Framing;
use super::question::ANSWERED_BY;
use super::read::ReadPlan;

/// Bytes of plans remembered: a few thousand, more than the hot URLs of a site.
const MEMO_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a plan weighs beside the bytes that it was made from, which it holds once more.
const PLAN_BYTES: u64 = 2048;

/// Longest request that is remembered, in bytes: anything longer is no hot URL.
const WORDS_BYTES_MAX: usize = 8 * 1024;

/// Reads planned lately, by everything that planning looks at.
#[derive(Debug)]
pub(super) struct Memo {
    plans: Cache<Box<[u8]>, Arc<ReadPlan>, ByWords>,
    /// The headers that any rule declares in `vary`.
    declared: Vec<HeaderName>,
}

/// All that planning looks at in one read, as bytes.
#[derive(Debug)]
pub struct Words(Box<[u8]>);

impl Memo {
    pub(super) fn new(rules: &RuleSet) -> Self {
        let mut declared: Vec<HeaderName> =
            rules.read_rules().iter().flat_map(|rule| rule.vary.iter().cloned()).collect();
        declared.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        declared.dedup();
        let typical = MEMO_BYTES_MAX / (2 * PLAN_BYTES);
        let reserved = usize::try_from(typical).unwrap_or(usize::MAX);
        Self { plans: Cache::with_weighter(reserved, MEMO_BYTES_MAX, ByWords), declared }
    }

    /// The words of a read, in an era of the keys that callers are verified with; `None` if it is not of the kind that is remembered.
    pub(super) fn words(&self, head: &Parts, framing: Framing, era: u64) -> Option<Words> {
        if head.method != Method::GET || framing.has_body || framing.wants_upgrade {
            return None;
        }
        let mut words = Vec::with_capacity(2048);
        // Each part is preceded by its length, so that no two requests give the same bytes.
        let mut part = |bytes: &[u8]| {
            words.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
            words.extend_from_slice(bytes);
        };
        part(&era.to_le_bytes());
        part(head.uri.path().as_bytes());
        let query = head.uri.query();
        part(&[u8::from(query.is_some())]);
        part(query.unwrap_or_default().as_bytes());
        for (index, name) in
            ANSWERED_BY.iter().chain([&COOKIE, &CONNECTION]).chain(&self.declared).enumerate()
        {
            for value in head.headers.get_all(name) {
                part(&index.to_le_bytes());
                part(value.as_bytes());
            }
        }
        (words.len() <= WORDS_BYTES_MAX).then(|| Words(words.into_boxed_slice()))
    }

    pub(super) fn recall(&self, words: &Words) -> Option<Arc<ReadPlan>> {
        self.plans.get(&*words.0)
    }

    pub(super) fn remember(&self, words: Words, plan: &Arc<ReadPlan>) {
        self.plans.insert(words.0, Arc::clone(plan));
    }
}

#[derive(Clone, Debug)]
struct ByWords;

impl Weighter<Box<[u8]>, Arc<ReadPlan>> for ByWords {
    fn weight(&self, words: &Box<[u8]>, _: &Arc<ReadPlan>) -> u64 {
        words.len() as u64 * 2 + PLAN_BYTES
    }
}
