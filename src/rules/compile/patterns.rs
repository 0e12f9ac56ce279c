//! Which patterns of the writes may the keys of each read fall under?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::consistency::Consistency;
use crate::key::Pattern;

use super::super::mistake::{Findings, Spot, quoted};
use super::super::rule::{Caching, Lasting, ReadRule};
use super::reads::CompiledRead;
use super::writes::CompiledWrite;

/// Gives each read rule its patterns and warns of those that no rule got.
pub(super) fn connect(reads: &mut [CompiledRead], writes: &mut [CompiledWrite], findings: &mut Findings<'_>) {
    for write in writes.iter_mut() {
        tell_unfit(reads, write, findings);
    }
    let mut patterns: BTreeMap<&str, (&Arc<Pattern>, &Spot, bool)> = BTreeMap::new();
    for write in writes.iter() {
        for ((pattern, is_soft), spot) in write.rule.invalidation.all().zip(&write.pattern_spots) {
            patterns.entry(pattern.as_str()).or_insert((pattern, spot, false)).2 |= is_soft;
        }
    }
    for (pattern, spot, is_soft) in patterns.into_values() {
        let mut matched = false;
        for read in reads.iter_mut().filter(|read| may_match(pattern, &read.rule)) {
            matched = true;
            read.rule.patterns.push(Arc::clone(pattern));
            if is_soft {
                read.rule.soft_patterns.push(Arc::clone(pattern));
            }
        }
        if !matched {
            let message = format!("no read's key can match {}", quoted(pattern.as_str()));
            findings.warning(
                spot,
                message,
                Some("compare it with `namespace` and `key` of the reads".into()),
            );
        }
    }
}

/// Tells of soft patterns under which answers fall that must not be old, and notes how long the others are kept.
fn tell_unfit(reads: &[CompiledRead], write: &mut CompiledWrite, findings: &mut Findings<'_>) {
    let invalidation = &mut write.rule.invalidation;
    let spots = write.pattern_spots.iter().skip(invalidation.patterns.len());
    for (pattern, spot) in invalidation.soft.iter().zip(spots) {
        for read in reads.iter().map(|read| &read.rule).filter(|read| may_match(pattern, read)) {
            let name = quoted(&read.name);
            match lasts(read) {
                Some(lasts) if read.consistency == Consistency::Bounded => {
                    invalidation.soft_lasts = invalidation.soft_lasts.max(lasts);
                }
                Some(_) => {
                    let consistency = read.consistency;
                    let message = format!(
                        "{} also names answers of {name}, which is `{consistency}`",
                        quoted(pattern.as_str())
                    );
                    let hint = "say `consistency: bounded` there, or take it away without `soft`";
                    findings.mistake_with_hint(spot, message, hint);
                }
                None => {
                    let message = format!(
                        "{} also names answers of {name}, with `ttl: origin`",
                        quoted(pattern.as_str())
                    );
                    findings.mistake_with_hint(
                        spot,
                        message,
                        "give it a time, or take it away without `soft`",
                    );
                }
            }
        }
    }
}

fn may_match(pattern: &Pattern, read: &ReadRule) -> bool {
    read.caching != Caching::Never && pattern.may_match(&read.namespace, &read.key)
}

/// How long an answer of this rule may be kept.
fn lasts(read: &ReadRule) -> Option<Duration> {
    match read.caching {
        Caching::Keep { ttl: Lasting::For(ttl) } => Some(ttl + read.freshness.useful_for()),
        Caching::Keep { ttl: Lasting::AsItSays { .. } } => None,
        Caching::Never => None,
    }
}
