//! What happened so far, so that a difference can be told with the shortest way to it that is known:
//! the time at which Larder last asked the upstream this question, and every write since.

use std::collections::HashMap;
use std::fmt::Write;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::wire::{Request, Told};

/// One client's past.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    writes: Vec<(usize, Request)>,
    /// By the question: the step at which Larder last answered it other than from its memory.
    fetched: HashMap<String, usize>,
    figures: Figures,
}

/// How much a run has proven.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Answers that were compared.
    pub(crate) compared: u32,
    /// Writes whose answer was a success.
    pub(crate) written: u32,
    /// Answerable reads that were repeated at once, and how many of these were hits.
    pub(crate) repeated: u32,
    pub(crate) repeated_hits: u32,
    /// Reads that were asked again later, and how many of these were hits.
    pub(crate) later: u32,
    pub(crate) later_hits: u32,
}

/// When a read was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    First,
    /// Directly after itself.
    AtOnce,
    /// With other steps between.
    Later,
}

impl Journal {
    pub(crate) fn wrote(&mut self, step: usize, request: &Request, told: &Told) {
        self.writes.push((step, request.clone()));
        self.figures.written += u32::from(told.answer.status.is_success());
    }

    /// Notes an answer of Larder; tells what is wrong with it, if it is not what the upstream says.
    pub(crate) fn read(
        &mut self,
        (step, time): (usize, Time),
        request: &Request,
        direct: &Told,
        through: &Told,
    ) -> Result<(), String> {
        self.figures.compared += 1;
        let hit = u32::from(through.is_hit());
        let answerable = u32::from(direct.answer.status.is_success());
        match time {
            Time::First => {}
            Time::AtOnce => {
                self.figures.repeated += answerable;
                self.figures.repeated_hits += hit;
            }
            Time::Later => {
                self.figures.later += answerable;
                self.figures.later_hits += hit;
            }
        }
        if !alike(direct, through) {
            return Err(self.difference(step, request, direct, through));
        }
        if hit == 0 {
            self.fetched.insert(question(request), step);
        }
        Ok(())
    }

    pub(crate) fn difference(&self, step: usize, request: &Request, direct: &Told, through: &Told) -> String {
        let fetched = self.fetched.get(&question(request)).copied();
        let mut shown = format!("step {step}: different answers\n  {request}\n");
        let _infallible = writeln!(shown, "  directly:\n    {}", direct.answer);
        let _infallible =
            writeln!(shown, "  through Larder ({}):\n    {}", through.cache_status, through.answer);
        let _infallible = match fetched {
            Some(fetched) => writeln!(shown, "  Larder asked for it at step {fetched}; the writes since:"),
            None => writeln!(shown, "  Larder was never seen to ask for it; the last writes:"),
        };
        const LAST_SHOWN: usize = 12;
        let since =
            self.writes.iter().rev().take_while(|(at, _)| fetched.is_none_or(|fetched| *at >= fetched));
        let mut since: Vec<_> = since.take(LAST_SHOWN).collect();
        since.reverse();
        for (at, write) in since {
            let _infallible = writeln!(shown, "    step {at}: {write}");
        }
        shown
    }

    pub(crate) fn figures(&self) -> Figures {
        self.figures
    }
}

/// Larder asks with the parameters in a fixed order. Of two mistakes in one request, the upstream may then
/// name the other; nothing else may differ.
fn alike(direct: &Told, through: &Told) -> bool {
    let (direct, through) = (&direct.answer, &through.answer);
    let refused = direct.status == StatusCode::BAD_REQUEST && through.status == direct.status;
    let code = |body: &str| Some(serde_json::from_str::<Value>(body).ok()?["code"].clone());
    direct == through
        || refused && direct.headers == through.headers && code(&direct.body) == code(&through.body)
}

/// The same for all spellings of one question.
fn question(request: &Request) -> String {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut parts: Vec<String> = query
        .split('&')
        .map(|part| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned())
        .collect();
    parts.sort();
    let path = percent_decode_str(path).decode_utf8_lossy();
    format!("{} {path}?{} {:?} {}", request.method, parts.join("&"), request.headers, request.who.name)
}

impl Figures {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            compared: self.compared + other.compared,
            written: self.written + other.written,
            repeated: self.repeated + other.repeated,
            repeated_hits: self.repeated_hits + other.repeated_hits,
            later: self.later + other.later,
            later_hits: self.later_hits + other.later_hits,
        }
    }
}
