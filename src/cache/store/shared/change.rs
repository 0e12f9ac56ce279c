//! Writing: announced, carried out, taken back, or swept up after somebody who died.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::consistency::Consistency;
use crate::key::Tag;
use crate::redis::{Silence, Value, cmd};
use crate::sabotage::{self, Bug};

use super::super::{Announced, Change, Closed};
use super::confirm::Seen;
use super::counts::add;
use super::lease::DELTA;
use super::message::{Changed, Intended, heard, tags as tags_of, texts, told};
use super::{SharedStore, millis, random, scripts};

/// Most overdue announcements that one sweep carries out.
const SWEPT_MAX: &[u8] = b"64";

/// Pause before a store that answers others is asked again.
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// More tags than this are told as everything: a message has a bound.
const TOLD_MAX: usize = 20_000;

impl Announced {
    /// The identity of one that the store knows; none has the number 0.
    fn of(tags: Vec<Tag>, consistency: Consistency, id: u64) -> Self {
        Self { id, tags: tags.into(), consistency }
    }

    /// Does the store know it?
    pub(super) fn is_recorded(&self) -> bool {
        self.id != 0
    }

    fn name(&self) -> String {
        format!("{:016x}", self.id)
    }

    fn is_marked(&self) -> bool {
        self.consistency == Consistency::Strict
    }
}

impl SharedStore {
    /// Notes a write before it is forwarded. Under `strict` nobody reads from the cache what it
    /// may change when this returns.
    pub(super) async fn note(&self, tags: Vec<Tag>, consistency: Consistency) -> Result<Announced, Closed> {
        let announced = Announced::of(tags, consistency, random().max(1));
        let (name, deadline) = (announced.name(), millis(self.memory.commit_deadline()));
        let intended = told(&Intended { is_marked: announced.is_marked(), tags: texts(&announced.tags) });
        if announced.is_marked() && !sabotage::is(Bug::MarkerLeftOut) {
            let give_up = tokio::time::Instant::now() + DELTA;
            while self.mark(&announced, &deadline, &intended).await.is_err() {
                if !self.comes_back(give_up).await {
                    // the store may have heard it nevertheless
                    self.journal.owe(&[], Some(announced));
                    return Err(Closed);
                }
            }
            return Ok(announced);
        }
        let keys = [self.names.intents.as_str(), &self.names.intended];
        let args = [name.as_bytes(), deadline.as_bytes(), &intended];
        match self.redis.script(&scripts::ANNOUNCE, &keys, &args).await {
            Ok(_) => Ok(announced),
            Err(_silence) => {
                add(&self.counts.unannounced);
                Ok(Announced { id: 0, ..announced })
            }
        }
    }

    async fn mark(&self, announced: &Announced, deadline: &str, intended: &[u8]) -> Result<(), Silence> {
        let mut names =
            vec![self.names.intents.clone(), self.names.intended.clone(), self.names.fleet.clone()];
        for tag in &announced.tags {
            names.extend([self.names.writes(tag), self.names.marker(tag), self.names.generation(tag)]);
        }
        let awaiting = self.confirmations.open();
        let message = self.message(awaiting.number, &announced.tags);
        let name = announced.name();
        let args = [
            self.names.changed.as_bytes(),
            &message,
            self.names.member.as_bytes(),
            name.as_bytes(),
            deadline.as_bytes(),
            intended,
        ];
        let said = self.redis.script(&scripts::MARK, &refs(&names), &args).await;
        self.memory.bump(&announced.tags);
        let (_, live) = said?;
        self.heard_from_store();
        self.confirmations.see(seen(&live));
        awaiting.everybody_but(&self.own).await;
        Ok(())
    }

    /// Carries out a change: in the store, here, and, unless nobody relies on it, wherever
    /// somebody remembers otherwise. What the store cannot be told is owed to it.
    pub(super) async fn carry_out(&self, change: Change<'_>) {
        let is_waited_for = change.consistency > Consistency::Bounded;
        let announced = change.announced.filter(Announced::is_recorded);
        let awaiting = self.confirmations.open();
        let give_up = tokio::time::Instant::now() + DELTA;
        let told = loop {
            match self.tell_and_unmark(change.tags, announced.as_ref(), awaiting.number).await {
                Err(_silence) if is_waited_for && self.comes_back(give_up).await => {} // and is told again
                told => break told,
            }
        };
        // after the store: whatever was loaded from it before this is overtaken
        self.memory.bump(change.tags);
        match told {
            Ok(live) => {
                self.confirmations.see(live);
                if is_waited_for {
                    awaiting.everybody_but(&self.own).await;
                }
            }
            Err(_silence) => self.journal.owe(change.tags, announced),
        }
    }

    async fn tell_and_unmark(
        &self,
        tags: &[Tag],
        announced: Option<&Announced>,
        number: u64,
    ) -> Result<Seen, Silence> {
        let (marked, plain) = match announced {
            Some(announced) if announced.is_marked() => (Some(announced), None),
            plain => (None, plain),
        };
        let live = self.tell(tags, plain.into_iter(), number).await?;
        // the marker goes last: until then nobody who is strict looks at what is changed here
        if let Some(marked) = marked {
            self.unmark(marked).await?;
        }
        self.heard_from_store();
        Ok(live)
    }

    /// Tells the store, and through it everybody, what has changed.
    pub(super) async fn tell<'a>(
        &self,
        tags: &[Tag],
        completed: impl Iterator<Item = &'a Announced>,
        number: u64,
    ) -> Result<Seen, Silence> {
        let everything = [Tag::everything()];
        let tags = if tags.len() > TOLD_MAX { &everything } else { tags };
        let mut names =
            vec![self.names.intents.clone(), self.names.intended.clone(), self.names.fleet.clone()];
        names.extend(tags.iter().map(|tag| self.names.generation(tag)));
        if sabotage::is(Bug::GenerationsKept) {
            names.truncate(3);
        }
        let message = if tags.is_empty() { Vec::new() } else { self.message(number, tags) };
        let completed = completed.map(Announced::name).collect::<Vec<_>>();
        let mut args = vec![self.names.changed.as_bytes(), &message, self.names.member.as_bytes()];
        args.extend(completed.iter().map(String::as_bytes));
        let (_, live) = self.redis.script(&scripts::CHANGE, &refs(&names), &args).await?;
        Ok(seen(&live))
    }

    fn message(&self, number: u64, tags: &[Tag]) -> Vec<u8> {
        told(&Changed { by: self.own.clone(), number, tags: texts(tags) })
    }

    /// Ends the time in which nobody who is strict reads from the cache what a write may change.
    pub(super) async fn unmark(&self, announced: &Announced) -> Result<(), Silence> {
        let mut names = vec![self.names.intents.clone(), self.names.intended.clone()];
        for tag in &announced.tags {
            names.extend([self.names.writes(tag), self.names.marker(tag)]);
        }
        let name = announced.name();
        self.redis.script(&scripts::UNMARK, &refs(&names), &[name.as_bytes()]).await.map(|_| ())
    }

    /// Nothing came of a write.
    pub(super) async fn take_back(&self, announced: Announced) {
        if !announced.is_recorded() {
            return;
        }
        let told = if announced.is_marked() {
            self.unmark(&announced).await
        } else {
            self.tell(&[], std::iter::once(&announced), 0).await.map(|_| ())
        };
        if told.is_err() {
            self.journal.owe(&[], Some(announced));
        }
    }

    /// The store answered us.
    pub(super) fn heard_from_store(&self) {
        if self.silent_since.load(Ordering::Relaxed) != 0 {
            self.silent_since.store(0, Ordering::Release);
        }
    }

    /// Waits for a store that did not answer, until nobody who lost it as we did can still believe
    /// what it remembers; then, or when it is time to give up, says that it does not come back.
    /// Those who still reach it are told when we reach it again.
    async fn comes_back(&self, give_up: tokio::time::Instant) -> bool {
        let now = self.clock.boot_millis();
        let since = match self.silent_since.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => now,
            Err(since) => since,
        };
        let left = DELTA.saturating_sub(Duration::from_millis(now.saturating_sub(since)));
        let left = left.min(give_up.saturating_duration_since(tokio::time::Instant::now()));
        if left.is_zero() {
            return false;
        }
        if self.redis.is_up() {
            tokio::time::sleep(left.min(ASKED_AGAIN_AFTER)).await;
            return true;
        }
        tokio::time::timeout(left, self.redis.up()).await.is_ok()
    }

    /// Pays what is owed to the store, all of it at once.
    pub(super) async fn pay(&self) -> Result<(), Silence> {
        let (owed, changes) = self.journal.take();
        if changes == 0 {
            return Ok(());
        }
        let tags = owed.tags.iter().cloned().collect::<Vec<_>>();
        let plain = owed.announced.iter().filter(|announced| !announced.is_marked());
        let told = match sabotage::is(Bug::JournalNotReplayed) {
            true => Ok(Seen::default()),
            false => self.tell(&tags, plain, 0).await,
        };
        let unmarked = match told {
            Ok(_) => self.unmark_all(owed.announced.iter().filter(|announced| announced.is_marked())).await,
            Err(silence) => Err(silence),
        };
        self.memory.bump(&tags);
        match unmarked {
            Ok(()) => self.journal.paid(changes),
            Err(_) => self.journal.put_back(owed),
        }
        unmarked
    }

    /// Tells the store who changes something softly, and says whether it has heard.
    pub(super) async fn tell_of_writer(&self, writer: &[u8; 32], lasts: Duration) -> bool {
        let mut set = cmd("SET");
        set.arg(self.names.writer(writer)).arg("1").arg("PX").arg(millis(lasts.max(DELTA)));
        self.redis.one(&set).await.is_ok()
    }

    /// Whether the store knows somebody as a writer, or cannot say.
    pub(super) async fn knows_of_writer(&self, caller: &[u8; 32]) -> bool {
        let mut get = cmd("EXISTS");
        get.arg(self.names.writer(caller));
        !matches!(self.redis.one(&get).await, Ok((_, Value::Int(0))))
    }

    async fn unmark_all<'a>(&self, marked: impl Iterator<Item = &'a Announced>) -> Result<(), Silence> {
        for announced in marked {
            self.unmark(announced).await?;
        }
        Ok(())
    }

    /// Carries out what is past its deadline, whoever announced it.
    pub(super) async fn carry_out_overdue(&self, now: Instant) -> Vec<Tag> {
        let mut settled = self.memory.settled(now);
        if !settled.is_empty() {
            let change = Change { tags: &settled, announced: None, consistency: Consistency::Fresh };
            self.carry_out(change).await;
        }
        let keys = [self.names.intents.as_str(), &self.names.intended];
        let Ok((_, Value::Array(overdue))) = self.redis.script(&scripts::OVERDUE, &keys, &[SWEPT_MAX]).await
        else {
            return settled;
        };
        for pair in overdue.chunks_exact(2).filter(|_| !sabotage::is(Bug::IntentsNotSwept)) {
            if let Some(announced) = announced(pair) {
                let tags = announced.tags.clone();
                let consistency = announced.consistency;
                self.carry_out(Change { tags: &tags, announced: Some(announced), consistency }).await;
                settled.extend(tags);
            }
        }
        settled
    }
}

/// An announcement as the store holds it.
fn announced(pair: &[Value]) -> Option<Announced> {
    let [Value::BulkString(name), Value::BulkString(intended)] = pair else { return None };
    let id = u64::from_str_radix(std::str::from_utf8(name).ok()?, 16).ok()?;
    // what cannot be read was written by another version: it may be about anything
    let intended = heard::<Intended>(intended)
        .unwrap_or_else(|| Intended { is_marked: false, tags: texts(&[Tag::everything()]) });
    let consistency = if intended.is_marked { Consistency::Strict } else { Consistency::Fresh };
    Some(Announced { id, tags: tags_of(&intended.tags).into(), consistency })
}

/// Who is alive, as scripts answer: how many heard what was said, then identities, each followed by the
/// milliseconds of its lease.
pub(super) fn seen(said: &Value) -> Seen {
    let Value::Array(said) = said else { return Seen::default() };
    let Some((Value::Int(listeners), said)) = said.split_first() else { return Seen::default() };
    let member = |pair: &[Value]| match pair {
        [Value::BulkString(name), Value::Int(left)] => {
            let left = Duration::from_millis(u64::try_from(*left).unwrap_or_default());
            Some((String::from_utf8_lossy(name).into_owned(), left))
        }
        _ => None,
    };
    let listeners = usize::try_from(*listeners).unwrap_or_default();
    Seen { listeners, members: said.chunks_exact(2).filter_map(member).collect() }
}

fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}
