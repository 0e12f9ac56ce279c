//! The rules on disk, and the database that they were written for.

use std::time::Duration;

use tokio::time::timeout;

use crate::admin::Health;
use crate::doctor::{Finding, Rules};
use crate::rules::{Mistake, RuleSet, Warning};
use crate::schema::ask_fingerprint;

use super::super::rules_file::{RulesRefused, read_rules};
use super::super::settings::Settings;
use super::super::start::{context, fingerprint};

/// Longest wait for the database: a person waits for it.
const DATABASE_WAIT: Duration = Duration::from_secs(10);

/// Reads the rules as a start would, and says what is wrong with them.
pub(super) fn look(settings: &Settings, health: Option<&Health>) -> (Vec<Finding>, Option<RuleSet>) {
    let file = settings.rules.display().to_string();
    let (mut found, compiled) = match read_rules(&settings.rules, &context(settings)) {
        Err(RulesRefused::Read(error)) => (vec![Rules::Unreadable { file, why: error.to_string() }], None),
        Err(RulesRefused::Mistakes(mistakes)) => {
            let first = mistakes.first().map(|Mistake(remark)| remark.message.clone()).unwrap_or_default();
            (vec![Rules::Mistakes { file, count: mistakes.len(), first }], None)
        }
        Ok((rules, warnings)) => (judged(settings, file, &rules, &warnings), Some(rules)),
    };
    // rules that cannot be used now have their own finding
    if compiled.is_some() && health.is_some_and(Health::rules_broken) {
        found.push(Rules::OlderInUse);
    }
    (found.into_iter().map(Finding::Rules).collect(), compiled)
}

fn judged(settings: &Settings, file: String, rules: &RuleSet, warnings: &[Warning]) -> Vec<Rules> {
    let (reads, writes) = (rules.read_rules().len(), rules.write_rules().len());
    let limits = rules.limit_rules().len();
    let mut found = vec![Rules::Compiled { file: file.clone(), reads, writes, limits }];
    if reads == 0 {
        found.push(Rules::NothingCached { file });
    }
    if let Some(Warning(first)) = warnings.first() {
        found.push(Rules::Warnings { count: warnings.len(), first: first.message.clone() });
    }
    let canaries: usize = rules.read_rules().iter().map(|rule| rule.canaries.len()).sum();
    if canaries > 0 && settings.canary_tokens.is_none() {
        found.push(Rules::CanariesUnasked { count: canaries });
    }
    if settings.store.cannot_seal(rules) {
        found.push(Rules::Unsealable);
    }
    found
}

/// Compares the database with what the rules were written for, where one is named.
pub(super) async fn look_at_schema(settings: &Settings, rules: Option<&RuleSet>) -> Vec<Finding> {
    let (Some(database), Some(rules)) = (&settings.schema_db, rules) else { return Vec::new() };
    let found = match (timeout(DATABASE_WAIT, ask_fingerprint(&database.url)).await, fingerprint(rules)) {
        (Err(_elapsed), _) => Rules::SchemaAway { why: "no answer in time".to_owned() },
        (Ok(Err(error)), _) => Rules::SchemaAway { why: error.to_string() },
        (Ok(Ok(_)), None) => Rules::SchemaUnwritten,
        (Ok(Ok(now)), Some(written_for)) if now.as_text() == written_for => Rules::SchemaFits,
        (Ok(Ok(_)), Some(_)) => Rules::SchemaMovedOn,
    };
    vec![Finding::Rules(found)]
}
