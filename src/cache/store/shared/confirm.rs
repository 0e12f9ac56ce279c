//! Who has heard of a change, and who need not be waited for?

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::sabotage::{self, Bug};

use super::super::Member;
use super::lease::MARGIN;

/// Who is alive, and until when at most each believes its memory without having heard from the store.
type Live = HashMap<String, Instant>;

/// The members of the fleet and what they have confirmed.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    last: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// As last seen. Remembered until a lease is over, so that a member whose entry the store has
    /// pushed out to make room is waited for nevertheless.
    live: Live,
    awaited: HashMap<u64, Awaited>,
}

/// A change of ours that others confirm.
#[derive(Debug, Default)]
struct Awaited {
    by: HashSet<String>,
    more: Arc<Notify>,
}

/// The right to wait for one change's confirmations; forgotten when dropped.
#[derive(Debug)]
pub(super) struct Awaiting<'a> {
    pub(super) number: u64,
    more: Arc<Notify>,
    confirmations: &'a Confirmations,
}

impl Confirmations {
    /// Numbers a change, before anybody hears of it.
    pub(super) fn open(&self) -> Awaiting<'_> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let more = Arc::new(Notify::new());
        let awaited = Awaited { by: HashSet::new(), more: Arc::clone(&more) };
        self.lock().awaited.insert(number, awaited);
        Awaiting { number, more, confirmations: self }
    }

    /// A member has heard of a change.
    pub(super) fn confirm(&self, number: u64, member: String) {
        if let Some(awaited) = self.lock().awaited.get_mut(&number) {
            awaited.by.insert(member);
            awaited.more.notify_one();
        }
    }

    /// What the store says of who is alive: each with what its lease has left.
    pub(super) fn see(&self, members: Vec<(String, Duration)>) {
        let now = Instant::now();
        let live = &mut self.lock().live;
        live.retain(|_, until| *until > now);
        live.extend(members.into_iter().map(|(member, left)| (member, now + left + MARGIN)));
    }

    /// Who is alive, in the order of their names.
    pub(super) fn live(&self) -> Vec<Member> {
        let now = Instant::now();
        let state = self.lock();
        let live = state.live.iter().filter(|(_, until)| **until > now);
        let mut members: Vec<Member> =
            live.map(|(id, until)| Member { id: id.clone(), lease_left: *until - now }).collect();
        members.sort_by(|one, other| one.id.cmp(&other.id));
        members
    }

    /// How many are alive.
    pub(super) fn members(&self) -> usize {
        let now = Instant::now();
        self.lock().live.values().filter(|until| **until > now).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaiting<'_> {
    /// Returns when every other member has confirmed, or can no longer believe what it remembers.
    pub(super) async fn everybody_but(self, own: &str) {
        // whoever comes later has heard nothing of it, and remembers nothing from before it
        if sabotage::is(Bug::ConfirmationsNotAwaited) {
            return;
        }
        let mut asked = self.confirmations.lock().live.clone();
        asked.remove(own);
        while let Some(until) = self.missing(&asked) {
            let _confirmed_or_over = tokio::time::timeout_at(until, self.more.notified()).await;
        }
    }

    /// Until when it makes sense to wait for those who have not confirmed.
    fn missing(&self, asked: &Live) -> Option<Instant> {
        let now = Instant::now();
        let state = self.confirmations.lock();
        let by = &state.awaited.get(&self.number)?.by;
        let missing = asked.iter().filter(|(member, until)| **until > now && !by.contains(*member));
        missing.map(|(_, until)| *until).max()
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.confirmations.lock().awaited.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fleet(members: &[(&str, Duration)]) -> Confirmations {
        let confirmations = Confirmations::default();
        confirmations.see(members.iter().map(|(member, left)| ((*member).to_owned(), *left)).collect());
        confirmations
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_oneself_or_for_nobody() {
        let began = Instant::now();
        fleet(&[]).open().everybody_but("a").await;
        fleet(&[("a", SECOND)]).open().everybody_but("a").await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_waits_until_everybody_has_confirmed_it() {
        let fleet = fleet(&[("a", SECOND), ("b", SECOND), ("c", SECOND)]);
        let (one, other) = (fleet.open(), fleet.open());
        fleet.confirm(one.number, "b".into());
        fleet.confirm(other.number, "b".into());
        fleet.confirm(one.number, "c".into());
        let began = Instant::now();
        one.everybody_but("a").await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        other.everybody_but("a").await;
        assert!(began.elapsed() >= SECOND, "c has not confirmed the other, so its lease must run out");
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_the_store_forgot_is_waited_for_until_its_lease_ends() {
        let fleet = fleet(&[("a", SECOND), ("b", SECOND)]);
        fleet.see(vec![("a".into(), SECOND)]);
        let began = Instant::now();
        fleet.open().everybody_but("a").await;
        assert!(began.elapsed() >= SECOND);
    }
}
