//! Who makes other forms of answers, and when?
//!
//! One thread, so that no reader's work waits behind a compression, and a crowd of new answers takes one
//! processor at most. What does not fit its queue is sent as it is until somebody asks again.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::key::Fingerprint;

use super::super::entry::Entry;
use super::super::store::Store;
use super::Coding;

/// Most forms that wait to be made: a second's work where each takes ten milliseconds.
const WAITING_MAX: usize = 128;

/// Makes forms of entries.
pub(in super::super) struct Press {
    store: Arc<dyn Store>,
    clock: Clock,
    /// The thread begins with the first order, and ends with this.
    orders: OnceLock<Option<SyncSender<Order>>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    made: AtomicU64,
    put_off: AtomicU64,
}

/// A form that somebody would take.
struct Order {
    fingerprint: Fingerprint,
    entry: Arc<Entry>,
    coding: Coding,
    /// Told by being dropped. Whoever waits takes the form even if the entry is not kept.
    waits: Option<oneshot::Sender<()>>,
}

impl Press {
    pub(in super::super) fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self { store, clock, orders: OnceLock::new(), counts: Arc::default() }
    }

    /// Has a form made, if nobody has yet. Costs a hit two loads where somebody has.
    pub(in super::super) fn order(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>, coding: Coding) {
        if entry.forms.ask(coding) {
            self.place(fingerprint, entry, coding, None);
        }
    }

    /// Has a form made and waits for it; it may not come.
    pub(in super::super) async fn make(&self, fingerprint: &Fingerprint, entry: &Arc<Entry>, coding: Coding) {
        if entry.forms.may_come(coding) {
            let (tell, told) = oneshot::channel();
            self.place(fingerprint, entry, coding, Some(tell));
            let _done_or_put_off = told.await;
        }
    }

    /// Forms made since the start, and orders that found the queue full.
    pub(in super::super) fn counts(&self) -> (u64, u64) {
        (self.counts.made.load(Ordering::Relaxed), self.counts.put_off.load(Ordering::Relaxed))
    }

    fn place(
        &self,
        fingerprint: &Fingerprint,
        entry: &Arc<Entry>,
        coding: Coding,
        waits: Option<oneshot::Sender<()>>,
    ) {
        let order = Order { fingerprint: *fingerprint, entry: Arc::clone(entry), coding, waits };
        let placed = match self.orders.get_or_init(|| self.begin()) {
            Some(orders) => orders.try_send(order),
            None => Err(TrySendError::Disconnected(order)),
        };
        if let Err(TrySendError::Full(order) | TrySendError::Disconnected(order)) = placed {
            order.entry.forms.put_off(order.coding);
            self.counts.put_off.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn begin(&self) -> Option<SyncSender<Order>> {
        let (orders, waiting) = sync_channel(WAITING_MAX);
        let (store, clock, counts) = (Arc::clone(&self.store), self.clock.clone(), Arc::clone(&self.counts));
        let thread = std::thread::Builder::new().name("larder-press".to_owned());
        thread.spawn(move || work(&waiting, &*store, &clock, &counts)).ok()?;
        Some(orders)
    }
}

fn work(waiting: &Receiver<Order>, store: &dyn Store, clock: &Clock, counts: &Counts) {
    for Order { fingerprint, entry, coding, waits } in waiting {
        // an answer that is gone already is not worth the time, unless somebody holds it in their hand
        let is_held = entry.lifetime.is_alive(clock.now()) && store.holds(&fingerprint, &entry);
        if !is_held && waits.is_none() {
            entry.forms.put_off(coding);
            continue;
        }
        if entry.forms.make(coding, &entry.body, entry.validator()) {
            counts.made.fetch_add(1, Ordering::Relaxed);
            store.weigh_again(&fingerprint, &entry);
        }
    }
}

impl fmt::Debug for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Press").field("counts", &self.counts).finish_non_exhaustive()
    }
}
