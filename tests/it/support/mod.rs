//! The three voices of every test: an origin, a proxy and a client.

pub(crate) mod case;
pub(crate) mod client;
pub(crate) mod command;
pub(crate) mod multiplexed;
pub(crate) mod origin;
pub(crate) mod product;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod relay;
pub(crate) mod scripted;
pub(crate) mod token;

use std::future::Future;
use std::time::Duration;

pub(crate) use case::{case, check_all};
pub(crate) use client::contains;
pub(crate) use origin::origin;
pub(crate) use proxy::{Proxy, proxy};
pub(crate) use raw::Raw;
pub(crate) use scripted::{Scripted, Step, scripted, send};

/// How long anything may take that a test waits for. Nothing here takes a tenth of it on an idle machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for something that must happen, and says what did not.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}
