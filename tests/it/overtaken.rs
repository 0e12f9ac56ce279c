//! `ttl: origin` in a fleet: is an answer asked about that a write has taken away while that waited?

use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::support::origin::{Origin, Reply, status, text};
use crate::support::relay::Relay;
use crate::support::{Proxy, contains, origin, proxy};

const FILE: &str = "/storage/v1/object/public/photos/house.txt";
const READ: &str = "GET /storage/v1/object/public/photos/house.txt";
const UPLOAD: &str = "/storage/v1/object/photos/house.txt";
const RULES: &str = "reads: [{ name: files, match: \"/storage/v1/object/public/**\", namespace: files, \
                     scope: token, ttl: origin }]\n\
                     writes: [{ match: \"/storage/v1/object/photos/**\", invalidate: [\"files:*\"] }]\n\
                     limits: [{ name: all, match: \"/storage/v1/object/public/**\", by: ip, rate: 1000/1m, count: misses }]";

/// Two proxies that share a store, the first of them over a wire that can be held.
struct Fleet {
    origin: Origin,
    one: Proxy,
    other: Proxy,
    wire: Relay,
    _redis: Redis,
}

impl Fleet {
    /// The first proxy holds a file that says this of itself, and its time is over.
    async fn with_file(control: &str) -> Self {
        let (redis, origin) =
            (Redis::start(&[]), origin().route(&format!("POST {UPLOAD}"), status(200)).start().await);
        let address = redis.url();
        let wire = Relay::before(&address).await;
        let start = async |address: &str, members: fn(f64) -> bool| {
            let patient: fn(&mut larder::server::Flags) = |flags| flags.store.store_timeout = "20s".into();
            let started = proxy(&origin).rules(RULES).flags(patient).variable("REDIS_URL", address).start();
            let proxy = started.await;
            proxy.until_counted("larder_fleet_members", &[], members).await;
            proxy
        };
        let one = start(&wire.url(), |members| members == 1.0).await;
        let other = start(&address, |members| members == 2.0).await;
        origin.now(READ, file(&one, "a house", control).header("etag", "\"1\""));
        let client = one.client();
        client.get(FILE).await.expect_status(200).expect_header("cache-status", contains("stored"));
        one.wait(Duration::from_secs(61));
        // it believes what it remembers
        one.until_counted("larder_lease_milliseconds", &[], |left| left > 0.0).await;
        Self { origin, one, other, wire, _redis: redis }
    }

    /// While the first proxy waits, another file takes the place of what it holds; then it goes on.
    async fn overtake(&self) {
        self.wire.caught().await;
        self.other.client().post(UPLOAD, json!("new")).await.expect_status(200);
        self.origin.now(READ, file(&self.one, "a villa", "max-age=60"));
        self.wire.release();
    }

    async fn asked_whole(&self) {
        self.origin.reached(READ, 2).await;
        assert_eq!(self.origin.saw(READ).last().header("if-none-match"), "");
    }
}

fn file(proxy: &Proxy, body: &'static str, control: &str) -> Reply {
    let now = UNIX_EPOCH + Duration::from_secs(proxy.unix_seconds());
    text(body).header("cache-control", control).header("date", &httpdate::fmt_http_date(now))
}

#[tokio::test]
async fn a_refresh_that_waits_for_its_turn_does_not_ask_about_what_was_taken_away() {
    let fleet = Fleet::with_file("max-age=60, stale-while-revalidate=600").await;
    fleet.wire.hold(":renewal:");
    let stale = fleet.one.client().get(FILE).await.expect_body("a house");
    stale.expect_header("cache-status", contains("stale-while-revalidate"));
    fleet.overtake().await;
    fleet.asked_whole().await;
}

#[tokio::test]
async fn a_reader_who_waits_to_be_admitted_does_not_ask_about_what_was_taken_away() {
    let fleet = Fleet::with_file("max-age=60").await;
    fleet.wire.hold(":limit:");
    let client = fleet.one.client();
    let mut reading = JoinSet::from_iter([async move { client.get(FILE).await }]);
    fleet.overtake().await;
    reading.join_next().await.unwrap().unwrap().expect_status(200).expect_body("a villa");
    fleet.asked_whole().await;
}

#[tokio::test]
async fn what_nothing_has_taken_away_is_asked_about() {
    let fleet = Fleet::with_file("max-age=60").await;
    fleet.origin.now(READ, status(304).header("etag", "\"1\"").header("cache-control", "max-age=60"));
    fleet.one.client().get(FILE).await.expect_status(200).expect_body("a house");
    assert_eq!(fleet.origin.saw(READ).last().header("if-none-match"), "\"1\"");
}
