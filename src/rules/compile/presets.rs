//! `ttls: { long: 1h }`: which lifetime does `ttl: long` mean?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::document::Named;
use super::super::duration::{self, DurationMistake};
use super::super::fields::{At, did_you_mean};
use super::super::mistake::{Findings, Spot, quoted};
use super::super::rule::Lasting;
use super::names;

/// `ttl: origin`, the lifetime that the upstream's own headers give.
const ORIGIN: &str = "origin";

/// The named lifetimes of a file.
#[derive(Debug)]
pub(super) struct Presets<'d> {
    /// A preset whose own value is wrong is known, without a lifetime.
    known: BTreeMap<&'d str, Option<Duration>>,
    spots: Vec<(&'d str, &'d Spot)>,
    used: BTreeSet<&'d str>,
}

impl<'d> Presets<'d> {
    /// Compiles the section `ttls`.
    pub(super) fn compile(ttls: &'d [Named<At<String>>], findings: &mut Findings<'_>) -> Self {
        let mut presets = Self { known: BTreeMap::new(), spots: Vec::new(), used: BTreeSet::new() };
        for preset in ttls {
            let name = preset.name.value.as_str();
            if name == ORIGIN {
                findings.mistake(&preset.name.spot, "`origin` cannot name a preset");
            } else if name.starts_with(|c: char| c.is_ascii_digit()) {
                findings.mistake(&preset.name.spot, "a preset's name begins with a letter");
            } else {
                names::word(&preset.name, "a preset's name", findings);
            }
            presets.known.insert(name, lifetime(&preset.value, findings));
            presets.spots.push((name, &preset.name.spot));
        }
        presets
    }

    /// How long a rule's answers are kept.
    pub(super) fn lasting(
        &mut self,
        ttl: &At<String>,
        heuristic: bool,
        findings: &mut Findings<'_>,
    ) -> Option<Lasting> {
        if ttl.value == ORIGIN {
            return Some(Lasting::AsItSays { heuristic });
        }
        self.resolve(ttl, findings).map(Lasting::For)
    }

    /// The lifetime that a duration or a preset's name means.
    pub(super) fn resolve(&mut self, ttl: &At<String>, findings: &mut Findings<'_>) -> Option<Duration> {
        let text = ttl.value.as_str();
        if let Some((name, lifetime)) = self.known.get_key_value(text) {
            self.used.insert(name);
            return *lifetime;
        }
        if text == ORIGIN {
            // `ttl: origin` itself is taken out before
            findings.mistake_with_hint(&ttl.spot, "`origin` is no time", "it can stand in `ttl` alone");
            return None;
        }
        if !text.starts_with(char::is_alphabetic) {
            return lifetime(ttl, findings);
        }
        let hint = did_you_mean(text, self.known.keys().copied())
            .unwrap_or_else(|| "name it in `ttls`, or write a duration such as `5m`".into());
        findings.mistake_with_hint(&ttl.spot, format!("unknown preset {}", quoted(text)), hint);
        None
    }

    /// Warns of presets that no rule uses.
    pub(super) fn tell_unused(&self, findings: &mut Findings<'_>) {
        for (name, spot) in self.spots.iter().filter(|(name, _)| !self.used.contains(name)) {
            findings.warning(spot, format!("no rule uses the preset {}", quoted(name)), None);
        }
    }
}

fn lifetime(ttl: &At<String>, findings: &mut Findings<'_>) -> Option<Duration> {
    let problem = match duration::parse(&ttl.value) {
        Ok(duration) => return Some(duration),
        Err(problem) => problem,
    };
    let hint = match problem {
        DurationMistake::Unitless => {
            let number = ttl.value.trim_start_matches('0');
            format!("write `{}s` if seconds are meant", if number.is_empty() { "0" } else { number })
        }
        DurationMistake::Unreadable => "a whole number and `ms`, `s`, `m`, `h` or `d`, as in `5m`".into(),
        DurationMistake::Zero => "write `cache: never` to keep nothing".into(),
        DurationMistake::TooLong => "30d is the most".into(),
    };
    findings.mistake_with_hint(&ttl.spot, format!("{} {problem}", quoted(&ttl.value)), hint);
    None
}
