//! One fetch among all who share the store: whose turn is it, and when is it over?
//!
//! Whoever finds nothing takes the turn in the very step that reads the generations, so it costs no round trip. The
//! others look up again, a little later each time, and find what was fetched. A turn is bounded, and it is bound to the
//! generations: who comes after a write never waits for a fetch from before it.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::key::Fingerprint;

use super::super::super::fill::REFUSED_FOR;
use super::{SharedStore, millis, scripts};

/// How long a turn lasts at most: whoever had it may be dead. About as long as a slow upstream takes.
pub(super) const TURN_LASTS: Duration = Duration::from_secs(2);

/// Turns that wait to be ended. One that is dropped lasts until its time is over.
const ENDED_MAX: usize = 10_000;

/// So many are ended at once.
const AT_ONCE_MAX: usize = 100;

/// A turn that is over: the name of its answer, and whether that cannot be kept.
pub(super) type Ended = (Fingerprint, bool);

/// Where those whose turn is over say so, and where that is heard.
pub(super) fn ended() -> (mpsc::Sender<Ended>, mpsc::Receiver<Ended>) {
    mpsc::channel(ENDED_MAX)
}

impl SharedStore {
    /// Is anybody else alive, to be waited for or to wait?
    pub(super) fn has_company(&self) -> bool {
        self.confirmations.members() > 1
    }

    /// Lets others fetch what this process has fetched, or could not.
    pub(super) async fn end_turns(&self, ended: &mut mpsc::Receiver<Ended>) {
        let mut over = Vec::with_capacity(AT_ONCE_MAX);
        while ended.recv_many(&mut over, AT_ONCE_MAX).await > 0 {
            let names: Vec<String> =
                over.iter().map(|(fingerprint, _)| self.names.turn(fingerprint)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let remembered = millis(REFUSED_FOR);
            let mut args = vec![self.own.as_bytes(), remembered.as_bytes()];
            args.extend(over.drain(..).map(|(_, is_refused)| if is_refused { &b"refused"[..] } else { b"" }));
            // where this fails, they end by themselves
            let _ended = self.redis.script(&scripts::TURNS_OVER, &names, &args).await;
        }
    }
}
