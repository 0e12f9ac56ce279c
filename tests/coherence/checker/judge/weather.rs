//! What was disturbed, and when? Only what a promise allows to fail is excused, and only for that time.

use super::Nanos;

/// What a fault disturbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Between clients and a proxy.
    Clients,
    /// A proxy itself: killed, stopped, restarted.
    Process,
    /// Between a proxy and the store, or the store itself.
    Store,
    /// Between a proxy and the upstream, or the upstream itself.
    Upstream,
    /// What the upstream answers to writes.
    Answers,
    /// What the store remembers: flushed, evicted, restarted empty.
    Memory,
    /// What room the store has: it refuses, or pushes out.
    Room,
    /// The machine: it takes so long to pass a question on to the store and back that a proxy may not wait for it.
    Machine,
}

/// One disturbance.
#[derive(Clone, Copy, Debug)]
struct Spell {
    part: Part,
    /// `None`: all of them.
    proxy: Option<usize>,
    from: Nanos,
    /// `None`: it lasts.
    to: Option<Nanos>,
}

/// Every disturbance that may still matter.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    spells: Vec<Spell>,
}

impl Weather {
    pub(crate) fn begin(&mut self, part: Part, proxy: Option<usize>, at: Nanos) {
        self.spells.push(Spell { part, proxy, from: at, to: None });
    }

    pub(crate) fn end(&mut self, part: Part, proxy: Option<usize>, at: Nanos) {
        for spell in self.spells.iter_mut().filter(|spell| spell.part == part && spell.proxy == proxy) {
            spell.to.get_or_insert(at);
        }
    }

    /// Was any of these parts of a proxy disturbed at some moment of this time?
    pub(crate) fn was_bad(&self, parts: &[Part], proxy: usize, from: Nanos, to: Nanos) -> bool {
        self.of(parts, proxy).any(|spell| spell.from <= to && spell.to.is_none_or(|end| end >= from))
    }

    /// When the last disturbance that overlaps this time ended: `None` while it lasts, `from` if there was none.
    pub(crate) fn calm_since(&self, parts: &[Part], proxy: usize, from: Nanos, to: Nanos) -> Option<Nanos> {
        let overlapping =
            self.of(parts, proxy).filter(|spell| spell.from <= to && spell.to.is_none_or(|end| end >= from));
        overlapping.map(|spell| spell.to).try_fold(from, |latest, end| Some(latest.max(end?)))
    }

    pub(crate) fn forget_before(&mut self, moment: Nanos) {
        self.spells.retain(|spell| spell.to.is_none_or(|end| end >= moment));
    }

    fn of(&self, parts: &[Part], proxy: usize) -> impl Iterator<Item = &Spell> {
        self.spells.iter().filter(move |spell| {
            parts.contains(&spell.part) && spell.proxy.is_none_or(|named| named == proxy)
        })
    }
}
