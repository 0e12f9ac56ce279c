//! `/readyz`, `/api/health/redis`, `/api/fleet`: how is it with the store, and with those who share it?
//!
//! Pure, over what the cache says of itself.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::cache::{Fleet, SharedUsage, Usage};

use super::health::{Health, Phase};

/// How it is with a shared store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It answers, and knows everything.
    Up,
    /// It does not answer, or has not been told everything yet: reads are answered by the upstream.
    Degraded,
}

impl State {
    fn of(shared: &SharedUsage) -> Self {
        if shared.is_up && shared.owed == 0 { Self::Up } else { Self::Degraded }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
        }
    }
}

/// Whether clients should be sent here. A store that is away is no reason to send them elsewhere:
/// they are answered all the same, and elsewhere has the same store.
pub(super) fn ready(health: &Health, usage: &Usage) -> (StatusCode, Value) {
    let phase = health.phase();
    let status = match phase {
        Phase::Ready => StatusCode::OK,
        Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    // nor are old rules: elsewhere has the same file
    let rules = if health.rules_broken() { "refused, older rules in use" } else { "in use" };
    let mut body = json!({ "status": phase.as_str(), "rules": rules });
    if let Some(shared) = &usage.shared {
        body["store"] = State::of(shared).as_str().into();
        body["fleet"] = json!({
            "members": shared.members,
            "lease_ms": millis(shared.lease_left),
            "owed": shared.owed,
        });
    }
    (status, body)
}

/// Whether the store itself answers, for a probe that asks about nothing else.
pub(super) fn redis(usage: &Usage, timestamp: &str) -> (StatusCode, Value) {
    let (code, status, redis) = match &usage.shared {
        None => (StatusCode::OK, "ok", "not configured"),
        Some(shared) if shared.is_up => (StatusCode::OK, "ok", "connected"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "degraded", "disconnected"),
    };
    (code, json!({ "status": status, "redis": redis, "timestamp": timestamp }))
}

/// This process, those who share its store, and what it had of it.
pub(super) fn fleet(usage: &Usage, fleet: Option<Fleet>, timestamp: &str) -> Value {
    let (Some(shared), Some(Fleet { own, members })) = (&usage.shared, fleet) else {
        return json!({ "store": "memory", "members": [], "timestamp": timestamp });
    };
    let members = members.into_iter().map(|member| {
        let is_self = member.id == own;
        json!({ "id": member.id, "lease_ms": millis(member.lease_left), "self": is_self })
    });
    json!({
        "store": State::of(shared).as_str(),
        "member": own,
        "lease_ms": millis(shared.lease_left),
        "owed": shared.owed,
        "members": members.collect::<Vec<_>>(),
        "look_ups": shared.look_ups,
        "hits": shared.hits,
        "failures": shared.failures,
        "rejected_records": shared.rejected_records,
        "lost_fills": shared.lost_fills,
        "unannounced": shared.unannounced,
        "timestamp": timestamp,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(is_up: bool, owed: u64) -> Usage {
        let lease_left = Duration::from_millis(700);
        let shared = SharedUsage { is_up, members: 2, lease_left, owed, ..SharedUsage::default() };
        Usage { shared: Some(shared), ..Usage::default() }
    }

    #[test]
    fn clients_are_sent_here_while_they_can_be_answered() {
        let health = Health::default();
        for (phase, status) in [(Phase::Starting, 503), (Phase::Ready, 200), (Phase::Draining, 503)] {
            health.enter(phase);
            for (is_up, owed, store) in [(true, 0, "up"), (false, 0, "degraded"), (true, 3, "degraded")] {
                let (found, body) = ready(&health, &usage(is_up, owed));
                assert_eq!((found.as_u16(), &body["store"]), (status, &store.into()), "{phase:?}");
                assert_eq!(body["fleet"], json!({ "members": 2, "lease_ms": 700, "owed": owed }));
            }
            let (found, body) = ready(&health, &Usage::default());
            assert_eq!((found.as_u16(), body.get("store")), (status, None));
        }
    }

    #[test]
    fn a_probe_is_told_whether_the_store_answers() {
        for (usage, status, word) in [
            (Usage::default(), 200, "not configured"),
            (usage(true, 3), 200, "connected"),
            (usage(false, 0), 503, "disconnected"),
        ] {
            let (found, body) = redis(&usage, "now");
            assert_eq!(
                (found.as_u16(), &body["redis"], &body["timestamp"]),
                (status, &word.into(), &"now".into())
            );
        }
    }
}
