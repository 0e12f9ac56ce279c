//! Reading and filling.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::consistency::Consistency;
use crate::key::{Fingerprint, Tag};
use crate::redis::{ServerId, Value, cmd};

use super::super::super::admission::Refusal;
use super::super::super::entry::{Entry, Lifetime};
use super::super::super::generation::There;
use super::super::{Found, Name};
use super::wire::{self, Record};
use super::{SharedStore, add, millis, random, scripts};

/// How long the generation of a tag lives that nothing asks for: longer than any entry, as most
/// rules keep theirs for a day at most. One that is gone too early costs a fetch and nothing else.
const GENERATION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A marker that is older than its deadline by this much was left by a process that died; its
/// sweeping is under way. Covers how far apart our clock and the store's may be.
const CLOCKS_APART: Duration = Duration::from_secs(5);

impl SharedStore {
    /// The entry with the generations of its tags, in one round trip.
    pub(super) async fn find(&self, name: &Name<'_>, now: Instant) -> Found {
        let tags = name.answer.tags();
        // before anything is asked: a change that is heard of from here on makes this stamp an old one
        let stamp = self.memory.stamp(tags);
        if !self.journal.is_clear() {
            return Found::Apart(Refusal::StoreAway);
        }
        add(&self.counts.look_ups);
        let asked = self.redis.one(&self.question(name, tags)).await;
        let Ok((server, Value::Array(said))) = asked else {
            add(&self.counts.failures);
            return Found::Apart(Refusal::StoreAway);
        };
        let mut said = said.into_iter();
        let (record, mut current) = (said.next(), said.by_ref().take(tags.len()));
        let generations = current.by_ref().map_while(|said| number(&said)).collect::<Box<[_]>>();
        if said.any(|marker| self.stands(&marker)) {
            return Found::Apart(Refusal::BeingWritten);
        }
        let there = There { server: server.0, generations };
        if let Some(entry) = self.read(record, name, &there, now)
            && there.generations.len() == tags.len()
        {
            add(&self.counts.hits);
            let entry = Arc::new(Entry { stamp, ..entry });
            self.memory.keep(*name.fingerprint, Arc::clone(&entry));
            return Found::Valid(entry);
        }
        match self.generations(tags).await {
            Some(there) => Found::Missing(stamp.with(there)),
            // under a lease, what this process hears is as good as what the store says
            None if self.lease.holds() && name.consistency < Consistency::Strict => Found::Missing(stamp),
            None => Found::Apart(Refusal::StoreAway),
        }
    }

    fn question(&self, name: &Name<'_>, tags: &[Tag]) -> crate::redis::Cmd {
        let mut question = cmd("MGET");
        question.arg(self.names.entry(name.key, name.fingerprint));
        for tag in tags {
            question.arg(self.names.generation(tag));
        }
        if name.consistency == Consistency::Strict {
            for tag in tags {
                question.arg(self.names.marker(tag));
            }
        }
        question
    }

    /// Whether a marker says that a write is under way.
    fn stands(&self, marker: &Value) -> bool {
        let Value::BulkString(due) = marker else { return false };
        let due = std::str::from_utf8(due).ok().and_then(|due| due.parse::<f64>().ok());
        let past = Duration::from_millis(self.clock.unix_millis()).saturating_sub(CLOCKS_APART);
        due.is_none_or(|due| Duration::try_from_secs_f64(due / 1_000.0).is_ok_and(|due| due >= past))
    }

    /// A record that is this question's answer and whose generations are current.
    fn read(&self, record: Option<Value>, name: &Name<'_>, there: &There, now: Instant) -> Option<Entry> {
        let Some(Value::BulkString(record)) = record else { return None };
        let Some(record) = wire::decode(&Bytes::from(record), name.fingerprint) else {
            add(&self.counts.rejected_records);
            return None;
        };
        if record.there != *there {
            return None;
        }
        let unix = self.clock.unix_millis();
        let age = Duration::from_millis(unix.saturating_sub(record.stored));
        let left = Duration::from_millis(record.expires.saturating_sub(unix));
        let lifetime = Lifetime { stored: now.checked_sub(age).unwrap_or(now), expires: now + left };
        lifetime.is_alive(now).then(|| Entry {
            key: name.key.clone(),
            status: record.status,
            headers: record.headers,
            body: record.body,
            lifetime,
            stamp: self.memory.stamp(&[]),
        })
    }

    /// The generations of these tags, made where they are missing; known before a fetch begins.
    async fn generations(&self, tags: &[Tag]) -> Option<There> {
        let names = tags.iter().map(|tag| self.names.generation(tag)).collect::<Vec<_>>();
        let names = names.iter().map(String::as_str).collect::<Vec<_>>();
        let new = tags.iter().map(|_| random().to_le_bytes()).collect::<Vec<_>>();
        let lifetime = millis(GENERATION_LIFETIME);
        let mut args = vec![lifetime.as_bytes()];
        args.extend(new.iter().map(<[u8; 8]>::as_slice));
        match self.redis.script(&scripts::STAMP, &names, &args).await {
            Ok((ServerId(server), Value::Array(said))) => {
                let generations = said.iter().map(number).collect::<Option<Box<[_]>>>()?;
                (generations.len() == tags.len()).then_some(There { server, generations })
            }
            Ok(_) | Err(_) => {
                add(&self.counts.failures);
                None
            }
        }
    }

    /// Keeps an entry in memory at once and in the store if it takes it.
    pub(super) async fn keep(&self, fingerprint: Fingerprint, mut entry: Entry) {
        let there = entry.stamp.take_there();
        let entry = Arc::new(entry);
        self.memory.keep(fingerprint, Arc::clone(&entry));
        let Some(there) = there else { return };
        let now = self.clock.now();
        let left = entry.lifetime.left(now);
        let unix = self.clock.unix_millis();
        let record = Record {
            there,
            stored: unix.saturating_sub(u64::try_from(entry.lifetime.age(now).as_millis()).unwrap_or(0)),
            expires: unix.saturating_add(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            status: entry.status,
            headers: Arc::clone(&entry.headers),
            body: entry.body.clone(),
        };
        let mut set = cmd("SET");
        set.arg(self.names.entry(&entry.key, &fingerprint));
        set.arg(wire::encode(&record, &fingerprint)).arg("PX").arg(left.as_millis().max(1).to_string());
        if self.redis.one(&set).await.is_err() {
            add(&self.counts.lost_fills);
        }
    }
}

/// A generation, as the store holds it.
fn number(said: &Value) -> Option<u64> {
    let Value::BulkString(bytes) = said else { return None };
    Some(u64::from_le_bytes(bytes.as_slice().try_into().ok()?))
}
