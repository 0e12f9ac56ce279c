//! Limits: which count this request, what do they say, and what is the client told?

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::guard::{Allowance, Verdict};
use crate::plan::{Behind, Charge, Plan};
use crate::rules::Counts;

use super::refusal::GuardRefusal;
use super::reject::Rejection;
use super::report::Counted;
use super::vet::Fault;
use super::{Peer, Proxy};

/// The current draft of the HTTP working group: what the limits are, and what is left.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What limits say about one request.
#[derive(Debug)]
pub(super) struct Meter {
    /// What is still to be taken before anything else happens.
    due: Vec<Charge>,
    /// What is to be taken before the upstream is asked.
    due_upstream: Vec<Charge>,
    /// What is known already.
    verdict: Option<Verdict>,
    /// The budget that is nearest to its end.
    told: Option<Allowance>,
}

impl Meter {
    /// Whether nobody has to be asked, and nothing speaks against it.
    pub(super) fn lets_pass(meter: Option<&Self>) -> bool {
        meter.is_none_or(|meter| {
            meter.due.is_empty() && matches!(meter.verdict, None | Some(Verdict::Passed(_)))
        })
    }

    /// Says in the answer what the limits are and what is left.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let Some(Allowance { rule, left, more_in }) = &self.told else { return };
        let (name, quota) = (&rule.name, &rule.quota);
        let policy = format!("\"{name}\";q={};w={}", quota.rate, quota.window.as_secs());
        let state = format!("\"{name}\";r={left};t={}", whole_seconds(*more_in));
        // names of limits are plain words, the rest is ours
        for (header, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(header, value);
            }
        }
    }
}

/// Rounded up: whoever comes after so many seconds does not come too early.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

impl Proxy {
    /// Finds the limits that count a request, and takes out of their budgets what can be taken at once.
    /// `None` where no limit counts it.
    pub(super) fn meter(
        &self,
        rules: &Counted,
        planned: &Result<Plan, Fault>,
        head: &Parts,
        peer: Peer,
    ) -> Option<Box<Meter>> {
        let plan = planned.as_ref().ok()?;
        let limits = rules.planner.limits(plan, head);
        if limits.is_empty() {
            return None;
        }
        let behind = Behind {
            headers: &head.headers,
            address: self.limits.trusted_proxies.client(peer.address.ip(), &head.headers),
            now_unix: self.clock.unix_seconds(),
        };
        let charges = rules.planner.charges(&limits, behind);
        // whatever is no cacheable read goes upstream
        let waits = |charge: &Charge| charge.rule.counts == Counts::Misses && matches!(plan, Plan::Read(_));
        let (due_upstream, due) = charges.into_iter().partition(waits);
        let mut meter = Meter { due, due_upstream, verdict: None, told: None };
        if !meter.due.is_empty()
            && let Some(verdict) = self.guards.limits.take_now(&meter.due)
        {
            meter.due.clear();
            meter.hear(&verdict);
            meter.verdict = Some(verdict);
        }
        Some(Box::new(meter))
    }

    /// Takes what is due before anything else happens.
    pub(super) async fn admit(&self, meter: Option<&mut Meter>) -> Result<(), Rejection> {
        let Some(meter) = meter else { return Ok(()) };
        let verdict = match meter.verdict.take() {
            Some(verdict) => verdict,
            None if meter.due.is_empty() => return Ok(()),
            None => self.guards.limits.take(&std::mem::take(&mut meter.due)).await,
        };
        self.judge(meter, verdict)
    }

    /// Takes what is due before the upstream is asked, once.
    pub(super) async fn admit_upstream(&self, meter: Option<&mut Meter>) -> Result<(), Rejection> {
        let Some(meter) = meter.filter(|meter| !meter.due_upstream.is_empty()) else { return Ok(()) };
        let verdict = self.guards.limits.take(&std::mem::take(&mut meter.due_upstream)).await;
        self.judge(meter, verdict)
    }

    fn judge(&self, meter: &mut Meter, verdict: Verdict) -> Result<(), Rejection> {
        meter.hear(&verdict);
        match verdict {
            Verdict::Passed(_) => Ok(()),
            Verdict::Refused(allowance) => {
                self.metrics.limited(&allowance.rule.name, "refused");
                Err(Rejection::Guard(GuardRefusal::Limited(allowance.more_in)))
            }
            Verdict::Unknown(rule) => {
                self.metrics.limited(&rule.name, "unknown");
                Err(Rejection::Guard(GuardRefusal::StoreDown))
            }
        }
    }
}

impl Meter {
    fn hear(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed(None) | Verdict::Unknown(_) => {}
            Verdict::Refused(allowance) => self.told = Some(allowance.clone()),
            Verdict::Passed(Some(allowance)) => {
                if self.told.as_ref().is_none_or(|told| allowance.left < told.left) {
                    self.told = Some(Allowance { rule: Arc::clone(&allowance.rule), ..*allowance });
                }
            }
        }
    }
}
