//! Not too many: may this request still come out of its budget?

mod memory;
mod window;

pub use memory::MemoryLimits;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::plan::Charge;
use crate::rules::{LimitRule, LimitWithoutStore};

use super::Doing;

/// What is left of one budget.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// The limit.
    pub rule: Arc<LimitRule>,
    /// So many more requests now.
    pub left: u32,
    /// Until there is more than that.
    pub more_in: Duration,
}

/// What a store says to a request.
#[derive(Clone, Debug)]
pub enum Taken {
    /// Counted in every budget; this is left of each, in their order.
    Passed(Vec<Allowance>),
    /// Counted in none, because nothing is left of this one.
    Refused(Allowance),
    /// Nobody knows.
    Unknown,
}

/// A place where budgets are counted. All charges of a request are taken together, or none.
pub trait LimitStore: Send + Sync + Debug {
    /// Takes them at once, if nobody else has to be asked.
    fn take_now(&self, charges: &[Charge]) -> Option<Taken>;

    /// Takes them, in one round trip.
    fn take<'a>(&'a self, charges: &'a [Charge]) -> Doing<'a, Taken>;
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It goes on; this is left of the budget that is nearest to its end.
    Passed(Option<Allowance>),
    /// There were too many.
    Refused(Allowance),
    /// The store cannot be asked, and this limit does not let anything through uncounted.
    Unknown(Arc<LimitRule>),
}

/// All limits.
#[derive(Debug)]
pub struct Limits {
    store: Arc<dyn LimitStore>,
    /// Counts for this process alone while the store cannot be asked.
    local: MemoryLimits,
}

impl Limits {
    /// Budgets in a store.
    pub fn new(store: Arc<dyn LimitStore>, clock: Clock) -> Self {
        Self { store, local: MemoryLimits::new(clock) }
    }

    /// Takes the charges at once, if nobody else has to be asked.
    pub fn take_now(&self, charges: &[Charge]) -> Option<Verdict> {
        self.store.take_now(charges).map(|taken| self.judge(taken, charges))
    }

    /// Takes the charges.
    pub async fn take(&self, charges: &[Charge]) -> Verdict {
        self.judge(self.store.take(charges).await, charges)
    }

    fn judge(&self, taken: Taken, charges: &[Charge]) -> Verdict {
        match taken {
            Taken::Passed(left) => Verdict::Passed(nearest(left)),
            Taken::Refused(allowance) => Verdict::Refused(allowance),
            Taken::Unknown => self.judge_alone(charges),
        }
    }

    /// As each limit says for when the store cannot be asked.
    fn judge_alone(&self, charges: &[Charge]) -> Verdict {
        let says = |what| move |charge: &&Charge| charge.rule.store_down == what;
        if let Some(charge) = charges.iter().find(says(LimitWithoutStore::Refuse)) {
            return Verdict::Unknown(Arc::clone(&charge.rule));
        }
        let local: Vec<Charge> = charges.iter().filter(says(LimitWithoutStore::Local)).cloned().collect();
        match self.local.count(&local) {
            Taken::Passed(left) => Verdict::Passed(nearest(left)),
            Taken::Refused(allowance) => Verdict::Refused(allowance),
            Taken::Unknown => Verdict::Passed(None),
        }
    }
}

/// The budget that is nearest to its end.
fn nearest(left: Vec<Allowance>) -> Option<Allowance> {
    left.into_iter().min_by_key(|allowance| allowance.left)
}
