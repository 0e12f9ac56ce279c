//! Reading and filling.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::debug;

use crate::consistency::Consistency;
use crate::key::{Fingerprint, Tag};
use crate::redis::{ServerId, Value, cmd};
use crate::sabotage::{self, Bug};

use super::super::super::admission::Refusal;
use super::super::super::entry::{Entry, Hits, Lifetime};
use super::super::super::form::Forms;
use super::super::super::generation::{Stamp, There};
use super::super::super::validator::Validator;
use super::super::record::Record;
use super::super::{Found, Name, Turn, Writing};
use super::counts::add;
use super::turns::TURN_LASTS;
use super::{SharedStore, millis, random, scripts};

/// How long the generation of a tag lives that nothing asks for: longer than any entry, as most
/// rules keep theirs for a day at most. One that is gone too early costs a fetch and nothing else.
const GENERATION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long nobody else fetches again what one process set out to: about as long as an upstream takes.
const RENEWAL_CLAIM: Duration = Duration::from_secs(2);

/// A marker that is older than its deadline by this much was left by a process that died; its
/// sweeping is under way.
const SWEPT_WITHIN: Duration = Duration::from_secs(5);

impl SharedStore {
    /// The entry, and whether the generations of its tags are those that it was fetched under, in
    /// one round trip.
    pub(super) async fn find(&self, name: &Name<'_>, now: Instant) -> Found {
        let tags = name.answer.tags();
        // before anything is asked: a change that is heard of from here on makes this stamp an old one
        let stamp = self.memory.stamp(tags);
        if !self.journal.is_clear() {
            return Found::Apart(Refusal::StoreAway);
        }
        add(&self.counts.look_ups);
        // Under a lease this process has heard of every change: what it knows need not be asked again.
        // Of a marker it knows nothing, so whoever is strict asks.
        let is_known = self.lease.holds() && name.consistency < Consistency::Strict;
        let said = match is_known.then(|| stamp.known_there()).flatten() {
            Some(known) => self.get(name, known).await,
            None => self.get_all(name, &stamp).await,
        };
        if sabotage::is(Bug::LoadUnchecked) {
            // time to hear of a change, as a busy machine takes it
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let Some(Said { server, record, generations, is_being_written }) = said else {
            add(&self.counts.failures);
            return Found::Apart(Refusal::StoreAway);
        };
        if is_being_written {
            return Found::Apart(Refusal::BeingWritten);
        }
        let record = record.and_then(|record| self.open(record, name, now));
        let there = generations.map(|generations| There { server, generations });
        let record = match record {
            Some(usable) if is_valid(&usable, there.as_ref()) => {
                return self.found(usable, name, stamp, now);
            }
            record => record,
        };
        let turn = self.has_company().then(|| self.names.turn(name.fingerprint));
        match self.stamped(tags, turn).await {
            Some((there, turn)) => {
                stamp.learn(&there.generations);
                // what was known may have been pushed out of the store and made anew by others
                match record {
                    Some(usable) if is_valid(&usable, Some(&there)) => self.found(usable, name, stamp, now),
                    Some(usable) if is_softened(&usable, &there, &stamp, now) => {
                        // it is served once more, and not kept here
                        let next = stamp.clone().with(there);
                        Found::Softened(self.entry(usable, name, stamp), next)
                    }
                    _ => Found::Missing(stamp.with(there), turn),
                }
            }
            // under a lease, what this process hears is as good as what the store says
            None if self.lease.holds() && name.consistency < Consistency::Strict => {
                Found::Missing(stamp, Turn::Free)
            }
            None => Found::Apart(Refusal::StoreAway),
        }
    }

    /// The entry alone, where the generations are known.
    async fn get(&self, name: &Name<'_>, known: Box<[u64]>) -> Option<Said> {
        let mut get = cmd("GET");
        get.arg(self.names.entry(name.key, name.fingerprint));
        let (ServerId(server), record) = self.redis.one(&get).await.ok()?;
        Some(Said { server, record: bytes(record), generations: Some(known), is_being_written: false })
    }

    /// The entry, the generations and, where it matters, the markers.
    async fn get_all(&self, name: &Name<'_>, stamp: &Stamp) -> Option<Said> {
        let tags = name.answer.tags();
        let mut get = cmd("MGET");
        get.arg(self.names.entry(name.key, name.fingerprint));
        for tag in tags {
            get.arg(self.names.generation(tag));
        }
        if name.consistency == Consistency::Strict {
            for tag in tags {
                get.arg(self.names.marker(tag));
            }
        }
        let (ServerId(server), Value::Array(said)) = self.redis.one(&get).await.ok()? else { return None };
        let mut said = said.into_iter();
        let record = said.next().and_then(bytes);
        let generations = said.by_ref().take(tags.len()).map(|said| number(&said)).collect::<Vec<_>>();
        let generations = generations.into_iter().collect::<Option<Box<[_]>>>();
        if let Some(generations) = &generations {
            stamp.learn(generations);
        }
        let marked = tags.iter().zip(said).filter(|(_, marker)| *marker != Value::Nil);
        let marked = marked.map(|(tag, _)| self.names.marker(tag)).collect::<Vec<_>>();
        let is_being_written = !marked.is_empty() && self.stands_any(&marked).await;
        Some(Said { server, record, generations, is_being_written })
    }

    /// Whether one of these markers, which were there a moment ago, says that a write is under way. The store's
    /// own clock decides: ours may be anywhere.
    async fn stands_any(&self, marked: &[String]) -> bool {
        let names = marked.iter().map(String::as_str).collect::<Vec<_>>();
        let said = self.redis.script(&scripts::LEFT, &names, &[millis(SWEPT_WITHIN).as_bytes()]).await;
        !matches!(said, Ok((_, Value::Int(1))))
    }

    /// A record that is this question's answer and still of some use, and until when.
    fn open(&self, record: Bytes, name: &Name<'_>, now: Instant) -> Option<Usable> {
        match self.codec(name.writing)?.decode(name.fingerprint.as_bytes(), record) {
            Ok(record) => {
                let lifetime = self.lifetime(&record, now);
                lifetime.is_alive(now).then_some((record, lifetime))
            }
            Err(unreadable) => {
                add(&self.counts.rejected_records);
                debug!(key = %name.key, reason = unreadable.as_str(), "a record was rejected");
                None
            }
        }
    }

    /// An entry of the store's, in memory too from here on.
    fn found(&self, (record, lifetime): Usable, name: &Name<'_>, stamp: Stamp, now: Instant) -> Found {
        add(&self.counts.hits);
        if lifetime.is_fresh(now) {
            let entry = self.entry((record, lifetime), name, stamp);
            self.memory.keep(*name.fingerprint, Arc::clone(&entry));
            return Found::Valid(entry);
        }
        let there = There { server: record.server, generations: record.generations.as_slice().into() };
        let next = stamp.clone().with(there);
        Found::Stale(self.entry((record, lifetime), name, stamp), next)
    }

    fn entry(&self, (record, lifetime): Usable, name: &Name<'_>, stamp: Stamp) -> Arc<Entry> {
        let is_unchecked = sabotage::is(Bug::LoadUnchecked);
        let forms = Forms::of(&record.headers, &record.body);
        Arc::new(Entry {
            key: name.key.clone(),
            status: record.status,
            headers: record.headers.into(),
            hits: Hits::default(),
            forms,
            validator: Validator::told_as(record.validator).into(),
            body: record.body,
            lifetime,
            stamp: if is_unchecked { self.memory.stamp(name.answer.tags()) } else { stamp },
        })
    }

    fn lifetime(&self, record: &Record, now: Instant) -> Lifetime {
        let unix = self.clock.unix_millis();
        let until = |end: u64| Duration::from_millis(end.saturating_sub(unix));
        let since = |begin: u64| Duration::from_millis(unix.saturating_sub(begin));
        let ago = |time: Duration| now.checked_sub(time).unwrap_or(now);
        Lifetime {
            stored: ago(since(record.stored_at)),
            expires: ago(since(record.expires_at)) + until(record.expires_at),
            ends: now + until(record.ends_at),
        }
    }

    /// The generations of these tags, made where they are missing; known before a fetch begins. With the name of a turn
    /// to fetch it is asked whose that is, in the same step.
    async fn stamped(&self, tags: &[Tag], turn: Option<String>) -> Option<(There, Turn)> {
        let script = if turn.is_some() { &scripts::TURN } else { &scripts::STAMP };
        let lasts = turn.as_ref().map(|_| millis(TURN_LASTS));
        let names = tags.iter().map(|tag| self.names.generation(tag)).chain(turn).collect::<Vec<_>>();
        let names = names.iter().map(String::as_str).collect::<Vec<_>>();
        let made = || if sabotage::is(Bug::CountedGenerations) { 1 } else { random() };
        // as text: a store that is spoken to over HTTP takes nothing else
        let new = tags.iter().map(|_| format!("{:016x}", made())).collect::<Vec<_>>();
        let lifetime = millis(GENERATION_LIFETIME);
        let mut args = vec![lifetime.as_bytes()];
        args.extend(new.iter().map(String::as_bytes));
        args.extend(lasts.iter().flat_map(|lasts| [self.own.as_bytes(), lasts.as_bytes()]));
        match self.redis.script(script, &names, &args).await {
            Ok((ServerId(server), Value::Array(said))) => {
                let (generations, turn) = said.split_at_checked(tags.len())?;
                let generations = generations.iter().map(number).collect::<Option<Box<[_]>>>()?;
                Some((There { server, generations }, whose(turn)))
            }
            Ok(_) | Err(_) => {
                add(&self.counts.failures);
                None
            }
        }
    }

    /// The right to fetch again what is still of use, which one of all has for a moment, and the
    /// generations that the next entry must carry.
    pub(super) async fn claim_renewal(&self, name: &Name<'_>) -> Option<Stamp> {
        let stamp = self.memory.stamp(name.answer.tags());
        if !self.journal.is_clear() {
            return None;
        }
        let mut claim = cmd("SET");
        claim.arg(self.names.renewal(name.fingerprint)).arg(&self.own).arg("NX");
        claim.arg("PX").arg(millis(RENEWAL_CLAIM));
        match self.redis.one(&claim).await {
            Ok((_, Value::Nil)) | Err(_) => None,
            Ok(_) => Some(stamp.with(self.stamped(name.answer.tags(), None).await?.0)),
        }
    }

    /// Keeps an entry in the store if it takes it.
    pub(super) async fn put(
        &self,
        fingerprint: Fingerprint,
        entry: Arc<Entry>,
        there: There,
        writing: Writing,
    ) {
        let now = self.clock.now();
        let useful = entry.lifetime.ends.saturating_duration_since(now);
        let unix = self.clock.unix_millis();
        let at = |left: Duration| unix.saturating_add(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let record = Record {
            server: there.server,
            generations: there.generations.into_vec(),
            stored_at: unix.saturating_sub(u64::try_from(entry.lifetime.age(now).as_millis()).unwrap_or(0)),
            expires_at: at(entry.lifetime.left(now)).saturating_sub(
                // some are past their time when they come
                u64::try_from(entry.lifetime.past(now).as_millis()).unwrap_or(u64::MAX),
            ),
            ends_at: at(useful),
            status: entry.status,
            headers: entry.headers.to_vec(),
            validator: entry.validator().told(),
            body: entry.body.clone(),
        };
        let codec = self.codec(writing);
        let tags: Vec<Tag> = entry.stamp.tags().map(|(tag, _)| tag.clone()).collect();
        let encoded = codec.and_then(|codec| codec.encode(fingerprint.as_bytes(), &record, &tags).ok());
        let Some(record) = encoded else {
            return add(&self.counts.lost_fills);
        };
        let mut set = cmd("SET");
        set.arg(self.names.entry(&entry.key, &fingerprint));
        set.arg(record).arg("PX").arg(useful.as_millis().max(1).to_string());
        if self.redis.one(&set).await.is_err() {
            add(&self.counts.lost_fills);
        }
    }
}

/// A record of which some use can be made, and until when.
type Usable = (Record, Lifetime);

/// What the store said of an entry.
struct Said {
    server: u64,
    record: Option<Bytes>,
    /// All of them, or none where one is missing.
    generations: Option<Box<[u64]>>,
    is_being_written: bool,
}

/// Are its generations those that count now, as far as they are known?
fn is_valid((record, _): &Usable, there: Option<&There>) -> bool {
    there.is_some_and(|there| is_current(record, there))
}

/// Have only soft tags overtaken it, and would it be as good as a new one otherwise?
fn is_softened((record, lifetime): &Usable, there: &There, stamp: &Stamp, now: Instant) -> bool {
    record.server == there.server
        && stamp.is_softened(&record.generations, &there.generations)
        && lifetime.is_fresh(now)
}

/// Are these the generations that count now, and was it the same run of the store that said so?
fn is_current(kept: &Record, now: &There) -> bool {
    *kept.generations == *now.generations && (kept.server == now.server || sabotage::is(Bug::RunIdIgnored))
}

fn whose(turn: &[Value]) -> Turn {
    match turn {
        [Value::BulkString(said)] if said == b"ours" => Turn::Ours,
        [Value::BulkString(said)] if said == b"theirs" => Turn::Theirs,
        [Value::BulkString(said)] if said == b"refused" => Turn::Refused,
        _ => Turn::Free,
    }
}

fn bytes(said: Value) -> Option<Bytes> {
    if let Value::BulkString(bytes) = said { Some(bytes.into()) } else { None }
}

/// A generation, as the store holds it.
pub(super) fn number(said: &Value) -> Option<u64> {
    let Value::BulkString(bytes) = said else { return None };
    u64::from_str_radix(std::str::from_utf8(bytes).ok()?, 16).ok()
}
