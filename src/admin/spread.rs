//! How long did it take half of them, and the slowest? Read off a histogram's buckets.

use crate::metrics::Durations;

/// The shares that people ask for.
const SHARES: [f64; 3] = [0.5, 0.95, 0.99];

/// p50, p95 and p99, in microseconds, of what came between two looks; none where nothing did.
pub(super) fn spread(before: &Durations, now: &Durations) -> Option<[u64; 3]> {
    let of_before = |bound: usize| before.get(bound).map_or(0, |(_, count)| *count);
    let came: Vec<(f64, u64)> = now
        .iter()
        .enumerate()
        .map(|(place, (bound, count))| (*bound, count.saturating_sub(of_before(place))))
        .collect();
    quantile(&came, 1.0)?;
    Some(SHARES.map(|share| quantile(&came, share).map_or(0, micros)))
}

/// How long, in seconds, this share of them took at most, taken that those within two bounds lie evenly between
/// them; none where there are none.
pub(super) fn quantile(came: &[(f64, u64)], share: f64) -> Option<f64> {
    let all = came.last().map(|(_, count)| *count).filter(|count| *count > 0)?;
    let rank = share * all as f64;
    let (mut from, mut below) = (0.0, 0);
    for (bound, count) in came {
        if *count as f64 >= rank && bound.is_finite() {
            let within = (*count - below).max(1) as f64;
            return Some(from + (bound - from) * (rank - below as f64) / within);
        }
        if bound.is_finite() {
            (from, below) = (*bound, *count);
        }
    }
    // longer than every bound: the last one is the most that can be said
    Some(from)
}

fn micros(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::metrics::{Metrics, observe};

    use super::*;

    #[test]
    fn what_came_between_two_looks_is_told() {
        let metrics = Metrics::new();
        let took = metrics.latency("miss");
        for _ in 0..1_000 {
            observe(&took, Duration::from_secs(30));
        }
        let before = metrics.durations("miss");
        assert_eq!(spread(&before, &before), None, "nothing came");
        for millis in 1..=100 {
            observe(&took, Duration::from_millis(millis));
        }
        let [p50, p95, p99] = spread(&before, &metrics.durations("miss")).unwrap();
        assert!((45_000..=55_000).contains(&p50), "{p50}");
        assert!((90_000..=100_000).contains(&p95) && (p95..=100_000).contains(&p99), "{p95} {p99}");
        assert_eq!(spread(&Durations::new(), &before), Some([10_000_000; 3]), "no more than the last bound");
    }
}
