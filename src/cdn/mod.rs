//! A content delivery network in front: what does it have to forget?
//!
//! Whoever invalidates notes the tags with [`Purges`] and goes on. One task tells the network, many changes
//! at once, again and again until it has heard. Nobody waits for it: what a network serves meanwhile is
//! bounded by the `s-maxage` of the rule that let it keep the answer.

mod pending;
mod sender;
mod service;

pub use sender::Sender;
pub use service::{Service, ServiceMistake, Written};

use std::sync::Arc;

use crate::key::Tag;
use crate::metrics::Metrics;

use pending::Pending;

/// Where changes are noted.
#[derive(Clone, Debug)]
pub struct Purges {
    pending: Arc<Pending>,
}

impl Purges {
    /// Where changes are noted, and who tells the network of them.
    pub fn new(service: Service, tls: rustls::ClientConfig, metrics: &Metrics) -> (Self, Sender) {
        let pending = Arc::new(Pending::new(metrics.cdn.clone()));
        let sender = Sender::new(service, tls, Arc::clone(&pending));
        (Self { pending }, sender)
    }

    /// Everything that depends on these tags has to go.
    pub fn note(&self, tags: &[Tag]) {
        self.pending.note(tags);
    }
}
