//! Stories about one cache: who hits, who waits, who fetches, and what a write does to each.

#![allow(clippy::disallowed_methods, reason = "a test owns the tasks it spawns, and joins them")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};

use super::fill::REFUSED_FOR;
use super::*;
use crate::key::{Key, Question, Terms};

const TTL: Duration = Duration::from_secs(60);
const WISH: Wish = Wish {
    age: Duration::ZERO,
    ttl: TTL,
    useful_for: Duration::ZERO,
    body_bytes_max: 1024,
    writing: Writing::Plain,
    is_error: |_, body| body.starts_with(b"{\"code\""),
};

/// A question with its names, and a cache to ask it.
struct Story {
    cache: Arc<Cache>,
    clock: Clock,
    key: Key,
    fingerprint: Fingerprint,
    tags: Vec<Tag>,
}

fn story() -> Story {
    story_within(1 << 20)
}

fn story_within(bytes_max: u64) -> Story {
    let clock = Clock::default();
    let cache = Arc::new(Cache::new(
        Arc::new(MemoryStore::new(bytes_max, Duration::from_secs(130), clock.clone())),
        clock.clone(),
    ));
    Story { cache, clock, key: Key::new("t", "1"), fingerprint: fingerprint("/1"), tags: tags(&["a", "b"]) }
}

fn fingerprint(target: &str) -> Fingerprint {
    let terms = Terms::new(Vec::new(), Vec::new(), String::new(), Vec::new());
    let question = Question { method: http::Method::GET, target: target.into(), terms: Arc::new(terms) };
    question.fingerprint(&[0; 32])
}

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| Tag::namespace(name)).collect()
}

fn admitted() -> Admitted {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Admitted { status: StatusCode::OK, age: Duration::ZERO, headers: headers.into() }
}

impl Story {
    async fn look_up(&self) -> Lookup {
        let name = Name {
            key: &self.key,
            fingerprint: &self.fingerprint,
            answer: &self.tags,
            consistency: Consistency::Fresh,
            writing: Writing::Plain,
            quiet: Duration::ZERO,
        };
        self.cache.look_up(&name).await
    }

    async fn change(&self, names: &[&str]) {
        let change = Change { tags: &tags(names), announced: None, consistency: Consistency::Fresh };
        self.cache.change(change).await;
    }

    async fn miss(&self) -> Ticket {
        match self.look_up().await {
            Lookup::Miss(ticket) => ticket,
            other => panic!("not a miss: {other:?}"),
        }
    }

    async fn wait(&self) -> Arc<Flight> {
        match self.look_up().await {
            Lookup::Wait(flight) => flight,
            other => panic!("nothing to wait for: {other:?}"),
        }
    }

    async fn hit(&self) -> Option<Bytes> {
        match self.look_up().await {
            Lookup::Hit(entry) => Some(entry.body.clone()),
            Lookup::Wait(_)
            | Lookup::Miss(_)
            | Lookup::Alone(_)
            | Lookup::Apart(_)
            | Lookup::Stale(..)
            | Lookup::Softened(..) => None,
        }
    }
}

async fn fill(ticket: Ticket, body: &'static str) -> Filled {
    ticket.share(admitted(), None).run(Full::new(Bytes::from_static(body.as_bytes())), WISH).await
}

#[tokio::test]
async fn what_is_filled_is_hit_until_it_expires() {
    let story = story();
    assert_eq!(fill(story.miss().await, "[1]").await, Filled::Kept(3));
    assert_eq!(story.hit().await.unwrap(), "[1]");
    story.clock.advance(TTL - Duration::from_millis(100));
    assert!(story.hit().await.is_some());
    story.clock.advance(Duration::from_millis(100));
    assert!(story.hit().await.is_none(), "dead at the end of its life");
}

#[tokio::test]
async fn a_write_to_any_tag_takes_the_entry_away() {
    let story = story();
    fill(story.miss().await, "[1]").await;
    story.change(&["other"]).await;
    assert!(story.hit().await.is_some());
    story.change(&["b"]).await;
    assert!(story.hit().await.is_none());
}

#[tokio::test]
async fn a_fill_that_a_write_overtook_is_never_served() {
    let story = story();
    let early = story.miss().await;
    story.change(&["a"]).await;
    fill(early, "[\"old\"]").await;
    assert!(story.hit().await.is_none());
}

#[tokio::test]
async fn an_overtaken_fill_does_not_push_out_a_newer_answer() {
    let story = story();
    let early = story.miss().await;
    story.change(&["a"]).await;
    fill(story.miss().await, "[\"new\"]").await;
    fill(early, "[\"old\"]").await;
    assert_eq!(story.hit().await.unwrap(), "[\"new\"]");
}

#[tokio::test]
async fn a_reader_after_a_write_never_joins_a_fetch_from_before_it() {
    let story = story();
    let early = story.miss().await;
    let aboard = story.wait().await;
    story.change(&["a"]).await;
    let late = story.miss().await; // not a wait
    fill(early, "[\"old\"]").await;
    let Landing::Shared(head) = aboard.landing().await else { panic!("shared") };
    // who was aboard before the write may have the old answer: it began before
    drop(head);
    fill(late, "[\"new\"]").await;
    assert_eq!(story.hit().await.unwrap(), "[\"new\"]");
}

#[tokio::test]
async fn a_hundred_cold_readers_make_one_fetch() {
    let story = story();
    let ticket = story.miss().await;
    let mut readers = Vec::new();
    for _ in 0..99 {
        let flight = story.wait().await;
        readers.push(async move {
            let Landing::Shared(head) = flight.landing().await else { panic!("shared") };
            head.answer().unwrap().body.collect().await.unwrap().to_bytes()
        });
    }
    assert_eq!(story.cache.flights(), 1);
    fill(ticket, "[1]").await;
    for reader in readers {
        assert_eq!(reader.await, "[1]");
    }
    assert_eq!(story.cache.flights(), 0);
}

#[tokio::test]
async fn waiters_stream_before_the_body_is_complete() {
    let story = story();
    let ticket = story.miss().await;
    let flight = story.wait().await;
    let (mut upstream, body) = Channel::<Bytes, Infallible>::new(1);
    let filling = tokio::task::spawn(ticket.share(admitted(), None).run(body, WISH));
    let Landing::Shared(head) = flight.landing().await else { panic!("shared") };
    let mut reader = head.answer().unwrap().body;
    upstream.send_data("[1".into()).await.unwrap();
    assert_eq!(reader.frame().await.unwrap().unwrap().into_data().unwrap(), "[1");
    let mut late = head.answer().unwrap().body;
    upstream.send_data("]".into()).await.unwrap();
    drop(upstream);
    assert_eq!(late.frame().await.unwrap().unwrap().into_data().unwrap(), "[1");
    assert_eq!(reader.collect().await.unwrap().to_bytes(), "]");
    assert_eq!(filling.await.unwrap(), Filled::Kept(3));
}

#[tokio::test]
async fn when_a_fetch_vanishes_its_waiters_look_again() {
    let story = story();
    let ticket = story.miss().await;
    let flight = story.wait().await;
    drop(ticket);
    assert!(matches!(flight.landing().await, Landing::Abandoned));
    story.miss().await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_never_queued_for() {
    let story = story();
    let ticket = story.miss().await;
    let flight = story.wait().await;
    ticket.refuse();
    assert!(matches!(flight.landing().await, Landing::Apart));
    let one = story.look_up().await;
    let other = story.look_up().await;
    assert!(matches!((&one, &other), (Lookup::Alone(_), Lookup::Alone(_))), "both fetch at once");
    story.clock.advance(REFUSED_FOR);
    story.miss().await;
}

#[tokio::test]
async fn who_fetches_alone_may_still_fill() {
    let story = story();
    story.miss().await.refuse();
    let Lookup::Alone(ticket) = story.look_up().await else { panic!("alone") };
    fill(ticket, "[1]").await;
    assert_eq!(story.hit().await.unwrap(), "[1]");
}

#[tokio::test]
async fn a_body_that_outgrows_what_is_kept_reaches_its_readers_and_is_remembered_as_such() {
    let story = story();
    let ticket = story.miss().await;
    let flight = ticket.flight();
    let (mut upstream, body) = Channel::<Bytes, Infallible>::new(1);
    let filling = tokio::task::spawn(ticket.share(admitted(), None).run(body, WISH));
    let Landing::Shared(head) = flight.landing().await else { panic!("shared") };
    let reader = tokio::task::spawn(head.answer().unwrap().body.collect());
    for _ in 0..40 {
        upstream.send_data(vec![b'x'; 100].into()).await.unwrap();
    }
    drop(upstream);
    assert_eq!(reader.await.unwrap().unwrap().to_bytes().len(), 4000);
    assert_eq!(filling.await.unwrap(), Filled::Refused(Refusal::TooLarge));
    assert!(head.answer().is_none(), "its beginning is gone");
    assert!(matches!(story.look_up().await, Lookup::Alone(_)));
}

#[tokio::test]
async fn trap_54_a_broken_body_is_not_kept_and_breaks_for_its_readers() {
    let story = story();
    let ticket = story.miss().await;
    let flight = ticket.flight();
    let (mut upstream, body) = Channel::<Bytes, std::io::Error>::new(1);
    let filling = tokio::task::spawn(ticket.share(admitted(), Some(10)).run(body, WISH));
    let Landing::Shared(head) = flight.landing().await else { panic!("shared") };
    let reader = head.answer().unwrap().body;
    upstream.send_data("[1".into()).await.unwrap();
    upstream.abort(std::io::Error::other("cut"));
    assert!(reader.collect().await.is_err());
    assert_eq!(filling.await.unwrap(), Filled::Broken);
    assert!(story.hit().await.is_none());
}

#[tokio::test]
async fn an_error_in_disguise_is_not_kept() {
    let story = story();
    let filled = fill(story.miss().await, r#"{"code":"P0001","message":"no"}"#).await;
    assert_eq!(filled, Filled::Refused(Refusal::ErrorObject));
    assert!(story.hit().await.is_none());
}

#[tokio::test]
async fn memory_stays_within_its_bound_and_tags_go_with_their_entries() {
    let mut story = story_within(256 * 1024);
    for i in 0..5_000 {
        story.key = Key::new("t", &i.to_string());
        story.fingerprint = fingerprint(&format!("/{i}"));
        story.tags = vec![Tag::everything(), Tag::key(&story.key)];
        fill(story.miss().await, "[\"some body of a typical small answer\"]").await;
    }
    let usage = story.cache.usage();
    assert!(usage.bytes <= usage.bytes_max, "{usage:?}");
    assert!(usage.entries > 100, "{usage:?}");
    assert_eq!(usage.entries + usage.evictions, 5_000, "{usage:?}");
    assert!(usage.tags < 20_000, "{usage:?}");
}

/// Fills with rows that shrink to a tenth.
async fn fill_rows(ticket: Ticket, rows: usize) -> Filled {
    let body = Bytes::from(format!("[{}]", vec!["{\"city\":\"Dakar\"}"; rows].join(",")));
    ticket.share(admitted(), None).run(Full::new(body), Wish { body_bytes_max: 1 << 20, ..WISH }).await
}

impl Story {
    async fn entry(&self) -> Arc<Entry> {
        match self.look_up().await {
            Lookup::Hit(entry) => entry,
            other => panic!("not a hit: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_form_is_made_for_whoever_asks_next_and_weighs_what_it_weighs() {
    let story = story();
    fill_rows(story.miss().await, 1_000).await;
    let (entry, before) = (story.entry().await, story.cache.usage());
    story.cache.wish_for(&story.fingerprint, &entry, Coding::Gzip);
    // made in their order, so this one is there after that one
    story.cache.make(&story.fingerprint, &entry, Coding::Zstd).await;
    let hit = story.entry().await;
    assert!(Arc::ptr_eq(&hit, &entry), "the entry itself has them");
    let forms: usize = Coding::ALL.iter().map(|coding| hit.forms.get(*coding).unwrap().body.len()).sum();
    assert!(forms < entry.body.len() / 5, "{forms} of {}", entry.body.len());
    let after = story.cache.usage();
    assert_eq!(after.bytes, entry.bytes() as u64);
    assert!(after.bytes >= before.bytes + forms as u64, "{before:?} {after:?}");
    assert_eq!((after.forms_made, after.entries, after.evictions), (2, 1, 0));
}

#[tokio::test]
async fn no_form_is_made_of_what_is_gone() {
    let story = story();
    fill_rows(story.miss().await, 1_000).await;
    let entry = story.entry().await;
    story.change(&["a"]).await;
    fill_rows(story.miss().await, 1_001).await;
    let newer = story.entry().await;
    story.cache.wish_for(&story.fingerprint, &entry, Coding::Gzip);
    story.cache.make(&story.fingerprint, &newer, Coding::Gzip).await;
    assert!(entry.forms.get(Coding::Gzip).is_none());
    assert!(Arc::ptr_eq(&story.entry().await, &newer), "and it did not come back");
    // whoever holds it in their hand and takes nothing else gets it, and nobody else
    story.cache.make(&story.fingerprint, &entry, Coding::Gzip).await;
    assert!(entry.forms.get(Coding::Gzip).is_some());
    assert!(Arc::ptr_eq(&story.entry().await, &newer));
}

#[tokio::test]
async fn forms_keep_memory_within_its_bound() {
    let mut story = story_within(256 * 1024);
    for i in 0..200 {
        story.key = Key::new("t", &i.to_string());
        story.fingerprint = fingerprint(&format!("/{i}"));
        fill_rows(story.miss().await, 200).await;
    }
    let full = story.cache.usage();
    for i in 0..200 {
        story.fingerprint = fingerprint(&format!("/{i}"));
        if let Some(entry) = story.cache.recall(&story.fingerprint, story.clock.now()) {
            for coding in Coding::ALL {
                story.cache.make(&story.fingerprint, &entry, coding).await;
                let usage = story.cache.usage();
                assert!(usage.bytes <= usage.bytes_max, "{usage:?}");
            }
        }
    }
    let usage = story.cache.usage();
    assert!(usage.forms_made > 50 && usage.entries < full.entries, "{usage:?} {full:?}");
    assert_eq!(usage.entries + usage.evictions, 200, "{usage:?}");
}
