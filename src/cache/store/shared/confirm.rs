//! Who has heard of a change, and who need not be waited for?

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::sabotage::{self, Bug};

use super::super::Member;
use super::lease::{LEASE_MAX, MARGIN};

/// Who is alive, and until when at most each believes its memory without having heard from the store.
type Live = HashMap<String, Instant>;

/// Stands among the living for whoever hears what is told and has not been heard of. It confirms nothing.
const STRANGER: &str = "";

/// What a script said of the fleet when something was told.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How many heard it.
    pub(super) listeners: usize,
    /// Who is alive as the store knows, each with what its lease has left.
    pub(super) members: Vec<(String, Duration)>,
}

/// The members of the fleet and what they have confirmed.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    last: AtomicU64,
    newcomer: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// As last seen or heard of. Remembered until a lease is over: a store may push out the entry of a member
    /// to make room, again and again, and what a member says is heard nevertheless.
    live: Live,
    /// Since when what members say is heard.
    hearing_since: Option<Instant>,
    /// Who was heard of since then, until all are known.
    heard_of: HashSet<String>,
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

    /// From now on, what members say is heard.
    pub(super) fn begin_hearing(&self) {
        self.lock().hearing_since = Some(Instant::now());
    }

    /// Nothing is heard any more.
    pub(super) fn end_hearing(&self) {
        let mut state = self.lock();
        state.hearing_since = None;
        state.heard_of.clear();
    }

    /// Another member has said that it is alive.
    pub(super) fn hear_of(&self, member: String) {
        let now = Instant::now();
        let mut state = self.lock();
        if state.knows_all_from().is_none_or(|from| from > now) {
            state.heard_of.insert(member.clone());
        }
        if state.live.insert(member, now + LEASE_MAX).is_none_or(|until| until <= now) {
            self.newcomer.notify_one();
        }
    }

    /// Returns when somebody is heard of who was not before.
    pub(super) async fn newcomer(&self) {
        self.newcomer.notified().await;
    }

    /// What the store says of who is alive.
    pub(super) fn see(&self, seen: Seen) {
        let now = Instant::now();
        let mut state = self.lock();
        state.live.retain(|_, until| *until > now);
        let members = seen.members.into_iter();
        state.live.extend(members.map(|(member, left)| (member, now + left + MARGIN)));
        if let Some(until) = state.is_unsure_until(seen.listeners, now) {
            state.live.insert(STRANGER.to_owned(), until);
        } else {
            state.live.remove(STRANGER);
        }
    }

    /// Who is alive, in the order of their names.
    pub(super) fn live(&self) -> Vec<Member> {
        let now = Instant::now();
        let state = self.lock();
        let live = state.live.iter().filter(|(id, until)| **until > now && *id != STRANGER);
        let mut members: Vec<Member> =
            live.map(|(id, until)| Member { id: id.clone(), lease_left: *until - now }).collect();
        members.sort_by(|one, other| one.id.cmp(&other.id));
        members
    }

    /// How many are alive.
    pub(super) fn members(&self) -> usize {
        let now = Instant::now();
        self.lock().live.iter().filter(|(id, until)| **until > now && *id != STRANGER).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whoever is alive says so more than once in the time that a lease lasts, so who hears for so long knows all.
    fn knows_all_from(&self) -> Option<Instant> {
        self.hearing_since.map(|since| since + LEASE_MAX)
    }

    /// Until when somebody may believe what they remember of whom nothing is known: before all are known, more may
    /// hear what is told than have been heard of.
    fn is_unsure_until(&self, listeners: usize, now: Instant) -> Option<Instant> {
        let (until, known) = match self.knows_all_from() {
            Some(from) => (from, 1 + self.heard_of.len()),
            None => (now + LEASE_MAX, 0),
        };
        (until > now && listeners > known).then_some(until)
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

    fn seen(listeners: usize, members: &[(&str, Duration)]) -> Seen {
        let members = members.iter().map(|(member, left)| ((*member).to_owned(), *left)).collect();
        Seen { listeners, members }
    }

    fn fleet(members: &[(&str, Duration)]) -> Confirmations {
        let confirmations = Confirmations::default();
        confirmations.see(seen(0, members));
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
        fleet.see(seen(0, &[("a", SECOND)]));
        let began = Instant::now();
        fleet.open().everybody_but("a").await;
        assert!(began.elapsed() >= SECOND);
    }

    /// How long a change is waited for that nobody confirms.
    async fn waits(fleet: &Confirmations) -> Duration {
        let began = Instant::now();
        fleet.open().everybody_but("a").await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_the_store_forgets_again_and_again_is_heard_of() {
        let fleet = fleet(&[("a", SECOND)]);
        fleet.begin_hearing();
        for _ in 0..10 {
            fleet.hear_of("b".into());
            tokio::time::advance(SECOND / 3).await;
            fleet.see(seen(2, &[("a", SECOND)]));
        }
        assert!(
            waits(&fleet).await >= SECOND * 2 / 3,
            "b may believe what it remembers until its lease ends"
        );
        assert_eq!(fleet.members(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_hears_and_is_not_known_is_waited_for_until_all_have_been_heard_of() {
        let fleet = fleet(&[]);
        fleet.see(seen(0, &[]));
        assert_eq!(
            waits(&fleet).await,
            Duration::ZERO,
            "nobody hears anything, so nobody remembers anything"
        );
        fleet.see(seen(1, &[]));
        assert!(waits(&fleet).await >= SECOND, "somebody hears, and we do not hear who");
        fleet.begin_hearing();
        fleet.see(seen(1, &[("a", SECOND)]));
        assert_eq!(waits(&fleet).await, Duration::ZERO, "it is us");
        fleet.see(seen(2, &[("a", SECOND)]));
        assert_eq!(fleet.live().len(), 1, "nobody knows who it is");
        assert!(waits(&fleet).await >= SECOND);
        fleet.see(seen(2, &[("a", SECOND)]));
        assert_eq!(waits(&fleet).await, Duration::ZERO, "whoever is alive has said so by now");
        fleet.end_hearing();
        fleet.see(seen(1, &[("a", SECOND)]));
        assert!(waits(&fleet).await >= SECOND, "nothing is heard any more");
    }
}
