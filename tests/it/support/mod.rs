//! The three voices of every test: an origin, a proxy and a client.

pub mod case;
pub mod client;
pub mod multiplexed;
pub mod origin;
mod product;
pub mod proxy;
pub mod raw;
pub mod scripted;

use std::future::Future;
use std::time::Duration;

pub use case::{case, check_all};
pub use client::contains;
pub use origin::origin;
pub use proxy::{Proxy, proxy};
pub use raw::Raw;
pub use scripted::{Scripted, Step, scripted, send};

/// How long anything may take that a test waits for. Nothing here takes a tenth of it on an idle machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for something that must happen, and says what did not.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}
