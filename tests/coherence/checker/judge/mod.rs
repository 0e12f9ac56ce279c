//! Who listens to everything, and says at once what must not have happened?
//!
//! [`Court`] decides; [`Judge`] lets many tasks speak to it. The end of an answer is the moment at which its
//! teller got hold of the judge: so answers are told in the order of their ends, and no judgement has to wait.

mod court;
mod figures;
mod staircase;
mod story;
#[cfg(test)]
mod tests;
mod violation;
mod weather;

pub(crate) use court::{Court, Terms};
pub(crate) use figures::Figures;
pub(crate) use violation::{Consistency, LATE_MAX, Violation};
pub(crate) use weather::Part;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::words::{
    Attempt, Change, Known, MILLI, Nanos, Op, REGISTERS, Read, ReadKind, Register, SECOND, Seen, Version,
    Who, Write, WriteKind,
};

/// The court, for many tasks. A plain mutex: held for one judgement, never across an await.
#[derive(Debug)]
pub(crate) struct Judge {
    began: Instant,
    court: Mutex<Court>,
}

impl Judge {
    pub(crate) fn new(terms: Terms) -> Self {
        Self { began: Instant::now(), court: Mutex::new(Court::new(terms)) }
    }

    /// What time it is in this history.
    pub(crate) fn now(&self) -> Nanos {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(Nanos::MAX)
    }

    /// Does something at a moment that nobody else's comes before.
    fn at_once<T>(&self, act: impl FnOnce(&mut Court, Nanos) -> T) -> T {
        let mut court = self.court();
        let now = self.now();
        act(&mut court, now)
    }

    fn court(&self) -> MutexGuard<'_, Court> {
        self.court.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn executed(&self, op: Op, proxy: usize, changes: Vec<Change>) {
        self.at_once(|court, now| court.executed(op, proxy, changes, now));
    }

    pub(crate) fn rolled_back(&self, op: Op) {
        self.court().rolled_back(op);
    }

    pub(crate) fn committed(&self, op: Op) {
        self.at_once(|court, now| court.committed(op, now));
    }

    pub(crate) fn finished(&self, op: Op) {
        self.at_once(|court, now| court.finished(op, now));
    }

    pub(crate) fn write_ended(&self, write: &Write) {
        self.at_once(|court, now| court.write_ended(write, now));
    }

    pub(crate) fn read_ended(&self, read: &Read) {
        self.at_once(|court, now| court.read_ended(read, now));
    }

    pub(crate) fn failed(&self, attempt: Attempt, why: &str) {
        self.at_once(|court, now| court.failed(attempt, now, why));
    }

    pub(crate) fn closed(&self, attempt: Attempt) {
        self.at_once(|court, now| court.closed(attempt, now));
    }

    /// Something that needs no comparison with other answers.
    pub(crate) fn violated(&self, violation: Violation, text: &str) {
        self.at_once(|court, now| court.violated(violation, None, now, text));
    }

    pub(crate) fn begin(&self, part: Part, proxy: Option<usize>) {
        self.at_once(|court, now| court.weather.begin(part, proxy, now));
    }

    /// The same, from an earlier moment on; nobody but this proxy is concerned.
    pub(crate) fn begin_at(&self, at: Nanos, part: Part, proxy: usize) {
        let mut court = self.court();
        court.weather.begin(part, Some(proxy), at);
        court.figures.slow += u64::from(part == Part::Machine);
    }

    pub(crate) fn end(&self, part: Part, proxy: Option<usize>) {
        self.at_once(|court, now| court.weather.end(part, proxy, now));
    }

    pub(crate) fn settle(&self) {
        self.at_once(Court::settle);
    }

    pub(crate) fn figures(&self) -> Figures {
        self.court().figures.clone()
    }

    pub(crate) fn stories(&self) -> Vec<String> {
        self.court().stories.clone()
    }
}
