//! How is each of the servers asked, one after another?

use ::redis::{Cmd, Value};

use super::super::{ServerId, Silence};
use super::Cluster;

impl Cluster {
    /// How many servers lead.
    pub(in super::super) fn leaders(&self) -> usize {
        self.map.load().nodes.len()
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
