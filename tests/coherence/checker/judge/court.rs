//! Is what was read allowed by what was written, acknowledged and read before it? Pure: every moment is an argument.
//!
//! For each register the database gives its states versions in the order of commits, so a read need only be
//! compared with the greatest version that was acknowledged, and the greatest that was read, before it began.
//! Answers must be told in the order of their ends; then every judgement is final when it is made.

use std::collections::HashMap;
use std::sync::Arc;

use super::figures::Figures;
use super::staircase::Staircase;
use super::story::Recent;
use super::weather::{Part, Weather};
use super::{
    Attempt, Change, Consistency, Known, LATE_MAX, MILLI, Nanos, Op, REGISTERS, Read, ReadKind, Register,
    SECOND, Seen, Version, Violation, Who, Write,
};

/// Violations that are told in full; the rest is counted.
const STORIES_MAX: usize = 3;
/// No request lasts longer, so nothing older is ever asked about.
const HORIZON: Nanos = 120 * SECOND;
/// By then what a write changed is gone from the memory of the proxy that carried it, whoever heard the answer: a
/// task that was ready has run, even on a machine that is busy.
const SETTLE_ALONE: Nanos = SECOND / 2;
/// The same for every proxy of a fleet: one more lease.
const SETTLE_FLEET: Nanos = SETTLE_ALONE + LATE_MAX;
/// So long after a proxy has its store again it may still be replaying what it wrote without it.
const REPLAY: Nanos = 2 * SECOND;
/// Connections that a fault broke, and breakers that it opened, may fail requests for so long after it.
const AFTERMATH: Nanos = SECOND;
/// What is past its deadline is carried out by whoever is alive: proxies look for it once a second.
const SWEPT_EVERY: Nanos = SECOND;
/// Markers that a flush took away belong to writes that are over by then.
const MARKERS_GONE: Nanos = 5 * SECOND;

/// What keeps a proxy from its store.
const AWAY: [Part; 2] = [Part::Store, Part::Machine];
/// What keeps it from telling the store what it owes.
const UNTOLD: [Part; 3] = [Part::Store, Part::Machine, Part::Process];

/// What is promised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) consistency: Consistency,
    /// Do several proxies share a store?
    pub(crate) is_fleet: bool,
    /// How long an unknown outcome may stay unknown, where that was set.
    pub(crate) deadline: Option<Nanos>,
}

impl Terms {
    /// How long a write that was carried out may stay unseen.
    fn settle(self) -> Nanos {
        if self.is_fleet { SETTLE_FLEET } else { SETTLE_ALONE }
    }
}

/// Judges one run.
#[derive(Debug)]
pub(crate) struct Court {
    terms: Terms,
    registers: Vec<History>,
    pub(super) weather: Weather,
    executed: HashMap<Op, Executed>,
    /// Acknowledged without the store.
    excused: Vec<Excused>,
    pub(super) figures: Figures,
    pub(super) stories: Vec<String>,
}

/// What is known of one register.
#[derive(Debug, Default)]
struct History {
    acknowledged: Staircase,
    read: Staircase,
    /// The same for one question alone.
    entries: HashMap<(ReadKind, Who), Staircase>,
    /// What was carried out, from when on every cache has to show it.
    due: Staircase,
    made: Version,
    /// The last version in which it is not there.
    absent: Option<Version>,
    recent: Recent,
}

/// A write that the database carries out.
#[derive(Debug)]
struct Executed {
    changes: Vec<Change>,
    proxy: usize,
    begun: Nanos,
    /// When it was certain.
    committed: Option<Nanos>,
    /// When the upstream was done with the request: answered or cut.
    finished: Option<Nanos>,
    is_settled: bool,
    /// Has its client said what it knows?
    is_told: bool,
}

#[derive(Debug)]
struct Excused {
    proxy: usize,
    change: Change,
    start: Nanos,
}

impl Court {
    /// In the beginning every register is there in version 1.
    pub(crate) fn new(terms: Terms) -> Self {
        let registers = (0..REGISTERS).map(|_| History { made: 1, ..History::default() }).collect();
        let (figures, weather) = (Figures::default(), Weather::default());
        Self {
            terms,
            registers,
            weather,
            executed: HashMap::new(),
            excused: Vec::new(),
            figures,
            stories: Vec::new(),
        }
    }

    /// The database has made these versions and will commit them, unless it says otherwise.
    pub(crate) fn executed(&mut self, op: Op, proxy: usize, changes: Vec<Change>, at: Nanos) {
        for change in &changes {
            let history = &mut self.registers[change.register.index()];
            history.made = history.made.max(change.version);
            if !change.is_there {
                history.absent = Some(change.version);
            }
        }
        let register = changes.first().map(|change| change.register);
        let executed = Executed {
            changes,
            proxy,
            begun: at,
            committed: None,
            finished: None,
            is_settled: false,
            is_told: false,
        };
        if self.executed.insert(op, executed).is_some() {
            self.violated(Violation::SentTwice, register, at, &format!("write {op}"));
        }
    }

    /// It did not happen after all.
    pub(crate) fn rolled_back(&mut self, op: Op) {
        self.executed.remove(&op);
    }

    pub(crate) fn committed(&mut self, op: Op, at: Nanos) {
        let Some(executed) = self.executed.get_mut(&op) else { return };
        executed.committed = Some(at);
        executed.is_settled |= executed.changes.is_empty();
        for change in &executed.changes {
            self.registers[change.register.index()].recent.committed(op, *change, at);
        }
    }

    /// The upstream has answered, or cut the connection.
    pub(crate) fn finished(&mut self, op: Op, at: Nanos) {
        if let Some(executed) = self.executed.get_mut(&op) {
            executed.finished = Some(at);
        }
    }

    /// A client has heard of its write, or given up.
    pub(crate) fn write_ended(&mut self, write: &Write, end: Nanos) {
        let changes = match self.executed.get_mut(&write.op) {
            Some(executed) => {
                executed.is_told = true;
                executed.changes.clone()
            }
            None if write.known == Known::Done => {
                return self.violated(Violation::NotDone, None, write.start, &format!("{write:?}"));
            }
            None => Vec::new(),
        };
        match write.known {
            Known::Done => self.figures.acknowledged += 1,
            Known::Refused => self.figures.refused += 1,
            Known::Nothing => self.figures.unknown += 1,
        }
        if let (Known::Refused, Some(change)) = (write.known, changes.first()) {
            let text = format!("write {}: {}", write.op, write.kind.as_str());
            self.violated(Violation::RefusedAndDone, Some(change.register), write.start, &text);
        }
        // until it has connected again, a proxy is without its store however well the store is
        let since = write.start.saturating_sub(AFTERMATH);
        let may_wait = self.terms.is_fleet && self.terms.consistency != Consistency::Strict;
        let is_excused = may_wait && self.weather.was_bad(&AWAY, write.proxy, since, end);
        self.figures.excused_acks += u64::from(is_excused && write.known == Known::Done);
        for change in changes {
            let history = &mut self.registers[change.register.index()];
            history.recent.written(write, Some(change.version), end);
            match write.known {
                Known::Done if is_excused => {
                    self.excused.push(Excused { proxy: write.proxy, change, start: since });
                }
                Known::Done => history.acknowledged.raise(end, change.version),
                Known::Refused | Known::Nothing => {}
            }
        }
        if let Some(of_proxy) = (write.known == Known::Done).then_some(write.proxy) {
            self.figures.by_proxy.entry(of_proxy).or_default().writes.note(end.saturating_sub(write.start));
        }
    }

    /// A read was answered.
    pub(crate) fn read_ended(&mut self, read: &Read, end: Nanos) {
        self.figures.reads += 1;
        self.figures.hits += u64::from(read.status.starts_with("hit"));
        match self.figures.by_status.get_mut(&*read.status) {
            Some(count) => *count += 1,
            None => drop(self.figures.by_status.insert(Arc::clone(&read.status), 1)),
        }
        let of_proxy = self.figures.by_proxy.entry(read.proxy).or_default();
        of_proxy.reads.note(end.saturating_sub(read.start));
        for seen in &read.seen {
            self.judge(read, *seen, end);
        }
    }

    /// Compares one register of a read with everything that was known before the read began.
    fn judge(&mut self, read: &Read, seen: Seen, end: Nanos) {
        self.figures.seen += 1;
        let history = &mut self.registers[seen.register.index()];
        history.recent.read(read, seen, end);
        // an absence may be any; the latest is what speaks best for the proxy
        let found = match seen.version.or(history.absent) {
            Some(version) if version <= history.made => version,
            Some(_) | None => {
                let text = format!("{} has no such state yet; made are {}", seen.register, history.made);
                return self.violated(Violation::FromNowhere, Some(seen.register), read.start, &text);
            }
        };
        let (acknowledged_at, acknowledged) = history.acknowledged.before(read.start);
        let (read_at, earlier) = history.read.before(read.start);
        let (due_at, due) = history.due.before(read.start);
        let lane = history.entries.entry((read.kind, read.who)).or_default();
        let (entry_at, entry) = lane.before(read.start);
        if let Some(version) = seen.version {
            history.read.raise(end, version);
            lane.raise(end, version);
        }
        let register = Some(seen.register);
        if found < acknowledged {
            let since = history.acknowledged.first_above(found).unwrap_or(acknowledged_at);
            let late = read.start.saturating_sub(since);
            self.figures.late.note(late);
            if late > self.terms.consistency.late_max() {
                let text = format!(
                    "proxy {} shows v{found} of {} to {}; v{acknowledged} was acknowledged, {:.3} ms before this read began a newer one than v{found}",
                    read.proxy,
                    seen.register,
                    read.who,
                    late as f64 / MILLI as f64,
                );
                self.violated(Violation::Stale, register, since, &text);
            }
        } else if found < due {
            let since = due_at.saturating_sub(self.terms.settle());
            let text = format!(
                "proxy {} still shows v{found} of {}; v{due} was carried out long ago",
                read.proxy, seen.register
            );
            self.violated(Violation::NeverSeen, register, since, &text);
        } else if found < earlier {
            let text = format!(
                "proxy {} shows v{found} of {}; v{earlier} was read before",
                read.proxy, seen.register
            );
            let (kind, since) = if found < entry {
                (Violation::EntryWentBack, entry_at)
            } else {
                (Violation::WentBack, read_at)
            };
            if self.promises_no_way_back(read, end) {
                self.violated(kind, register, since, &text);
            } else {
                self.figures.flaps += 1;
                self.figures.entry_flaps += u64::from(kind == Violation::EntryWentBack);
            }
        }
    }

    /// Markers that the store lost on the way promise nothing.
    fn promises_no_way_back(&self, read: &Read, end: Nanos) -> bool {
        let since = read.start.saturating_sub(MARKERS_GONE);
        self.terms.consistency == Consistency::Strict
            && !self.weather.was_bad(&[Part::Memory], read.proxy, since, end)
    }

    /// A read or a write failed although nobody refused it.
    pub(crate) fn failed(&mut self, attempt: Attempt, end: Nanos, why: &str) {
        let Attempt { proxy, is_write, start } = attempt;
        let mut may_fail = vec![Part::Clients, Part::Process, Part::Upstream];
        if is_write {
            may_fail.push(Part::Answers);
        }
        self.figures.excused_reads += u64::from(!is_write);
        if !self.weather.was_bad(&may_fail, proxy, start.saturating_sub(AFTERMATH), end) {
            let text = format!("proxy {proxy}, {:.1} ms: {why}", (end - start) as f64 / MILLI as f64);
            self.figures.excused_reads -= u64::from(!is_write);
            self.violated(Violation::Failed, None, start, &text);
        }
    }

    /// A proxy refused a write, because it could not mark what that would change.
    pub(crate) fn closed(&mut self, attempt: Attempt, end: Nanos) {
        let Attempt { proxy, start, .. } = attempt;
        self.figures.closed += 1;
        // a proxy that has just begun, or stood still, is without its store for a moment
        let may_refuse = [Part::Store, Part::Machine, Part::Room, Part::Process];
        let is_excused = self.terms.consistency == Consistency::Strict
            && self.weather.was_bad(&may_refuse, proxy, start.saturating_sub(AFTERMATH), end);
        if !is_excused {
            let took = (end - start) as f64 / MILLI as f64;
            let text = format!("proxy {proxy}, {took:.1} ms: refused a write while its store was there");
            self.violated(Violation::Failed, None, start, &text);
        }
    }

    /// Counts a violation, and tells the first few in full.
    pub(crate) fn violated(
        &mut self,
        violation: Violation,
        register: Option<Register>,
        since: Nanos,
        text: &str,
    ) {
        *self.figures.violations.entry(violation).or_default() += 1;
        if violation.is_wrong_answer() {
            self.figures.first.get_or_insert(violation);
        }
        if self.stories.len() < STORIES_MAX {
            let history = register.map(|register| self.registers[register.index()].recent.story(since));
            self.stories.push(format!("{}\n  {text}\n{}", violation.as_str(), history.unwrap_or_default()));
        }
    }

    /// What has become certain with time: to be called several times a second.
    pub(crate) fn settle(&mut self, now: Nanos) {
        let (weather, registers, terms) = (&self.weather, &mut self.registers, self.terms);
        self.excused.retain(|excused| {
            let calm = weather.calm_since(&UNTOLD, excused.proxy, excused.start, now);
            let is_over = calm.is_some_and(|calm| now >= calm + REPLAY);
            if is_over {
                registers[excused.change.register.index()].acknowledged.raise(now, excused.change.version);
            }
            !is_over
        });
        let mut settled = 0;
        for executed in self.executed.values_mut().filter(|executed| !executed.is_settled) {
            match executed.verdict(weather, terms, now) {
                Settling::NotYet => {}
                Settling::Never => executed.is_settled = true,
                Settling::Now => {
                    executed.is_settled = true;
                    settled += 1;
                    for change in &executed.changes {
                        registers[change.register.index()].due.raise(now, change.version);
                    }
                }
            }
        }
        self.figures.settled += settled;
        self.executed.retain(|_, executed| !(executed.is_settled && executed.is_told));
        let horizon = now.saturating_sub(HORIZON);
        for history in &mut self.registers {
            let lanes = history.entries.values_mut();
            [&mut history.acknowledged, &mut history.read, &mut history.due]
                .into_iter()
                .chain(lanes)
                .for_each(|stairs| stairs.forget_before(horizon));
        }
        self.weather.forget_before(horizon);
    }
}

/// Must every cache show a write by now?
enum Settling {
    NotYet,
    Now,
    /// Nothing bounds how long it may take.
    Never,
}

impl Executed {
    /// Can it be that nobody alive knows that it was under way? The store lost its memory, or could not be
    /// told before the proxy died.
    fn is_forgotten(&self, weather: &Weather, now: Nanos) -> bool {
        let since = self.begun.saturating_sub(AFTERMATH);
        let ended = self.finished.max(self.committed).unwrap_or(now);
        weather.was_bad(&[Part::Memory], self.proxy, self.begun, now)
            || weather.was_bad(&AWAY, self.proxy, since, ended)
                && weather.was_bad(&[Part::Process], self.proxy, self.begun, now)
    }

    fn verdict(&self, weather: &Weather, terms: Terms, now: Nanos) -> Settling {
        let (Some(committed), Some(finished)) = (self.committed, self.finished) else {
            return Settling::NotYet;
        };
        let parts = [Part::Process, Part::Store, Part::Machine, Part::Upstream];
        let Some(calm) = weather.calm_since(&parts, self.proxy, self.begun, now) else {
            return Settling::NotYet;
        };
        let ended = committed.max(finished);
        // its proxy heard of the end, and was there to act on it
        if committed <= finished && calm == self.begun {
            return if now >= ended + terms.settle() { Settling::Now } else { Settling::NotYet };
        }
        if self.is_forgotten(weather, now) {
            return Settling::Never;
        }
        match terms.deadline {
            None => Settling::Never,
            Some(deadline) if now >= ended.max(calm) + deadline + SWEPT_EVERY + terms.settle() => {
                Settling::Now
            }
            Some(_) => Settling::NotYet,
        }
    }
}
