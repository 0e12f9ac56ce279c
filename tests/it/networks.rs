//! What is a content delivery network in front told, and what may it keep?

use serde_json::json;

use crate::support::client::{Answer, Client, absent};
use crate::support::origin::Origin;
use crate::support::proxy::Builder;
use crate::support::{contains, origin, proxy};

const SHARED: &str = "reads: [{ name: todos, match: /rest/v1/todos, where: { id: eq.* }, key: \"of:{id}\", ttl: 60s, \
                      scope: public, downstream: \"public, s-maxage=30\", vary: [x-app-version] }]\n\
                      schema: { rows: { todos: [id] } }";
const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos?id=eq.5";
const KEY: &str = "sb_publishable_anybody";

async fn todos() -> Origin {
    let origin = origin().table("todos").start().await;
    origin.now(READ, json!([{"id": 5}]));
    origin
}

fn verifying(origin: &Origin) -> Builder {
    proxy(origin).rules(SHARED).variable("SUPABASE_PUBLISHABLE_KEY", KEY)
}

fn visitor(proxy: &crate::support::Proxy) -> Client {
    proxy.client().with("apikey", KEY)
}

/// A network may keep it.
#[track_caller]
fn expect_shared(answer: Answer) -> Answer {
    answer
        .expect_header("cache-control", "public, s-maxage=30")
        .expect_header("vary", "Accept, Accept-Profile, Prefer, Range, x-app-version")
        .expect_header("access-control-allow-origin", "*")
}

/// Nobody but the reader may keep it.
#[track_caller]
fn expect_private(answer: Answer) -> Answer {
    answer
        .expect_header("cache-control", "private, no-cache")
        .expect_header("cache-tag", absent())
        .expect_header("surrogate-key", absent())
}

#[tokio::test]
async fn a_network_may_keep_what_is_public_and_knows_what_it_depends_on() {
    let origin = todos().await;
    let proxy = verifying(&origin).start().await;
    let client = visitor(&proxy);
    for outcome in ["fwd=miss; stored", "hit"] {
        let answer = expect_shared(client.get(TARGET).await.expect_status(200));
        let answer = answer.expect_header("cache-status", contains(outcome)).expect_header("age", "0");
        let tags: Vec<_> = answer.headers["cache-tag"].to_str().unwrap().split(',').collect();
        for tag in ["everything", "namespace:todos", "key:todos:of:5", "table:public.todos.id=5"] {
            assert!(tags.contains(&tag), "{tag} in {tags:?}");
        }
        assert_eq!(answer.headers["surrogate-key"].to_str().unwrap(), tags.join(" "));
    }
    // a network asks whether what it has still holds
    let tag = client.get(TARGET).await.headers["etag"].clone();
    let answer = client.with("if-none-match", tag.to_str().unwrap()).get(TARGET).await.expect_status(304);
    expect_shared(answer).expect_header("cache-tag", contains("key:todos:of:5"));
    origin.saw(READ).times(1);
}

/// Without keys of the project an answer is for one token, whatever the rule says: nobody else may have it.
#[tokio::test]
async fn what_is_not_fetched_for_everybody_is_never_kept_by_a_network() {
    let origin = todos().await;
    let proxy = proxy(&origin).rules(SHARED).start().await;
    for _ in 0..2 {
        expect_private(visitor(&proxy).get(TARGET).await.expect_status(200));
    }
    // and what passes is as the upstream says
    let stranger = verifying(&origin).start().await;
    let answer = stranger.client().with("apikey", "sb_publishable_other").get(TARGET).await;
    answer.expect_header("cache-status", contains("bypass")).expect_header("cache-tag", absent());
}

/// A change that came while an answer was fetched is told to the network before the answer arrives there.
#[tokio::test]
async fn an_overtaken_answer_is_never_kept_by_a_network() {
    let origin = todos().await;
    let proxy = verifying(&origin).start().await;
    let client = visitor(&proxy);
    let held = origin.hold(READ);
    let asking = {
        let client = client.clone();
        tokio::task::spawn(async move { client.get(TARGET).await })
    };
    origin.reached(READ, 1).await;
    client.patch(TARGET, json!({"done": true})).await.expect_status(204);
    held.release();
    expect_private(asking.await.unwrap().expect_status(200));
    expect_shared(client.get(TARGET).await.expect_header("cache-status", contains("stored")));
}

#[tokio::test]
async fn an_answer_with_more_names_than_fit_is_for_its_reader_alone() {
    let rules = "reads: [{ match: /rest/v1/todos, ttl: 60s, scope: public, downstream: \"public, s-maxage=30\" }]\n\
                 schema: { rows: { todos: [id] } }";
    let origin = todos().await;
    let proxy = verifying(&origin).rules(rules).start().await;
    let ids = |count: u32| (0..count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let ask = async |count| visitor(&proxy).get(&format!("/rest/v1/todos?id=in.({})", ids(count))).await;
    assert_eq!(ask(5).await.headers["cache-control"], "public, s-maxage=30");
    expect_private(ask(100).await.expect_status(200));
}
