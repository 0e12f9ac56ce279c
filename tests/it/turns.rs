//! Several proxies share a store, and all of them are asked for what none of them has: who fetches it?

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::redis::Redis;
use crate::support::client::Answer;
use crate::support::origin::{Origin, Reply};
use crate::support::{Proxy, origin, proxy, soon};

const RULES: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]";
const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";
/// Far beyond what a waiting proxy is asked here.
const CALLERS: usize = 20;

async fn todos(rows: Value) -> Origin {
    let origin = origin().table("todos").start().await;
    origin.now(READ, rows);
    origin
}

/// Two proxies that know of each other, and an upstream that may take its time.
async fn fleet(origin: &Origin, redis: &Redis) -> [Proxy; 2] {
    fleet_that_waits(origin, redis, Duration::from_secs(20)).await
}

async fn fleet_that_waits(origin: &Origin, redis: &Redis, patience: Duration) -> [Proxy; 2] {
    let start = async || {
        let proxy = proxy(origin).rules(RULES).answer_within(patience);
        // on a busy machine a turn that could not be ended in time ends by itself, which is not meant here
        let proxy = proxy.variable("LARDER_STORE_TIMEOUT", "5s");
        proxy.variable("REDIS_URL", &redis.url()).start().await
    };
    let fleet = [start().await, start().await];
    for proxy in &fleet {
        proxy.until_counted("larder_fleet_members", &[], |members| members == 2.0).await;
    }
    fleet
}

/// Requests that go on beside the story.
fn beside(proxy: &Proxy, count: usize) -> JoinSet<Answer> {
    let ask = |_| {
        let client = proxy.client();
        async move { client.get(TARGET).await }
    };
    (0..count).map(ask).collect()
}

async fn end(beside: JoinSet<Answer>, expected: &Value) {
    for answer in beside.join_all().await {
        answer.expect_status(200).expect_json(expected);
    }
}

/// `CALLERS` are asking, and one of them has found more than once that it is another's turn.
async fn waits(proxy: &Proxy) {
    proxy.until_counted("larder_store_look_ups", &[], |looks| looks >= (CALLERS + 2) as f64).await;
}

fn turns(redis: &Redis) -> String {
    redis.cli(&["--raw", "keys", "{larder}:turn:*"])
}

/// Because it was ended, not because its two seconds were over.
async fn turn_is_over(redis: &Redis, began: Instant) {
    let over = async {
        while !turns(redis).is_empty() {
            // asking blocks this thread, which the proxies need as well
            tokio::task::yield_now().await;
        }
    };
    soon("the turn is over", over).await;
    let in_time = began.elapsed() < Duration::from_millis(1_500);
    // a machine that is too busy for that tells otherwise whether anything ended by itself
    let nothing_expired =
        || redis.cli(&["info", "stats"]).lines().any(|line| line.trim() == "expired_keys:0");
    assert!(in_time || nothing_expired(), "it ended by itself");
}

#[tokio::test]
async fn a_cold_answer_is_fetched_once_whoever_is_asked_for_it() {
    let (origin, redis) = (todos(json!([1])).await, Redis::start(&[]));
    let [one, other] = fleet(&origin, &redis).await;
    let (held, began) = (origin.hold(READ), Instant::now());
    let first = beside(&one, 1);
    origin.reached(READ, 1).await;
    let others = beside(&other, CALLERS);
    waits(&other).await;
    held.release();
    end(first, &json!([1])).await;
    end(others, &json!([1])).await;
    origin.saw(READ).times(1);
    turn_is_over(&redis, began).await;
}

#[tokio::test]
async fn whoever_comes_after_a_write_waits_for_no_fetch_from_before_it() {
    let (origin, redis) = (todos(json!(["old"])).await, Redis::start(&[]));
    let [one, other] = fleet(&origin, &redis).await;
    let held = origin.hold(READ);
    let early = beside(&one, 1);
    origin.reached(READ, 1).await;
    let before = beside(&other, CALLERS);
    waits(&other).await;
    origin.now(READ, json!(["new"]));
    other.client().patch("/rest/v1/todos?id=eq.1", json!({"done": true})).await.expect_status(204);
    let late = beside(&other, 1);
    // it is fetched although the fetch from before is still under way
    origin.reached(READ, 2).await;
    held.release();
    end(early, &json!(["old"])).await;
    end(late, &json!(["new"])).await;
    end(before, &json!(["new"])).await;
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn a_turn_has_an_end_and_the_next_one_takes_it() {
    let (origin, redis) = (todos(json!([1])).await, Redis::start(&[]));
    let [one, other] = fleet(&origin, &redis).await;
    let held = origin.hold(READ);
    let first = beside(&one, 1);
    origin.reached(READ, 1).await;
    let others = beside(&other, CALLERS);
    waits(&other).await;
    let turn = turns(&redis);
    let left: i64 = redis.cli(&["pttl", &turn]).parse().unwrap();
    assert!((1..=2_000).contains(&left), "whoever has it may be dead: {left}");
    // its time is over
    redis.cli(&["del", &turn]);
    origin.reached(READ, 2).await;
    held.release();
    end(first, &json!([1])).await;
    end(others, &json!([1])).await;
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn what_cannot_be_kept_is_waited_for_by_nobody() {
    let origin = origin().table("todos").start().await;
    origin.now(READ, Reply::from(json!([1])).header("set-cookie", "a=1"));
    let redis = Redis::start(&[]);
    let [one, other] = fleet(&origin, &redis).await;
    let held = origin.hold(READ);
    let first = beside(&one, 1);
    origin.reached(READ, 1).await;
    let others = beside(&other, CALLERS);
    waits(&other).await;
    held.release();
    end(first, &json!([1])).await;
    end(others, &json!([1])).await;
    origin.saw(READ).times(1 + CALLERS);
    assert_eq!(redis.cli(&["--raw", "get", &turns(&redis)]), "-", "the others were told");
    // and nobody waits for anybody who comes later
    let held = origin.hold(READ);
    let later = [beside(&one, 1), beside(&other, 1)];
    origin.reached(READ, 3 + CALLERS).await;
    held.release();
    for later in later {
        end(later, &json!([1])).await;
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_leaves_the_turn_to_others() {
    let (origin, redis) = (todos(json!([1])).await, Redis::start(&[]));
    let [one, other] = fleet_that_waits(&origin, &redis, Duration::from_millis(400)).await;
    let (held, began) = (origin.hold(READ), Instant::now());
    one.client().get(TARGET).await.expect_status(504);
    turn_is_over(&redis, began).await;
    held.release();
    end(beside(&other, CALLERS), &json!([1])).await;
    origin.saw(READ).times(2);
}

#[tokio::test]
async fn a_proxy_that_is_alone_takes_no_turns() {
    let (origin, redis) = (todos(json!([1])).await, Redis::start(&[]));
    let alone = proxy(&origin).rules(RULES).variable("REDIS_URL", &redis.url()).start().await;
    alone.until_counted("larder_fleet_members", &[], |members| members == 1.0).await;
    let held = origin.hold(READ);
    let asked = beside(&alone, 1);
    origin.reached(READ, 1).await;
    assert_eq!(turns(&redis), "");
    held.release();
    end(asked, &json!([1])).await;
}
