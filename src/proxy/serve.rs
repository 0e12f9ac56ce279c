//! Answering from an entry: in the form that its reader takes, and noting what may have to be fetched again.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Response, StatusCode};

use crate::cache::{Coding, Entry, Form};
use crate::hit_counts::Unsent;
use crate::plan::ReadPlan;

use super::accept_encoding::Accepted;
use super::body::Body;
use super::outcome::{Outcome, Staleness};
use super::respond::{self, Reader};
use super::{Done, Proxy};

impl Proxy {
    /// Serves what is at hand, without waiting for anything.
    pub(super) fn recall(
        self: &Arc<Self>,
        plan: &Arc<ReadPlan>,
        request: &HeaderMap,
        now: Instant,
    ) -> Option<Done> {
        let entry = self.cache.recall(&plan.fingerprint, now)?;
        let reader = reader(plan, request);
        let is_at_hand = must_be_made(&entry, reader).is_none();
        is_at_hand.then(|| self.serve(plan, &entry, reader, now))
    }

    /// A reader of an entry, once it is there in a form that they take.
    pub(super) async fn ready<'r>(
        &self,
        plan: &'r ReadPlan,
        entry: &Arc<Entry>,
        request: &'r HeaderMap,
    ) -> Reader<'r> {
        let reader = reader(plan, request);
        if let Some(coding) = must_be_made(entry, reader) {
            self.cache.make(&plan.fingerprint, entry, coding).await;
        }
        reader
    }

    /// Serves an entry whose time is not over.
    pub(super) fn serve(
        self: &Arc<Self>,
        plan: &Arc<ReadPlan>,
        entry: &Arc<Entry>,
        reader: Reader<'_>,
        now: Instant,
    ) -> Done {
        let (response, unsent) =
            self.present(plan, entry, reader, |form| respond::from_hit(entry, form, (plan, reader), now));
        let (left, bytes) = (entry.lifetime.left(now), entry.body.len() as u64);
        if left < plan.rule.freshness.refresh_ahead && entry.status.is_success() {
            self.freshen(plan, None);
        }
        if plan.is_refilled() {
            self.refills.served(plan);
        }
        self.audit_some(plan, entry);
        Ok((response, Outcome::Hit { left, bytes, unsent }))
    }

    /// Serves an entry past its time.
    pub(super) async fn serve_stale(
        &self,
        plan: &ReadPlan,
        entry: &Arc<Entry>,
        request: &HeaderMap,
        staleness: Staleness,
    ) -> Done {
        // a network may not keep for others what is past its time here
        let reader = self.ready(plan, entry, request).await.in_doubt();
        let now = self.clock.now();
        let (response, unsent) =
            self.present(plan, entry, reader, |form| respond::from_entry(entry, form, reader, now));
        let (past, bytes) = (entry.lifetime.past(now), entry.body.len() as u64);
        Ok((response, Outcome::Stale { past, bytes, staleness, unsent }))
    }

    /// Puts an entry into the best form that there is, and wishes for a better one.
    fn present(
        &self,
        plan: &ReadPlan,
        entry: &Arc<Entry>,
        reader: Reader<'_>,
        answer: impl FnOnce(Option<&Form>) -> (Response<Body>, Unsent),
    ) -> (Response<Body>, Unsent) {
        entry.hits.add();
        let choice = reader.accepted.choose(entry);
        let (response, unsent) = answer(choice.form);
        if let Some(coding) = choice.wanted
            && response.status() != StatusCode::NOT_MODIFIED
        {
            self.cache.wish_for(&plan.fingerprint, entry, coding);
        }
        (response, unsent)
    }
}

/// Who reads the answer to a planned read.
pub(super) fn reader<'r>(plan: &'r ReadPlan, request: &'r HeaderMap) -> Reader<'r> {
    let downstream = &plan.rule.downstream;
    let accepted = if downstream.is_compressed { Accepted::of(request) } else { Accepted::PLAIN };
    let network = downstream.to_networks.as_ref().zip(plan.labels());
    let speaks_for_itself = plan.ttl.given().is_none();
    Reader { request, accepted, alone: &downstream.to_readers, network, speaks_for_itself }
}

/// The form that has to be made first, for a reader that takes nothing else. Most take what is not coded, too.
fn must_be_made(entry: &Entry, reader: Reader<'_>) -> Option<Coding> {
    if reader.accepted.takes(None) {
        return None;
    }
    let choice = reader.accepted.choose(entry);
    choice.wanted.filter(|_| choice.form.is_none())
}
