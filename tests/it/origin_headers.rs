//! `ttl: origin`: does an answer live as long as it says itself, and is it asked about after that?

use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::support::client::{Answer, absent};
use crate::support::origin::{Origin, Reply, status, text};
use crate::support::{Proxy, contains, origin, proxy, soon};

const FILE: &str = "/storage/v1/object/public/photos/house.txt";
const READ: &str = "GET /storage/v1/object/public/photos/house.txt";
const RULES: &str = "reads: [{ name: files, match: \"/storage/v1/object/public/**\", namespace: files, \
                     scope: token, ttl: origin }]\n\
                     writes: [{ match: \"/storage/v1/object/photos/**\", invalidate: [\"files:*\"] }]";
const UPLOAD: &str = "/storage/v1/object/photos/house.txt";
const STORED: &str = "fwd=miss; stored";
const RENEWED: &str = "larder; fwd=stale; fwd-status=304; stored; key=";

/// A file that says this of itself, sent now.
fn file(proxy: &Proxy, body: &'static str, control: &str) -> Reply {
    dated(proxy, text(body).header("cache-control", control))
}

fn dated(proxy: &Proxy, reply: Reply) -> Reply {
    let now = UNIX_EPOCH + Duration::from_secs(proxy.unix_seconds());
    reply.header("date", &httpdate::fmt_http_date(now))
}

/// What an upstream says to a condition that holds.
fn unchanged(proxy: &Proxy, etag: &str) -> Reply {
    dated(proxy, status(304).header("etag", etag))
}

async fn started(rules: &str) -> (Origin, Proxy) {
    let origin = origin().route(&format!("POST {UPLOAD}"), status(200)).start().await;
    let proxy = proxy(&origin).rules(rules).start().await;
    (origin, proxy)
}

async fn reads(proxy: &Proxy, body: &str, status: &'static str) -> Answer {
    let answer = proxy.client().get(FILE).await.expect_status(200).expect_body(body);
    answer.expect_header("cache-status", contains(status))
}

async fn uploads(proxy: &Proxy) {
    proxy.client().post(UPLOAD, json!("new")).await.expect_status(200);
}

#[tokio::test]
async fn an_answer_is_fresh_for_as_long_as_it_says_and_says_so_to_everybody() {
    let (origin, proxy) = started(RULES).await;
    let reply = file(&proxy, "a house", "public, max-age=60").header("age", "20").header("x-colour", "red");
    origin.now(READ, reply.header("etag", "W/\"1\"").header("x-request-id", "7"));
    let first = reads(&proxy, "a house", STORED).await.expect_header("age", "20");
    first.expect_header("cache-control", "public, max-age=60");
    proxy.wait(Duration::from_secs(39));
    let hit = reads(&proxy, "a house", "larder; hit; ttl=").await;
    let hit = hit.expect_header("age", "59").expect_header("cache-control", "public, max-age=60");
    let hit = hit.expect_header("x-colour", "red").expect_header("x-request-id", absent());
    assert!(hit.headers["etag"].as_bytes().starts_with(b"\"") && hit.headers["etag"] != "\"1\"");
    origin.saw(READ).times(1);

    let etag = hit.headers["etag"].to_str().unwrap().to_owned();
    let same = proxy.client().with("if-none-match", &etag).get(FILE).await.expect_status(304);
    let same = same.expect_header("cache-control", "public, max-age=60").expect_header("etag", &*etag);
    assert!(same.headers.contains_key("date"));

    proxy.wait(Duration::from_secs(2));
    origin.now(READ, file(&proxy, "a villa", "max-age=60"));
    reads(&proxy, "a villa", STORED).await.expect_header("age", "0");
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn what_does_not_say_that_it_may_be_kept_is_not() {
    let (origin, proxy) = started(RULES).await;
    for (asked, (name, value)) in [
        ("cache-control", "no-store, max-age=60"),
        ("cache-control", "private, max-age=60"),
        ("cache-control", "max-age=\"60"),
        ("cache-control", "public"),
        ("cache-control", "no-cache"),
        ("cdn-cache-control", "no-store"),
        ("expires", "0"),
        ("expires", "yesterday"),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ]
    .into_iter()
    .enumerate()
    {
        origin.now(READ, dated(&proxy, text("a house").header(name, value)));
        reads(&proxy, "a house", "fwd=miss; key=")
            .await
            .expect_header("cache-status", contains("cache-control"));
        origin.saw(READ).times(asked + 1);
    }
    for (name, value, why) in
        [("vary", "*", "vary"), ("vary", "X-Colour", "vary"), ("set-cookie", "a=1", "set-cookie")]
    {
        origin.now(READ, file(&proxy, "a house", "max-age=60").header(name, value));
        proxy.client().get(FILE).await.expect_header("cache-status", contains(why));
    }
    origin.now(READ, file(&proxy, "a house", "no-store").header("cdn-cache-control", "max-age=60"));
    reads(&proxy, "a house", STORED).await;
    reads(&proxy, "a house", "hit").await;
}

#[tokio::test]
async fn past_its_time_an_answer_is_asked_about_and_its_body_not_fetched_again() {
    let (origin, proxy) = started(RULES).await;
    origin
        .now(READ, file(&proxy, "a house", "max-age=60").header("etag", "\"v1\"").header("x-colour", "red"));
    reads(&proxy, "a house", STORED).await;
    let ours = reads(&proxy, "a house", "hit").await.headers["etag"].clone();
    proxy.wait(Duration::from_secs(61));
    let renewed = unchanged(&proxy, "\"v1\"").header("cache-control", "max-age=100");
    origin.now(READ, renewed.header("x-colour", "blue"));
    let answer = reads(&proxy, "a house", RENEWED).await.expect_header("age", "0");
    let answer = answer.expect_header("cache-control", "max-age=100").expect_header("x-colour", "blue");
    assert_eq!(answer.headers["etag"], ours, "the body is the same");
    assert_eq!(origin.saw(READ).times(2).last().header("if-none-match"), "\"v1\"");
    proxy.wait(Duration::from_secs(99));
    reads(&proxy, "a house", "larder; hit; ttl=").await.expect_header("content-type", "text/plain");
    origin.saw(READ).times(2);

    // and when it has changed, it is fetched
    proxy.wait(Duration::from_secs(2));
    origin.now(READ, file(&proxy, "a villa", "max-age=60").header("etag", "\"v2\""));
    reads(&proxy, "a villa", STORED).await;
    // what the upstream says is about another answer
    proxy.wait(Duration::from_secs(61));
    let whole = file(&proxy, "a castle", "max-age=60");
    origin.twice(READ, unchanged(&proxy, "\"v3\""), whole);
    reads(&proxy, "a castle", STORED).await;
    assert_eq!(origin.saw(READ).times(5).last().header("if-none-match"), "");
}

#[tokio::test]
async fn what_says_no_cache_is_kept_and_asked_about_each_time() {
    let (origin, proxy) = started(RULES).await;
    origin.now(READ, file(&proxy, "a house", "no-cache").header("etag", "\"v1\""));
    reads(&proxy, "a house", STORED).await.expect_header("cache-control", "no-cache");
    origin.now(READ, unchanged(&proxy, "\"v1\""));
    for asked in 2..5 {
        reads(&proxy, "a house", RENEWED).await;
        origin.saw(READ).times(asked);
    }
    assert_eq!(proxy.counted("larder_requests_total", &["outcome=\"renewed\""]).await, 3.0);
    // nor is it served where the upstream has no answer
    origin.now(READ, status(503));
    proxy.client().get(FILE).await.expect_status(503);
}

#[tokio::test]
async fn a_304_that_forbids_keeping_takes_the_answer_away() {
    let (origin, proxy) = started(RULES).await;
    origin.now(READ, file(&proxy, "a house", "no-cache").header("etag", "\"v1\""));
    reads(&proxy, "a house", STORED).await;
    let refused = unchanged(&proxy, "\"v1\"").header("cache-control", "no-store");
    origin.twice(READ, refused, file(&proxy, "a house", "no-store"));
    reads(&proxy, "a house", "detail=cache-control").await;
    assert_eq!(origin.saw(READ).times(3).last().header("if-none-match"), "");
}

#[tokio::test]
async fn nothing_that_a_write_took_away_is_asked_about() {
    let (origin, proxy) = started(RULES).await;
    origin.now(READ, file(&proxy, "a house", "max-age=60").header("etag", "\"v1\""));
    reads(&proxy, "a house", STORED).await;
    uploads(&proxy).await;
    reads(&proxy, "a house", STORED).await;
    assert_eq!(origin.saw(READ).times(2).last().header("if-none-match"), "");

    // nor is it revived by an answer to a question from before the write
    proxy.wait(Duration::from_secs(61));
    origin.now(READ, unchanged(&proxy, "\"v1\"").header("cache-control", "max-age=60"));
    let held = origin.hold(READ);
    let client = proxy.client();
    let mut reading = JoinSet::from_iter([async move { client.get(FILE).await }]);
    origin.reached(READ, 3).await;
    uploads(&proxy).await;
    origin.now(READ, file(&proxy, "a villa", "max-age=60"));
    held.release();
    reading.join_next().await.unwrap().unwrap().expect_body("a house");
    reads(&proxy, "a villa", STORED).await;
    assert_eq!(origin.saw(READ).times(4).last().header("if-none-match"), "");
}

#[tokio::test]
async fn an_answer_says_itself_how_long_it_may_be_served_past_its_time() {
    let (origin, proxy) = started(RULES).await;
    let control = "max-age=60, stale-while-revalidate=30, stale-if-error=600";
    origin.now(READ, file(&proxy, "a house", control).header("etag", "\"v1\""));
    reads(&proxy, "a house", STORED).await;
    proxy.wait(Duration::from_secs(61));
    origin.now(READ, unchanged(&proxy, "\"v1\""));
    reads(&proxy, "a house", "stale-while-revalidate").await.expect_header("age", "61");
    let renewed =
        async { while proxy.counted("larder_refreshes_total", &["result=\"kept\""]).await < 1.0 {} };
    soon("it is asked about", renewed).await;
    reads(&proxy, "a house", "larder; hit; ttl=").await;
    assert_eq!(origin.saw(READ).times(2).last().header("if-none-match"), "\"v1\"");

    proxy.wait(Duration::from_secs(120));
    origin.now(READ, status(503));
    reads(&proxy, "a house", "stale-if-error").await;
    proxy.wait(Duration::from_secs(600));
    proxy.client().get(FILE).await.expect_status(503);

    for strict in ["must-revalidate", "proxy-revalidate", "s-maxage=60"] {
        uploads(&proxy).await;
        origin.now(READ, file(&proxy, "a villa", &format!("{control}, {strict}")));
        proxy.wait(Duration::from_secs(2));
        reads(&proxy, "a villa", STORED).await;
        proxy.wait(Duration::from_secs(61));
        origin.now(READ, status(503));
        proxy.client().get(FILE).await.expect_status(503);
    }
}

#[tokio::test]
async fn what_was_asked_for_with_credentials_is_shared_only_where_it_says_so() {
    for (scope, control, expected) in [
        ("public", "max-age=60", "detail=cache-control"),
        ("role", "max-age=60", "detail=cache-control"),
        ("role", "max-age=60, public", STORED),
        ("role", "max-age=60, must-revalidate", STORED),
        ("user", "max-age=60", STORED),
        ("token", "max-age=60", STORED),
    ] {
        // without keys nobody is verified, and every answer is for the very same credentials
        let (origin, proxy) = started(&RULES.replace("scope: token", &format!("scope: {scope}"))).await;
        origin.now(READ, file(&proxy, "a house", control));
        let client = proxy.client().with("authorization", "Bearer opaque");
        let answer = client.get(FILE).await.expect_status(200);
        answer.expect_header("cache-status", contains(expected));
    }
}

#[tokio::test]
async fn a_time_is_guessed_where_the_rule_says_so() {
    let (origin, proxy) = started(&RULES.replace("ttl: origin", "ttl: origin, heuristic: true")).await;
    let changed = UNIX_EPOCH + Duration::from_secs(proxy.unix_seconds() - 1_000);
    let reply = text("a house").header("last-modified", &httpdate::fmt_http_date(changed));
    origin.now(READ, dated(&proxy, reply));
    reads(&proxy, "a house", STORED).await;
    proxy.wait(Duration::from_secs(98));
    reads(&proxy, "a house", "hit").await;
    proxy.wait(Duration::from_secs(3));
    origin.now(READ, dated(&proxy, status(304)));
    reads(&proxy, "a house", RENEWED).await;
    let asked = origin.saw(READ).times(2).last().header("if-modified-since");
    assert_eq!(asked, httpdate::fmt_http_date(changed));
}

#[tokio::test]
async fn what_must_not_be_transformed_is_sent_as_it_came() {
    let (origin, proxy) = started(RULES).await;
    let long: &'static str = "a house with many rooms ".repeat(200).leak();
    origin.now(READ, file(&proxy, long, "max-age=60, no-transform"));
    let client = proxy.client().with("accept-encoding", "gzip, identity;q=0.1");
    for _ in 0..3 {
        client.get(FILE).await.expect_body(long).expect_header("content-encoding", absent());
    }
    origin.saw(READ).times(1);
    assert_eq!(proxy.counted("larder_forms", &[]).await, 0.0);
}

#[tokio::test]
async fn of_a_fleet_one_asks_and_all_know() {
    let (origin, redis) = (origin().start().await, Redis::start(&[]));
    let start = async |members: f64| {
        let proxy = proxy(&origin).rules(RULES).variable("REDIS_URL", &redis.url()).start().await;
        let counted = async { while proxy.counted("larder_fleet_members", &[]).await != members {} };
        soon("everybody is in touch", counted).await;
        proxy
    };
    let (one, other) = (start(1.0).await, start(2.0).await);
    origin.now(READ, file(&one, "a house", "max-age=60").header("age", "20").header("etag", "\"v1\""));
    reads(&one, "a house", STORED).await;
    reads(&other, "a house", "hit; ttl=").await.expect_header("cache-control", "max-age=60");
    for proxy in [&one, &other] {
        proxy.wait(Duration::from_secs(41));
        // only who knows that nothing has changed may ask whether it is still so
        proxy.until_counted("larder_lease_milliseconds", &[], |left| left > 100.0).await;
    }
    origin.now(READ, unchanged(&other, "\"v1\"").header("cache-control", "max-age=100"));
    reads(&other, "a house", RENEWED).await;
    assert_eq!(origin.saw(READ).times(2).last().header("if-none-match"), "\"v1\"");
}

/// What is sent of a file for a `Range`: its status, its `Content-Range`, its bytes.
async fn piece(proxy: &Proxy, headers: &[(&'static str, &str)]) -> (u16, String, String) {
    let client = headers.iter().fold(proxy.client(), |client, (name, value)| client.with(name, value));
    let answer = client.get(FILE).await;
    let said = answer.headers.get("content-range").map_or("", |said| said.to_str().unwrap());
    (answer.status.as_u16(), said.to_owned(), String::from_utf8(answer.body.to_vec()).unwrap())
}

#[tokio::test]
async fn pieces_and_heads_come_from_the_whole_that_is_at_hand() {
    let (origin, proxy) = started(RULES).await;
    let part = status(206).header("content-range", "bytes 0-0/7");
    origin.now(READ, part.header("cache-control", "max-age=60"));
    origin.now(&READ.replace("GET", "HEAD"), status(200).header("x-from", "upstream"));
    // nothing is at hand: upstream as they came, and nothing is kept of it
    for asked in 1..3 {
        assert_eq!(piece(&proxy, &[("range", "bytes=0-0")]).await.0, 206);
        assert_eq!(origin.saw(READ).times(asked).last().header("range"), "bytes=0-0");
        proxy.client().head(FILE).await.expect_status(200).expect_header("x-from", "upstream");
    }
    origin.now(READ, file(&proxy, "a house", "max-age=60"));
    reads(&proxy, "a house", STORED).await;
    let etag = reads(&proxy, "a house", "hit").await.headers["etag"].to_str().unwrap().to_owned();

    let is = |status: u16, said: &str, body: &str| (status, said.to_owned(), body.to_owned());
    for (headers, expected) in [
        (&[("range", "bytes=2-4")][..], is(206, "bytes 2-4/7", "hou")),
        (&[("range", "bytes=-2")], is(206, "bytes 5-6/7", "se")),
        (&[("range", "bytes=5-")], is(206, "bytes 5-6/7", "se")),
        (&[("range", "bytes=7-")], is(416, "bytes */7", "")),
        (&[("range", "bytes=0-0,2-2")], is(200, "", "a house")),
        (&[("range", "bytes=0-0"), ("if-range", &etag)], is(206, "bytes 0-0/7", "a")),
        (&[("range", "bytes=0-0"), ("if-range", "\"other\"")], is(200, "", "a house")),
        (&[("range", "bytes=0-0"), ("if-range", "Sun, 06 Nov 1994 08:49:37 GMT")], is(200, "", "a house")),
        (&[("range", "bytes=0-0"), ("if-none-match", &etag)], is(304, "", "")),
    ] {
        assert_eq!(piece(&proxy, headers).await, expected, "{headers:?}");
    }
    let head = proxy.client().head(FILE).await.expect_status(200).expect_body("");
    head.expect_header("content-length", "7").expect_header("etag", &*etag).expect_header("x-from", absent());
    origin.saw(READ).times(3);
    origin.saw(&READ.replace("GET", "HEAD")).times(2);

    // nor from what is past its time, or was taken away
    proxy.wait(Duration::from_secs(61));
    proxy.client().head(FILE).await.expect_header("x-from", "upstream");
    reads(&proxy, "a house", "fwd=miss").await;
    uploads(&proxy).await;
    proxy.client().head(FILE).await.expect_header("x-from", "upstream");
}

#[tokio::test]
async fn no_bytes_are_cut_from_rows() {
    let rules = "reads: [{ name: todos, match: /rest/v1/todos, ttl: origin, scope: token }]";
    let origin = origin().table("todos").start().await;
    let proxy = proxy(&origin).rules(rules).start().await;
    origin.now(
        "GET /rest/v1/todos",
        dated(&proxy, Reply::from(json!([1, 2])).header("cache-control", "max-age=60")),
    );
    for _ in 0..2 {
        let client = proxy.client().with("range", "bytes=0-0");
        client.get("/rest/v1/todos").await.expect_status(200).expect_json(&json!([1, 2]));
        proxy.client().head("/rest/v1/todos").await.expect_header("cache-status", contains("detail=head"));
    }
    origin.saw("GET /rest/v1/todos").times(1);
    origin.saw("HEAD /rest/v1/todos").times(2);
}

#[tokio::test]
async fn a_write_takes_away_what_is_kept_of_its_address_and_of_those_that_it_names() {
    let rules = "reads: [{ name: rates, match: \"/functions/v1/**\", namespace: functions, scope: token, ttl: origin }]";
    let (rates, other) = ("/functions/v1/rates?of=XOF", "/functions/v1/other");
    let (origin, proxy) = started(rules).await;
    let post = "POST /functions/v1/rates";
    let reads = async |target: &str, expected: &'static str| {
        let answer = proxy.client().get(target).await.expect_status(200);
        answer.expect_header("cache-status", contains(expected));
    };
    let fresh = || file(&proxy, "655", "max-age=60");
    let upstream = format!("http://{}{other}", origin.address);
    let ours = format!("http://{}{other}", proxy.address());
    for (reply, goes) in [
        (status(200), false),
        (status(201).header("location", other), true),
        (status(201).header("content-location", "other"), true),
        (status(201).header("location", &upstream), true),
        (status(201).header("location", &ours), true),
        // of another server, or of a write that was none
        (status(201).header("location", "http://elsewhere.test/functions/v1/other"), false),
        (status(409).header("location", other), false),
    ] {
        origin.now("GET /functions/v1/rates", fresh());
        origin.now("GET /functions/v1/other", fresh());
        let is_error = format!("{reply:?}").contains("status: 409");
        origin.now(post, reply.clone());
        for target in [rates, other] {
            proxy.client().get(target).await.expect_status(200);
            reads(target, "hit").await;
        }
        proxy.client().post(rates, json!({})).await;
        if !is_error {
            reads(rates, STORED).await;
        }
        reads(other, if goes { STORED } else { "hit" }).await;
    }
}
