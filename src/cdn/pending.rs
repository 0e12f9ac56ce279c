//! What has the network not been told yet?

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::key::{Label, Tag};
use crate::metrics::CdnMetrics;

/// Most labels that wait. A network that has not heard for so long forgets everything instead.
const WAITING_MAX: usize = 10_000;

/// Labels that wait to be told.
#[derive(Debug)]
pub(super) struct Pending {
    /// A plain mutex: held to put in or take out a few labels, never across an await.
    waiting: Mutex<Waiting>,
    came: Notify,
    pub(super) metrics: CdnMetrics,
}

#[derive(Debug, Default)]
struct Waiting {
    labels: BTreeSet<Label>,
    /// Stands for all of them.
    everything: bool,
}

impl Pending {
    pub(super) fn new(metrics: CdnMetrics) -> Self {
        Self { waiting: Mutex::default(), came: Notify::new(), metrics }
    }

    pub(super) fn note(&self, tags: &[Tag]) {
        if !tags.is_empty() {
            self.add(tags.iter().map(Label::of));
            self.came.notify_one();
        }
    }

    /// What could not be told waits again.
    pub(super) fn put_back(&self, labels: Vec<Label>) {
        self.add(labels.into_iter());
    }

    /// The next labels to be told; nothing where nothing waits.
    pub(super) fn take(&self, labels_max: usize) -> Vec<Label> {
        let mut waiting = self.lock();
        if waiting.everything {
            *waiting = Waiting::default();
            return vec![everything()];
        }
        let mut taken = Vec::new();
        while taken.len() < labels_max
            && let Some(label) = waiting.labels.pop_first()
        {
            taken.push(label);
        }
        self.show(&waiting);
        taken
    }

    pub(super) fn is_empty(&self) -> bool {
        let waiting = self.lock();
        !waiting.everything && waiting.labels.is_empty()
    }

    /// Waits until something has come.
    ///
    /// Cancel safe.
    pub(super) async fn came(&self) {
        while self.is_empty() {
            self.came.notified().await;
        }
    }

    fn add(&self, labels: impl Iterator<Item = Label>) {
        let mut waiting = self.lock();
        let everything = everything();
        for label in labels {
            waiting.everything |= label == everything;
            if waiting.labels.len() >= WAITING_MAX && !waiting.everything {
                waiting.everything = true;
                self.metrics.overflows.inc();
            }
            if !waiting.everything {
                waiting.labels.insert(label);
            }
        }
        if waiting.everything {
            waiting.labels.clear();
        }
        self.show(&waiting);
    }

    fn show(&self, waiting: &Waiting) {
        let count = if waiting.everything { 1 } else { waiting.labels.len() };
        self.metrics.pending.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What every answer is called that a network may keep.
fn everything() -> Label {
    Label::of(&Tag::everything())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn texts(labels: &[Label]) -> Vec<&str> {
        labels.iter().map(Label::as_str).collect()
    }

    fn key(at: usize) -> Tag {
        Tag::of_text(&format!("key:{at:06}"))
    }

    #[test]
    fn labels_wait_once_and_are_taken_in_batches() {
        let pending = Pending::new(Metrics::new().cdn.clone());
        pending.note(&[key(1), key(2), key(1), key(3)]);
        pending.note(&[]);
        assert_eq!(pending.metrics.pending.get(), 3);
        let first = pending.take(2);
        assert_eq!(texts(&first), ["key:000001", "key:000002"]);
        pending.note(&[key(1)]); // changed again while the network was told
        assert_eq!(texts(&pending.take(9)), ["key:000001", "key:000003"]);
        assert!(pending.is_empty() && pending.take(9).is_empty());
        pending.put_back(first);
        assert_eq!(pending.take(9).len(), 2);
        assert_eq!(pending.metrics.pending.get(), 0);
    }

    #[test]
    fn too_many_become_everything() {
        let pending = Pending::new(Metrics::new().cdn.clone());
        pending.note(&(0..WAITING_MAX).map(key).collect::<Vec<_>>());
        assert_eq!((pending.metrics.pending.get(), pending.metrics.overflows.get()), (10_000, 0));
        pending.note(&[key(WAITING_MAX)]);
        pending.note(&[key(1)]);
        assert_eq!((pending.metrics.pending.get(), pending.metrics.overflows.get()), (1, 1));
        let everything = pending.take(30);
        assert_eq!(texts(&everything), ["everything"]);
        assert!(pending.is_empty());
        // and what came meanwhile is part of it if that could not be told
        pending.note(&[key(1)]);
        pending.put_back(everything);
        assert_eq!(texts(&pending.take(30)), ["everything"]);
        assert!(pending.is_empty());
    }
}
