//! `audit: 0.001`: which share of hits is compared with the upstream?

use crate::chance::Share;

use super::super::fields::At;
use super::super::mistake::{Findings, quoted};

/// More than every tenth hit is no sample but a load.
const SHARE_MAX: f64 = 0.1;

/// None where nothing is written or what is written is wrong.
pub(super) fn compile(written: Option<&At<String>>, findings: &mut Findings<'_>) -> Share {
    let Some(At { value, spot }) = written else { return Share::NONE };
    let number = value.parse::<f64>().ok().filter(|number| *number > 0.0 && *number <= SHARE_MAX);
    match number.and_then(Share::of) {
        Some(share) => share,
        None => {
            let message = format!("{} is no share of hits up to {SHARE_MAX}", quoted(value));
            findings.mistake_with_hint(spot, message, "write `audit: 0.001` for one in a thousand");
            Share::NONE
        }
    }
}
