//! Is an answer from before a write that was acknowledged before it was asked for?
//!
//! Every write leaves a number behind that only rises: a price, a number in a name, how many rows somebody has. What was
//! acknowledged when a read begins is the least that its answer may show.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::people::uuid_of;

pub(crate) const PROPERTIES: usize = 60;
pub(crate) const PEOPLE: usize = 12;

/// Prices that were written begin here, above those that were there before.
pub(crate) const PRICES_FROM: u64 = 1_000_000;

/// Of what a person has any number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owned {
    Visits,
    Payments,
    Notifications,
}

/// What an answer shows that can be compared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shows {
    /// Properties with their prices.
    Prices,
    /// People with their names.
    Names,
    /// All that this person has of something.
    Rows(Owned, usize),
}

/// What has been acknowledged so far.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    prices: Vec<AtomicU64>,
    names: Vec<AtomicU64>,
    owned: [Vec<AtomicU64>; 3],
}

/// The least that an answer may show.
#[derive(Debug)]
pub(crate) enum Least {
    /// Of each property that is shown, this price.
    Prices(Vec<u64>),
    /// Of each person who is shown, this name.
    Names(Vec<u64>),
    /// So many rows.
    Rows(u64),
}

impl Acknowledged {
    pub(crate) fn new() -> Self {
        let zeros = |count: usize| (0..=count).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        Self { prices: zeros(PROPERTIES), names: zeros(PEOPLE), owned: [(); 3].map(|()| zeros(PEOPLE)) }
    }

    pub(crate) fn price(&self, property: usize, price: u64) {
        self.prices[property].fetch_max(price, Ordering::SeqCst);
    }

    pub(crate) fn name(&self, person: usize, number: u64) {
        self.names[person].fetch_max(number, Ordering::SeqCst);
    }

    pub(crate) fn one_more(&self, owned: Owned, person: usize) {
        self.owned[owned as usize][person].fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn least(&self, shows: Shows) -> Least {
        match shows {
            Shows::Prices => Least::Prices(now(&self.prices)),
            Shows::Names => Least::Names(now(&self.names)),
            Shows::Rows(owned, person) => {
                Least::Rows(self.owned[owned as usize][person].load(Ordering::SeqCst))
            }
        }
    }
}

fn now(numbers: &[AtomicU64]) -> Vec<u64> {
    numbers.iter().map(|number| number.load(Ordering::SeqCst)).collect()
}

impl Least {
    /// Whether an answer is older than what was acknowledged.
    pub(crate) fn is_undercut_by(&self, answer: &Value) -> bool {
        let rows = answer.as_array().unwrap_or_else(|| panic!("a list of rows, not {answer}"));
        match self {
            Self::Rows(least) => (rows.len() as u64) < *least,
            Self::Prices(least) => rows.iter().any(|row| {
                let id = usize::try_from(row["id"].as_u64().unwrap()).unwrap();
                row["price"].as_u64().unwrap() < least[id]
            }),
            Self::Names(least) => rows.iter().any(|row| {
                let shows = |person: &usize| row["id"] == uuid_of(*person as i64);
                let person = (1..=PEOPLE).find(shows).unwrap();
                number_in(row["full_name"].as_str().unwrap()) < least[person]
            }),
        }
    }
}

/// `Awa 17` is 17; a name that nobody has written yet is 0.
fn number_in(name: &str) -> u64 {
    name.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_old_that_shows_less_than_what_was_acknowledged() {
        let acknowledged = Acknowledged::new();
        acknowledged.price(5, 1_000_001);
        acknowledged.name(2, 7);
        acknowledged.one_more(Owned::Visits, 3);
        let is_old = |least: Least, answer: Value| least.is_undercut_by(&answer);
        assert!(is_old(
            acknowledged.least(Shows::Prices),
            json!([{ "id": 4, "price": 1 }, { "id": 5, "price": 1_000_000 }])
        ));
        assert!(!is_old(
            acknowledged.least(Shows::Prices),
            json!([{ "id": 4, "price": 1 }, { "id": 5, "price": 1_000_002 }])
        ));
        assert!(is_old(
            acknowledged.least(Shows::Names),
            json!([{ "id": uuid_of(2), "full_name": "Awa Diop" }])
        ));
        assert!(!is_old(
            acknowledged.least(Shows::Names),
            json!([{ "id": uuid_of(2), "full_name": "Awa 7" }])
        ));
        assert!(is_old(acknowledged.least(Shows::Rows(Owned::Visits, 3)), json!([])));
        assert!(!is_old(acknowledged.least(Shows::Rows(Owned::Payments, 3)), json!([])));
    }
}
