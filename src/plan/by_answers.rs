//! Which reads leave it to their answers how long they are kept, and what else is answered from those?

use std::borrow::Cow;
use std::sync::Arc;

use http::Uri;
use http::header::{CONTENT_LENGTH, RANGE, TRANSFER_ENCODING};
use http::request::Parts;

use crate::postgrest::{Path, Query, Resource};
use crate::rules::{Caching, Lasting, QueryView};

use super::{Framing, Plan, Planner, ReadPlan};

/// A request for a piece has a few headers; one with more goes upstream rather than being copied.
const WHOLE_HEADERS_MAX: usize = 64;

impl Planner {
    /// The plan for the whole answer of which a HEAD or a piece is asked for. `None` unless the rule leaves it
    /// to its answers how long they are kept, outside PostgREST: that reads ranges of rows and none of bytes.
    pub fn plan_of_whole(&self, head: &Parts, now_unix: u64) -> Option<Arc<ReadPlan>> {
        let is_small = head.headers.len() <= WHOLE_HEADERS_MAX && !head.headers.contains_key(CONTENT_LENGTH);
        if !self.keeps_by_answers() || !is_small || head.headers.contains_key(TRANSFER_ENCODING) {
            return None;
        }
        let (mut whole, ()) = http::Request::new(()).into_parts();
        whole.uri = head.uri.clone();
        whole.headers = head.headers.clone();
        whole.headers.remove(RANGE);
        let Plan::Read(plan) = self.decide(&whole, Framing::default(), None, now_unix) else { return None };
        let is_outside = is_outside_rest(&Resource::of(&Path::parse(head.uri.path())));
        (says_itself(&plan.rule.caching) && is_outside).then_some(plan)
    }

    /// Whether some rule leaves it to its answers how long they are kept.
    pub fn keeps_by_answers(&self) -> bool {
        self.rules.read_rules().iter().any(|rule| says_itself(&rule.caching))
    }

    /// Whether such a rule applies to reads of this address.
    pub fn keeps_by_answer(&self, target: &Uri) -> bool {
        let query = Query::parse(target.query());
        let all_values = |name: &str| {
            let values = query.values(name).map(|value| Cow::Owned(value.unwrap_or_default().to_owned()));
            values.collect::<Vec<_>>()
        };
        let path = Path::parse(target.path());
        let matched = self.rules.read(path.decoded(), QueryView::new(&all_values));
        matched.is_some_and(|matched| says_itself(&matched.rule.caching))
    }
}

/// Whether PostgREST has nothing to do with it.
pub(super) fn is_outside_rest(resource: &Resource) -> bool {
    matches!(resource, Resource::Storage | Resource::Functions)
}

fn says_itself(caching: &Caching) -> bool {
    matches!(caching, Caching::Keep { ttl: Lasting::AsItSays { .. } })
}
