//! How many more answers survive where writes are matched by rows? The same requests, with and without.
//!
//! One client at a time, so that every answer has one right form: what the upstream says directly, just
//! after. One request in ten changes one row, as supabase-js does without `.select()`.

use http::Method;

use crate::chance::Chance;
use crate::people::{Mint, Person, uuid_of};
use crate::stage::Stage;
use crate::wire::Request;

/// Of 100 requests so many are writes.
const WRITES_PERCENT: u64 = 10;
/// Of 100 reads so many ask for a list, which no write to its table leaves.
const LISTS_PERCENT: u64 = 15;
/// Of 100 requests that name one row so many are about a person, the others about a property.
const PEOPLE_PERCENT: u64 = 20;
const PROPERTIES: i64 = 60;
const PEOPLE: i64 = 12;
/// Persons with properties: number n belongs to person 1 + n % 4.
const OWNERS: i64 = 4;
const CITIES: [&str; 3] = ["Dakar", "Thi%C3%A8s", "Saint-Louis"];

/// What a run has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Survived {
    pub(crate) reads: usize,
    pub(crate) hits: usize,
    pub(crate) writes: usize,
    pub(crate) stale: usize,
}

impl Survived {
    pub(crate) fn hit_rate(self) -> f64 {
        self.hits as f64 / self.reads as f64
    }
}

/// Plays so many requests.
pub(crate) async fn play(stage: &Stage, seed: u64, steps: usize) -> Survived {
    let (direct, through) = (stage.direct(), stage.through());
    let mint = Mint::new(&stage.jwt_secret, &stage.publishable_key);
    let mut chance = Chance::new(seed);
    let mut survived = Survived::default();
    for _ in 0..steps {
        if chance.percent(WRITES_PERCENT) {
            let write = write(&mut chance, &mint);
            let told = through.ask(&write).await;
            assert_eq!(told.answer.status, 204, "{write}\n{}", told.answer);
            assert!(
                told.answer.headers.contains(&("content-range", Some("0-0/*".into()))),
                "{}",
                told.answer
            );
            survived.writes += 1;
        } else {
            let read = read(&mut chance, &mint);
            let (told, expected) = (through.ask(&read).await, direct.ask(&read).await);
            assert!(expected.answer.status.is_success(), "{read}\n{}", expected.answer);
            survived.reads += 1;
            survived.hits += usize::from(told.is_hit());
            survived.stale += usize::from(told.answer != expected.answer);
        }
    }
    survived
}

fn read(chance: &mut Chance, mint: &Mint) -> Request {
    let who = if chance.percent(50) { Person::anon() } else { mint.person(chance.between(1, OWNERS)) };
    let target = if chance.percent(LISTS_PERCENT) {
        format!("/rest/v1/properties?city=eq.{}&order=id&limit=10", chance.pick(&CITIES))
    } else if chance.percent(PEOPLE_PERCENT) {
        format!("/rest/v1/profiles?id=eq.{}", uuid_of(chance.between(1, PEOPLE)))
    } else {
        format!("/rest/v1/properties?id=eq.{}", chance.between(1, PROPERTIES))
    };
    Request { method: Method::GET, target, headers: Vec::new(), body: None, who }
}

fn write(chance: &mut Chance, mint: &Mint) -> Request {
    let (target, body, who) = if chance.percent(PEOPLE_PERCENT) {
        let person = chance.between(1, PEOPLE);
        let name = format!(r#"{{"full_name":"Awa {}"}}"#, chance.between(1, 1_000));
        (format!("/rest/v1/profiles?id=eq.{}", uuid_of(person)), name, person)
    } else {
        let property = chance.between(1, PROPERTIES);
        let price = format!(r#"{{"price":{}}}"#, chance.between(1, 1_000_000));
        (format!("/rest/v1/properties?id=eq.{property}"), price, 1 + property % OWNERS)
    };
    let headers = vec![("content-type", "application/json".to_owned())];
    Request { method: Method::PATCH, target, headers, body: Some(body), who: mint.person(who) }
}
