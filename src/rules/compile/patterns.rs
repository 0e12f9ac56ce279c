//! Which patterns of the writes may the keys of each read fall under?

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::key::Pattern;

use super::super::mistake::{Findings, Spot, quoted};
use super::super::rule::Caching;
use super::reads::CompiledRead;
use super::writes::CompiledWrite;

/// Gives each read rule its patterns and warns of those that no rule got.
pub(super) fn connect(reads: &mut [CompiledRead], writes: &[CompiledWrite], findings: &mut Findings<'_>) {
    let mut patterns: BTreeMap<&str, (&Arc<Pattern>, &Spot)> = BTreeMap::new();
    for write in writes {
        for (pattern, spot) in write.rule.invalidation.patterns.iter().zip(&write.pattern_spots) {
            patterns.entry(pattern.as_str()).or_insert((pattern, spot));
        }
    }
    for (pattern, spot) in patterns.into_values() {
        let mut matched = false;
        for read in reads.iter_mut().filter(|read| read.rule.caching != Caching::Never) {
            if pattern.may_match(&read.rule.namespace, &read.rule.key) {
                matched = true;
                read.rule.patterns.push(Arc::clone(pattern));
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
