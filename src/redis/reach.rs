//! Can a store be reached, and if not, why?
//!
//! For somebody who asks once and wants to be told; whoever uses a store takes [`Redis`](super::Redis).

use tokio_util::task::TaskTracker;

use super::address::{Address, Form};
use super::dial::{Way, plain};

/// Connects, logs in and asks who leads; says why, where that fails. In a cluster one server is
/// enough; a store that is spoken to over HTTP is reached with each command.
pub async fn reach(address: &Address) -> Result<(), String> {
    let tasks = TaskTracker::new();
    let ways = match &address.form {
        Form::One(endpoint) => vec![Way::To(endpoint.clone())],
        Form::Sentinels(sentinels) => vec![Way::Sentinels(sentinels.clone())],
        Form::Cluster(seeds) => seeds.iter().cloned().map(Way::To).collect(),
        Form::Rest(_) => return Ok(()),
    };
    let mut why = "it has no address".to_owned();
    for way in ways {
        match way.dial(plain(&tasks)).await {
            Ok(_dialled) => return Ok(()),
            Err(unreached) => why = format!("{way}: {unreached}"),
        }
    }
    Err(why)
}
