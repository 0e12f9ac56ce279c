//! What should be changed about the shared store? Said once, when it is first reached.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::redis::{Redis, Silence, Value, advice, cmd};

/// How often a store that is there but does not answer this is asked: advice is no reason to insist.
const TRIES: u32 = 5;

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks the store what it is like, and logs what should be changed about it.
pub(super) async fn advise(redis: Redis, stopping: CancellationToken) {
    let asking = async {
        for _ in 0..TRIES {
            redis.up().await;
            match redis.one(&cmd("INFO")).await {
                Ok((_, said)) => return tell(&said),
                // it may not be asked, and will not say otherwise in a second
                Err(Silence::Refused(refusal)) => {
                    return debug!(?refusal, "the store does not say how it is set up");
                }
                Err(silence) => debug!(reason = silence.as_str(), "the store did not say how it is set up"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let _ended = stopping.run_until_cancelled(asking).await;
}

fn tell(said: &Value) {
    let info = match said {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => text.into(),
        // of several servers, none speaks for all
        _ => return,
    };
    for advice in advice(&info) {
        warn!("the shared store: {advice}");
    }
}
