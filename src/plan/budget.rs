//! Which limits count a request, and out of whose budget? Pure.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;

use crate::identity::{APIKEY, Identity};
use crate::postgrest::Path;
use crate::rules::{By, LimitRule};

use super::{Plan, Planner};

/// A budget: of one limit and of whoever shares it. A digest, so that no name is longer than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BudgetName(pub [u8; 16]);

/// A limit that counts a request, and the budget that it is counted in.
#[derive(Clone, Debug)]
pub struct Charge {
    /// The limit.
    pub rule: Arc<LimitRule>,
    /// Whose.
    pub budget: BudgetName,
}

/// Who is behind a request, as far as limits ask.
#[derive(Clone, Copy, Debug)]
pub struct Behind<'r> {
    /// The request's headers.
    pub headers: &'r HeaderMap,
    /// The client's address, behind trusted proxies.
    pub address: IpAddr,
    /// The time, for tokens.
    pub now_unix: u64,
}

impl Planner {
    /// The limits that count a planned request.
    pub fn limits<'p>(&self, plan: &'p Plan, head: &Parts) -> Cow<'p, [Arc<LimitRule>]> {
        match plan {
            Plan::Read(plan) => Cow::Borrowed(&plan.limits),
            // answered at once, by us
            Plan::Refuse(_) => Cow::Borrowed(&[]),
            Plan::Write(_) | Plan::Pass(_) if self.rules.limit_rules().is_empty() => Cow::Borrowed(&[]),
            Plan::Write(_) | Plan::Pass(_) => {
                Cow::Owned(self.rules.limits(&head.method, Path::parse(head.uri.path()).decoded()))
            }
        }
    }

    /// In whose budget each limit counts.
    pub fn charges(&self, limits: &[Arc<LimitRule>], behind: Behind<'_>) -> Vec<Charge> {
        let charge = |rule: &Arc<LimitRule>| Charge {
            rule: Arc::clone(rule),
            budget: budget(&rule.name, &self.sharer(&rule.by, behind)),
        };
        limits.iter().map(charge).collect()
    }

    /// What nobody can prove or choose is taken for an address: whoever forges tokens or leaves out
    /// headers gets no budget of his own by that.
    fn sharer(&self, by: &By, behind: Behind<'_>) -> Sharer {
        let header = |name: &str| behind.headers.get(name).map(|line| line.as_bytes().to_vec());
        let user = || match self.verifier.as_ref()?.identify(behind.headers, behind.now_unix) {
            Identity::User { user, .. } => Some(user),
            Identity::Anonymous { .. }
            | Identity::Privileged
            | Identity::Expired
            | Identity::Unverified(_) => None,
        };
        let sharer = match by {
            By::Ip => None,
            By::ApiKey => header(APIKEY).map(|line| Sharer("apikey", line)),
            By::Header(name) => header(name.as_str()).map(|line| Sharer("header", line)),
            By::Caller => user().map(|user| Sharer("user", user.digest.into())),
            By::Role => user().map(|user| Sharer("role", user.role.clone().into_bytes())),
            By::Claim(path) => user()
                .and_then(|user| Some(user.claim(path)?.to_text()?.into_owned()))
                .map(|claim| Sharer("claim", claim.into_bytes())),
        };
        sharer.unwrap_or_else(|| Sharer("ip", network(behind.address)))
    }
}

/// Who shares a budget: of which kind, and which of them.
struct Sharer(&'static str, Vec<u8>);

fn budget(limit: &str, Sharer(kind, which): &Sharer) -> BudgetName {
    let mut hasher = blake3::Hasher::new();
    for part in [limit.as_bytes(), kind.as_bytes(), which] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut name = [0; 16];
    hasher.finalize_xof().fill(&mut name);
    BudgetName(name)
}

/// The address, or the half of an IPv6 address that one subscriber has: the other half is his to choose.
fn network(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets()[..8].into(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::rules::{Context, RuleSet};

    fn planner(limit: &str) -> Planner {
        let rules = format!("version: 1\nlimits: [{{ name: a, match: /**, rate: 5/1m, {limit} }}]");
        let context = Context {
            default_schema: "public".into(),
            upstream: String::new(),
            ignored_claims: Vec::new(),
            consistency: crate::consistency::Consistency::default(),
        };
        Planner::new(RuleSet::parse(&rules, &context).unwrap().0, None)
    }

    fn budget_of(
        planner: &Planner,
        address: &str,
        header: Option<(&'static str, &'static str)>,
    ) -> BudgetName {
        let mut headers = HeaderMap::new();
        headers.extend(
            header
                .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value))),
        );
        let behind = Behind { headers: &headers, address: address.parse().unwrap(), now_unix: 0 };
        planner.charges(planner.rules().limit_rules(), behind)[0].budget
    }

    #[test]
    fn an_address_is_one_subscriber() {
        let planner = planner("by: ip");
        let of = |address| budget_of(&planner, address, None);
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("10.0.0.1"), of("::ffff:10.0.0.1"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn nobody_gets_a_budget_by_claiming_to_be_somebody() {
        let planner = planner("by: caller");
        let forged = Some(("authorization", "Bearer forged"));
        assert_eq!(budget_of(&planner, "10.0.0.1", forged), budget_of(&planner, "10.0.0.1", None));
    }

    #[test]
    fn a_header_is_a_budget_and_no_header_is_an_address() {
        let planner = planner("by: { header: x-device }");
        let of = |address, value| budget_of(&planner, address, Some(("x-device", value)));
        assert_eq!(of("10.0.0.1", "a"), of("10.0.0.2", "a"));
        assert_ne!(of("10.0.0.1", "a"), of("10.0.0.1", "b"));
        assert_ne!(budget_of(&planner, "10.0.0.1", None), budget_of(&planner, "10.0.0.2", None));
    }
}
