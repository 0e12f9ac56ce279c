//! The rules in use, as they were compiled.

use serde_json::{Value, json};

use crate::rules::{Caching, Condition, Lasting, ReadRule, RuleSet, WriteRule};

use super::guards::limits_of;

/// The rules of a set, for operators: what the file says, with what it left to defaults.
pub fn rules_of(rules: &RuleSet) -> Value {
    let mut all = json!({
        "reads": rules.read_rules().iter().map(|rule| read(rule)).collect::<Vec<_>>(),
        "writes": rules.write_rules().iter().map(|rule| write(rule)).collect::<Vec<_>>(),
    });
    all["limits"] = limits_of(rules)["limits"].take();
    all
}

fn read(rule: &ReadRule) -> Value {
    let conditions = rule.conditions.iter().map(|(parameter, condition)| {
        let wanted = match condition {
            Condition::Matches(glob) => glob.glob().glob(),
            Condition::Present => "present",
            Condition::Absent => "absent",
        };
        (parameter.clone(), Value::from(wanted))
    });
    let ttl = match rule.caching {
        Caching::Keep { ttl: Lasting::For(ttl) } => Some(Value::from(ttl.as_secs_f64())),
        Caching::Keep { ttl: Lasting::AsItSays { .. } } => Some(Value::from("origin")),
        Caching::Never => None,
    };
    json!({
        "name": &*rule.name,
        "match": &*rule.path,
        "where": Value::Object(conditions.collect()),
        "namespace": &*rule.namespace,
        "key": rule.key.as_str(),
        "ttl": ttl,
        "scope": rule.scope.as_str(),
        "consistency": rule.consistency.as_str(),
        "vary": rule.vary.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        "encrypt": rule.is_encrypted,
        "canary": rule.canaries.iter().map(|canary| canary.target.as_str()).collect::<Vec<_>>(),
    })
}

fn write(rule: &WriteRule) -> Value {
    let patterns = rule.invalidation.patterns.iter().map(|pattern| pattern.as_str());
    let soft = rule.invalidation.soft.iter().map(|pattern| pattern.as_str());
    let derived = rule.invalidation.derived.then_some("auto");
    json!({
        "name": &*rule.name,
        "match": &*rule.path,
        "methods": rule.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
        "invalidate": derived.into_iter().chain(patterns).collect::<Vec<_>>(),
        "invalidate_softly": soft.collect::<Vec<_>>(),
        "lock": rule.lock.as_ref().map(|lock| lock.key.as_str()),
        "idempotency": rule.idempotency.as_ref().map(|rule| rule.header.as_str()),
    })
}
