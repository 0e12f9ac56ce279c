//! A write behind its guards: named, begun, locked, carried out, told.
//!
//! All of it runs in the write's own task, which no client cancels. Whatever
//! ends it in between leaves the lock until its hold ends and the operation in
//! doubt, because the upstream may have been asked already.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, SET_COOKIE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use tracing::{debug, error, info, warn};

use crate::guard::{Acquired, Begun, Held, Released, Renewed, Running, StoredAnswer};
use crate::plan::{LockWanted, WritePlan};
use crate::postgrest::Payload;
use crate::rules::{Busy, LockWithoutStore};

use super::body::Body;
use super::glimpse::Seen;
use super::outcome::Outcome;
use super::refusal::GuardRefusal;
use super::reject::Rejection;
use super::write::{WriteRequest, text};
use super::{Done, Proxy};

/// What SQL may look at: the names of the locks, and the number of this acquisition of each.
const LOCK: HeaderName = HeaderName::from_static("x-larder-lock");
const FENCE: HeaderName = HeaderName::from_static("x-larder-fence");

/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A lock is renewed so often within its hold.
const RENEWALS: u32 = 3;

/// A renewal that failed is tried again so often within the hold: a store that stood still is asked as
/// soon as it is back, not when the next renewal would be due, which may be too late.
const TRIES: u32 = 50;

/// How a guarded write ended.
enum Ending {
    /// The upstream said what became of it.
    Answered,
    /// Refused because of who asked: the same may be asked for again by the same name.
    Unauthorised,
    /// Nothing was sent.
    NeverSent,
    /// It may have been done, or be done still.
    Unknown,
}

impl Proxy {
    /// Carries out a write once its guards allow it.
    pub(super) async fn guarded(self: &Arc<Self>, plan: WritePlan, mut request: WriteRequest) -> Done {
        if !plan.is_guarded() {
            return self.carry_out(plan, request).await;
        }
        let body = if plan.needs_body_first() {
            Some(request.read_first().await.map_err(Rejection::Guard)?)
        } else {
            None
        };
        let running = match self.begin(&plan, body.as_ref()).await? {
            Start::Go(running) => running,
            Start::Repeat(answer) => return repeat(answer),
        };
        let held = match self.lock_all(&plan, &request, body.as_ref()).await {
            Ok(held) => held,
            Err(refusal) => {
                withdraw(running).await;
                return Err(Rejection::Guard(refusal));
            }
        };
        request.tell(&held);
        let is_debug = plan.rules.iter().any(|rule| rule.debug);
        let done = tokio::select! {
            done = self.carry_out(plan, request) => done,
            never = self.keep_renewing(&held) => match never {},
        };
        let ending = ending(&done);
        self.let_go(held, &ending, is_debug).await;
        self.conclude(running, ending, done).await
    }

    /// Begins the operation, if it is one.
    async fn begin(&self, plan: &WritePlan, body: Option<&Bytes>) -> Result<Start, Rejection> {
        let operation = plan
            .operation()
            .map_err(|problem| Rejection::Guard(GuardRefusal::NoOperation(problem.clone())))?;
        let Some(operation) = operation else { return Ok(Start::Go(None)) };
        let asked = operation.asked(body.map_or(&b""[..], |body| body));
        let begun = self.guards.operations.begin(&operation.name, &asked, operation.keep).await;
        let (result, start) = match begun {
            Begun::First(running) => ("first", Ok(Start::Go(Some(running)))),
            Begun::Repeat(answer) => ("replayed", Ok(Start::Repeat(answer))),
            Begun::InProgress => ("in-progress", Err(GuardRefusal::InProgress)),
            Begun::Doubtful => ("doubtful", Err(GuardRefusal::Doubtful)),
            Begun::Other => ("other", Err(GuardRefusal::OtherOperation(operation.header.clone()))),
            Begun::Unknown => ("unknown", Err(GuardRefusal::StoreDown)),
        };
        self.metrics.operation(result);
        start.map_err(Rejection::Guard)
    }

    /// Takes every lock that the write wants, in the order in which everybody takes them.
    async fn lock_all(
        &self,
        plan: &WritePlan,
        request: &WriteRequest,
        body: Option<&Bytes>,
    ) -> Result<Vec<Held>, GuardRefusal> {
        if !plan.has_locks() {
            return Ok(Vec::new());
        }
        let media = request.header(&CONTENT_TYPE);
        let payload = body.map(|bytes| Payload::parse(text(media), bytes, plan.columns()));
        let wanted = plan.locks(payload.as_ref()).map_err(GuardRefusal::NoLockName)?;
        let mut held = Vec::with_capacity(wanted.len());
        for wanted in &wanted {
            match self.lock(wanted).await {
                Ok(lock) => held.extend(lock),
                Err(refusal) => {
                    release_unused(held).await;
                    return Err(refusal);
                }
            }
        }
        // a machine that stood still in between has lost what it took first
        let now = self.clock.now();
        if held.iter().any(|lock| lock.may_have_ended(now)) {
            self.metrics.lock("lost");
            release_unused(held).await;
            return Err(GuardRefusal::StoreDown);
        }
        if plan.rules.iter().any(|rule| rule.debug) {
            held.iter().for_each(|lock| info!(lock = %lock.name(), fence = lock.fence(), "LOCK ACQUIRED"));
        }
        Ok(held)
    }

    /// Takes one lock, waiting as its rule says; `None` if the rule goes on without the store.
    async fn lock(&self, wanted: &LockWanted) -> Result<Option<Held>, GuardRefusal> {
        let LockWanted { name, rule, rule_name } = wanted;
        let (mut retries, delay) = match rule.busy {
            Busy::Reject => (0, Duration::ZERO),
            Busy::Wait { retries, delay } => (retries, delay),
        };
        let mut place = None;
        loop {
            match self.guards.locks.acquire(name, rule.hold).await {
                Acquired::Held(held) => {
                    self.metrics.lock("taken");
                    return Ok(Some(held));
                }
                Acquired::Busy(_) if retries > 0 => {
                    place = place.or_else(|| self.guards.locks.wait());
                    if place.is_none() || self.stopping.is_cancelled() {
                        self.metrics.lock("crowded");
                        return Err(GuardRefusal::Busy(rule.message.clone()));
                    }
                    retries -= 1;
                    tokio::time::sleep(delay).await;
                }
                Acquired::Busy(_) => {
                    self.metrics.lock("busy");
                    return Err(GuardRefusal::Busy(rule.message.clone()));
                }
                Acquired::Unknown => {
                    self.metrics.lock("unknown");
                    warn!(rule = &**rule_name, "the store of locks cannot be asked");
                    return match rule.store_down {
                        LockWithoutStore::Refuse => Err(GuardRefusal::StoreDown),
                        LockWithoutStore::Allow => Ok(None),
                    };
                }
            }
        }
    }

    /// Renews locks for as long as it is polled.
    async fn keep_renewing(&self, held: &[Held]) -> std::convert::Infallible {
        let Some(hold) = held.iter().map(Held::hold).min() else { return std::future::pending().await };
        let mut pause = hold / RENEWALS;
        loop {
            tokio::time::sleep(pause).await;
            pause = hold / RENEWALS;
            for lock in held {
                match lock.renew().await {
                    Renewed::Held => {}
                    Renewed::Lost => {
                        self.metrics.lock("lost");
                        error!(
                            lock = %lock.name(), fence = lock.fence(),
                            "a lock was lost while its write was under way: only the fence in SQL protects it now"
                        );
                    }
                    Renewed::Unknown => {
                        debug!(lock = %lock.name(), "a lock could not be renewed yet");
                        pause = hold / TRIES;
                    }
                }
            }
        }
    }

    /// Releases locks where it is certain that nothing is under way any more.
    async fn let_go(&self, held: Vec<Held>, ending: &Ending, is_debug: bool) {
        if matches!(ending, Ending::Unknown) {
            for lock in held {
                self.metrics.lock("kept");
                warn!(lock = %lock.name(), hold_s = lock.hold().as_secs(), "the outcome of a write is not known: its lock stays until its hold ends");
            }
            return;
        }
        for lock in held {
            let (name, fence) = (lock.name().clone(), lock.fence());
            match lock.release().await {
                Released::Freed if is_debug => info!(lock = %name, fence, "LOCK RELEASED"),
                Released::Freed => {}
                Released::NotHeld => {
                    self.metrics.lock("lost");
                    error!(lock = %name, fence, "a lock ran out before its write was answered");
                }
                Released::Unknown => {
                    warn!(lock = %name, "a lock could not be released: it ends with its hold")
                }
            }
        }
    }

    /// Tells the operation how it ended.
    async fn conclude(&self, running: Option<Running>, ending: Ending, done: Done) -> Done {
        let Some(running) = running else { return done };
        match ending {
            Ending::NeverSent | Ending::Unauthorised => {
                withdraw(Some(running)).await;
                done
            }
            Ending::Unknown => {
                self.metrics.operation("kept-in-doubt");
                if running.doubt().await.is_err() {
                    debug!("an operation could not be called doubtful: it becomes so by itself");
                }
                done
            }
            Ending::Answered => {
                let (response, outcome) = done?;
                let (response, stored) = keep(response).await;
                if running.finish(&stored).await.is_err() {
                    self.metrics.operation("not-kept");
                    warn!(
                        "the answer to an operation could not be kept: a repeat is told that its outcome is unknown"
                    );
                }
                Ok((response, outcome))
            }
        }
    }
}

/// What beginning an operation came to.
enum Start {
    /// Do it; there may be nothing to be told afterwards.
    Go(Option<Running>),
    /// Answer with this.
    Repeat(StoredAnswer),
}

/// Nothing was done.
async fn withdraw(running: Option<Running>) {
    if let Some(running) = running
        && running.withdraw().await.is_err()
    {
        debug!("an operation could not be withdrawn: it stays in doubt");
    }
}

/// Nothing was sent.
async fn release_unused(held: Vec<Held>) {
    for lock in held {
        let _ends_with_its_hold = lock.release().await;
    }
}

fn ending(done: &Done) -> Ending {
    match done {
        Ok((response, _)) => match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ending::Unauthorised,
            status if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429 | 499) => {
                Ending::Unknown
            }
            _ => Ending::Answered,
        },
        Err(Rejection::Upstream(failure)) if failure.never_sent() => Ending::NeverSent,
        Err(Rejection::Unannounced) => Ending::NeverSent,
        Err(_) => Ending::Unknown,
    }
}

/// Reads an answer that is small enough, to be kept.
async fn keep(response: Response<Body>) -> (Response<Body>, StoredAnswer) {
    let (head, body) = response.into_parts();
    let (body, bytes) = match body {
        Body::Whole(whole) => {
            let bytes = whole.collect().await.map(|whole| whole.to_bytes()).unwrap_or_default();
            (Body::whole(bytes.clone()), Some(bytes))
        }
        Body::Streamed(streamed) => {
            let seen = Seen::look_at(streamed).await;
            let bytes = seen.whole().cloned();
            (Body::from(seen), bytes)
        }
        shared @ Body::Shared(_) => (shared, None),
    };
    let kept = head.headers.iter().filter(|(name, _)| **name != DATE && **name != SET_COOKIE);
    let headers = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    let stored = StoredAnswer { status: head.status, headers, body: bytes };
    (Response::from_parts(head, body), stored)
}

/// Gives an answer again.
fn repeat(answer: StoredAnswer) -> Done {
    let StoredAnswer { status, headers, body } = answer;
    let Some(body) = body else { return Err(Rejection::Guard(GuardRefusal::Unrepeatable(status))) };
    let mut response = Response::new(Body::whole(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().append(name, value);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok((response, Outcome::Replayed))
}

impl WriteRequest {
    /// Reads the whole body before anything is sent; it is sent from memory then.
    pub(super) async fn read_first(&mut self) -> Result<Bytes, GuardRefusal> {
        match Seen::look_at(self.take_body()).await {
            Seen::Whole(bytes) => {
                self.put_body(bytes.clone());
                Ok(bytes)
            }
            Seen::Begun { rest: Err(_), .. } => Err(GuardRefusal::BodyBroke),
            Seen::Begun { .. } | Seen::Unread(_) => Err(GuardRefusal::BodyTooLarge),
        }
    }

    /// Tells SQL which locks it is sent under.
    fn tell(&mut self, held: &[Held]) {
        if held.is_empty() {
            return;
        }
        let names: Vec<&str> = held.iter().map(|lock| lock.name().as_str()).collect();
        let fences: Vec<String> = held.iter().map(|lock| lock.fence().to_string()).collect();
        // names are printable ASCII without blanks
        if let (Ok(names), Ok(fences)) =
            (HeaderValue::try_from(names.join(", ")), HeaderValue::try_from(fences.join(", ")))
        {
            self.set_header(LOCK, names);
            self.set_header(FENCE, fences);
        }
    }
}
