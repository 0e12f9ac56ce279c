//! `stale`, `ttl_jitter` and `refresh_ahead` of a read rule.

use std::time::Duration;

use super::super::fields::At;
use super::super::freshness::{Freshness, FreshnessEntry};
use super::super::mistake::{Findings, quoted};
use super::super::rule::{Caching, Lasting};
use super::locks::time;

/// More of an answer's time than this is no jitter but another `ttl`.
const JITTER_PERCENT_MAX: u32 = 50;

/// Compiles what is written; what is wrong is told and taken for absent.
pub(super) fn compile(
    entry: &FreshnessEntry,
    caching: Option<&Caching>,
    findings: &mut Findings<'_>,
) -> Freshness {
    if matches!(caching, Some(Caching::Never)) {
        for written in entry.written() {
            findings.mistake_with_hint(
                &written.spot,
                "has no meaning beside `cache: never`",
                "keep one of them",
            );
        }
        return Freshness::default();
    }
    let mut duration = |written: &Option<At<String>>| {
        written.as_ref().and_then(|written| time(written, findings)).unwrap_or_default()
    };
    let (while_revalidate, if_error) = (duration(&entry.while_revalidate), duration(&entry.if_error));
    let refresh_ahead = duration(&entry.refresh_ahead);
    let jitter_percent = entry.ttl_jitter.as_ref().and_then(|written| percent(written, findings));
    let freshness = Freshness {
        while_revalidate,
        if_error,
        jitter_percent: jitter_percent.unwrap_or_default(),
        refresh_ahead,
    };
    if let (Some(Caching::Keep { ttl: Lasting::For(ttl) }), Some(written)) = (caching, &entry.refresh_ahead) {
        tell_too_early(freshness, *ttl, written, findings);
    }
    freshness
}

/// What is always about to end would be fetched with every hit.
fn tell_too_early(freshness: Freshness, ttl: Duration, written: &At<String>, findings: &mut Findings<'_>) {
    if freshness.refresh_ahead >= freshness.shortest(ttl) {
        let message = format!("{} is as long as an answer's whole time", quoted(&written.value));
        findings.mistake_with_hint(&written.spot, message, "a tenth of the `ttl` is usual");
    }
}

/// `10%`.
fn percent(written: &At<String>, findings: &mut Findings<'_>) -> Option<u32> {
    let number = written.value.strip_suffix('%').and_then(|number| number.parse().ok());
    match number {
        Some(percent @ 1..=JITTER_PERCENT_MAX) => Some(percent),
        Some(_) | None => {
            let message = format!("{} is no share from 1% to {JITTER_PERCENT_MAX}%", quoted(&written.value));
            findings.mistake_with_hint(&written.spot, message, "write `ttl_jitter: 10%`");
            None
        }
    }
}
