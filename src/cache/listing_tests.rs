//! Does a list show each entry once, whatever comes and goes, and does it leave hits alone?

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{OnceLock, mpsc};

use http::StatusCode;

use crate::clock::Clock;
use crate::consistency::Consistency;
use crate::key::{Question, Terms};

use super::super::{Change, Forms, Hits, Lifetime, MemoryStore, Store, Writing};
use super::*;

const LIFE: Duration = Duration::from_secs(600);

fn fingerprint(number: u64) -> Fingerprint {
    let terms = Terms::new(Vec::new(), Vec::new(), String::new(), Vec::new());
    let question = Question { method: http::Method::GET, target: number.to_string(), terms: Arc::new(terms) };
    question.fingerprint(&[0; 32])
}

/// A store of so many bytes, and a way to put entries in.
struct Shelf {
    store: Arc<MemoryStore>,
    clock: Clock,
    tags: Vec<Tag>,
}

impl Shelf {
    fn new(bytes: u64) -> Self {
        let clock = Clock::default();
        let store = Arc::new(MemoryStore::new(bytes, Duration::from_secs(130), clock.clone()));
        Self { store, clock, tags: vec![Tag::everything(), Tag::namespace("n")] }
    }

    fn put(&self, number: u64) {
        let now = self.clock.now();
        let entry = Entry {
            key: Key::new("n", &format!("{:06}", number % 1_000_000)),
            status: StatusCode::OK,
            headers: Arc::new([]),
            body: Bytes::from_static(b"[]"),
            validator: OnceLock::new(),
            hits: Hits::default(),
            forms: Forms::of(&[], &Bytes::from_static(b"[]")),
            lifetime: Lifetime { stored: now, expires: now + LIFE, ends: now + LIFE },
            stamp: self.store.stamp(&self.tags),
        };
        let untold = self.store.fill(fingerprint(number), entry, Writing::Plain);
        assert!(untold.is_none(), "nobody shares it");
    }
}

#[tokio::test]
async fn what_is_there_all_along_is_listed_once_whatever_comes_and_goes() {
    let shelf = Shelf::new(1 << 24);
    for number in (0..1_000).step_by(2) {
        shelf.put(number);
    }
    let cache = Cache::new(Arc::clone(&shelf.store) as Arc<dyn Store>, shelf.clock.clone());
    let (mut seen, mut after) = (BTreeMap::<Key, usize>::new(), None);
    for page in 0..100_u64 {
        let glob = Which::Like(KeyGlob::parse("n:0*").unwrap());
        let listed = cache.list_held(glob, after, 37).await;
        assert!(listed.entries.is_sorted_by(|one, other| one.standing < other.standing));
        for entry in &listed.entries {
            assert_eq!((entry.validity, entry.status, entry.body_bytes), (Validity::Valid, 200, 2));
            *seen.entry(entry.standing.key.clone()).or_default() += 1;
        }
        after = listed.entries.last().map(|entry| entry.standing.clone());
        if listed.next.is_none() {
            break;
        }
        // others come, before and behind where the list is
        for number in [page * 61 % 1_000, 999 - page * 7 % 1_000] {
            shelf.put(number | 1);
        }
    }
    for number in (0..1_000).step_by(2) {
        assert_eq!(seen.get(&Key::new("n", &format!("{number:06}"))), Some(&1), "{number}");
    }
}

/// Counted as entries come and go: here they come again, are pushed out, and are too old.
#[tokio::test]
async fn what_a_namespace_holds_is_what_a_walk_meets() {
    let shelf = Shelf::new(1 << 20);
    let counted = || shelf.store.namespaces().into_iter().find(|(name, _)| name == "n").map(|(_, held)| held);
    let met = || {
        let which = Which::Like(KeyGlob::parse("n:*").unwrap());
        let mut walk = Walk::new(&which, None, usize::MAX - 2);
        shelf.store.walk(&mut walk);
        walk.end().0.len() as u64
    };
    for number in 0..50 {
        shelf.put(number);
        shelf.put(number);
    }
    assert_eq!((counted().unwrap().entries, shelf.store.usage().evictions), (50, 0), "none was pushed out");
    for number in 0..10_000 {
        shelf.put(number);
    }
    let usage = shelf.store.usage();
    assert!(usage.evictions > 1_000, "{usage:?}");
    assert_eq!((counted().unwrap().entries, counted().unwrap().bytes), (met(), usage.bytes));
    shelf.clock.advance(LIFE);
    for number in 0..10_000 {
        assert!(shelf.store.recall(&fingerprint(number), shelf.clock.now()).is_none(), "too old");
    }
    assert_eq!((counted(), met()), (None, 0));
}

#[tokio::test]
async fn an_entry_shows_what_it_depends_on_and_what_has_changed() {
    let shelf = Shelf::new(1 << 20);
    shelf.put(7);
    let cache = Cache::new(Arc::clone(&shelf.store) as Arc<dyn Store>, shelf.clock.clone());
    let tags = async || {
        let found = cache.inspect(&Key::of("n:000007")).await.unwrap();
        assert!(found.is_whole && found.entries.len() == 1 && found.entries[0].is_in_memory);
        (found.entries[0].listed.validity, found.entries[0].tags.clone())
    };
    let both = |namespace| vec![(Tag::everything(), true), (Tag::namespace("n"), namespace)];
    assert_eq!(tags().await, (Validity::Valid, both(true)));
    let change = Change { tags: &[Tag::namespace("n")], announced: None, consistency: Consistency::Fresh };
    cache.change(change).await;
    assert_eq!(tags().await, (Validity::Overtaken, both(false)));
    assert!(cache.inspect(&Key::of("n:8")).await.unwrap().entries.is_empty());
    shelf.put(9);
    shelf.clock.advance(LIFE);
    let found = cache.inspect(&Key::of("n:000009")).await.unwrap();
    assert_eq!(found.entries[0].listed.validity, Validity::Overtaken, "too old");
}

/// One thread looks up, one fills, and meanwhile everything is listed again and again. A list that held
/// a lock for as long as it takes would stop both of them.
#[tokio::test]
#[allow(clippy::print_stdout, reason = "figures for whoever asks with --nocapture")]
async fn hits_go_on_while_everything_is_listed() {
    const ENTRIES: u64 = 50_000;
    const WARM: u64 = 200_000;
    let (warm, is_warm) = mpsc::channel();
    let shelf = Shelf::new(1 << 28);
    for number in 0..ENTRIES {
        shelf.put(number);
    }
    let known: Vec<Fingerprint> = (0..256).map(fingerprint).collect();
    let (done, hits, slowest) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let which = Which::Like(KeyGlob::parse("*").unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for fingerprint in known.iter().cycle() {
                let began = shelf.clock.now();
                assert!(shelf.store.recall(fingerprint, began).is_some());
                let took = u64::try_from(shelf.clock.now().saturating_duration_since(began).as_micros());
                slowest.fetch_max(took.unwrap_or(u64::MAX), Ordering::Relaxed);
                if hits.fetch_add(1, Ordering::Relaxed) + 1 == WARM {
                    warm.send(()).unwrap();
                }
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                for number in (ENTRIES..ENTRIES * 2).cycle() {
                    shelf.put(number);
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        });
        let began = shelf.clock.now();
        is_warm.recv().unwrap();
        let alone = shelf.clock.now().saturating_duration_since(began);
        let slowest_alone = slowest.swap(0, Ordering::Relaxed);
        let (began, before) = (shelf.clock.now(), hits.load(Ordering::Relaxed));
        for _ in 0..5 {
            let mut walk = Walk::new(&which, None, 100);
            shelf.store.walk(&mut walk);
            assert_eq!(walk.end().0.len(), 100);
        }
        let took = shelf.clock.now().saturating_duration_since(began);
        let meanwhile = hits.load(Ordering::Relaxed) - before;
        done.store(true, Ordering::Relaxed);
        println!(
            "200,000 hits in {alone:?}, slowest {slowest_alone} µs; 5 lists of {ENTRIES} and more in {took:?}, {meanwhile} hits, slowest {slowest:?} µs"
        );
        assert!(meanwhile > 1_000, "{meanwhile} hits while everything was listed in {took:?}");
    });
}
