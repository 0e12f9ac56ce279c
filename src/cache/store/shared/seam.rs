//! What does this store do for each method that stores have? Each is carried out where its work is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::consistency::Consistency;
use crate::key::{Fingerprint, Key, KeyGlob, Tag};

use super::super::super::entry::Entry;
use super::super::super::generation::Stamp;
use super::super::super::listing::Walk;
use super::super::record::Record;
use super::super::{
    Announced, Change, Closed, Doing, Fleet, Found, Held, Listing, Name, SharedUsage, Store, Stored,
    StoredPage, Usage, Writing,
};
use super::SharedStore;

impl Store for SharedStore {
    fn recall(&self, fingerprint: &Fingerprint, now: Instant) -> Option<Arc<Entry>> {
        if self.lease.holds() { self.memory.recall(fingerprint, now) } else { None }
    }

    fn look_up<'a>(&'a self, name: &'a Name<'a>, now: Instant) -> Doing<'a, Found> {
        Box::pin(self.find(name, now))
    }

    fn stands(&self, entry: &Entry) -> bool {
        self.lease.holds() && self.memory.stands(entry)
    }

    fn keep_changes_for(&self, time: Duration) {
        self.memory.keep_changes_for(time);
    }

    fn has_changed_lately(&self, tags: &[Tag], time: Duration) -> bool {
        // without a lease, not all changes have been heard of
        !self.lease.holds() || self.memory.has_changed_lately(tags, time)
    }

    fn renew<'a>(&'a self, name: &'a Name<'a>) -> Doing<'a, Option<Stamp>> {
        Box::pin(self.claim_renewal(name))
    }

    fn end_turn(&self, fingerprint: &Fingerprint, is_refused: bool) {
        let _full = self.turns.try_send((*fingerprint, is_refused));
    }

    fn fill(&self, fingerprint: Fingerprint, mut entry: Entry, writing: Writing) -> Option<Doing<'_, ()>> {
        let there = entry.stamp.take_there();
        let entry = Arc::new(entry);
        self.memory.keep(fingerprint, Arc::clone(&entry));
        Some(Box::pin(self.put(fingerprint, entry, there?, writing)))
    }

    fn holds(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>) -> bool {
        self.memory.holds(fingerprint, entry)
    }

    fn weigh_again(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>) {
        self.memory.weigh_again(fingerprint, entry);
    }

    fn announce(&self, tags: Vec<Tag>, consistency: Consistency) -> Doing<'_, Result<Announced, Closed>> {
        Box::pin(self.note(tags, consistency))
    }

    fn change<'a>(&'a self, change: Change<'a>) -> Doing<'a, ()> {
        Box::pin(self.carry_out(change))
    }

    fn note_writer<'a>(&'a self, writer: &'a [u8; 32], lasts: Duration, now: Instant) -> Doing<'a, bool> {
        self.memory.note_writer_here(writer, now + lasts, now);
        Box::pin(self.tell_of_writer(writer, lasts))
    }

    fn has_written<'a>(&'a self, caller: &'a [u8; 32], now: Instant) -> Doing<'a, bool> {
        Box::pin(
            async move { self.memory.has_written_here(caller, now) || self.knows_of_writer(caller).await },
        )
    }

    fn withdraw(&self, announced: Announced) -> Doing<'_, ()> {
        Box::pin(self.take_back(announced))
    }

    fn leave(&self, announced: Announced, now: Instant) {
        // one that the store knows stays there, and whoever is alive at its deadline carries it out
        if !announced.is_recorded() {
            self.memory.doubt(announced.tags, now);
        }
    }

    fn sweep(&self, now: Instant) -> Doing<'_, Vec<Tag>> {
        Box::pin(self.carry_out_overdue(now))
    }

    fn usage(&self) -> Usage {
        let shared = SharedUsage {
            is_up: self.redis.is_up(),
            is_left_alone: self.redis.is_left_alone(),
            members: self.confirmations.members() as u64,
            lease_left: self.lease.left(),
            owed: self.journal.len() as u64,
            ..self.counts.so_far()
        };
        Usage { shared: Some(shared), ..self.memory.usage() }
    }

    fn namespaces(&self) -> Vec<(String, Held)> {
        self.memory.namespaces()
    }

    fn walk(&self, walk: &mut Walk<'_>) {
        self.memory.walk(walk);
    }

    fn stored<'a>(
        &'a self,
        glob: &'a KeyGlob,
        after: Option<&'a str>,
        limit: usize,
    ) -> Listing<'a, StoredPage> {
        Box::pin(async move { Some(self.list(glob, after, limit).await) })
    }

    fn records<'a>(&'a self, key: &'a Key, limit: usize) -> Listing<'a, (Vec<(Stored, Record)>, bool)> {
        Box::pin(async move { Some(self.find_records(key, limit).await) })
    }

    fn fleet(&self) -> Option<Fleet> {
        Some(Fleet { own: self.own.clone(), members: self.confirmations.live() })
    }
}
