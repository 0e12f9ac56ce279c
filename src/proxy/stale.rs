//! Answers past their time: served where the rule allows it, and fetched again.
//!
//! Nothing here serves what a write has taken away: an entry past its time is still one whose
//! generations are all current, and is looked at again after every wait. What a write has taken away
//! softly is served once more, while another is fetched, and to anybody but who wrote.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::cache::{Entry, Errand, Filled, Ticket};
use crate::key::Tag;
use crate::plan::{ReadPlan, caller};
use crate::rules::Use;

use super::metered::Meter;
use super::origin;
use super::outcome::{Outcome, Staleness};
use super::read::{Ended, Joined, Planned, name};
use super::serve::reader;
use super::{Done, Proxy};

/// What the upstream says when it has no answer for anybody.
const NO_ANSWER: [StatusCode; 4] = [
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// What it says when it has none for the moment: it does not take back what it said before.
const NOT_NOW: [StatusCode; 3] =
    [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];

/// What one request brings along.
pub(super) struct Asking<'r> {
    pub(super) plan: &'r Arc<ReadPlan>,
    pub(super) request: &'r HeaderMap,
    pub(super) meter: Option<&'r mut Meter>,
}

impl Proxy {
    /// Answers a read of which the cache has an answer that is past its time. `None`: look again.
    pub(super) async fn outdated(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        errand: Errand,
        asking: Asking<'_>,
    ) -> Option<Done> {
        let Asking { plan, request, meter } = asking;
        let stale = |staleness| self.serve_stale(plan, entry, request, staleness);
        let allowed = origin::allowed(plan, entry, entry.lifetime.past(self.clock.now()));
        match allowed {
            Use::WhileRevalidating => {
                // nobody waits for it, so it needs no flight of its own before its turn has come
                drop(errand);
                self.freshen(plan, self.known(plan, entry));
                return Some(stale(Staleness::Revalidating).await);
            }
            Use::IfError if self.cache.is_resting(&plan.fingerprint) => {
                return Some(stale(Staleness::UpstreamResting).await);
            }
            Use::IfError | Use::None => {}
        }
        let done = self.run(errand, Asking { plan, request, meter }, Some(entry)).await?;
        if allowed == Use::IfError && has_no_answer(&done) && self.cache.stands(entry) {
            self.cache.take_turn(&plan.fingerprint);
            return Some(stale(Staleness::UpstreamFailed).await);
        }
        Some(done)
    }

    /// Answers a read of which the cache has an answer that a write has taken away softly. `None`: look again.
    pub(super) async fn softened(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        errand: Errand,
        asking: Asking<'_>,
    ) -> Option<Done> {
        let Asking { plan, request, .. } = &asking;
        let who = caller(self.verifier.as_deref(), request, self.clock.unix_seconds());
        if self.cache.has_written(&who).await {
            return self.run(errand, asking, None).await;
        }
        match errand {
            Errand::Join(_) => {}
            Errand::Lead(ticket) => {
                let (proxy, plan) = (Arc::clone(self), Arc::clone(plan));
                self.tasks.spawn(async move { proxy.replace(ticket, &plan).await });
            }
        }
        Some(self.serve_stale(plan, entry, request, Staleness::Softened).await)
    }

    /// Fetches what takes the place of an answer that was taken away softly. Where nothing does, that one goes
    /// all the same: nobody is served it for longer than one fetch takes.
    async fn replace(&self, ticket: Ticket, plan: &ReadPlan) {
        let result = match self.fill_unheard(ticket, plan, None).await {
            Ended::Filled(Filled::Kept(_)) => "kept",
            Ended::Filled(_) | Ended::Refused(_) | Ended::Failed => {
                self.invalidator.changed(&[Tag::key(&plan.key)], plan.rule.consistency).await;
                "failed"
            }
        };
        self.metrics.refreshed(result);
    }

    /// Fetches what takes the place of an answer, or waits for whoever does. `None`: look again.
    async fn run(
        self: &Arc<Self>,
        errand: Errand,
        Asking { plan, request, meter }: Asking<'_>,
        held: Option<&Arc<Entry>>,
    ) -> Option<Done> {
        match errand {
            Errand::Join(flight) => match self.join(plan, &flight, reader(plan, request)).await {
                Joined::Done(done) => Some(done),
                Joined::LookAgain => None,
            },
            Errand::Lead(ticket) => match self.admit_upstream(meter).await {
                Ok(()) => {
                    // it may have been taken away while this waited for its turn
                    let known = held.and_then(|entry| self.known(plan, entry));
                    Some(self.fetch(ticket, plan, request, known).await)
                }
                Err(rejection) => Some(Err(rejection)),
            },
        }
    }

    /// Has an answer fetched again that is of use still, or asked about. Nobody waits for it.
    pub(super) fn freshen(self: &Arc<Self>, plan: &Arc<ReadPlan>, known: Option<Arc<Entry>>) {
        if self.cache.take_turn(&plan.fingerprint) {
            let (proxy, plan) = (Arc::clone(self), Arc::clone(plan));
            self.tasks.spawn(async move {
                let result = proxy.fetch_again(&plan, known).await;
                proxy.metrics.refreshed(result);
            });
        }
    }

    /// Fetches with the credentials of whoever asked last, and says what came of it.
    async fn fetch_again(&self, plan: &ReadPlan, known: Option<Arc<Entry>>) -> &'static str {
        let answer = Planned(plan);
        let Some(ticket) = self.cache.renew(&name(plan, &answer)).await else { return "left" };
        // it may have been taken away since
        let known = known.filter(|known| self.cache.stands(known));
        match self.fill_unheard(ticket, plan, known).await {
            Ended::Filled(Filled::Kept(_)) => "kept",
            Ended::Refused(status) if !NO_ANSWER.contains(&status) && !NOT_NOW.contains(&status) => {
                // the upstream does not say this any more, and does not leave it at an error either
                self.invalidator.changed(&[Tag::key(&plan.key)], plan.rule.consistency).await;
                "gone"
            }
            Ended::Filled(_) | Ended::Refused(_) | Ended::Failed => "failed",
        }
    }
}

fn has_no_answer(done: &Done) -> bool {
    match done {
        Ok((response, Outcome::Unkept { .. })) => NO_ANSWER.contains(&response.status()),
        Ok(_) => false,
        Err(rejection) => rejection.is_upstreams(),
    }
}
