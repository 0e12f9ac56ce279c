//! The fields `downstream` and `compress`.

use http::HeaderName;

use crate::key::Scope;

use super::super::directives;
use super::super::document::ReadEntry;
use super::super::downstream::Downstream;
use super::super::mistake::Findings;

/// What is sent with a rule's answers; without a usable `downstream` what is safe for any.
pub(super) fn compile(
    entry: &ReadEntry,
    vary: &[HeaderName],
    scope: Option<&Scope>,
    findings: &mut Findings<'_>,
) -> Downstream {
    let private = Downstream::private(vary, entry.compress);
    let Some(written) = &entry.downstream else { return private };
    if entry.cache.is_none() && scope.is_some_and(|scope| *scope != Scope::Public) {
        let hint = "add `scope: public`, if anybody may see these answers; else leave `downstream` out";
        findings.mistake_with_hint(&written.spot, "only for rules with `scope: public`", hint);
    }
    match directives::parse(&written.value) {
        Ok(directives) => {
            if let Some(seconds) = directives.unasked_seconds {
                let message =
                    format!("browsers show an answer for {seconds} s without asking, whatever is written");
                let hint = "no purge reaches a browser: `s-maxage` is for networks alone".to_owned();
                findings.warning(&written.spot, message, Some(hint));
            }
            Downstream::shared(directives.header, vary, entry.compress)
        }
        Err(bad) => {
            findings.mistake_with_hint(&written.spot, bad.problem, bad.hint);
            private
        }
    }
}
