//! `/api/rules`: which rules are in use, what do they bring, and can those on disk take their place?

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use crate::metrics::Counted;
use crate::rules::Remark;

use super::reply::{Answer, refused_with, told};
use super::sources::{Reloaded, Sources};
use super::stats::Reads;

/// The rules in use, each read rule with what it answered since the start of this process.
pub(super) fn in_use(rules: &Value, counted: &Counted, timestamp: &str) -> Value {
    let mut by_rule = BTreeMap::<&str, Reads>::new();
    for requests in &counted.requests {
        by_rule.entry(&requests.rule).or_default().add(&requests.outcome, requests.count);
    }
    let mut told = rules.clone();
    for rule in told["reads"].as_array_mut().into_iter().flatten() {
        let reads = rule["name"].as_str().and_then(|name| by_rule.get(name)).copied().unwrap_or_default();
        rule["hits"] = reads.hits.into();
        rule["misses"] = reads.misses.into();
        rule["hit_rate"] = reads.hit_rate().into();
    }
    told["timestamp"] = timestamp.into();
    told
}

/// Reads the rules again, as SIGHUP does, and says what that changed or why it did not.
pub(super) async fn reload(sources: &Sources) -> Answer {
    match (sources.reload)().await {
        None => {
            let hint =
                "they are read again anyway when their file changes; /readyz says whether that went well";
            refused_with(StatusCode::SERVICE_UNAVAILABLE, "the rules were not read in time", Some(hint))
        }
        Some(Reloaded::Refused { message, mistakes }) => {
            let details = json!({ "mistakes": remarks(&mistakes) });
            let body = json!({
                "code": "LARDER422",
                "message": message,
                "details": details,
                "hint": "the rules before stay in use; `details.mistakes` says what is wrong, and where",
            });
            told(StatusCode::UNPROCESSABLE_ENTITY, &body)
        }
        Some(Reloaded::Applied { before, after, warnings }) => {
            let mut body = json!({ "reloaded": true, "timestamp": sources.clock.timestamp() });
            for kind in ["reads", "writes", "limits"] {
                body[kind] = difference(&before[kind], &after[kind]);
            }
            body["warnings"] = remarks(&warnings);
            told(StatusCode::OK, &body)
        }
    }
}

/// Names of rules that are new, gone, or other than they were; the order counts for whoever comes first.
fn difference(before: &Value, after: &Value) -> Value {
    let by_name = |rules: &Value| -> Vec<(String, Value)> {
        let rules = rules.as_array().map(Vec::as_slice).unwrap_or_default();
        rules
            .iter()
            .map(|rule| (rule["name"].as_str().unwrap_or_default().to_owned(), rule.clone()))
            .collect()
    };
    let (before, after) = (by_name(before), by_name(after));
    let find = |rules: &[(String, Value)], name: &str| {
        rules.iter().find(|(known, _)| known == name).map(|(_, rule)| rule.clone())
    };
    let names = |rules: &[(String, Value)], is_told: &dyn Fn(&str, &Value) -> bool| -> Vec<String> {
        rules.iter().filter(|(name, rule)| is_told(name, rule)).map(|(name, _)| name.clone()).collect()
    };
    let order = |rules: &[(String, Value)], others: &[(String, Value)]| -> Vec<String> {
        names(rules, &|name, _| find(others, name).is_some())
    };
    json!({
        "added": names(&after, &|name, _| find(&before, name).is_none()),
        "removed": names(&before, &|name, _| find(&after, name).is_none()),
        "changed": names(&after, &|name, rule| find(&before, name).is_some_and(|before| before != *rule)),
        "reordered": order(&before, &after) != order(&after, &before),
    })
}

fn remarks(remarks: &[Remark]) -> Value {
    let shown = remarks.iter().map(|remark| {
        json!({ "path": remark.path, "message": remark.message, "line": remark.line, "column": remark.column, "hint": remark.hint })
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_by_name() {
        let before = json!([{ "name": "a", "ttl": 1 }, { "name": "b", "ttl": 1 }, { "name": "c" }]);
        let after = json!([{ "name": "b", "ttl": 2 }, { "name": "a", "ttl": 1 }, { "name": "d" }]);
        assert_eq!(
            difference(&before, &after),
            json!({ "added": ["d"], "removed": ["c"], "changed": ["b"], "reordered": true })
        );
        let none: [&str; 0] = [];
        let same = json!({ "added": none, "removed": none, "changed": none, "reordered": false });
        assert_eq!(difference(&before, &before), same);
    }
}
