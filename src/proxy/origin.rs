//! `ttl: origin`: how is an answer kept, used and asked about again that says so itself?
//!
//! What is asked with a condition is asked for an answer that is still true: one that a write has taken away
//! is fetched whole, whatever the upstream would say about it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::cache::{Admitted, Authority, Bounds, Entry, Refusal, Wish, judge};
use crate::chance;
use crate::httpcache::{self, Asked, Control};
use crate::plan::ReadPlan;
use crate::rules::{Freshness, Lasting, Use};

use super::Proxy;
use super::read::{is_unfit, writing};

/// An answer that may be kept.
pub(super) struct Keepable<B> {
    pub(super) admitted: Admitted,
    pub(super) wish: Wish,
    pub(super) body: B,
    /// The upstream said that what is kept is still so.
    pub(super) is_known: bool,
}

impl Proxy {
    /// Judges an answer that took so long to come.
    pub(super) fn judged(
        &self,
        plan: &ReadPlan,
        head: &Parts,
        delay: Duration,
    ) -> Result<(Admitted, Wish), Refusal> {
        let bounds = Bounds {
            body_bytes_max: self.limits.body_bytes_max as u64,
            keeps_negative: plan.rule.negative.is_some(),
            authority: if plan.ttl.given().is_some() { Authority::Rule } else { Authority::Answer },
        };
        let mut admitted = judge(head, &plan.question.terms, bounds)?;
        let now_unix = self.clock.unix_seconds();
        let (age, ttl, useful_for) = match plan.ttl {
            Lasting::For(ttl) => {
                let is_negative = !admitted.status.is_success();
                let negative = plan.negative(now_unix).filter(|_| is_negative);
                let chance = u64::from(chance::next());
                let (ttl, useful_for) =
                    negative.map_or_else(|| plan.keeping(ttl, now_unix, chance), |ttl| (ttl, Duration::ZERO));
                (Duration::ZERO, ttl, useful_for)
            }
            Lasting::AsItSays { heuristic } => {
                let is_shared_with_others = plan.is_shared_with_others();
                let asked = Asked { is_shared_with_others, heuristic, delay, now_unix };
                let kept = httpcache::keep(head.status, &head.headers, asked);
                let kept = kept.map_err(|_reason| Refusal::CacheControl)?;
                // never past the caller's token
                let end = kept.age.saturating_add(plan.token_left(now_unix));
                let ttl = kept.fresh_for.min(end);
                (kept.age, ttl, kept.useful_for.min(end.saturating_sub(ttl)))
            }
        };
        admitted.age = age;
        let (body_bytes_max, writing) = (self.limits.body_bytes_max, writing(plan));
        let wish = Wish { age, ttl, useful_for, body_bytes_max, writing, is_error: is_unfit };
        Ok((admitted, wish))
    }

    /// What a 304 makes of the answer that it is about. `None` where the whole is better asked for.
    pub(super) fn revived(
        &self,
        plan: &ReadPlan,
        known: &Entry,
        said: &HeaderMap,
        delay: Duration,
    ) -> Option<Keepable<Full<Bytes>>> {
        let mut headers = httpcache::renewed(&known.headers, said)?;
        headers.insert(CONTENT_LENGTH, HeaderValue::from(known.body.len()));
        let mut answer = Response::new(());
        *answer.status_mut() = known.status;
        *answer.headers_mut() = headers;
        let (admitted, wish) = self.judged(plan, &answer.into_parts().0, delay).ok()?;
        Some(Keepable { admitted, wish, body: Full::new(known.body.clone()), is_known: true })
    }

    /// An answer that the upstream may be asked about, if it is one of those and nothing has changed it.
    pub(super) fn known(&self, plan: &ReadPlan, entry: &Arc<Entry>) -> Option<Arc<Entry>> {
        let may_be = plan.ttl.given().is_none() && entry.status == StatusCode::OK && self.cache.stands(entry);
        may_be.then(|| Arc::clone(entry))
    }
}

/// What to ask about a known answer with.
pub(super) fn condition(known: Option<&Arc<Entry>>) -> Option<(HeaderName, HeaderValue)> {
    httpcache::condition(&*known?.headers)
}

/// What an answer may be used for that is past its time by this much.
pub(super) fn allowed(plan: &ReadPlan, entry: &Entry, past: Duration) -> Use {
    if plan.ttl.given().is_some() {
        return plan.rule.freshness.allows(past);
    }
    let control = Control::of(&*entry.headers);
    let freshness = Freshness {
        while_revalidate: control.while_revalidate,
        if_error: control.if_error,
        ..Freshness::default()
    };
    if control.allows_stale() { freshness.allows(past) } else { Use::None }
}
