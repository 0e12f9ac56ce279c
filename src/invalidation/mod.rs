//! The one door through which entries disappear.
//!
//! Whoever learns of a change, a write through the proxy, an operator, later
//! the database, reports its tags here and waits: when this returns, no look-up
//! that starts later finds an answer from before the change.
//!
//! A write is announced before it is forwarded, and an [`Announcement`] ends in one of
//! three ways, whatever becomes of the process: it changed something, it did not, or nobody knows.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::{Announced, Cache, Change, Closed};
use crate::cdn::Purges;
use crate::consistency::Consistency;
use crate::key::Tag;
use crate::lately::{Happened, Why};
use crate::metrics::Metrics;

/// Takes away what depends on something that changed.
#[derive(Clone, Debug)]
pub struct Invalidator {
    cache: Arc<Cache>,
    metrics: Metrics,
    why: Why,
    /// A network in front, which is told after everybody else.
    network: Option<Purges>,
}

impl Invalidator {
    /// The door to one cache, for writes.
    pub fn new(cache: Arc<Cache>, metrics: Metrics) -> Self {
        Self { cache, metrics, network: None, why: Why::default() }
    }

    /// The same door, for whoever else learns of changes.
    #[must_use]
    pub fn because(self, why: Why) -> Self {
        Self { why, ..self }
    }

    /// The same, with a network in front that hears of every change. Nobody waits for it.
    #[must_use]
    pub fn telling(self, network: Option<Purges>) -> Self {
        Self { network, ..self }
    }

    /// Notes that a write which may change these is about to be forwarded.
    pub async fn announce(&self, tags: Vec<Tag>, consistency: Consistency) -> Result<Announcement, Closed> {
        if tags.is_empty() {
            return Ok(Announcement { invalidator: self.clone(), announced: None, consistency });
        }
        let announced = self.cache.announce(tags, consistency).await?;
        Ok(Announcement { invalidator: self.clone(), announced: Some(announced), consistency })
    }

    /// Notes who is about to take something away softly, so that nobody serves them what was true before. Says
    /// whether everybody has heard of it.
    pub async fn note_writer(&self, writer: &[u8; 32], lasts: Duration) -> bool {
        self.cache.note_writer(writer, lasts).await
    }

    /// Takes away everything that depends on these tags, which nobody announced.
    pub async fn changed(&self, tags: &[Tag], consistency: Consistency) {
        self.carry_out(Change { tags, announced: None, consistency }).await;
    }

    /// Carries out what was announced, by whomever, and is past its deadline.
    pub async fn sweep(&self) {
        let changed = self.cache.sweep().await;
        self.tell(&changed);
    }

    async fn carry_out(&self, change: Change<'_>) {
        if change.tags.is_empty() && change.announced.is_none() {
            return;
        }
        let (tags, clock) = (change.tags, self.cache.clock());
        let (began, at_millis) = (clock.now(), clock.unix_millis());
        self.cache.change(change).await;
        self.metrics.invalidated(tags.len());
        self.tell(tags);
        let took = clock.now().saturating_duration_since(began);
        let names = tags.iter().map(Tag::as_str);
        self.metrics.lately.changed(Happened::new(self.why, names, at_millis, took));
    }

    /// The network may ask again at once: by now it is answered with what is so.
    fn tell(&self, tags: &[Tag]) {
        if let Some(network) = &self.network {
            network.note(tags);
        }
    }
}

/// A write that is under way.
#[derive(Debug)]
#[must_use = "a write ends: it changed something, it did not, or nobody knows"]
pub struct Announcement {
    invalidator: Invalidator,
    announced: Option<Announced>,
    consistency: Consistency,
}

impl Announcement {
    /// It took effect: this is what it changed.
    pub async fn changed(self, tags: &[Tag]) {
        let Self { invalidator, announced, consistency } = self;
        invalidator.carry_out(Change { tags, announced, consistency }).await;
    }

    /// It had no effect.
    pub async fn unchanged(self) {
        if let Some(announced) = self.announced {
            self.invalidator.cache.withdraw(announced).await;
        }
    }

    /// Nobody knows: this may have changed, and what was announced may still.
    pub async fn in_doubt(self, tags: &[Tag]) {
        let Self { invalidator, announced, consistency } = self;
        invalidator.clone().because(Why::Doubt).changed(tags, consistency).await;
        if let Some(announced) = announced {
            invalidator.cache.leave(announced);
        }
    }
}
