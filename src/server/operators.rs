//! What are operators answered from?

use std::net::SocketAddr;
use std::sync::Arc;

use crate::admin::{Admin, Sources, Tokens};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::explain::{Explanation, limits_of, rules_of};
use crate::feed::{Feed, Plans};
use crate::lately::Why;
use crate::metrics::Metrics;
use crate::proxy::Proxy;

use super::examine::{Inside, examine_with};
use super::reloader::Reloader;
use super::settings::Settings;
use super::start::Ground;

impl Ground {
    /// What answers operators.
    pub(super) fn admin(
        &self,
        settings: &Settings,
        (proxy, reloader): (&Arc<Proxy>, &Arc<Reloader>),
        listens: [(&'static str, SocketAddr); 2],
        clock: Clock,
    ) -> Arc<Admin> {
        let inside =
            Inside { cache: Arc::clone(&self.cache), health: self.health.clone(), listens: listens.to_vec() };
        let (examined, examining) = (Arc::new(settings.clone()), clock.clone());
        let (cache, proxy, limited) = (Arc::clone(&self.cache), Arc::clone(proxy), Arc::clone(proxy));
        let (purging, shown, reloader) = (Arc::clone(&proxy), Arc::clone(&proxy), Arc::clone(reloader));
        let told = Arc::clone(&proxy);
        let plans: Plans = Box::new(move |look| told.with_planner(|planner| look(planner)));
        let invalidator = self.invalidator.clone().because(Why::Operator);
        let tasks = self.shutdown.tasks().clone();
        let sources = Sources {
            feed: Feed::new(
                plans,
                self.invalidator.clone().because(Why::Database),
                self.metrics.clone(),
                tasks.clone(),
            ),
            health: self.health.clone(),
            cache: Arc::clone(&self.cache),
            clock: clock.clone(),
            metrics: self.metrics.clone(),
            refresh: Box::new(move |metrics| refresh(&cache, metrics)),
            explain: Box::new(move |asked| {
                proxy.with_planner(|planner| Explanation::of(planner, asked, clock.unix_seconds()))
            }),
            invalidator,
            tasks,
            resolve: Box::new(move |wanted| purging.with_planner(|planner| wanted.resolve(planner.rules()))),
            guards: Arc::clone(&self.guards),
            bodies: settings.admin_bodies,
            rules: Box::new(move || shown.with_planner(|planner| rules_of(planner.rules()))),
            reload: Box::new(move || {
                let reloader = Arc::clone(&reloader);
                Box::pin(async move { reloader.reload().await })
            }),
            examine: Box::new(move || {
                let (settings, inside, clock) = (Arc::clone(&examined), inside.clone(), examining.clone());
                Box::pin(async move { examine_with(&settings, &clock, Some(&inside)).await })
            }),
            limits: Box::new(move || limited.with_planner(|planner| limits_of(planner.rules()))),
        };
        let tokens =
            Tokens { operator: settings.admin_token.clone(), changes: settings.changes_token.clone() };
        Arc::new(Admin::new(tokens, sources))
    }
}

/// Brings the gauges of the cache up to date.
fn refresh(cache: &Cache, metrics: &Metrics) {
    let usage = cache.usage();
    let is_configured = usage.shared.is_some();
    let shared = usage.shared.unwrap_or_default();
    let store = &metrics.store;
    let shown = [
        (&store.configured, u64::from(is_configured)),
        (&store.up, u64::from(shared.is_up)),
        (&store.breaker_open, u64::from(shared.is_left_alone)),
        (&store.look_ups, shared.look_ups),
        (&store.hits, shared.hits),
        (&store.failures, shared.failures),
        (&store.rejected_records, shared.rejected_records),
        (&store.lost_fills, shared.lost_fills),
        (&store.owed, shared.owed),
        (&store.unannounced, shared.unannounced),
        (&store.members, shared.members),
        (&store.lease_millis, u64::try_from(shared.lease_left.as_millis()).unwrap_or(u64::MAX)),
        (&metrics.entries, usage.entries),
        (&metrics.entry_bytes, usage.bytes),
        (&metrics.entry_bytes_max, usage.bytes_max),
        (&metrics.tags, usage.tags),
        (&metrics.evictions, usage.evictions),
        (&metrics.forms, usage.forms_made),
        (&metrics.forms_put_off, usage.forms_put_off),
        (&metrics.flights, cache.flights() as u64),
        (&metrics.lost_log_lines, crate::log::lost()),
    ];
    for (gauge, value) in shown {
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
}
