//! Budgets counted by this process alone.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use quick_cache::sync::Cache;

use crate::clock::Clock;
use crate::plan::{BudgetName, Charge};

use super::super::Doing;
use super::window::{Counter, Left};
use super::{Allowance, LimitStore, Taken};

/// Budgets that are remembered, at about 350 bytes each. Beyond that whoever has not come for the
/// longest time begins anew.
const BUDGETS_MAX: usize = 100_000;

/// Budgets in this process's memory.
pub struct MemoryLimits {
    counters: Cache<BudgetName, Arc<Mutex<Counter>>>,
    clock: Clock,
    /// When this began, on both clocks: from then on time only moves forward.
    began: (Instant, u64),
}

impl MemoryLimits {
    /// Nobody has come yet.
    pub fn new(clock: Clock) -> Self {
        let began = (clock.now(), clock.unix_micros());
        Self { counters: Cache::new(BUDGETS_MAX), clock, began }
    }

    /// Takes all charges, or none.
    pub(super) fn count(&self, charges: &[Charge]) -> Taken {
        let (began, unix) = self.began;
        let since = self.clock.now().saturating_duration_since(began);
        let now = unix.saturating_add(u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
        let mut taken: Vec<(Arc<Mutex<Counter>>, Left)> = Vec::with_capacity(charges.len());
        for charge in charges {
            let counter = self.counter(charge.budget);
            let result = with(&counter, |counter| counter.take(&charge.rule.quota, now));
            match result {
                Ok(left) => taken.push((counter, left)),
                Err(left) => {
                    taken
                        .iter()
                        .for_each(|(counter, left)| with(counter, |counter| counter.give_back(left.slot)));
                    return Taken::Refused(allowance(charge, left));
                }
            }
        }
        Taken::Passed(charges.iter().zip(taken).map(|(charge, (_, left))| allowance(charge, left)).collect())
    }

    fn counter(&self, budget: BudgetName) -> Arc<Mutex<Counter>> {
        let new = || Ok::<_, std::convert::Infallible>(Arc::new(Mutex::new(Counter::default())));
        match self.counters.get_or_insert_with(&budget, new) {
            Ok(counter) => counter,
            Err(never) => match never {},
        }
    }
}

/// A plain mutex: held for a few additions, in which nothing can panic half way.
fn with<T>(counter: &Mutex<Counter>, act: impl FnOnce(&mut Counter) -> T) -> T {
    act(&mut counter.lock().unwrap_or_else(PoisonError::into_inner))
}

fn allowance(charge: &Charge, left: Left) -> Allowance {
    Allowance { rule: Arc::clone(&charge.rule), left: left.left, more_in: left.more_in }
}

impl LimitStore for MemoryLimits {
    fn take_now(&self, charges: &[Charge]) -> Option<Taken> {
        Some(self.count(charges))
    }

    fn take<'a>(&'a self, charges: &'a [Charge]) -> Doing<'a, Taken> {
        Box::pin(ready(self.count(charges)))
    }
}

impl fmt::Debug for MemoryLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLimits").field("budgets", &self.counters.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rules::{Context, RuleSet};

    fn charges(limits: &str, who: u32) -> Vec<Charge> {
        let context = Context {
            default_schema: "public".into(),
            upstream: String::new(),
            ignored_claims: Vec::new(),
            consistency: crate::consistency::Consistency::default(),
        };
        let (rules, _) = RuleSet::parse(&format!("version: 1\nlimits: {limits}"), &context).unwrap();
        let budget = |index: usize| {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&who.to_le_bytes());
            name[4] = u8::try_from(index).unwrap();
            BudgetName(name)
        };
        let rules = rules.limit_rules().iter();
        rules.map(|rule| Charge { rule: Arc::clone(rule), budget: budget(rule.index) }).collect()
    }

    #[test]
    fn what_one_limit_refuses_counts_in_none() {
        let limits = MemoryLimits::new(Clock::default());
        let both = charges(
            "[{ name: a, match: /**, by: ip, rate: 3/1m }, { name: b, match: /**, by: ip, rate: 1/1m }]",
            1,
        );
        assert!(matches!(limits.count(&both), Taken::Passed(left) if left[0].left == 2 && left[1].left == 0));
        assert!(matches!(limits.count(&both), Taken::Refused(by) if &*by.rule.name == "b"));
        assert!(matches!(limits.count(&both[..1]), Taken::Passed(left) if left[0].left == 1));
    }

    #[test]
    fn a_million_callers_fit_and_each_has_a_budget() {
        let limits = MemoryLimits::new(Clock::default());
        let first = charges("[{ name: a, match: /**, by: ip, rate: 1/1m }]", 0);
        for who in 1..1_000_000_u32 {
            let mut charge = first[0].clone();
            charge.budget.0[..4].copy_from_slice(&who.to_le_bytes());
            assert!(matches!(limits.count(&[charge]), Taken::Passed(_)));
        }
        assert!(limits.counters.len() <= BUDGETS_MAX, "{limits:?}");
    }

    #[test]
    fn a_budget_comes_back_with_time() {
        let clock = Clock::default();
        let limits = MemoryLimits::new(clock.clone());
        let charge = charges("[{ name: a, match: /**, by: ip, rate: 2/1m }]", 1);
        let passes = || matches!(limits.count(&charge), Taken::Passed(_));
        assert_eq!([passes(), passes(), passes()], [true, true, false]);
        clock.advance(Duration::from_secs(61));
        assert!(passes());
    }
}
