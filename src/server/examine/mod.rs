//! What of this process, its settings and what they lead to works? Asks; `doctor` judges.
//!
//! A running proxy examines itself the same way as a command does that reads the same settings,
//! over connections of its own: what it says is about the way there, not about what happens to
//! be open. Everything has an end: an examination takes no longer than its slowest look.

mod machine;
mod rules;
mod store;
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::admin::Health;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::doctor::{Examined, Finding, Report, Sharing};

use super::settings::{SettingMistake, Settings};

/// What only a running proxy knows.
#[derive(Clone, Debug)]
pub(super) struct Inside {
    pub(super) cache: Arc<Cache>,
    pub(super) health: Health,
    /// Where clients and operators are answered.
    pub(super) listens: Vec<(&'static str, SocketAddr)>,
}

/// Examines what these settings lead to, without a running proxy.
pub async fn examine(settings: &Settings, clock: &Clock) -> Report {
    examine_with(settings, clock, None).await
}

/// What there is to say of settings that cannot be used.
pub fn unusable(mistakes: &[SettingMistake], clock: &Clock) -> Report {
    let findings: Vec<Finding> =
        mistakes.iter().map(|mistake| Finding::Setting(mistake.to_string())).collect();
    Report::new(Examined::Settings, &findings, clock.timestamp())
}

pub(super) async fn examine_with(settings: &Settings, clock: &Clock, inside: Option<&Inside>) -> Report {
    let (rules, compiled) = rules::look(settings, inside.map(|inside| &inside.health));
    let prefix = compiled.as_ref().map_or("larder", |rules| rules.prefix());
    let (upstream, key_sets, schema, store, guards) = tokio::join!(
        upstream::look(settings, clock),
        upstream::look_at_key_sets(settings, clock),
        rules::look_at_schema(settings, compiled.as_ref()),
        store::look(settings, prefix, clock),
        store::look_at_guards(settings, prefix, clock),
    );
    let mut findings = upstream;
    findings.extend(key_sets);
    findings.extend(rules);
    findings.extend(schema);
    findings.extend(store);
    findings.extend(guards);
    if let Some(shared) = inside.and_then(|inside| inside.cache.usage().shared) {
        let sharing = Sharing::of(shared.members, shared.lease_left, shared.owed);
        findings.extend(sharing.into_iter().map(Finding::Sharing));
    }
    findings.extend(machine::look(settings, inside.map(|inside| inside.listens.as_slice())));
    let examined = if inside.is_some() { Examined::Proxy } else { Examined::Settings };
    Report::new(examined, &findings, clock.timestamp())
}
