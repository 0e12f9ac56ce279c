//! What do visitors do in a day? They look at the homepage, at some homes, a few sign in and open their dashboard; and
//! two requests of a hundred change something.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::figures::Figures;
use crate::judge::{Acknowledged, Owned, PEOPLE, PRICES_FROM, PROPERTIES, Shows};
use crate::people::{Mint, Person, uuid_of};
use crate::wire::{Request, Side};

/// Of a thousand requests so many are writes: a little more than 20, because the first ones of a visit are reads.
const WRITES_PER_MILLE: i64 = 20;

/// Of a hundred visitors so many sign in and open their dashboard, twice.
const SIGNED_IN_PERCENT: u64 = 25;

/// Of what changes, so many in a hundred: visits are booked, notifications written, rents paid, profiles edited; the
/// rest are new prices of homes, which everybody sees.
const CHANGES: [(i64, Change); 5] = [
    (50, Change::Visit),
    (70, Change::Notification),
    (80, Change::Payment),
    (90, Change::Profile),
    (100, Change::Price),
];

/// Looks at one home after another in a visit.
const HOMES: i64 = 8;

const CITIES: [&str; 3] = ["Dakar", "Thi%C3%A8s", "Saint-Louis"];

/// Persons who own homes: number n belongs to person 1 + n % 4.
const OWNERS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Change {
    Visit,
    Notification,
    Payment,
    Profile,
    Price,
}

/// One visitor's visit.
#[derive(Debug)]
pub(crate) struct Visit {
    /// After the day has begun.
    begins: Duration,
    /// The pause before each step.
    pause: Duration,
    chance: Chance,
}

/// All visits of a day: as likely at any hour, and looking at each page for half a minute.
pub(crate) fn visits(day: Duration, count: usize) -> Vec<Visit> {
    let mut chance = Chance::new(20_250_101);
    let visit = |_| {
        let begins = day.mul_f64(chance.between(0, 9_900) as f64 / 10_000.0);
        Visit { begins, pause: day / (24 * 60 * 2), chance: chance.branch() }
    };
    (0..count).map(visit).collect()
}

/// The site that they visit, and what is noted of it.
pub(crate) struct Site {
    proxies: Vec<Side>,
    mint: Mint,
    acknowledged: Acknowledged,
    /// Numbers that are never used twice.
    numbers: AtomicU64,
    /// The proxy that the next request goes to.
    turn: AtomicUsize,
    /// Whoever changes a row waits for the one before, so that its numbers rise.
    homes: Vec<tokio::sync::Mutex<()>>,
    people: Vec<tokio::sync::Mutex<()>>,
    figures: Mutex<Figures>,
}

impl Site {
    pub(crate) fn new(proxies: Vec<Side>, mint: Mint) -> Self {
        let locks = |count: usize| (0..=count).map(|_| tokio::sync::Mutex::default()).collect();
        Self {
            proxies,
            mint,
            acknowledged: Acknowledged::new(),
            numbers: AtomicU64::new(1),
            turn: AtomicUsize::new(0),
            homes: locks(PROPERTIES),
            people: locks(PEOPLE),
            figures: Mutex::default(),
        }
    }

    /// All that was noted; `asked` is how many requests reached the upstream.
    pub(crate) fn figures(&self, asked: u64) -> Figures {
        let mut figures = self.figures.lock().unwrap().clone();
        figures.asked = asked;
        figures
    }

    /// One visitor comes, looks at things and leaves.
    pub(crate) async fn receive(&self, mut visit: Visit) {
        tokio::time::sleep(visit.begins).await;
        let person = visit.chance.percent(SIGNED_IN_PERCENT).then(|| visit.chance.between(1, PEOPLE as i64));
        self.homepage(&mut visit).await;
        for _ in 0..HOMES {
            // the first homes of the list are looked at most
            let last = visit.chance.between(1, PROPERTIES as i64);
            let home = visit.chance.between(1, last);
            let target = format!("/rest/v1/properties?id=eq.{home}&status=eq.published");
            self.look(&mut visit, &target, Person::anon(), Shows::Prices).await;
        }
        if let Some(person) = person {
            self.dashboard(&mut visit, person).await;
        }
        self.homepage(&mut visit).await;
        if let Some(person) = person {
            self.dashboard(&mut visit, person).await;
        }
    }

    async fn homepage(&self, visit: &mut Visit) {
        let city = visit.chance.pick(&CITIES);
        let latest = "/rest/v1/published_properties?select=id,title,city,price&order=id&limit=20";
        self.look(visit, latest, Person::anon(), Shows::Prices).await;
        let of_city = format!("/rest/v1/properties?city=eq.{city}&status=eq.published&order=id&limit=20");
        self.look(visit, &of_city, Person::anon(), Shows::Prices).await;
        let owners = "/rest/v1/profiles?role=eq.owner&order=id";
        self.look(visit, owners, Person::anon(), Shows::Names).await;
    }

    /// Five queries, one after another, as the apps ask them.
    async fn dashboard(&self, visit: &mut Visit, person: i64) {
        let mut took = Duration::ZERO;
        for (target, shows) in self.boxes(person) {
            took += self.look(visit, &target, self.mint.person(person), shows).await;
        }
        self.figures.lock().unwrap().dashboards.push(took);
    }

    /// The same dashboard without Larder.
    pub(crate) async fn open_directly(&self, direct: &Side, person: i64) {
        let began = Instant::now();
        for (target, _) in self.boxes(person) {
            direct.ask(&get(&target, self.mint.person(person))).await;
        }
        self.figures.lock().unwrap().direct_dashboards.push(began.elapsed());
    }

    fn boxes(&self, person: i64) -> [(String, Shows); 5] {
        let (uuid, index) = (uuid_of(person), person as usize);
        [
            (format!("properties?owner_id=eq.{uuid}&order=id"), Shows::Prices),
            (format!("visit_bookings?visitor_id=eq.{uuid}&order=id"), Shows::Rows(Owned::Visits, index)),
            (format!("rental_payments?payer_id=eq.{uuid}&order=id"), Shows::Rows(Owned::Payments, index)),
            (format!("notifications?user_id=eq.{uuid}&order=id"), Shows::Rows(Owned::Notifications, index)),
            (format!("profiles?id=eq.{uuid}"), Shows::Names),
        ]
        .map(|(target, shows)| (format!("/rest/v1/{target}"), shows))
    }

    /// Reads something, now and then after a change, and compares it with what was acknowledged before.
    async fn look(&self, visit: &mut Visit, target: &str, who: Person, shows: Shows) -> Duration {
        tokio::time::sleep(visit.pause).await;
        if visit.chance.between(1, 1_000 - WRITES_PER_MILLE) <= WRITES_PER_MILLE {
            self.change(&mut visit.chance).await;
        }
        let read = get(target, who);
        let least = self.acknowledged.least(shows);
        let began = Instant::now();
        let told = self.next().ask(&read).await;
        let took = began.elapsed();
        assert_eq!(told.answer.status, 200, "{read}\n{}", told.answer);
        let shown: Value = serde_json::from_str(&told.answer.body).unwrap();
        let is_old = least.is_undercut_by(&shown);
        self.figures.lock().unwrap().read(took, told.is_hit(), is_old);
        took
    }

    async fn change(&self, chance: &mut Chance) {
        let drawn = chance.between(1, 100);
        let (_, change) = CHANGES.into_iter().find(|(up_to, _)| drawn <= *up_to).unwrap();
        let (person, home) = (chance.index(PEOPLE) + 1, chance.index(PROPERTIES) + 1);
        let number = || self.numbers.fetch_add(1, Ordering::SeqCst);
        let uuid = uuid_of(person as i64);
        match change {
            Change::Visit => {
                let minute = i64::try_from(number()).unwrap();
                let slot = format!(
                    "{:04}-01-01T{:02}:{:02}:00Z",
                    2_030 + minute / 1_440,
                    minute / 60 % 24,
                    minute % 60
                );
                let row = json!({ "property_id": home, "visitor_id": uuid, "slot": slot });
                self.write(Method::POST, "visit_bookings", &row, person).await;
                self.acknowledged.one_more(Owned::Visits, person);
            }
            Change::Notification => {
                let row = json!({ "id": number(), "user_id": uuid, "title": "Votre visite" });
                self.write(Method::POST, "notifications", &row, person).await;
                self.acknowledged.one_more(Owned::Notifications, person);
            }
            Change::Payment => {
                let row = json!({ "id": number(), "payer_id": uuid, "amount": 250_000 });
                self.write(Method::POST, "rental_payments", &row, person).await;
                self.acknowledged.one_more(Owned::Payments, person);
            }
            Change::Profile => {
                let _one_at_a_time = self.people[person].lock().await;
                let number = number();
                let row = json!({ "full_name": format!("Awa {number}") });
                self.write(Method::PATCH, &format!("profiles?id=eq.{uuid}"), &row, person).await;
                self.acknowledged.name(person, number);
            }
            Change::Price => {
                let _one_at_a_time = self.homes[home].lock().await;
                let price = PRICES_FROM + number();
                let target = format!("properties?id=eq.{home}");
                self.write(Method::PATCH, &target, &json!({ "price": price }), 1 + home % OWNERS).await;
                self.acknowledged.price(home, price);
            }
        }
    }

    /// Writes as supabase-js does with `.select()`.
    async fn write(&self, method: Method, target: &str, row: &Value, person: usize) {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("prefer", "return=representation".to_owned()),
        ];
        let write = Request {
            method,
            target: format!("/rest/v1/{target}"),
            headers,
            body: Some(row.to_string()),
            who: self.mint.person(person as i64),
        };
        let told = self.next().ask(&write).await;
        assert!(told.answer.status.is_success(), "{write}\n{}", told.answer);
        assert_ne!(told.answer.body, "[]", "{write} changed nothing");
        self.figures.lock().unwrap().writes += 1;
    }

    fn next(&self) -> &Side {
        &self.proxies[self.turn.fetch_add(1, Ordering::Relaxed) % self.proxies.len()]
    }
}

fn get(target: &str, who: Person) -> Request {
    Request { method: Method::GET, target: target.to_owned(), headers: Vec::new(), body: None, who }
}
