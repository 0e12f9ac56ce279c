//! What is a content delivery network in front told, and what may it keep?

use std::time::Duration;

use larder::server::NetworkFlags;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::client::{Answer, Client, absent};
use crate::support::origin::{Origin, status};
use crate::support::proxy::Builder;
use crate::support::{Proxy, contains, origin, proxy, soon};

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

fn visitor(proxy: &Proxy) -> Client {
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

/// What is valid is known to be what is so, however long ago it was fetched: the network's time begins when it gets
/// it. Past its time an answer is for its reader alone.
#[tokio::test]
async fn the_time_of_a_network_begins_when_it_is_told() {
    let origin = todos().await;
    let rules = SHARED.replace("ttl: 60s,", "ttl: 60s, stale: { while_revalidate: 60s },");
    let proxy = verifying(&origin).rules(&rules).start().await;
    let client = visitor(&proxy);
    client.get(TARGET).await;
    proxy.wait(Duration::from_secs(40));
    expect_shared(client.get(TARGET).await).expect_header("age", "0");
    proxy.wait(Duration::from_secs(40));
    let held = origin.hold(READ);
    let stale = client.get(TARGET).await.expect_status(200).expect_header("age", "80");
    expect_private(stale);
    held.release();
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
    let mut asking = JoinSet::new();
    let reader = client.clone();
    asking.spawn(async move { reader.get(TARGET).await });
    origin.reached(READ, 1).await;
    client.patch(TARGET, json!({"done": true})).await.expect_status(204);
    held.release();
    expect_private(asking.join_next().await.unwrap().unwrap().expect_status(200));
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

const PURGE: &str = "POST /client/v4/zones/z1/purge_cache";

/// Cloudflare's interface, as this stand-in has it.
fn cloudflare(network: &Origin) -> NetworkFlags {
    let cdn_api = Some(format!("http://{}", network.address));
    NetworkFlags { cdn: Some("cloudflare:z1".to_owned()), cdn_api, cdn_body: None }
}

async fn telling(origin: &Origin, network: NetworkFlags) -> Proxy {
    verifying(origin).telling(network).variable("LARDER_CDN_TOKEN", "canary").start().await
}

/// The labels in the last call to a network.
fn told(network: &Origin, route: &str, field: &str) -> Vec<String> {
    let body: Value = serde_json::from_slice(&network.saw(route).last().body).unwrap();
    let labels = body[field].as_array().unwrap().iter();
    labels.map(|label| label.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_network_is_told_what_a_write_changed_and_nothing_else() {
    let (origin, network) = (todos().await, origin().route(PURGE, json!({"success": true})).start().await);
    let proxy = telling(&origin, cloudflare(&network)).await;
    let client = visitor(&proxy);
    let tags = async |id: u32| {
        let answer = client.get(&format!("/rest/v1/todos?id=eq.{id}")).await.expect_status(200);
        let tags = answer.headers["cache-tag"].to_str().unwrap().split(',').map(str::to_owned);
        tags.collect::<Vec<_>>()
    };
    let (of_five, of_six) = (tags(5).await, tags(6).await);
    // the row that came back says that nothing but row 5 changed
    origin.now("PATCH /rest/v1/todos", json!([{"id": 5, "done": true}]));
    let writer = client.with("prefer", "return=representation");
    writer.patch(TARGET, json!({"done": true})).await.expect_status(200);
    network.reached(PURGE, 1).await;
    let purged = told(&network, PURGE, "tags");
    assert!(purged.iter().any(|tag| of_five.contains(tag)), "{purged:?} of {of_five:?}");
    assert!(!purged.iter().any(|tag| of_six.contains(tag)), "{purged:?} of {of_six:?}");
    assert_eq!(network.saw(PURGE).last().header("authorization"), "Bearer canary");
    proxy.until_counted("larder_cdn_purges_total", &["result=\"ok\""], |calls| calls == 1.0).await;
    assert_eq!(proxy.counted("larder_cdn_pending", &[]).await, 0.0);
}

#[tokio::test]
async fn fastly_and_hooks_are_told_in_their_own_form() {
    let origin = todos().await;
    let fastly = "POST /service/s1/purge";
    let hook = "POST /hook";
    let network = crate::support::origin().route(fastly, json!({})).route(hook, status(204)).start().await;
    let at = |service: &str| NetworkFlags { cdn: Some(service.to_owned()), ..cloudflare(&network) };
    let hooked = NetworkFlags {
        cdn: Some(format!("http://{}/hook?x=1", network.address)),
        cdn_body: Some("{\"purge\":{tags}}".to_owned()),
        cdn_api: None,
    };
    for (flags, route, field, header) in [
        (at("fastly:s1"), fastly, "surrogate_keys", ("fastly-key", "canary")),
        (hooked, hook, "purge", ("authorization", "Bearer canary")),
    ] {
        let proxy = telling(&origin, flags).await;
        visitor(&proxy).patch(TARGET, json!({})).await.expect_status(204);
        network.reached(route, 1).await;
        assert!(told(&network, route, field).contains(&"table:public.todos.id=5".to_owned()));
        assert_eq!(network.saw(route).last().header(header.0), header.1);
    }
}

/// The writer has its answer while the network has not even heard.
#[tokio::test]
async fn a_network_that_does_not_listen_is_told_again_and_holds_up_nobody() {
    let network = origin()
        .route(PURGE, status(500))
        .route(PURGE, json!({"success": false, "errors": [{"code": 1134}]}))
        .route(PURGE, json!({"success": true}))
        .start()
        .await;
    let (origin, held) = (todos().await, network.hold(PURGE));
    let proxy = telling(&origin, cloudflare(&network)).await;
    visitor(&proxy).patch(TARGET, json!({})).await.expect_status(204);
    network.reached(PURGE, 1).await;
    let first = told(&network, PURGE, "tags");
    // what changes meanwhile is told as well
    visitor(&proxy).patch("/rest/v1/todos?id=eq.6", json!({})).await.expect_status(204);
    assert_eq!(proxy.counted("larder_cdn_purges_total", &[]).await, 0.0);
    held.release();
    network.reached(PURGE, 3).await;
    proxy.until_counted("larder_cdn_purges_total", &["result=\"ok\""], |calls| calls >= 1.0).await;
    assert_eq!(proxy.counted("larder_cdn_purges_total", &["result=\"failed\""]).await, 2.0);
    let last = told(&network, PURGE, "tags");
    assert!(first.iter().all(|tag| last.contains(tag)), "{first:?} {last:?}");
    assert!(last.contains(&"table:public.todos.id=6".to_owned()), "{last:?}");
}

#[tokio::test]
async fn a_network_hears_of_an_operator_too() {
    let (origin, network) = (todos().await, origin().route(PURGE, json!({"success": true})).start().await);
    let proxy = telling(&origin, cloudflare(&network)).await;
    let operator = Client::new(proxy.admin());
    operator.post("/api/cache/clear", json!({"all": true})).await.expect_status(200);
    network.reached(PURGE, 1).await;
    assert_eq!(told(&network, PURGE, "tags"), ["everything"]);
}

/// What still waits when the process ends is told before it does.
#[tokio::test]
async fn the_last_changes_are_told_at_the_end() {
    let (origin, network) = (todos().await, origin().route(PURGE, json!({"success": true})).start().await);
    let proxy = telling(&origin, cloudflare(&network)).await;
    visitor(&proxy).patch(TARGET, json!({})).await.expect_status(204);
    soon("the end", proxy.shutdown()).await;
    network.saw(PURGE).times(1);
}
