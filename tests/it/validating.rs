//! What is sent to a client that has the answer already?

use serde_json::json;
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::support::client::{Answer, Client, absent};
use crate::support::origin::{status, text};
use crate::support::{Proxy, Step, contains, origin, proxy, scripted, send, soon};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: public }]";
const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos?select=id";

/// Asks until there is a validator, which a hit always has.
async fn validator_of(client: &Client, target: &str) -> String {
    client.get(target).await;
    let hit = client.get(target).await.expect_status(200).expect_header("cache-status", contains("hit"));
    etag(&hit)
}

fn etag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

fn having(client: &Client, tags: &str) -> Client {
    client.with("if-none-match", tags)
}

/// Whoever is likely to keep an answer that is just being fetched is told what it is called; nobody else has it hashed.
#[tokio::test]
async fn an_answer_is_called_something_once_somebody_may_keep_it() {
    let origin = origin().route(READ, text("the same")).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let (program, browser) = (proxy.client(), proxy.client().with("origin", "https://app.example"));
    let read = |client: &Client, page: u8| {
        let (client, target) = (client.clone(), format!("{TARGET}&offset={page}"));
        async move { client.get(&target).await.expect_status(200) }
    };
    let stored = contains("fwd=miss; stored");
    let silent = read(&program, 1).await.expect_header("cache-status", stored);
    silent.expect_header("etag", absent());
    // told where all of it has come by then, as of most small answers
    let mut page = 2;
    let told = loop {
        let told = read(&browser, page).await.expect_header("cache-status", stored);
        if told.headers.contains_key("etag") {
            break told;
        }
        page += 1;
        assert!(page < 100, "never told");
    };
    let hit = read(&program, page).await.expect_header("cache-status", contains("hit"));
    assert_eq!(etag(&told), etag(&hit));
    let first_hit = read(&program, 1).await.expect_header("cache-status", contains("hit"));
    assert_eq!(etag(&first_hit), etag(&hit), "equal answers");
    origin.saw(READ).times(usize::from(page));
}

async fn not_modified(proxy: &Proxy) -> f64 {
    proxy.counted("larder_not_modified_total", &[]).await
}

#[tokio::test]
async fn whoever_has_an_answer_is_told_so_and_nothing_else() {
    let row = status(200)
        .header("content-type", "application/json")
        .header("content-location", "/todos?select=id")
        .header("content-range", "0-0/*")
        .header("etag", "\"of the upstream\"");
    let origin = origin().route(READ, row).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let client = proxy.client();
    let tag = validator_of(&client, TARGET).await;
    for (tags, expected) in [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"other\", {tag}"), 304),
        (format!("\"a,b\",W/\"other\" ,W/{tag},\"third\""), 304),
        ("*".to_owned(), 304),
        ("\"other\"".to_owned(), 200),
        ("\"of the upstream\"".to_owned(), 200),
        (tag.trim_matches('"').to_owned(), 200),
        (String::new(), 200),
    ] {
        let browser = having(&client, &tags).with("origin", "https://app.example");
        let answer = browser.get(TARGET).await.expect_status(expected);
        answer
            .expect_header("etag", &*tag)
            .expect_header("cache-control", "private, no-cache")
            .expect_header("vary", "Accept, Accept-Profile, Prefer, Range, Authorization, apikey")
            .expect_header("content-location", "/todos?select=id")
            .expect_header("cache-status", contains("hit"))
            .expect_header("access-control-allow-origin", "*")
            .expect_header("access-control-expose-headers", contains("ETag"))
            .expect_header("age", "0")
            .expect_header("date", contains("GMT"));
    }
    let other = having(&client, "\"other\"").with("if-none-match", &tag);
    let answer = other.get(TARGET).await.expect_status(304).expect_body("");
    answer
        .expect_header("content-type", absent())
        .expect_header("content-range", absent())
        .expect_header("content-length", absent());
    origin.saw("*").times(1);
    assert_eq!(not_modified(&proxy).await, 6.0);
    assert_eq!(proxy.counted("larder_requests_total", &["outcome=\"hit\""]).await, 11.0);
}

#[tokio::test]
async fn bytes_that_a_client_has_are_counted() {
    let origin = origin().route(READ, json!(["x".repeat(96)])).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let client = proxy.client();
    let tag = validator_of(&client, TARGET).await;
    having(&client, &tag).get(TARGET).await.expect_status(304);
    assert_eq!(proxy.counted("larder_unsent_bytes_total", &["by=\"not-modified\""]).await, 100.0);
    assert_eq!(proxy.counted("larder_saved_bytes_total", &[]).await, 200.0);
}

/// What a write took away is fetched anew; if it is as it was, the client hears just that.
#[tokio::test]
async fn a_fetched_answer_is_compared_too() {
    let origin = origin().table("todos").start().await;
    origin.now(READ, json!([1]));
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let client = proxy.client();
    let tag = validator_of(&client, TARGET).await;
    for (now, expected) in [(json!([1]), 304), (json!([2]), 200)] {
        client.patch("/rest/v1/todos?id=eq.1", json!({})).await.expect_status(204);
        origin.now(READ, now);
        let answer = having(&client, &tag).get(TARGET).await.expect_status(expected);
        answer
            .clone()
            .expect_header("cache-status", contains("fwd=miss; stored"))
            .expect_header("cache-control", "private, no-cache")
            .expect_header("age", "0");
        assert_eq!(etag(&answer) == tag, expected == 304);
        assert_eq!(origin.saw(READ).last().header("if-none-match"), "", "a condition never goes upstream");
    }
    assert_eq!(not_modified(&proxy).await, 1.0);
}

#[tokio::test]
async fn everybody_aboard_one_fetch_is_compared() {
    let origin = origin().table("todos").start().await;
    origin.now(READ, json!([1]));
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let client = proxy.client();
    let tag = validator_of(&client, TARGET).await;
    client.patch("/rest/v1/todos?id=eq.1", json!({})).await.expect_status(204);
    let held = origin.hold(READ);
    let mut asking = JoinSet::new();
    for _ in 0..10 {
        let client = having(&proxy.client(), &tag);
        asking.spawn(async move { client.get(TARGET).await });
    }
    origin.reached(READ, 2).await;
    held.release();
    while let Some(answer) = asking.join_next().await {
        answer.unwrap().expect_status(304).expect_header("etag", &*tag);
    }
    origin.saw(READ).times(2);
}

/// Who has nothing of ours does not wait for the whole; who may have waits, and is sent what there is.
#[tokio::test]
async fn a_slow_answer_is_waited_for_only_by_those_who_may_have_it() {
    let upstream = scripted().await;
    let begins = send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nab");
    upstream.on("/k", [begins, Step::Hold, send("cd")]);
    let rules = "reads: [{ name: k, match: /k, ttl: 60s, scope: public }]";
    let proxy = proxy(&upstream).rules(rules).start().await;
    let ask = async |tags: &str| {
        let mut client = proxy.raw().await;
        client.send(format!("GET /k HTTP/1.1\r\nHost: h\r\nIf-None-Match: {tags}\r\n\r\n")).await;
        client
    };
    let mut foreign = ask("\"33a64df5\"").await;
    foreign.until(b"\r\n\r\nab").await;
    let mut ours = ask("\"0123456789012345678901\"").await;
    upstream.release();
    let answer = ours.answer("GET").await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &b"abcd"[..]), "{}", answer.head);
    assert_eq!(answer.header("etag").len(), 1, "the whole is known: {}", answer.head);
    let mut again = ask(answer.header("etag")[0]).await;
    let again = again.answer("GET").await.unwrap();
    assert_eq!((again.status, again.header("content-length")), (304, Vec::new()), "{}", again.head);
    assert_eq!(upstream.seen_at("/k").len(), 1);
}

#[tokio::test]
async fn an_answer_that_outgrows_what_is_kept_is_sent_all_the_same() {
    let body = "x".repeat(64 * 1024);
    let origin = origin().route("GET /k", text(body.clone())).start().await;
    let rules = "reads: [{ name: k, match: /k, ttl: 60s, scope: public }]";
    let proxy = proxy(&origin).rules(rules).flags(|flags| flags.max_body = "16KiB".to_owned()).start().await;
    let client = having(&proxy.client(), "\"0123456789012345678901\"");
    for _ in 0..2 {
        let answer = client.get("/k").await.expect_status(200).expect_body(&body);
        answer.expect_header("etag", absent());
    }
}

/// What is not kept is no answer of ours: its own validator stays, and nobody is told that they have it.
#[tokio::test]
async fn what_is_not_kept_or_not_ours_is_never_compared() {
    let private = status(200).header("cache-control", "no-store").header("etag", "\"theirs\"");
    let unruled = status(200).header("etag", "\"theirs\"");
    let origin = origin().route(READ, private).route("GET /other", unruled).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    let client = having(&proxy.client(), "*");
    for target in [TARGET, TARGET, "/other"] {
        client.get(target).await.expect_status(200).expect_header("etag", "\"theirs\"");
    }
    assert_eq!(origin.saw(READ).last().header("if-none-match"), "");
    assert_eq!(origin.saw("GET /other").last().header("if-none-match"), "*", "passed as it came");
    assert_eq!(not_modified(&proxy).await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxies_that_share_a_store_tell_the_same_validator() {
    let (redis, origin) = (Redis::start(&[]), origin().route(READ, json!([1])).start().await);
    let start = async || {
        let proxy = proxy(&origin).rules(CACHED).variable("REDIS_URL", &redis.url()).start().await;
        let up = async { while proxy.counted("larder_store_up", &[]).await < 1.0 {} };
        soon("the store is reached", up).await;
        proxy
    };
    let [one, other] = [start().await, start().await];
    let kept = async {
        loop {
            let answer = one.client().get(TARGET).await;
            if answer.headers["cache-status"].to_str().unwrap().contains("hit") {
                return etag(&answer);
            }
        }
    };
    let tag = soon("an answer is kept", kept).await;
    having(&other.client(), &tag).get(TARGET).await.expect_status(304).expect_header("etag", &*tag);
    let hits = other.counted("larder_requests_total", &["outcome=\"hit\""]).await;
    assert_eq!(hits, 1.0, "the other proxy never asked the upstream");
}
