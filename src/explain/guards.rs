//! Which locks, operations and limits stand before a request, in words?

use std::sync::Arc;

use serde_json::{Value, json};

use crate::plan::{NoOperation, WritePlan};
use crate::postgrest::Payload;
use crate::rules::{Busy, Counts, LimitRule, LimitWithoutStore, LockWithoutStore, Quota, RuleSet, Window};
use crate::units::display_duration;

use super::explanation::Noted;

/// What stands before a write.
pub(super) fn of_write(plan: &WritePlan, body: Option<&Payload<'_>>, has_body: bool) -> Vec<Noted> {
    let mut guards = Vec::new();
    match plan.locks(body) {
        Ok(locks) => guards.extend(locks.into_iter().map(|lock| {
            let rule = &lock.rule;
            let busy = match rule.busy {
                Busy::Reject => "refused while it is taken".to_owned(),
                Busy::Wait { retries, delay } => {
                    format!("tried again {retries} times after {}", display_duration(delay))
                }
            };
            let without_store = match rule.store_down {
                LockWithoutStore::Refuse => "",
                LockWithoutStore::Allow => "; without the store it goes on unlocked",
            };
            let hold = display_duration(rule.hold);
            Noted {
                name: format!("lock {}", lock.name),
                note: format!("{busy}; outlives a dead proxy by {hold}{without_store}"),
            }
        })),
        Err(no_name) => {
            let note = match (no_name.is_ambiguous, has_body) {
                (true, _) => "has several values here: the request is refused with 400",
                (false, true) => "has no value here: the request is refused with 400",
                (false, false) => {
                    "has no value here, as no --body was given; without one the request is refused"
                }
            };
            guards.push(Noted { name: format!("lock by {}", no_name.placeholder), note: note.to_owned() });
        }
    }
    match plan.operation() {
        Ok(None) => {}
        Ok(Some(operation)) => guards.push(Noted {
            name: format!("operation {}", operation.name),
            note: format!("a repeat within {} gets the first answer", display_duration(operation.keep)),
        }),
        Err(NoOperation::Missing(header)) => guards.push(Noted {
            name: "operation".to_owned(),
            note: format!("the header {header} is missing: the request is refused with 400"),
        }),
        Err(NoOperation::Unusable(header)) => guards.push(Noted {
            name: "operation".to_owned(),
            note: format!("the header {header} is unusable: the request is refused with 400"),
        }),
    }
    guards
}

/// What counts a request.
pub(super) fn limits(rules: &[Arc<LimitRule>]) -> Vec<Noted> {
    let noted = |rule: &Arc<LimitRule>| {
        let counts = match rule.counts {
            Counts::All => "",
            Counts::Misses => ", hits are free",
        };
        let Quota { rate, window, burst, kind } = rule.quota;
        let burst = burst.map_or_else(String::new, |burst| format!(", {burst} in any tenth of that"));
        Noted {
            name: format!("limit {}", rule.name),
            note: format!(
                "{rate} in {} ({}){burst}, by {}{counts}",
                display_duration(window),
                kind.as_str(),
                rule.by
            ),
        }
    };
    rules.iter().map(noted).collect()
}

/// The limits of a set of rules, for operators.
pub fn limits_of(rules: &RuleSet) -> Value {
    let shown = rules.limit_rules().iter().map(|rule| {
        json!({
            "name": &*rule.name,
            "match": &*rule.path,
            "methods": rule.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
            "by": rule.by.to_string(),
            "rate": rule.quota.rate,
            "window_seconds": rule.quota.window.as_secs(),
            "window": match rule.quota.kind { Window::Fixed => "fixed", Window::Sliding => "sliding" },
            "burst": rule.quota.burst,
            "count": match rule.counts { Counts::All => "all", Counts::Misses => "misses" },
            "store_down": match rule.store_down {
                LimitWithoutStore::Local => "local",
                LimitWithoutStore::Allow => "allow",
                LimitWithoutStore::Refuse => "refuse",
            },
        })
    });
    json!({ "limits": shown.collect::<Vec<_>>() })
}
