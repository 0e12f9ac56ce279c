//! The shortest history around a violation: who wrote what, and who read what through which proxy.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Change, Known, MILLI, Nanos, Read, ReadKind, Seen, Version, Who, Write, WriteKind};

/// Operations on one register that are remembered for a story.
const REMEMBERED: usize = 256;
/// Operations that a story tells beside the two that contradict each other.
const TOLD_MAX: usize = 14;

/// The latest operations on one register.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<Told>);

#[derive(Debug)]
struct Told {
    start: Nanos,
    end: Nanos,
    /// What it is about; nothing for what is not known.
    version: Option<Version>,
    what: What,
}

#[derive(Debug)]
enum What {
    Read { client: usize, proxy: usize, who: Who, kind: ReadKind, status: Arc<str> },
    Written { op: u64, client: usize, proxy: usize, who: Who, kind: WriteKind, known: Known },
    Committed { op: u64, is_there: bool },
}

impl Recent {
    fn tell(&mut self, told: Told) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(told);
    }

    pub(crate) fn read(&mut self, read: &Read, seen: Seen, end: Nanos) {
        let (client, proxy, who, kind) = (read.client, read.proxy, read.who, read.kind);
        let what = What::Read { client, proxy, who, kind, status: Arc::clone(&read.status) };
        self.tell(Told { start: read.start, end, version: seen.version, what });
    }

    pub(crate) fn written(&mut self, write: &Write, version: Option<Version>, end: Nanos) {
        let Write { op, client, proxy, who, kind, known, .. } = *write;
        let what = What::Written { op, client, proxy, who, kind, known };
        self.tell(Told { start: write.start, end, version, what });
    }

    pub(crate) fn committed(&mut self, op: u64, change: Change, at: Nanos) {
        let what = What::Committed { op, is_there: change.is_there };
        self.tell(Told { start: at, end: at, version: Some(change.version), what });
    }

    /// What happened from shortly before `from` to now, as few lines as tell it.
    pub(crate) fn story(&self, from: Nanos) -> String {
        let mut told: Vec<&Told> =
            self.0.iter().filter(|told| told.end >= from.saturating_sub(MILLI)).collect();
        told.sort_by_key(|told| told.start);
        // writes and commits say what should have been seen; of the reads the last ones matter
        let reads = told.iter().filter(|told| matches!(told.what, What::Read { .. })).count();
        let mut spared = reads.saturating_sub(TOLD_MAX);
        told.retain(|told| match told.what {
            What::Read { .. } if spared > 0 => {
                spared -= 1;
                false
            }
            What::Read { .. } | What::Written { .. } | What::Committed { .. } => true,
        });
        let first = told.len().saturating_sub(2 * TOLD_MAX);
        told[first..].iter().fold(String::new(), |text, told| text + &line(told, from))
    }
}

fn line(told: &Told, from: Nanos) -> String {
    // both are far below 2^52
    let millis = |moment: Nanos| (moment as f64 - from as f64) / MILLI as f64;
    let mut line = format!("  {:>9.3} … {:>9.3} ms  ", millis(told.start), millis(told.end));
    let version = told.version.map_or("absent".to_owned(), |version| format!("v{version}"));
    let _infallible = match &told.what {
        What::Read { client, proxy, who, kind, status } => {
            let kind = kind.as_str();
            writeln!(line, "client {client:<3} proxy {proxy}  {who} reads {kind} -> {version}   [{status}]")
        }
        What::Written { op, client, proxy, who, kind, known } => {
            let known = match known {
                Known::Done => "acknowledged",
                Known::Refused => "refused",
                Known::Nothing => "outcome unknown to its client",
            };
            let version = told.version.map_or(String::new(), |version| format!(" v{version}"));
            let kind = kind.as_str();
            writeln!(
                line,
                "client {client:<3} proxy {proxy}  {who} sends {kind}{version} {known} (write {op})"
            )
        }
        What::Committed { op, is_there } => {
            let gone = if *is_there { "" } else { ", and the row is gone" };
            writeln!(line, "                     the database commits {version} of write {op}{gone}")
        }
    };
    line
}
