//! POST, PATCH, PUT, DELETE: forward once, take away what changed, then answer.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::response::Parts as Head;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tracing::info;

use crate::cache::Closed;
use crate::consistency::Consistency;
use crate::key::Tag;
use crate::plan::{Evidence, WritePlan, Writer};
use crate::postgrest::{Payload, is_refusal};
use crate::sabotage::{self, Bug, Death};
use crate::trace::follow_on;
use crate::upstream::{Failure, IncomingBody, Outgoing, clean_response};

use super::addressed::Addressed;
use super::body::{Body, of_client};
use super::glimpse::{Copy, Seen};
use super::outcome::Outcome;
use super::reject::Rejection;
use super::{Done, Proxy};

/// A body up to this length is read before the write is announced, where that is of use: some rows of a form, and
/// little enough that a client sends it at once.
const AHEAD_BYTES_MAX: u64 = 64 * 1024;

impl Proxy {
    /// Sends a write once and takes away what it changed before the client hears of it.
    ///
    /// Not cancelled with its client: from here on it runs to its end.
    pub(super) async fn write(self: &Arc<Self>, plan: WritePlan, outgoing: WriteRequest) -> Done {
        if sabotage::is(Bug::WriteEndsWithClient) {
            return self.carry_out(plan, outgoing).await;
        }
        let (answered, answer) = oneshot::channel();
        let proxy = Arc::clone(self);
        let carrying = self.tasks.spawn(follow_on(async move { proxy.guarded(plan, outgoing).await }));
        let proxy = Arc::clone(self);
        self.tasks.spawn(async move {
            let done = match carrying.await {
                Ok(done) => done,
                Err(_panicked) => {
                    // Nobody knows how far it came: everything may have changed.
                    proxy.metrics.panics.inc();
                    proxy.invalidator.changed(&[Tag::everything()], Consistency::Strict).await;
                    Err(Rejection::Lost)
                }
            };
            let _client_gone = answered.send(done);
        });
        answer.await.unwrap_or(Err(Rejection::Lost))
    }

    pub(super) async fn carry_out(self: &Arc<Self>, plan: WritePlan, mut request: WriteRequest) -> Done {
        let method = request.method.clone();
        let addressed = self.addressed(&request.target, &request.headers);
        let mut announced = request.reach_ahead(&plan).await?;
        announced.extend(addressed.as_ref().and_then(Addressed::itself));
        sabotage::die_at(Death::Announcing);
        let is_awaited = !announced.is_empty();
        let announcement = self.invalidator.announce(announced, plan.consistency).await;
        let announcement = announcement.map_err(|Closed| Rejection::Unannounced)?;
        sabotage::die_at(Death::Announced);
        let copy = plan.needs_request_body().then(Copy::default);
        let media = request.headers.get(CONTENT_TYPE).cloned();
        let outgoing = request.into_outgoing(copy.as_ref());
        // what was announced is carried out at its deadline: by then the write must be over
        let outgoing = if is_awaited { outgoing.timed_whole() } else { outgoing };
        let answered = match self.forward(&plan, outgoing).await {
            Err(failure) if failure.never_sent() => {
                announcement.unchanged().await;
                return Err(Rejection::Upstream(failure));
            }
            answered => answered,
        };
        sabotage::die_at(Death::Answered);
        let looked_at = answered.as_ref().ok().and_then(|(head, seen)| Some((head, seen.whole()?)));
        if looked_at.is_some_and(|(head, body)| is_refusal(head.status, body)) {
            announcement.unchanged().await;
            return answer(answered, &method, 0);
        }
        let rows = looked_at.filter(|(head, _)| head.status.is_success());
        let written = copy.and_then(|copy| copy.take());
        let mut reach = plan.reach(&Evidence {
            body: written.as_ref().map(|bytes| Payload::parse(text(media.as_ref()), bytes, plan.columns())),
            rows: rows.map(|(head, bytes)| Payload::parse(text(head.headers.get(CONTENT_TYPE)), bytes, None)),
        });
        if let Some(addressed) = addressed {
            reach.tags.extend(addressed.itself());
            reach.tags.extend(answered.iter().flat_map(|(head, _)| addressed.named(head)));
        }
        if let Some(Writer { caller, lasts }) = &plan.writer
            && !self.invalidator.note_writer(caller, *lasts).await
        {
            reach.harden();
        }
        let tags = reach.tags.len();
        if plan.rules.iter().any(|rule| rule.debug) {
            info!(tags, any = ?reach.any, "INVALIDATE");
        }
        let is_known = answered.as_ref().is_ok_and(|(head, _)| !is_outcome_unknown(head.status));
        if sabotage::is(Bug::AcknowledgedFirst) {
            self.tasks.spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                announcement.changed(&reach.tags).await;
            });
        } else if is_known {
            announcement.changed(&reach.tags).await;
            self.refill(&plan, reach.tags);
        } else if !sabotage::is(Bug::UnknownOutcomeIgnored) {
            announcement.in_doubt(&reach.tags).await;
        }
        sabotage::die_at(Death::Changed);
        answer(answered, &method, tags)
    }

    /// Sends it, and looks at what of the answer says what happened.
    async fn forward(&self, plan: &WritePlan, outgoing: Outgoing) -> Result<(Head, Seen), Failure> {
        let began = self.clock.now();
        let sent = sabotage::die_during(Death::Forwarded, self.upstream.send(outgoing)).await;
        self.report_upstream(began, sent.as_ref().map(Response::status));
        let (head, body) = sent?.into_parts();
        let is_looked_at = plan.needs_rows() || head.status.is_client_error();
        let seen = if is_looked_at { Seen::look_at(body).await } else { Seen::Unread(body) };
        Ok((head, seen))
    }
}

fn answer(answered: Result<(Head, Seen), Failure>, method: &Method, tags: usize) -> Done {
    let (mut head, seen) = answered.map_err(Rejection::Upstream)?;
    clean_response(method, head.status, &mut head.headers);
    let mut response = Response::new(Body::from(seen));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    Ok((response, Outcome::Written { tags }))
}

pub(super) fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}

/// A 5xx, or a gateway's word that it gave up, says nothing about the database.
fn is_outcome_unknown(status: StatusCode) -> bool {
    let is_cleared = status == StatusCode::GATEWAY_TIMEOUT && sabotage::is(Bug::MarkerClearedOn504);
    (status.is_server_error() && !is_cleared) || matches!(status.as_u16(), 408 | 425 | 429 | 499)
}

/// A write as it will be forwarded.
#[derive(Debug)]
pub(super) struct WriteRequest {
    method: Method,
    target: Uri,
    headers: HeaderMap,
    body: IncomingBody,
}

impl WriteRequest {
    pub(super) fn new(head: http::request::Parts, body: Incoming) -> Self {
        let body = of_client(body, head.uri.path());
        Self { method: head.method, target: head.uri, headers: head.headers, body }
    }

    pub(super) fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.get(name)
    }

    pub(super) fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    /// The body; nothing is left of it.
    pub(super) fn take_body(&mut self) -> IncomingBody {
        std::mem::replace(&mut self.body, whole(Bytes::new()))
    }

    pub(super) fn put_body(&mut self, bytes: Bytes) {
        self.body = whole(bytes);
    }

    /// What it is announced to change. Under `strict`, reads of that bypass the cache until it is answered: so a
    /// short body is read before, because it says which rows are meant. The upstream changes nothing without it.
    async fn reach_ahead(&mut self, plan: &WritePlan) -> Result<Vec<Tag>, Rejection> {
        let is_short = || self.body.size_hint().exact().is_some_and(|bytes| bytes <= AHEAD_BYTES_MAX);
        if plan.consistency < Consistency::Strict || !plan.needs_request_body() || !is_short() {
            return Ok(plan.reach_ahead(None));
        }
        let bytes = self.read_first().await.map_err(Rejection::Guard)?;
        let media = text(self.headers.get(CONTENT_TYPE));
        Ok(plan.reach_ahead(Some(Payload::parse(media, &bytes, plan.columns()))))
    }

    fn into_outgoing(self, copy: Option<&Copy>) -> Outgoing {
        let body = match copy.cloned() {
            None => self.body,
            Some(copy) => self.body.inspect_frame(move |frame| copy.add(frame)).boxed(),
        };
        Outgoing::new(self.method, self.target, self.headers, Some(body))
    }
}

fn whole(bytes: Bytes) -> IncomingBody {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}
