//! Who visits the demo? Some people who look, one owner who changes things, and a control group.
//!
//! Visitors read as on a real site: a few homes and cities are looked at most.
//! The owner changes prices and reads each back at once. Somebody who books visits clicks
//! twice, always. The control group
//! sends the same kind of reads to the upstream directly, so that "without
//! Larder" is measured and not assumed.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::chance::{Chance, Popularity};
use super::client::{Answer, Client};
use super::data::{CITIES, PROPERTIES};
use super::figures::{Measured, Served};

/// So many people look at a time. With their pauses they ask at most some 100 times a second.
const VISITORS: u64 = 16;

/// Between two reads of one visitor, in milliseconds.
const VISITOR_PAUSE: (u32, u32) = (80, 240);

/// Between two changes of the owner.
const OWNER_PAUSE: (u32, u32) = (1200, 2200);

/// Between two reads of the control group.
const CONTROL_PAUSE: (u32, u32) = (400, 900);

/// After a request without an answer: something is wrong, and asking faster does not help.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// Homes below this number are left to the person at the keyboard.
const FIRST_HOME: u32 = 10;

/// Homes that are looked at; the rest of the three hundred is never asked for.
const HOMES: u32 = 150;

/// Users who look at their notifications.
const READERS: u32 = 25;

/// Where requests go and what is measured of them.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    pub(super) client: Client,
    /// `http://…`, without a path.
    pub(super) larder: String,
    /// Likewise, for the control group.
    pub(super) upstream: String,
    pub(super) measured: Arc<Measured>,
}

impl Traffic {
    /// Lets them in until `stopping`.
    pub(super) fn start(&self, tasks: &TaskTracker, stopping: &CancellationToken) {
        for seed in 0..VISITORS {
            let visitor = Visitor::new(self.clone(), seed, self.larder.clone(), VISITOR_PAUSE);
            tasks.spawn(stopping.clone().run_until_cancelled_owned(visitor.look_around()));
        }
        let control = Visitor::new(self.clone(), VISITORS, self.upstream.clone(), CONTROL_PAUSE);
        tasks.spawn(stopping.clone().run_until_cancelled_owned(control.look_around()));
        let owner = Visitor::new(self.clone(), VISITORS + 1, self.larder.clone(), OWNER_PAUSE);
        tasks.spawn(stopping.clone().run_until_cancelled_owned(owner.look_after_homes()));
        let tenant = Visitor::new(self.clone(), VISITORS + 2, self.larder.clone(), OWNER_PAUSE);
        tasks.spawn(stopping.clone().run_until_cancelled_owned(tenant.book_visits()));
    }
}

/// One person.
#[derive(Debug)]
struct Visitor {
    traffic: Traffic,
    chance: Chance,
    base: String,
    pause: (u32, u32),
    homes: Vec<u32>,
    popular_homes: Popularity,
    popular_cities: Popularity,
}

impl Visitor {
    fn new(traffic: Traffic, seed: u64, base: String, pause: (u32, u32)) -> Self {
        // 101 has no divisor in common with the number of homes: the popular ones lie anywhere
        let span = PROPERTIES - FIRST_HOME;
        let homes: Vec<u32> = (0..HOMES).map(|place| FIRST_HOME + place * 101 % span).collect();
        let (popular_homes, popular_cities) = (Popularity::of(homes.len()), Popularity::of(CITIES.len()));
        Self { traffic, chance: Chance::new(seed), base, pause, homes, popular_homes, popular_cities }
    }

    async fn look_around(mut self) {
        loop {
            self.rest().await;
            let page = self.page();
            let url = format!("{}{page}", self.base);
            self.ask(Method::GET, &url, None).await;
        }
    }

    /// What is looked at next.
    fn page(&mut self) -> String {
        let chance = &mut self.chance;
        match chance.between(0, 100) {
            0..45 => home(*chance.popular(&self.homes, &self.popular_homes)),
            45..67 => {
                let (city, _) = chance.popular(&CITIES, &self.popular_cities);
                let city = utf8_percent_encode(city, NON_ALPHANUMERIC);
                let offset = if chance.percent(25) { 20 } else { 0 };
                format!(
                    "/rest/v1/properties?city=eq.{city}&status=eq.published&order=price.asc&limit=20&offset={offset}"
                )
            }
            67..80 => "/rest/v1/published_properties?order=updated_at.desc&limit=20".to_owned(),
            80..90 => {
                let user = chance.between(1, READERS + 1);
                format!("/rest/v1/notifications?user_id=eq.{user}&order=created_at.desc&limit=10")
            }
            90..96 => "/rest/v1/amenities?order=label.asc".to_owned(),
            _ => format!("/rest/v1/profiles?id=eq.{}", chance.between(1, 13)),
        }
    }

    async fn look_after_homes(mut self) {
        loop {
            self.rest().await;
            match self.chance.between(0, 10) {
                0..8 => self.change_a_price().await,
                _ => self.read_notifications().await,
            }
        }
    }

    /// Changes a price and looks at once whether everybody would see it.
    async fn change_a_price(&mut self) {
        let home = home(*self.chance.popular(&self.homes, &self.popular_homes));
        let url = format!("{}{home}", self.base);
        let price = self.chance.between(10, 400) * 5000;
        if self.ask(Method::PATCH, &url, Some(&json!({ "price": price }))).await.is_none() {
            return;
        }
        let Some(answer) = self.ask(Method::GET, &url, None).await else { return };
        let shown = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        self.traffic.measured.note_check(shown[0]["price"] == json!(price));
    }

    async fn read_notifications(&mut self) {
        let user = self.chance.between(1, READERS + 1);
        let url = format!("{}/rest/v1/notifications?user_id=eq.{user}", self.base);
        self.ask(Method::PATCH, &url, Some(&json!({ "read_at": "2025-06-30T18:00:00Z" }))).await;
    }

    async fn book_visits(mut self) {
        loop {
            self.rest().await;
            self.book_and_cancel().await;
        }
    }

    /// A booking, by a double click, that is cancelled again, so that a long demo does not grow.
    async fn book_and_cancel(&mut self) {
        let bookings = format!("{}/rest/v1/visit_bookings", self.base);
        let home = *self.chance.pick(&self.homes);
        let visit =
            json!({ "property_id": home, "visitor_id": 20, "host_id": 1, "slot": "2026-01-01T10:00:00Z" });
        let Traffic { client, measured, .. } = &self.traffic;
        let click = || client.send(Method::POST, &bookings, Some(&visit));
        let (Ok(one), Ok(other)) = tokio::join!(click(), click()) else {
            measured.note_failure();
            return tokio::time::sleep(FAILURE_PAUSE).await;
        };
        // either may have been the first to arrive
        let (answer, second) = if one.status.is_success() { (one, other) } else { (other, one) };
        measured.note_second_click(answer.status.is_success() && second.status == StatusCode::CONFLICT);
        measured.note(answer.served, answer.took);
        let booked = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        if let Some(id) = booked[0]["id"].as_i64() {
            self.ask(Method::DELETE, &format!("{bookings}?id=eq.{id}"), None).await;
        }
    }

    /// Asks, and measures how long it took.
    async fn ask(&mut self, method: Method, url: &str, row: Option<&Value>) -> Option<Answer> {
        let is_control = self.base == self.traffic.upstream;
        match self.traffic.client.send(method, url, row).await {
            // an answer that bypassed Larder where it should not have is no measurement of Larder
            Ok(answer) if answer.status.is_success() && (answer.served == Served::Direct) == is_control => {
                self.traffic.measured.note(answer.served, answer.took);
                Some(answer)
            }
            Ok(_) | Err(_) => {
                self.traffic.measured.note_failure();
                tokio::time::sleep(FAILURE_PAUSE).await;
                None
            }
        }
    }

    async fn rest(&mut self) {
        let millis = self.chance.between(self.pause.0, self.pause.1);
        tokio::time::sleep(Duration::from_millis(millis.into())).await;
    }
}

fn home(id: u32) -> String {
    format!("/rest/v1/properties?id=eq.{id}")
}
