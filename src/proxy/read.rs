//! GET: look up, wait or fetch, fill.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use tokio::sync::oneshot;
use tracing::info;

use crate::cache::{
    Answer, Dependent, Entry, Filled, Flight, Landing, Lookup, Name, Refusal, Ticket, Writing,
};
use crate::causes::in_full;
use crate::key::Tag;
use crate::metrics::observe;
use crate::plan::ReadPlan;
use crate::postgrest::{is_error_object, says_nothing_there};
use crate::upstream::{self, Outgoing};

use super::body::Body;
use super::metered::Meter;
use super::origin::{self, Keepable};
use super::outcome::Outcome;
use super::outlive::outlive;
use super::reject::Rejection;
use super::report::question;
use super::respond::{self, Reader};
use super::serve::reader;
use super::stale::Asking;
use super::{Done, Proxy, conditional};

/// How often a request looks up again because whoever fetched for it vanished.
/// Once is rare; more often means something is wrong, so it then asks for itself.
const LOOK_UPS_MAX: usize = 3;

impl Proxy {
    /// Serves what is remembered; otherwise one caller fetches and the rest share.
    ///
    /// Cancel safe: a fetch is a task of its own and goes on for the others.
    pub(super) async fn read(
        self: &Arc<Self>,
        plan: &Arc<ReadPlan>,
        request: &HeaderMap,
        mut meter: Option<&mut Meter>,
    ) -> Done {
        let answer = Planned(plan);
        for _ in 0..LOOK_UPS_MAX {
            match self.cache.look_up(&name(plan, &answer)).await {
                Lookup::Hit(entry) => {
                    let reader = self.ready(plan, &entry, request).await;
                    return self.serve(plan, &entry, reader, self.clock.now());
                }
                Lookup::Stale(entry, errand) => {
                    let asking = Asking { plan, request, meter: meter.as_deref_mut() };
                    // in a box, as is whatever else happens to few: misses should not carry it about
                    if let Some(done) = Box::pin(self.outdated(&entry, errand, asking)).await {
                        return done;
                    }
                }
                Lookup::Softened(entry, errand) => {
                    let asking = Asking { plan, request, meter: meter.as_deref_mut() };
                    if let Some(done) = self.softened(&entry, errand, asking).await {
                        return done;
                    }
                }
                Lookup::Miss(ticket) | Lookup::Alone(ticket) => {
                    self.admit_upstream(meter.as_deref_mut()).await?;
                    return self.fetch(ticket, plan, request, None).await;
                }
                Lookup::Apart(refusal) => return Box::pin(self.ask_alone(plan, request, refusal)).await,
                Lookup::Wait(flight) => {
                    if let Joined::Done(done) = self.join(plan, &flight, reader(plan, request)).await {
                        return done;
                    }
                }
            }
        }
        self.admit_upstream(meter).await?;
        Box::pin(self.ask_alone(plan, request, Refusal::TooLarge)).await
    }

    /// Fetches for everybody aboard, and answers with what comes. If this client
    /// leaves, or once it has its answer and more is to come, a task goes on.
    pub(super) async fn fetch(
        self: &Arc<Self>,
        ticket: Ticket,
        plan: &Arc<ReadPlan>,
        request: &HeaderMap,
        known: Option<Arc<Entry>>,
    ) -> Done {
        let (tell, mut told) = oneshot::channel();
        let (proxy, fetched) = (Arc::clone(self), Arc::clone(plan));
        let mut filling = outlive(&self.tasks, async move {
            let _told = proxy.fill(ticket, &fetched, known, tell).await;
        });
        let fetched = tokio::select! {
            biased;
            () = &mut filling => told.try_recv().ok(),
            told = &mut told => told.ok(),
        };
        let reader = reader(plan, request);
        match fetched {
            Some(Fetched::Shared { answer, is_known }) => {
                if waits_for_all(reader) {
                    tokio::select! {
                        biased;
                        () = filling => {}
                        () = answer.settled() => {}
                    }
                }
                let reader = self.certain(plan, &answer, reader);
                let (response, unsent) = respond::from_shared(answer, reader);
                Ok((
                    response,
                    if is_known { Outcome::Renewed { unsent } } else { Outcome::Stored { unsent } },
                ))
            }
            Some(Fetched::Unshared(unshared)) => Ok(unkept(unshared, reader)),
            Some(Fetched::Failed(status)) => Err(Rejection::Shared(status)),
            None => Err(Rejection::Lost),
        }
    }

    /// The fetch itself, which outlives the client that caused it. Where there is an answer that may still be
    /// so, that is what is asked.
    pub(super) async fn fill(
        &self,
        ticket: Ticket,
        plan: &ReadPlan,
        known: Option<Arc<Entry>>,
        tell: oneshot::Sender<Fetched>,
    ) -> Ended {
        let mut began = self.clock.now();
        let delay = |began| self.clock.now().saturating_duration_since(began);
        let condition = origin::condition(known.as_ref());
        let known = known.filter(|_| condition.is_some());
        let mut asked = self.ask(plan, condition).await;
        if let (Some(known), Ok(answer)) = (known, &asked)
            && answer.status() == StatusCode::NOT_MODIFIED
        {
            if let Some(keepable) = self.revived(plan, &known, answer.headers(), delay(began)) {
                return self.share(ticket, plan, keepable, tell).await;
            }
            began = self.clock.now();
            asked = self.ask(plan, None).await;
        }
        let answer = match asked {
            Ok(answer) => answer,
            Err(failure) => {
                let _gone = tell.send(Fetched::Failed(failure.status()));
                ticket.fail(failure.status());
                return Ended::Failed;
            }
        };
        let (head, body) = answer.into_parts();
        match self.judged(plan, &head, delay(began)) {
            Ok((admitted, wish)) => {
                self.share(ticket, plan, Keepable { admitted, wish, body, is_known: false }, tell).await
            }
            Err(refusal) => {
                self.report_fill(plan, Filled::Refused(refusal));
                let status = head.status;
                // whoever began this takes the answer along; the others hear that there is none for them
                let unshared = Unshared { answer: Response::from_parts(head, body), refusal };
                let _gone = tell.send(Fetched::Unshared(unshared));
                ticket.refuse();
                Ended::Refused(status)
            }
        }
    }

    /// Gives everybody aboard an answer that may be kept, and keeps it.
    async fn share<B>(
        &self,
        ticket: Ticket,
        plan: &ReadPlan,
        keepable: Keepable<B>,
        tell: oneshot::Sender<Fetched>,
    ) -> Ended
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let Keepable { admitted, wish, body, is_known } = keepable;
        let is_negative = !admitted.status.is_success();
        let fill = ticket.share(admitted, body.size_hint().exact());
        if wish.ttl <= wish.age {
            // it is for those who have asked already: the next must hear whether it is still so
            fill.close();
        }
        if let Some(answer) = fill.answer() {
            let _gone = tell.send(Fetched::Shared { answer, is_known });
        }
        let filled = fill.run(body, wish).await;
        if is_negative && matches!(filled, Filled::Kept(_)) {
            self.metrics.negative_fills.inc();
        }
        self.report_fill(plan, filled);
        Ended::Filled(filled)
    }

    /// What may be said to a reader of an answer that was just fetched. A network keeps it, and hears of a change
    /// once: so it is told to keep what is still valid now, and nothing that a change may have overtaken.
    fn certain<'r>(&self, plan: &ReadPlan, answer: &Answer, reader: Reader<'r>) -> Reader<'r> {
        let is_valid = || {
            answer.whole()?;
            let kept = self.cache.recall(&plan.fingerprint, self.clock.now())?;
            // a newer one may have come in already: this very one has the very same headers
            Arc::ptr_eq(&kept.headers, &answer.headers).then_some(())
        };
        if reader.network.is_none() || is_valid().is_some() { reader } else { reader.in_doubt() }
    }

    /// A fetch that nobody waits for.
    pub(super) async fn fill_unheard(
        &self,
        ticket: Ticket,
        plan: &ReadPlan,
        known: Option<Arc<Entry>>,
    ) -> Ended {
        let (tell, nobody) = oneshot::channel();
        drop(nobody);
        self.fill(ticket, plan, known, tell).await
    }

    pub(super) async fn join(&self, plan: &ReadPlan, flight: &Flight, reader: Reader<'_>) -> Joined {
        match flight.landing().await {
            Landing::Shared(head) => match head.answer() {
                Some(answer) => {
                    if waits_for_all(reader) {
                        answer.settled().await;
                    }
                    let reader = self.certain(plan, &answer, reader);
                    let (response, unsent) = respond::from_shared(answer, reader);
                    Joined::Done(Ok((response, Outcome::Joined { unsent })))
                }
                None => Joined::LookAgain,
            },
            Landing::Failed(status) => Joined::Done(Err(Rejection::Shared(status))),
            // The refusal is remembered by now: the next look-up lets everybody go alone.
            Landing::Apart | Landing::Abandoned => Joined::LookAgain,
        }
    }

    /// Asks for this client alone; the answer is not kept. Comes to pass where a
    /// shared answer outgrew what is kept before this client could join, and where nobody
    /// can say, or may say, what is current.
    async fn ask_alone(&self, plan: &ReadPlan, request: &HeaderMap, refusal: Refusal) -> Done {
        let answer = self.ask(plan, None).await.map_err(Rejection::Upstream)?;
        Ok(unkept(Unshared { answer, refusal }, reader(plan, request)))
    }

    /// Asks the upstream what the plan's question says, and nothing else; with a condition, whether what is
    /// known of the answer is still so, which is no other question.
    pub(super) async fn ask(
        &self,
        plan: &ReadPlan,
        condition: Option<(HeaderName, HeaderValue)>,
    ) -> Result<upstream::Answer, upstream::Failure> {
        let target: Uri = plan.question.target.parse().unwrap_or_default();
        let make = || {
            let mut headers = HeaderMap::from(plan);
            headers.extend(condition.clone());
            Outgoing::new(Method::GET, target.clone(), headers, None)
        };
        let began = self.clock.now();
        let answer = self.upstream.read(make).await;
        self.report_upstream(began, answer.as_ref().map(Response::status));
        answer
    }

    fn report_fill(&self, plan: &ReadPlan, filled: Filled) {
        match filled {
            Filled::Kept(bytes) => {
                self.metrics.fills.inc();
                self.report_unresolved(plan);
                if plan.rule.debug {
                    info!(key = %plan.key, bytes, ttl_s = plan.ttl.given().map(|ttl| ttl.as_secs()), "SET");
                }
            }
            Filled::Refused(refusal) => self.refused_fill(plan, refusal.as_str()),
            Filled::Broken => self.refused_fill(plan, "broken"),
            Filled::Deserted => self.refused_fill(plan, "deserted"),
        }
    }

    fn refused_fill(&self, plan: &ReadPlan, reason: &'static str) {
        self.metrics.refused_fill(reason);
        self.metrics.lately.not_kept(question(plan), reason);
    }

    pub(super) fn report_upstream(&self, began: Instant, answered: Result<StatusCode, &upstream::Failure>) {
        if matches!(answered, Err(upstream::Failure::Crowded)) {
            return; // it was not sent; the line has counted it
        }
        let took = self.clock.now().saturating_duration_since(began);
        self.metrics.upstream_requests.inc();
        self.tell_call(took, answered);
        match answered {
            Ok(_) => observe(&self.metrics.upstream_seconds, took),
            Err(failure) if failure.is_clients() => tracing::debug!("a client broke off"),
            Err(failure) => {
                self.metrics.upstream_failures.inc();
                tracing::warn!(error = in_full(failure), "upstream");
            }
        }
    }
}

/// Whether an answer that could be kept by its head is an error by its body.
pub(super) fn is_unfit(status: StatusCode, body: &[u8]) -> bool {
    if status.is_success() { is_error_object(body) } else { !says_nothing_there(status, body) }
}

pub(super) fn writing(plan: &ReadPlan) -> Writing {
    if plan.rule.is_encrypted { Writing::Sealed } else { Writing::Plain }
}

/// What the cache is asked for.
pub(super) fn name<'p>(plan: &'p ReadPlan, answer: &'p Planned<'p>) -> Name<'p> {
    Name {
        key: &plan.key,
        fingerprint: &plan.fingerprint,
        answer,
        consistency: plan.rule.consistency,
        writing: writing(plan),
        quiet: plan.rule.replica_quiet,
    }
}

/// The answer to a planned read.
pub(super) struct Planned<'p>(pub(super) &'p ReadPlan);

impl Dependent for Planned<'_> {
    fn tags(&self) -> &[Tag] {
        self.0.tags()
    }
}

/// An answer that only the one who fetched it gets.
#[derive(Debug)]
pub(super) struct Unshared {
    answer: upstream::Answer,
    refusal: Refusal,
}

/// What a fetch brings to the one who began it.
pub(super) enum Fetched {
    /// What everybody gets, and whether the upstream only said that it is still so.
    Shared { answer: Answer, is_known: bool },
    /// What nobody else gets.
    Unshared(Unshared),
    /// There is no answer; everybody gets this gateway status.
    Failed(StatusCode),
}

/// How a fetch ended.
pub(super) enum Ended {
    /// The upstream's answer could be shared.
    Filled(Filled),
    /// It could not; this was its status.
    Refused(StatusCode),
    /// There was none.
    Failed,
}

/// What waiting for somebody else's fetch comes to.
pub(super) enum Joined {
    Done(Done),
    LookAgain,
}

/// Whether it matters for a reader that all of an answer is there before its head is sent: to hear that they
/// have it, or for a network to hear whether it is kept.
fn waits_for_all(reader: Reader<'_>) -> bool {
    reader.network.is_some() || conditional::may_have_one(reader.request)
}

fn unkept(unshared: Unshared, reader: Reader<'_>) -> (Response<Body>, Outcome) {
    let mut response = respond::from_upstream(unshared.answer, &Method::GET);
    reader.add_to_unkept(response.headers_mut());
    (response, Outcome::Unkept { refusal: unshared.refusal })
}
