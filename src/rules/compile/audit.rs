//! `audit: 0.001`: which share of hits is compared with the upstream?

use super::super::fields::At;
use super::super::mistake::{Findings, quoted};

/// More than every tenth hit is no sample but a load.
const SHARE_MAX: f64 = 0.1;

/// The share as so many of all `u32`; 0 where nothing is written or what is written is wrong.
pub(super) fn compile(written: Option<&At<String>>, findings: &mut Findings<'_>) -> u32 {
    let Some(At { value, spot }) = written else { return 0 };
    match value.parse::<f64>() {
        // the cast rounds down and saturates
        Ok(share) if share > 0.0 && share <= SHARE_MAX => ((share * f64::from(u32::MAX)) as u32).max(1),
        Ok(_) | Err(_) => {
            let message = format!("{} is no share of hits up to {SHARE_MAX}", quoted(value));
            findings.mistake_with_hint(spot, message, "write `audit: 0.001` for one in a thousand");
            0
        }
    }
}
