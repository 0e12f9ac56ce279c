//! The three voices of every test: an origin, a proxy and a client.

pub mod client;
pub mod multiplexed;
pub mod origin;
pub mod proxy;
pub mod raw;
pub mod scripted;

use std::future::Future;
use std::time::Duration;

pub use client::contains;
pub use origin::origin;
pub use proxy::{Proxy, proxy};
pub use raw::Raw;
pub use scripted::{Scripted, Step, scripted};

/// How long anything may take that a test waits for. Nothing here takes a tenth of it on an idle machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for something that must happen, and says what did not.
#[track_caller]
pub fn soon<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let what = what.to_owned();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
        }
    }
}
