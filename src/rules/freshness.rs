//! What may be served past its time, and what is fetched before its time is over?
//!
//! Plain data of a read rule. None of it makes an entry valid whose generations have changed.

use std::time::Duration;

use super::fields::{At, Fields};
use super::mistake::Findings;
use super::yaml::Node;

/// What a read rule says of its answers' time beside its `ttl`. By default an answer ends with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// So long past its time an answer is served while another is fetched.
    pub while_revalidate: Duration,
    /// So long past its time it is served where the upstream has no answer.
    pub if_error: Duration,
    /// By up to so many hundredths an answer's time is shortened, each by another chance, so that what
    /// was fetched together does not end together.
    pub jitter_percent: u32,
    /// A hit on an answer that has less time left than this has it fetched again.
    pub refresh_ahead: Duration,
}

/// What an answer that is past its time may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is served at once, and another is fetched meanwhile.
    WhileRevalidating,
    /// It is served if the upstream has none.
    IfError,
    /// For nothing.
    None,
}

/// Jitter comes in so many steps, that neighbours rarely meet.
const STEPS: u64 = 10_000;

impl Freshness {
    /// How long past its time an answer is of any use.
    pub fn useful_for(&self) -> Duration {
        self.while_revalidate.max(self.if_error)
    }

    /// What an answer may be used for that is past its time by this much.
    pub fn allows(&self, past: Duration) -> Use {
        if past < self.while_revalidate {
            Use::WhileRevalidating
        } else if past < self.if_error {
            Use::IfError
        } else {
            Use::None
        }
    }

    /// A time shortened by as much of the jitter as `chance` says: any number will do.
    pub fn shorten(&self, ttl: Duration, chance: u64) -> Duration {
        let most = ttl.saturating_sub(self.shortest(ttl));
        ttl.saturating_sub(most.mul_f64((chance % STEPS) as f64 / STEPS as f64))
    }

    /// The shortest time that may come of it.
    pub fn shortest(&self, ttl: Duration) -> Duration {
        ttl.saturating_sub(ttl.saturating_mul(self.jitter_percent) / 100)
    }
}

/// The fields of a read rule that say so, as they are written.
#[derive(Debug, Default)]
pub(super) struct FreshnessEntry {
    pub(super) while_revalidate: Option<At<String>>,
    pub(super) if_error: Option<At<String>>,
    pub(super) ttl_jitter: Option<At<String>>,
    pub(super) refresh_ahead: Option<At<String>>,
}

impl FreshnessEntry {
    pub(super) fn read(fields: &mut Fields<'_>, findings: &mut Findings<'_>) -> Self {
        let stale = fields.node("stale");
        let (while_revalidate, if_error) =
            stale.and_then(|(node, path)| stale_entry(node, &path, findings)).unwrap_or_default();
        Self {
            while_revalidate,
            if_error,
            ttl_jitter: fields.text("ttl_jitter", findings),
            refresh_ahead: fields.text("refresh_ahead", findings),
        }
    }

    /// All that is written of it.
    pub(super) fn written(&self) -> impl Iterator<Item = &At<String>> {
        [&self.while_revalidate, &self.if_error, &self.ttl_jitter, &self.refresh_ahead].into_iter().flatten()
    }
}

type StaleEntry = (Option<At<String>>, Option<At<String>>);

fn stale_entry(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<StaleEntry> {
    let mut fields = Fields::open(node, path, findings)?;
    let entry = (fields.text("while_revalidate", findings), fields.text("if_error", findings));
    if !fields.has("while_revalidate") && !fields.has("if_error") {
        let hint = "write `stale: { while_revalidate: 30s, if_error: 1h }`, or one of the two";
        findings.mistake_with_hint(&fields.spot, "says of nothing how long it may be stale", hint);
    }
    fields.close(findings);
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_answer_past_its_time_is_of_less_and_less_use() {
        let freshness = Freshness { while_revalidate: MINUTE, if_error: 2 * MINUTE, ..Freshness::default() };
        for (past, allowed) in [
            (0, Use::WhileRevalidating),
            (59, Use::WhileRevalidating),
            (60, Use::IfError),
            (119, Use::IfError),
            (120, Use::None),
        ] {
            assert_eq!(freshness.allows(Duration::from_secs(past)), allowed, "{past} s");
        }
        assert_eq!(freshness.useful_for(), 2 * MINUTE);
        assert_eq!(Freshness::default().allows(Duration::ZERO), Use::None);
    }

    #[test]
    fn jitter_shortens_by_chance_and_never_lengthens() {
        let freshness = Freshness { jitter_percent: 10, ..Freshness::default() };
        let all = (0..20_000).map(|chance| freshness.shorten(MINUTE, chance)).collect::<Vec<_>>();
        assert!(all.iter().all(|ttl| *ttl <= MINUTE && *ttl > Duration::from_secs(54)));
        assert_eq!(all.iter().max(), Some(&MINUTE));
        assert!(all.iter().min() < Some(&Duration::from_millis(54_010)), "all of it is used");
        assert_eq!(Freshness::default().shorten(MINUTE, 9_999), MINUTE);
    }
}
