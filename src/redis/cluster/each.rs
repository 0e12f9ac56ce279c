//! How is each of the servers asked, one after another?

use ::redis::{Cmd, Value};

use super::super::{ServerId, Silence};
use super::Cluster;

impl Cluster {
    /// How many servers lead.
    pub(in super::super) fn leaders(&self) -> usize {
        self.map.load().nodes.len()
    }

    /// Is one of its servers left alone, because it failed too often?
    pub(in super::super) fn is_left_alone(&self) -> bool {
        self.map.load().nodes.iter().any(|node| node.lines.is_left_alone())
    }

    /// Sends a command to one of them, in the order of their addresses; nothing where there are not so many.
    pub(in super::super) async fn one_of(
        &self,
        place: usize,
        command: &Cmd,
    ) -> Result<Option<(ServerId, Value)>, Silence> {
        let mut nodes = self.map.load().nodes.clone();
        if nodes.is_empty() {
            return Err(Silence::Away);
        }
        nodes.sort_by_key(|node| node.place.to_string());
        match nodes.get(place) {
            Some(node) => node.lines.one(command).await.map(Some),
            None => Ok(None),
        }
    }
}
