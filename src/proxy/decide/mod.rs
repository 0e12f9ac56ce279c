//! From a head as it came to a plan, and to what of the head will be sent.

mod known;

use http::header::UPGRADE;
use http::request::Parts;
use hyper::body::{Body as _, Incoming};

use crate::plan::{Framing, Plan};
use crate::upstream::{Arrival, clean_request, put_back_upgrade};

use super::report::Counted;
use super::vet::{Fault, vet};
use super::{Limits, Peer, Proxy};

impl Proxy {
    /// Vets a head, decides what happens, and leaves of the head what will be sent.
    pub(super) fn plan(
        &self,
        rules: &Counted,
        head: &mut Parts,
        (body, peer): (&Incoming, Peer),
        now_unix: u64,
    ) -> Result<Plan, Fault> {
        let (grounds, is_tls, is_followed) = (rules.planner.grounds(), peer.is_tls, !body.is_end_stream());
        if let Some(plan) = known::plan(grounds, head, is_tls).filter(|_| !is_followed)
            && plan.is_alive(now_unix)
        {
            return Ok(Plan::Read(plan));
        }
        let vetted = vet(head, &self.limits.extra_methods, is_tls)?;
        // an HTTP/2 body may come unannounced
        let has_body = vetted.has_body || is_followed;
        let framing = Framing { has_body, wants_upgrade: vetted.wants_upgrade };
        // Unless cleaning could take away what planning looks at, it can wait for the
        // plan: a read that is kept is asked upstream in words of our own.
        let is_clean = !vetted.takes_away && !rules.planner.looks_further(&head.headers);
        let plan = is_clean.then(|| rules.planner.plan(head, framing, now_unix));
        if let Some(Plan::Read(plan)) = plan {
            known::keep_some(grounds, head, is_tls, &plan);
            return Ok(Plan::Read(plan));
        }
        let authority = vetted.authority.to_owned();
        let arrival = Arrival { peer: peer.address.ip(), is_tls, authority: &authority };
        self.limits.clean(head, framing, arrival);
        Ok(plan.unwrap_or_else(|| rules.planner.plan(head, framing, now_unix)))
    }
}

impl Limits {
    /// Leaves of a head what will be planned, keyed and sent.
    fn clean(&self, head: &mut Parts, framing: Framing, arrival: Arrival<'_>) {
        let protocol = head.headers.get(UPGRADE).filter(|_| framing.wants_upgrade).cloned();
        clean_request(&head.method, &mut head.headers);
        if let Some(protocol) = protocol {
            put_back_upgrade(&mut head.headers, protocol);
        }
        self.trusted_proxies.tell_upstream(arrival, &mut head.headers);
    }
}
