//! Which servers does a cluster have, and who of them has what?
//!
//! Asked of one after another, again and again, and at once when somebody said that it changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::redis::aio::ConnectionLike;
use ::redis::{Cmd, Value, cmd};
use tokio_util::sync::DropGuard;
use tracing::{info, warn};

use super::super::address::{Endpoint, Place};
use super::super::dial::{CONNECT_WAIT, Unreached, Way, open, plain};
use super::super::lines::{LOOK_EVERY, Lines};
use super::super::silence::{Refusal, Silence};
use super::Cluster;
use super::slots::{self, Range};

/// Shortest time between two looks, however many servers say that something changed.
pub(super) const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Who has what.
#[derive(Default)]
pub(super) struct Map {
    pub(super) ranges: Vec<Range>,
    pub(super) nodes: Vec<Arc<Node>>,
}

/// One leader.
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) lines: Arc<Lines>,
    _running: DropGuard,
}

impl Map {
    /// Who has a slot.
    pub(super) fn leader(&self, slot: u16) -> Option<&Arc<Node>> {
        let at = self.ranges.partition_point(|range| range.last < slot);
        let range = self.ranges.get(at).filter(|range| range.first <= slot)?;
        self.node(&range.leader.0, range.leader.1)
    }

    pub(super) fn node(&self, host: &str, port: u16) -> Option<&Arc<Node>> {
        self.nodes.iter().find(|node| matches!(&node.place, Place::Tcp(h, p) if h == host && *p == port))
    }
}

impl Cluster {
    pub(super) async fn keep_looking(self: Arc<Self>) {
        let mut was_known = false;
        while let Some(looked) = self.stopping.run_until_cancelled(self.look()).await {
            let store = &self.teller.store;
            match looked {
                Ok(ranges) => {
                    self.apply(ranges);
                    if !was_known {
                        info!(%store, leaders = self.map.load().nodes.len(), "the store answers");
                    }
                    was_known = true;
                }
                Err(unreached) => {
                    if was_known {
                        warn!(%store, "the store is lost; answers come from the upstream until it is back");
                    }
                    was_known = false;
                    self.teller.complaints.unreached(store, &"all", &unreached);
                }
            }
            let pause = async {
                tokio::time::sleep(LOOK_PAUSE).await;
                tokio::select! {
                    () = self.moved.notified() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            };
            if self.stopping.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// Asks one after another who has what, until one says.
    async fn look(&self) -> Result<Vec<Range>, Unreached> {
        let map = self.map.load_full();
        let mut asked = cmd("CLUSTER");
        asked.arg("SLOTS");
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for step in 0..map.nodes.len() {
            let node = &map.nodes[first.wrapping_add(step) % map.nodes.len()];
            if let Ok((_, answer)) = node.lines.one(&asked).await
                && let Some(ranges) = slots::ranges(answer, &node.place).filter(|ranges| !ranges.is_empty())
            {
                return Ok(ranges);
            }
        }
        let mut last = Unreached::from(Silence::Away);
        for seed in &self.seeds {
            let looking = self.look_at(seed, &asked);
            match tokio::time::timeout(CONNECT_WAIT, looking).await {
                Ok(Ok(ranges)) => return Ok(ranges),
                Ok(Err(unreached)) => last = unreached,
                Err(_elapsed) => last = Silence::Late.into(),
            }
        }
        Err(last)
    }

    async fn look_at(&self, seed: &Endpoint, asked: &Cmd) -> Result<Vec<Range>, Unreached> {
        let (mut connection, _open) = open(seed, plain(&self.tasks)).await?;
        let answer = connection.req_packed_command(asked).await.and_then(Value::extract_error);
        let ranges = slots::ranges(answer.map_err(Silence::from)?, &seed.place);
        ranges.filter(|ranges| !ranges.is_empty()).ok_or_else(|| Silence::Refused(Refusal::NotNow).into())
    }

    /// Keeps the lines to leaders that still lead, and begins those to others.
    fn apply(&self, ranges: Vec<Range>) {
        let before = self.map.load_full();
        if before.ranges == ranges {
            return;
        }
        let mut map = Map::default();
        for range in &ranges {
            let (host, port) = &range.leader;
            if map.node(host, *port).is_none() {
                let node = before.node(host, *port).cloned();
                map.nodes.push(node.unwrap_or_else(|| self.begin(host, *port)));
            }
        }
        map.ranges = ranges;
        self.map.store(Arc::new(map));
    }

    /// The lines to a server that another one named. One that has no slot yet, because it is just
    /// being given its first, becomes known here.
    pub(super) fn node_at(&self, place: &Place) -> Option<Arc<Node>> {
        let Place::Tcp(host, port) = place else { return None };
        if let Some(node) = self.map.load().node(host, *port) {
            return Some(Arc::clone(node));
        }
        let node = self.begin(host, *port);
        self.map.rcu(|map| {
            let mut nodes = map.nodes.clone();
            nodes.push(Arc::clone(&node));
            Map { ranges: map.ranges.clone(), nodes }
        });
        Some(node)
    }

    fn begin(&self, host: &str, port: u16) -> Arc<Node> {
        let endpoint = self.seeds[0].at(host, port);
        let (place, running) = (endpoint.place.clone(), self.stopping.child_token());
        let teller = Arc::clone(&self.teller);
        let lines = Lines::start(Way::To(endpoint), self.manners.clone(), teller, &self.tasks, &running);
        Arc::new(Node { place, lines, _running: running.drop_guard() })
    }
}
