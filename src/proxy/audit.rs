//! Are the rules right? A sample of hits is asked for again in the background and compared.
//!
//! An entry that says something else than the upstream, while nothing that it depends on has changed,
//! depends on something that nobody told larder of: a table is missing in the schema, or somebody writes
//! past the proxy. That is counted by rule, told by key, and taken away. Rows are never told.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_RANGE;
use http_body_util::{BodyExt, Limited};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::cache::Entry;
use crate::key::Tag;
use crate::plan::ReadPlan;
use crate::postgrest::are_the_same_rows;

use super::Proxy;

/// Audits that go on at the same time. With [`LASTS`], so many times four a second: the upstream has
/// visitors to answer.
const AT_ONCE: usize = 2;

/// An audit keeps its place for so long at least.
const LASTS: Duration = Duration::from_millis(250);

/// A write may be committed and its answer still on its way: by then it has arrived and taken effect.
const SETTLES: Duration = Duration::from_secs(2);

/// What came of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The upstream says the same.
    Same,
    /// It says something else, though nothing is known to have changed.
    Stale,
    /// It says something else because something has changed meanwhile.
    Overtaken,
    /// It said nothing that can be compared.
    Failed,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Stale => "stale",
            Self::Overtaken => "overtaken",
            Self::Failed => "failed",
        }
    }
}

/// Who may audit.
#[derive(Debug)]
pub(super) struct Auditor {
    places: Arc<Semaphore>,
}

impl Auditor {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Proxy {
    /// Audits a hit, if chance and the budget say so.
    pub(super) fn audit_some(self: &Arc<Self>, plan: &Arc<ReadPlan>, entry: &Arc<Entry>) {
        if !plan.is_audited() {
            return;
        }
        let Ok(place) = Arc::clone(&self.auditor.places).try_acquire_owned() else { return };
        let (proxy, plan, entry) = (Arc::clone(self), Arc::clone(plan), Arc::clone(entry));
        self.tasks.spawn(async move {
            let (verdict, ()) = tokio::join!(proxy.audit(&plan, &entry), tokio::time::sleep(LASTS));
            drop(place);
            proxy.report_audit(&plan, verdict).await;
        });
    }

    async fn audit(&self, plan: &ReadPlan, entry: &Entry) -> Verdict {
        match self.is_same(plan, entry).await {
            None => return Verdict::Failed,
            Some(true) => return Verdict::Same,
            Some(false) => {}
        }
        if self.is_still_true(entry) {
            tokio::time::sleep(SETTLES).await;
        }
        if self.is_still_true(entry) { Verdict::Stale } else { Verdict::Overtaken }
    }

    fn is_still_true(&self, entry: &Entry) -> bool {
        self.cache.stands(entry) && entry.lifetime.is_fresh(self.clock.now())
    }

    /// Whether the upstream says now what the entry says; nothing where it does not say.
    async fn is_same(&self, plan: &ReadPlan, entry: &Entry) -> Option<bool> {
        let (head, body) = self.ask(plan, None).await.ok()?.into_parts();
        if head.status.is_server_error() {
            return None;
        }
        let body = Limited::new(body, self.limits.body_bytes_max).collect().await.ok()?.to_bytes();
        let kept_range = entry.headers.iter().find(|(name, _)| name == CONTENT_RANGE).map(|(_, value)| value);
        let is_alike = head.status == entry.status && head.headers.get(CONTENT_RANGE) == kept_range;
        Some(is_alike && are_the_same_rows(&body, &entry.body))
    }

    async fn report_audit(&self, plan: &ReadPlan, verdict: Verdict) {
        self.metrics.audited(verdict.as_str());
        if verdict == Verdict::Stale {
            self.metrics.audit_stale(&plan.rule.name);
            let tags = plan.tags().iter().map(Tag::as_str).collect::<Vec<_>>();
            warn!(
                rule = &*plan.rule.name,
                key = %plan.key,
                ?tags,
                "a stale answer: something that it depends on changed and larder was not told \
                 (hint: `larder explain` shows what it goes away with; `larder schema pull` learns what it reads)"
            );
            self.invalidator.changed(&[Tag::key(&plan.key)], plan.rule.consistency).await;
        }
    }
}
