//! The section `unknown_writes`.

use super::super::document::UnknownWritesSection;
use super::super::fields::{At, did_you_mean};
use super::super::mistake::{Findings, quoted};
use super::super::unknown_writes::{UnknownWrites, Unmapped};

/// Compiles the section.
pub(super) fn compile(section: &UnknownWritesSection, findings: &mut Findings<'_>) -> UnknownWrites {
    let mut read = |field: &Option<At<String>>, default: Unmapped, known: &[Unmapped]| match field {
        None => default,
        Some(word) => Unmapped::parse(&word.value, known).unwrap_or_else(|| {
            let known = known.iter().map(|known| known.as_str());
            let hint = did_you_mean(&word.value, known.clone()).unwrap_or_else(|| {
                let known: Vec<String> = known.map(|known| format!("`{known}`")).collect();
                format!("write {}", known.join(" or "))
            });
            let message = format!("{} is not known here", quoted(&word.value));
            findings.mistake_with_hint(&word.spot, message, hint);
            default
        }),
    };
    let plain = [Unmapped::Nothing, Unmapped::Everything];
    let learned = [Unmapped::Nothing, Unmapped::Everything, Unmapped::Learned];
    let default = UnknownWrites::default();
    UnknownWrites {
        functions: read(&section.functions, default.functions, &plain),
        auth: read(&section.auth, default.auth, &learned),
        storage: read(&section.storage, default.storage, &learned),
    }
}
