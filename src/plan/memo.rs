//! What was planned lately?
//!
//! Planning is pure: the same words under the same rules give the same plan. So
//! a caller's headers are read once for all its targets, because reading tokens
//! is dear, and a read that comes again word for word is not planned again. Each
//! set of rules has a memo of its own.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use http::request::Parts;
use http::{HeaderName, Method};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::key::Labels;
use crate::rules::RuleSet;

use super::Framing;
use super::read::ReadPlan;
use super::terms::{ANSWERED_BY, Told};

/// Bytes of headers remembered: some thousands of callers.
const MANNERS_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of terms remembered; a caller has one for each rule that it meets.
const TERMS_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of plans remembered: some tens of thousands of reads, more than the hot ones of a site.
const PLANS_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Reads of which it is known that they were planned before.
const TRACES: u64 = 16 * 1024;
/// What one of any of them costs beside its text.
const ONE_BYTES: u64 = 640;
/// Most header lines that one manner has; nobody's hot read has more.
const LINES_MAX: usize = 16;
/// Longest headers that are remembered, in bytes, all together.
const MANNER_BYTES_MAX: usize = 8 * 1024;

/// Manners that a thread remembers by itself.
const LATELY_MAX: usize = 128;

/// Everything that planning looks at in the headers of a request, known by a
/// number: equal numbers mean equal headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Manner(u64);

/// What was planned lately.
#[derive(Debug)]
pub(super) struct Memo {
    /// Tells this memo's numbers from those of others.
    id: u64,
    manners: Cache<Arc<Written>, Manner, ByLength>,
    terms: Cache<Meeting, Told, ByLength>,
    plans: Cache<Read, Arc<ReadPlan>, ByLength>,
    /// Traces of reads that were planned once: most are never asked for again, and
    /// remembering those would cost more than planning them.
    seen: Box<[AtomicU64]>,
    /// The headers that planning looks at; after the usual ones those that any rule declares.
    read: Vec<HeaderName>,
    /// How long their names are, a bit for each length: most headers of a request are none of them.
    lengths: u64,
    hasher: RandomState,
    last: AtomicU64,
}

/// A caller meets a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Meeting {
    manner: Manner,
    rule: usize,
    is_rest: bool,
}

/// What is asked, and in which manner.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Read {
    manner: Manner,
    target: Box<str>,
}

/// The same, borrowed from a request.
#[derive(Hash)]
struct Asked<'r> {
    manner: Manner,
    target: &'r str,
}

impl Memo {
    pub(super) fn new(rules: &RuleSet) -> Self {
        let mut read: Vec<HeaderName> = ANSWERED_BY.into();
        for name in rules.read_rules().iter().flat_map(|rule| &rule.vary) {
            if !read.contains(name) {
                read.push(name.clone());
            }
        }
        static MEMOS: AtomicU64 = AtomicU64::new(0);
        Self {
            id: MEMOS.fetch_add(1, Ordering::Relaxed),
            manners: bounded(MANNERS_BYTES_MAX),
            terms: bounded(TERMS_BYTES_MAX),
            plans: bounded(PLANS_BYTES_MAX),
            seen: (0..TRACES).map(|_| AtomicU64::new(0)).collect(),
            lengths: read.iter().fold(0, |lengths, name| lengths | length(name)),
            read,
            hasher: RandomState::default(),
            last: AtomicU64::new(0),
        }
    }

    /// Tells its rules from all others.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The headers that rules declare.
    pub(super) fn declared(&self) -> &[HeaderName] {
        &self.read[ANSWERED_BY.len()..]
    }

    /// The manner of a read, in an era of the keys that callers are verified
    /// with; `None` if it is not of the kind that is remembered.
    pub(super) fn manner(&self, head: &Parts, framing: Framing, era: u64) -> Option<Manner> {
        if head.method != Method::GET || framing.has_body || framing.wants_upgrade {
            return None;
        }
        let words = self.words(head, era)?;
        LATELY.with_borrow_mut(|lately| {
            let place = &mut lately[words.place()];
            match place {
                Some(known) if known.memo == self.id && words.are(&known.written) => Some(known.manner),
                _ => {
                    let (manner, written) = self.shared_manner(words);
                    *place = Some(Lately { memo: self.id, written, manner });
                    Some(manner)
                }
            }
        })
    }

    /// The manner that all threads know these words by.
    fn shared_manner(&self, words: Words<'_>) -> (Manner, Arc<Written>) {
        let words = words.hashed(&self.hasher);
        let written = Arc::new(words.written());
        match self.manners.get(&words) {
            Some(manner) => (manner, written),
            None => {
                let manner = Manner(self.last.fetch_add(1, Ordering::Relaxed));
                self.manners.insert(Arc::clone(&written), manner);
                (manner, written)
            }
        }
    }

    fn words<'r>(&self, head: &'r Parts, era: u64) -> Option<Words<'r>> {
        let mut words = Words { hash: 0, era, lines: [(0, &[]); LINES_MAX], count: 0 };
        let mut bytes = 0;
        for (name, value) in &head.headers {
            if self.lengths & length(name) == 0 {
                continue;
            }
            let Some(place) = self.read.iter().position(|read| read == name) else { continue };
            let line = value.as_bytes();
            *words.lines.get_mut(words.count)? = (place, line);
            words.count += 1;
            bytes += line.len();
        }
        (bytes <= MANNER_BYTES_MAX).then_some(words)
    }

    /// The terms on which this manner of asking meets a rule.
    pub(super) fn terms(&self, manner: Manner, rule: usize, is_rest: bool) -> Option<Told> {
        self.terms.get(&Meeting { manner, rule, is_rest })
    }

    pub(super) fn remember_terms(&self, manner: Manner, rule: usize, is_rest: bool, told: &Told) {
        self.terms.insert(Meeting { manner, rule, is_rest }, told.clone());
    }

    /// The plan of the very same read.
    pub(super) fn plan(&self, manner: Manner, target: &str) -> Option<Arc<ReadPlan>> {
        self.plans.get(&Asked { manner, target })
    }

    /// Remembers a plan from the second time on.
    pub(super) fn remember_plan(&self, manner: Manner, target: &str, plan: &Arc<ReadPlan>) {
        let trace = self.hasher.hash_one(Asked { manner, target });
        let place = usize::try_from(trace % TRACES).unwrap_or(0);
        if self.seen[place].swap(trace, Ordering::Relaxed) == trace {
            self.plans.insert(Read { manner, target: target.into() }, Arc::clone(plan));
        }
    }
}

/// The bit of a name's length; long ones share one.
fn length(name: &HeaderName) -> u64 {
    1 << name.as_str().len().min(63)
}

fn bounded<K: Hash + Eq, V: Clone>(bytes_max: u64) -> Cache<K, V, ByLength>
where
    ByLength: Weighter<K, V>,
{
    let typical = usize::try_from(bytes_max / (4 * ONE_BYTES)).unwrap_or(usize::MAX);
    Cache::with_weighter(typical, bytes_max, ByLength)
}

/// The header lines of one request that planning looks at, and where each stands in [`Memo::read`].
struct Words<'r> {
    hash: u64,
    era: u64,
    lines: [(usize, &'r [u8]); LINES_MAX],
    count: usize,
}

/// The same as one text of its own.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    hash: u64,
    era: u64,
    text: Box<[u8]>,
}

/// A manner that this thread has met lately: hashing a kilobyte and asking what all threads share costs as
/// much as the rest of recalling a plan.
struct Lately {
    memo: u64,
    written: Arc<Written>,
    manner: Manner,
}

thread_local! {
    static LATELY: RefCell<[Option<Lately>; LATELY_MAX]> = const { RefCell::new([const { None }; LATELY_MAX]) };
}

impl Words<'_> {
    /// Where this thread looks for them: by a few bytes of each line. Whoever makes others share a place
    /// makes them ask what all threads share, and nothing else.
    fn place(&self) -> usize {
        let mix = self.lines.iter().take(self.count).fold(self.era, |mix, (place, line)| {
            let end = line.last_chunk::<8>().map_or(0, |end| u64::from_le_bytes(*end));
            (mix ^ end ^ (line.len() + *place) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23)
        });
        usize::try_from(mix % LATELY_MAX as u64).unwrap_or(0)
    }

    /// Whether they are these, byte for byte.
    fn are(&self, other: &Written) -> bool {
        let mut rest = &*other.text;
        let mut next = |piece: &[u8]| match rest.strip_prefix(piece) {
            Some(behind) => {
                rest = behind;
                true
            }
            None => false,
        };
        let is_begun = self.era == other.era && self.pieces().all(|(mark, line)| next(&mark) && next(line));
        is_begun && rest.is_empty()
    }

    fn hashed(mut self, seeded: &RandomState) -> Self {
        let mut hasher = seeded.build_hasher();
        hasher.write_u64(self.era);
        for (place, line) in self.lines.iter().take(self.count) {
            hasher.write_usize(*place);
            hasher.write(line);
        }
        self.hash = hasher.finish();
        self
    }

    /// Each line with its place and its length before it, so that no two lists of lines run together.
    fn pieces(&self) -> impl Iterator<Item = ([u8; 8], &[u8])> {
        self.lines.iter().take(self.count).map(|(place, line)| {
            let mark = (*place as u64) << 32 | line.len() as u64;
            (mark.to_le_bytes(), *line)
        })
    }

    fn written(&self) -> Written {
        let text: Vec<u8> = self.pieces().flat_map(|(mark, line)| [&mark[..], line].concat()).collect();
        Written { hash: self.hash, era: self.era, text: text.into() }
    }
}

impl Hash for Words<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Written {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Arc<Written>> for Words<'_> {
    fn equivalent(&self, other: &Arc<Written>) -> bool {
        self.hash == other.hash && self.are(other)
    }
}

impl Equivalent<Read> for Asked<'_> {
    fn equivalent(&self, other: &Read) -> bool {
        self.manner == other.manner && *self.target == *other.target
    }
}

#[derive(Clone, Debug)]
struct ByLength;

impl Weighter<Arc<Written>, Manner> for ByLength {
    fn weight(&self, written: &Arc<Written>, _: &Manner) -> u64 {
        ONE_BYTES + written.text.len() as u64
    }
}

impl Weighter<Meeting, Told> for ByLength {
    fn weight(&self, _: &Meeting, told: &Told) -> u64 {
        let lines = told.terms.headers().iter().chain(told.terms.credentials());
        let claims = told.claims.iter().map(|(path, value)| (path.len() + value.len()) as u64);
        let lines = lines.map(|(_, value)| size_of_val(value) as u64 + value.len() as u64);
        ONE_BYTES + lines.chain(claims).sum::<u64>()
    }
}

impl Weighter<Read, Arc<ReadPlan>> for ByLength {
    fn weight(&self, read: &Read, plan: &Arc<ReadPlan>) -> u64 {
        let texts = [&*read.target, &plan.question.target, plan.key.as_str()];
        // told of later, so weighed before: at most the two headers, and the tags that they are made of
        let labels =
            if plan.rule.downstream.to_networks.is_some() { 4 * Labels::BYTES_MAX as u64 } else { 0 };
        ONE_BYTES + labels + texts.map(|text| text.len() as u64).iter().sum::<u64>()
    }
}
