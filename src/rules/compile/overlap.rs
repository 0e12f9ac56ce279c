//! Which read rules can never be reached, because an earlier one takes all?

use super::super::condition::covers;
use super::super::mistake::{Findings, quoted};
use super::reads::CompiledRead;

/// Tells about each rule that an earlier one shadows.
pub(super) fn tell_shadowed(reads: &[CompiledRead], findings: &mut Findings<'_>) {
    for (index, late) in reads.iter().enumerate() {
        let shadowing = reads[..index].iter().find(|early| {
            early.path.covers(&late.path) && covers(&early.rule.conditions, &late.rule.conditions)
        });
        if let Some(early) = shadowing {
            let message = format!(
                "never reached: {} in line {} takes every request first",
                quoted(&early.rule.name),
                early.path_spot.place.line
            );
            findings.mistake_with_hint(&late.path_spot, message, "put the narrower rule first");
        }
    }
}
