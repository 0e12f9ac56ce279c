//! Another process is fetching what nobody has: look again until it is there, or until it is our turn.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::flight::Ticket;
use super::store::{Found, Name, Turn};
use super::{Cache, Lookup};

/// Before it is looked again for what another process fetches: a quick upstream has answered by then.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// The same once it has taken a while; each look is two questions to the store.
const LOOK_AGAIN_AFTER_MAX: Duration = Duration::from_millis(50);

/// Longest wait for others, however many take their turns before us.
const AWAITED_MAX: Duration = Duration::from_secs(2);

impl Cache {
    /// Looks again until another process's fetch has come to something. Whoever wants the same here waits for this
    /// ticket meanwhile.
    ///
    /// Cancel safe: dropping it drops the ticket, and a waiter takes over.
    pub(super) async fn after_others(&self, name: &Name<'_>, ticket: Ticket) -> Lookup {
        let give_up = Instant::now() + AWAITED_MAX;
        let mut pause = LOOK_AGAIN_AFTER;
        loop {
            sleep(pause).await;
            pause = (2 * pause).min(LOOK_AGAIN_AFTER_MAX);
            match self.find(name).await {
                Found::Missing(stamp, Turn::Theirs) if ticket.is_of(&stamp) && Instant::now() < give_up => {}
                Found::Missing(stamp, turn) if ticket.is_of(&stamp) && turn != Turn::Refused => {
                    return Lookup::Miss(ticket.in_turn(turn));
                }
                // it is there, or something has changed: nobody need wait for what this ticket was for
                found => {
                    drop(ticket);
                    return self.found(name, found);
                }
            }
        }
    }
}
