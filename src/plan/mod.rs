//! What should happen to a request? Decided before anything happens.
//!
//! Pure: a head and the time in, a [`Plan`] out. `explain` prints the very plan
//! that the proxy executes, so the two cannot disagree.

mod budget;
mod by_answers;
mod change;
mod guard;
mod memo;
mod pass;
mod reach;
mod read;
mod sharing;
mod tables;
mod terms;
mod write;

pub use budget::{Behind, BudgetName, Charge};
pub use change::{Deed, TableChange};
pub use guard::{LockWanted, NoLockName, NoOperation, Operation, caller};
pub use pass::{BadPath, Pass};
pub use reach::{Evidence, Reach};
pub use read::{ReadPlan, asked_as};
pub use write::{Derived, WriteAction, WritePlan, Writer};

use std::sync::Arc;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};

use crate::identity::Verifier;
use crate::postgrest::{Oddity, Path, Query, Resource};
use crate::rules::{RuleSet, WriteMatch};

use memo::{Manner, Memo};
use write::Asked;

/// What should happen to one request.
#[derive(Debug)]
pub enum Plan {
    /// A read that a rule wants kept.
    Read(Arc<ReadPlan>),
    /// Anything that may change something.
    Write(Box<WritePlan>),
    /// Everything else, untouched.
    Pass(Pass),
    /// Not to be forwarded.
    Refuse(BadPath),
}

/// What of a head the planner cannot see by itself, because it is about the message, not its words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Framing {
    /// A body follows.
    pub has_body: bool,
    /// It asks to switch protocols.
    pub wants_upgrade: bool,
}

/// The rules, applied to requests.
#[derive(Debug)]
pub struct Planner {
    rules: Arc<RuleSet>,
    memo: Memo,
    verifier: Option<Arc<Verifier>>,
}

/// What a plan hangs on beside its request: equal ones are the same rules, and the same keys to verify callers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grounds {
    rules: u64,
    era: u64,
}

/// A request as the planner's parts look at it.
struct Request<'r> {
    head: &'r Parts,
    path: Path<'r>,
    resource: Resource,
    query: Query<'r>,
    raw_query: Option<&'r str>,
}

impl Request<'_> {
    /// Whether PostgREST answers it.
    fn is_rest(&self) -> bool {
        matches!(self.resource, Resource::Table(_) | Resource::Function(_))
    }
}

impl Planner {
    /// A planner for one set of rules. Without a verifier every scope is as narrow as `token`.
    pub fn new(rules: RuleSet, verifier: Option<Arc<Verifier>>) -> Self {
        let memo = Memo::new(&rules);
        Self { rules: Arc::new(rules), memo, verifier }
    }

    /// The rules it applies.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// What its plans hang on now; they are dropped when that changes.
    pub fn grounds(&self) -> Grounds {
        Grounds { rules: self.memo.id(), era: self.era() }
    }

    fn era(&self) -> u64 {
        self.verifier.as_ref().map_or(0, |verifier| verifier.era())
    }

    /// Whether a request has headers that planning looks at because a rule declares them.
    pub fn looks_further(&self, headers: &HeaderMap) -> bool {
        self.memo.declared().iter().any(|name| headers.contains_key(name))
    }

    /// Decides what happens to a request, whose head holds what will be sent and nothing of its connection.
    pub fn plan(&self, head: &Parts, framing: Framing, now_unix: u64) -> Plan {
        let target = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
        let Some(manner) = self.memo.manner(head, framing, self.era()) else {
            return self.decide(head, framing, None, now_unix);
        };
        match self.memo.plan(manner, target) {
            Some(plan) if plan.is_alive(now_unix) => Plan::Read(plan),
            Some(_) | None => {
                let plan = self.decide(head, framing, Some(manner), now_unix);
                if let Plan::Read(plan) = &plan {
                    self.memo.remember_plan(manner, target, plan);
                }
                plan
            }
        }
    }

    fn decide(&self, head: &Parts, framing: Framing, manner: Option<Manner>, now_unix: u64) -> Plan {
        let path = Path::parse(head.uri.path());
        let resource = Resource::of(&path);
        let is_ambiguous = path.oddity().is_some_and(Oddity::refused_under_rest);
        if is_ambiguous && matches!(resource, Resource::OddRest) {
            return Plan::Refuse(BadPath::Ambiguous);
        }
        let raw_query = head.uri.query();
        let query = Query::parse(raw_query);
        let request = Request { head, path, resource, query, raw_query };
        if framing.wants_upgrade {
            return Plan::Pass(Pass::Upgrade);
        }
        let rules = self.rules.writes(&head.method, request.path.decoded());
        match head.method {
            Method::OPTIONS => Plan::Pass(Pass::Options),
            Method::GET | Method::HEAD if !rules.is_empty() => self.write(&request, &rules, now_unix),
            Method::HEAD => Plan::Pass(Pass::Head),
            Method::GET => match self.read(&request, framing, manner, now_unix) {
                Ok(plan) => Plan::Read(Arc::new(plan)),
                Err(pass) => Plan::Pass(pass),
            },
            _ => self.write(&request, &rules, now_unix),
        }
    }

    fn write(&self, request: &Request<'_>, rules: &[WriteMatch<'_>], now_unix: u64) -> Plan {
        let claim = |path: &str| self.verifier.as_ref()?.claim(&request.head.headers, path, now_unix);
        let caller = || guard::caller(self.verifier.as_deref(), &request.head.headers, now_unix);
        Plan::Write(Box::new(write::plan(
            &self.rules,
            request,
            rules,
            Asked { claim: &claim, caller: &caller },
        )))
    }
}

#[cfg(test)]
mod ahead_tests;
#[cfg(test)]
mod sharing_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trap_tests;
