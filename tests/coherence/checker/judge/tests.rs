//! A judge that never speaks proves nothing: hand-made histories, each with what must be found in it.

use super::*;

const PROXY: usize = 0;

/// A run that is told by hand; moments are milliseconds.
struct Told(Court);

impl Told {
    fn fresh() -> Self {
        Self::with(Consistency::Fresh, false)
    }

    fn with(consistency: Consistency, is_fleet: bool) -> Self {
        Self(Court::new(Terms { consistency, is_fleet, deadline: Some(5 * SECOND) }))
    }

    fn executed(&mut self, op: Op, at: u64, version: Version) {
        self.changes(op, at, Change { register: Register::Row(5), version, is_there: true });
    }

    fn changes(&mut self, op: Op, at: u64, change: Change) {
        self.0.executed(op, PROXY, vec![change], at * MILLI);
        self.0.committed(op, at * MILLI);
        self.0.finished(op, at * MILLI);
    }

    fn heard(&mut self, op: Op, from: u64, to: u64, known: Known) {
        let (start, kind) = (from * MILLI, WriteKind::Patch);
        let write = Write { op, client: 1, proxy: PROXY, who: Who(1), kind, start, known };
        self.0.write_ended(&write, to * MILLI);
    }

    /// A write that is acknowledged.
    fn write(&mut self, op: Op, from: u64, to: u64, version: Version) {
        self.executed(op, to, version);
        self.heard(op, from, to, Known::Done);
    }

    fn reads(&mut self, kind: ReadKind, from: u64, to: u64, version: Option<Version>) {
        let seen = vec![Seen { register: Register::Row(5), version }];
        let (start, status) = (from * MILLI, "hit".into());
        let read = Read { client: 2, proxy: PROXY, who: Who(1), kind, start, status, seen };
        self.0.read_ended(&read, to * MILLI);
    }

    fn read(&mut self, from: u64, to: u64, version: Version) {
        self.reads(ReadKind::Row, from, to, Some(version));
    }

    fn fails(&mut self, is_write: bool, start: Nanos, end: Nanos, why: &str) {
        self.0.failed(Attempt { proxy: PROXY, is_write, start }, end, why);
    }

    fn found(&self) -> Vec<(Violation, u64)> {
        self.0.figures.violations.iter().map(|(violation, count)| (*violation, *count)).collect()
    }
}

use super::super::words::WriteKind;

#[test]
fn a_clean_history_is_left_alone() {
    let mut told = Told::with(Consistency::Strict, true);
    told.read(0, 1, 1);
    told.write(1, 2, 10, 2);
    told.read(9, 12, 1); // began before the acknowledgement
    told.read(13, 14, 2);
    told.executed(2, 20, 3);
    told.read(21, 22, 3); // seen before it is acknowledged
    told.heard(2, 15, 30, Known::Done);
    told.read(31, 32, 3);
    told.changes(3, 40, Change { register: Register::Row(5), version: 4, is_there: false });
    told.heard(3, 35, 41, Known::Done);
    told.reads(ReadKind::Row, 42, 43, None);
    told.write(4, 44, 50, 5);
    told.read(51, 52, 5);
    told.0.settle(60 * SECOND);
    told.read(60_001, 60_002, 5);
    assert_eq!(told.found(), []);
    assert_eq!((told.0.figures.reads, told.0.figures.settled, told.0.figures.flaps), (8, 4, 0));
}

#[test]
fn a_read_after_an_acknowledgement_is_not_older() {
    let mut told = Told::fresh();
    told.write(1, 2, 10, 2);
    told.read(11, 12, 1);
    assert_eq!(told.found(), [(Violation::Stale, 1)]);
    let story = &told.0.stories[0];
    for words in
        ["user-1 sends PATCH v2 acknowledged (write 1)", "client 2   proxy 0  user-1 reads row -> v1   [hit]"]
    {
        assert!(story.contains(words), "{words} in\n{story}");
    }
}

#[test]
fn an_absence_after_an_acknowledged_insert_is_stale() {
    let mut told = Told::fresh();
    told.changes(1, 5, Change { register: Register::Row(5), version: 2, is_there: false });
    told.write(2, 6, 10, 3);
    told.reads(ReadKind::List, 11, 12, None);
    assert_eq!(told.found(), [(Violation::Stale, 1)]);
}

#[test]
fn a_bounded_read_may_be_late_but_not_too_late() {
    let mut told = Told::with(Consistency::Bounded, true);
    told.write(1, 2, 10, 2);
    told.write(2, 500, 900, 3);
    told.read(1009, 1012, 1);
    assert_eq!(told.found(), []);
    told.read(1011, 1012, 1); // 1.001 s after the first newer one was acknowledged
    assert_eq!(told.found(), [(Violation::Stale, 1)]);
    assert_eq!(told.0.figures.late.count(), 2);
}

#[test]
fn a_later_read_is_not_older_than_an_earlier_one_where_that_is_promised() {
    for (consistency, violations, flaps) in [
        (Consistency::Strict, vec![(Violation::WentBack, 1), (Violation::EntryWentBack, 1)], 0),
        (Consistency::Fresh, vec![], 2),
        (Consistency::Bounded, vec![], 2),
    ] {
        let mut told = Told::with(consistency, true);
        told.executed(1, 5, 2); // never acknowledged
        told.read(6, 8, 2);
        told.reads(ReadKind::List, 9, 10, Some(1));
        told.read(9, 10, 1);
        assert_eq!((told.found(), told.0.figures.flaps), (violations, flaps), "{consistency:?}");
        told.read(7, 11, 1); // overlaps the first one
        assert_eq!(told.0.figures.violations() + told.0.figures.flaps, 2);
    }
}

#[test]
fn nothing_is_read_before_it_is_written() {
    let mut told = Told::fresh();
    told.read(0, 1, 2);
    told.reads(ReadKind::List, 2, 3, None);
    assert_eq!(told.found(), [(Violation::FromNowhere, 2)]);
}

#[test]
fn a_write_whose_client_left_is_seen_all_the_same() {
    let mut told = Told::fresh();
    told.executed(1, 5, 2);
    told.heard(1, 2, 3, Known::Nothing);
    told.0.settle(500 * MILLI);
    told.read(501, 502, 1); // nobody was told, and the proxy has had little time
    assert_eq!(told.found(), []);
    told.0.settle(600 * MILLI);
    told.read(601, 602, 1);
    assert_eq!(told.found(), [(Violation::NeverSeen, 1)]);
}

#[test]
fn a_write_of_a_killed_proxy_is_seen_after_the_deadline() {
    let mut told = Told::with(Consistency::Fresh, true);
    told.0.weather.begin(Part::Process, Some(PROXY), 4 * MILLI);
    told.executed(1, 5, 2);
    told.heard(1, 2, 6, Known::Nothing);
    told.0.weather.end(Part::Process, Some(PROXY), 1000 * MILLI);
    told.0.settle(8_400 * MILLI);
    told.read(8_401, 8_402, 1);
    assert_eq!(told.found(), []);
    told.0.settle(8_600 * MILLI);
    told.read(8_601, 8_602, 1);
    assert_eq!(told.found(), [(Violation::NeverSeen, 1)]);
}

#[test]
fn a_write_that_nobody_alive_can_know_of_is_not_asked_for() {
    for part in [Part::Memory, Part::Store] {
        let mut told = Told::with(Consistency::Fresh, true);
        told.0.weather.begin(Part::Process, Some(PROXY), 4 * MILLI);
        told.0.weather.begin(part, None, 4 * MILLI);
        told.executed(1, 5, 2);
        told.heard(1, 2, 6, Known::Nothing);
        told.0.weather.end(part, None, 100 * MILLI);
        told.0.weather.end(Part::Process, Some(PROXY), 1000 * MILLI);
        told.0.settle(20_000 * MILLI);
        told.read(20_001, 20_002, 1);
        assert_eq!(told.found(), [], "{part:?}");
    }
}

#[test]
fn a_write_is_refused_for_want_of_the_store_only_while_it_wants() {
    for (consistency, part, at, violations) in [
        (Consistency::Strict, Part::Store, 1_500, 0),
        (Consistency::Strict, Part::Room, 1_900, 0),
        (Consistency::Strict, Part::Room, 2_200, 1),
        (Consistency::Strict, Part::Upstream, 500, 1),
        (Consistency::Strict, Part::Memory, 500, 1),
        (Consistency::Fresh, Part::Store, 500, 1),
    ] {
        let mut told = Told::with(consistency, true);
        told.0.weather.begin(part, None, 0);
        told.0.weather.end(part, None, 1_000 * MILLI);
        let attempt = Attempt { proxy: PROXY, is_write: true, start: at * MILLI };
        told.0.closed(attempt, (at + 10) * MILLI);
        let found: u64 = told.found().iter().map(|(_, count)| count).sum();
        assert_eq!(found, violations, "{consistency:?} {part:?} {at}");
    }
}

#[test]
fn what_was_acknowledged_without_the_store_is_due_when_the_store_is_back() {
    for (consistency, violations) in [(Consistency::Strict, 2), (Consistency::Fresh, 1)] {
        let mut told = Told::with(consistency, true);
        told.0.weather.begin(Part::Store, Some(PROXY), MILLI);
        told.write(1, 2, 10, 2);
        told.read(11, 12, 1);
        told.0.weather.end(Part::Store, Some(PROXY), 100 * MILLI);
        told.0.settle(2_200 * MILLI);
        told.read(2_201, 2_202, 1);
        assert_eq!(told.found(), [(Violation::Stale, violations)], "{consistency:?}");
    }
}

#[test]
fn a_write_is_carried_out_once_and_not_only_promised() {
    let mut told = Told::fresh();
    told.executed(1, 5, 2);
    told.executed(1, 6, 3);
    told.heard(2, 7, 8, Known::Done);
    told.executed(3, 9, 4);
    told.heard(3, 9, 10, Known::Refused);
    let found = [Violation::SentTwice, Violation::NotDone, Violation::RefusedAndDone];
    assert_eq!(told.found(), found.map(|violation| (violation, 1)));
}

#[test]
fn a_failure_needs_an_excuse() {
    let mut told = Told::with(Consistency::Fresh, true);
    told.0.weather.begin(Part::Store, None, 0);
    told.fails(false, MILLI, 2 * MILLI, "503");
    assert_eq!(told.found(), [(Violation::Failed, 1)], "a store that is away is no excuse");
    told.0.weather.begin(Part::Upstream, Some(PROXY + 1), 0);
    told.fails(false, MILLI, 2 * MILLI, "502");
    assert_eq!(told.found(), [(Violation::Failed, 2)], "another proxy's trouble is none either");
    told.0.weather.begin(Part::Process, Some(PROXY), 3 * MILLI);
    told.0.weather.end(Part::Process, Some(PROXY), 4 * MILLI);
    told.fails(false, 900 * MILLI, 901 * MILLI, "connection refused");
    told.fails(true, 2 * MILLI, 3 * MILLI, "connection reset");
    assert_eq!(told.found(), [(Violation::Failed, 2)]);
    told.fails(false, 1_100 * MILLI, 1_101 * MILLI, "connection refused");
    assert_eq!(told.found(), [(Violation::Failed, 3)], "not for ever");
}
