//! Is a proxy waited for whose entry the store has pushed out to make room, again and again?

use serde_json::json;
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::support::relay::Relay;
use crate::support::{contains, origin, proxy};

const RULES: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]";
const TARGET: &str = "/rest/v1/todos";

/// Takes away what says who is alive; answers how many were.
const FORGET: &str = "local known = redis.call('KEYS', '*:member:*')
for _, key in ipairs(known) do redis.call('DEL', key) end
redis.call('DEL', KEYS[1])
return #known";

/// Until two proxies have entered themselves anew for longer than a lease lasts.
fn forget_for_long(redis: &Redis) {
    let mut forgotten = 0;
    while forgotten < 10 {
        let known: usize = redis.cli(&["eval", FORGET, "1", "{larder}:fleet"]).parse().unwrap();
        forgotten += known;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_remember_something_else_is_waited_for() {
    let (origin, redis) = (origin().table("todos").start().await, Redis::start(&[]));
    let relay = Relay::before(&redis.url()).await;
    let start = async |store: &str| proxy(&origin).rules(RULES).variable("REDIS_URL", store).start().await;
    let (reader, writer) = (start(&relay.url()).await, start(&redis.url()).await);
    for proxy in [&reader, &writer] {
        proxy.until_counted("larder_fleet_members", &[], |members| members == 2.0).await;
    }
    for said in ["stored", "; hit;"] {
        reader.client().get(TARGET).await.expect_header("cache-status", contains(said));
    }
    tokio::task::block_in_place(|| forget_for_long(&redis));
    reader.client().get(TARGET).await.expect_header("cache-status", contains("; hit;"));

    relay.hold("confirmed");
    let client = writer.client();
    let mut writing = JoinSet::from_iter([async move { client.patch(TARGET, json!({"done": true})).await }]);
    relay.caught().await;
    writer.client().get("/rest/v1/users").await;
    assert!(writing.try_join_next().is_none(), "nobody hears of a write that the reader has not confirmed");
    relay.release();
    writing.join_all().await.remove(0).expect_status(204);
    reader.client().get(TARGET).await.expect_header("cache-status", contains("stored"));
}
