//! Do rules keep apart what must be kept apart? Two callers ask before the rules are used.
//!
//! A rule's canary is a request that is planned for both of them by the planner that clients would meet, and asked
//! of the upstream exactly as a fetch would ask. Callers who would share an answer and are told different
//! things are a leak that has not happened yet; callers who share none and are told the very same show that
//! nothing in the database tells them apart. Either refuses the rules. Whatever cannot be judged refuses nothing:
//! an upstream that is away must not keep a proxy from starting.
//!
//! Nothing here is kept, and no word says what a row or a token holds.

mod tokens;
mod verdict;

pub use tokens::{Tokens, TokensMistake};
pub use verdict::{Doubt, Verdict};

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::identity::{APIKEY, Identity, Verifier};
use crate::metrics::Metrics;
use crate::plan::{Framing, Plan, Planner, ReadPlan};
use crate::rules::{Canary, ReadRule, Remark};
use crate::upstream::{Outgoing, Upstream};

use verdict::{Kept, Told, judge, judge_again};

/// Canaries that are asked at the same time, each by two callers: visitors need the upstream too.
const AT_ONCE: usize = 4;

/// Longest wait for all of them: whoever has rules read again waits ten seconds at most.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What asks canaries.
#[derive(Clone, Debug)]
pub struct Canaries {
    /// Who is asked.
    pub upstream: Upstream,
    /// Tells who the two callers are; the planners' own.
    pub verifier: Option<Arc<Verifier>>,
    /// What is counted.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
    /// Largest answer that is looked at, in bytes.
    pub body_bytes_max: usize,
}

/// What came of a canary.
#[derive(Debug)]
pub struct Finding {
    /// What it says about its rule.
    pub verdict: Verdict,
    /// The same in words, about its place in the file.
    pub remark: Remark,
}

/// What the two callers send.
type Pair = [HeaderMap; 2];

impl Finding {
    fn new(rule: &ReadRule, canary: &Canary, verdict: Verdict) -> Self {
        let message = format!("rule `{}`, `{}`: {}", rule.name, canary.target, verdict.sentence());
        let remark = canary.place.saying(message, verdict.hint());
        Self { verdict, remark }
    }
}

impl Canaries {
    /// Asks all canaries of these rules, each once; a doubt about the two callers is told once for all.
    pub async fn ask(&self, planner: &Planner, tokens: Result<Tokens, Doubt>) -> Vec<Finding> {
        let rules = planner.rules().read_rules().iter();
        let canaries: Vec<(&ReadRule, &Canary)> =
            rules.flat_map(|rule| rule.canaries.iter().map(|canary| (&**rule, canary))).collect();
        let found = match tokens.and_then(|tokens| self.pair(&tokens)) {
            Ok(pair) => self.ask_as(planner, &pair, &canaries).await,
            Err(doubt) => {
                let first = canaries.iter().take(1);
                first
                    .map(|(rule, canary)| Finding::new(rule, canary, Verdict::Unjudged(doubt.clone())))
                    .collect()
            }
        };
        for finding in &found {
            self.metrics.canary(finding.verdict.as_str());
        }
        found
    }

    async fn ask_as(
        &self,
        planner: &Planner,
        pair: &Pair,
        canaries: &[(&ReadRule, &Canary)],
    ) -> Vec<Finding> {
        let until = Instant::now() + WAIT_MAX;
        let judged = canaries.iter().map(|(_, canary)| self.judged(planner, pair, canary, until));
        let verdicts: Vec<Verdict> =
            stream::iter(judged.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await;
        let found = canaries.iter().zip(verdicts);
        found.map(|((rule, canary), verdict)| Finding::new(rule, canary, verdict)).collect()
    }

    async fn judged(&self, planner: &Planner, pair: &Pair, canary: &Canary, until: Instant) -> Verdict {
        let compared = timeout_at(until, self.compare(planner, pair, canary)).await;
        compared.unwrap_or(Verdict::Unjudged(Doubt::Slow))
    }

    /// Finds out what two callers are told who ask for the same.
    async fn compare(&self, planner: &Planner, pair: &Pair, canary: &Canary) -> Verdict {
        let [one, other] = pair;
        let plans = match (self.plan(planner, one, canary), self.plan(planner, other, canary)) {
            (Ok(one), Ok(other)) => [one, other],
            (Err(doubt), _) | (_, Err(doubt)) => return Verdict::Unjudged(doubt),
        };
        let kept = Kept::of(&plans[0], &plans[1]);
        let told = self.both_told(&plans).await;
        match judge(kept, &told) {
            Verdict::Leak => judge_again(kept, &told, &self.both_told(&plans).await),
            verdict => verdict,
        }
    }

    fn plan(&self, planner: &Planner, sent: &HeaderMap, canary: &Canary) -> Result<Arc<ReadPlan>, Doubt> {
        let (mut head, ()) = Request::new(()).into_parts();
        head.uri = Uri::from(canary.target.clone());
        head.headers = sent.clone();
        match planner.plan(&head, Framing::default(), self.clock.unix_seconds()) {
            Plan::Read(plan) => Ok(plan),
            Plan::Pass(pass) => Err(Doubt::Passes(pass)),
            Plan::Write(_) | Plan::Refuse(_) => Err(Doubt::NoRead),
        }
    }

    async fn both_told(&self, [one, other]: &[Arc<ReadPlan>; 2]) -> [Told; 2] {
        let (one, other) = tokio::join!(self.told(one), self.told(other));
        [one, other]
    }

    /// What the upstream says, asked as for a fetch.
    async fn told(&self, plan: &ReadPlan) -> Told {
        let target: Uri = plan.question.target.parse().unwrap_or_default();
        let make = || Outgoing::new(Method::GET, target.clone(), HeaderMap::from(plan), None);
        self.metrics.upstream_requests.inc();
        let Ok(answer) = self.upstream.read(make).await else { return Told::Unclear(Doubt::Away) };
        let (head, body) = answer.into_parts();
        match Limited::new(body, self.body_bytes_max).collect().await {
            Ok(body) => Told::by(head.status, body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Told::Unclear(Doubt::TooLarge),
            Err(_) => Told::Unclear(Doubt::Away),
        }
    }

    /// What the two callers send, unless they are not two.
    fn pair(&self, tokens: &Tokens) -> Result<Pair, Doubt> {
        let api_key = self.verifier.as_ref().and_then(|verifier| verifier.api_keys().first());
        let api_key = api_key.and_then(|key| HeaderValue::try_from(key).ok());
        let pair = tokens.bearers.each_ref().map(|bearer| {
            let api_key = api_key.iter().map(|key| (HeaderName::from_static(APIKEY), key.clone()));
            HeaderMap::from_iter([(AUTHORIZATION, bearer.clone())].into_iter().chain(api_key))
        });
        let doubt = self.verifier.as_ref().and_then(|verifier| {
            let now_unix = self.clock.unix_seconds();
            doubt_about(pair.each_ref().map(|sent| verifier.identify(sent, now_unix)))
        });
        doubt.map_or(Ok(pair), Err)
    }
}

/// Why two callers cannot stand for any two. Who cannot be verified passes through, as the plan says.
fn doubt_about(pair: [Identity; 2]) -> Option<Doubt> {
    match pair {
        [Identity::Anonymous { .. }, _] | [_, Identity::Anonymous { .. }] => Some(Doubt::SignedOut),
        [Identity::User { user: one, .. }, Identity::User { user: other, .. }] => {
            let has_name = one.claim("sub").is_some();
            let is_one = one.digest == other.digest
                || (has_name && one.digest_of(["sub"]) == other.digest_of(["sub"]));
            is_one.then_some(Doubt::OneUser)
        }
        [Identity::User { .. } | Identity::Privileged | Identity::Expired | Identity::Unverified(_), _] => {
            None
        }
    }
}
