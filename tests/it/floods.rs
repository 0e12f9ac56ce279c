//! What becomes of a client that asks for more than it waits for, and of everybody else meanwhile?

use crate::support::multiplexed::{ENHANCE_YOUR_CALM, Flood, flood};
use crate::support::origin::text;
use crate::support::{Proxy, contains, origin, proxy};

const CACHED: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: public }]";
const ROUNDS: u32 = 10_000;

/// More than any of these floods may bring to the upstream: what one connection may have under way, and what h2 lets
/// a client take back before it is sent away.
const FETCHES_MAX: usize = 200;

fn get(target: &str) -> [(&str, &str); 4] {
    [(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", target)]
}

fn post(target: &str) -> [(&str, &str); 4] {
    [(":method", "POST"), (":scheme", "http"), (":authority", "h"), (":path", target)]
}

/// Whoever is well-behaved is answered while the flood comes in, and after it.
async fn floods(proxy: &Proxy, frames: Flood<'_>) -> Option<u32> {
    let client = proxy.client();
    let others = async {
        for _ in 0..50 {
            client
                .get("/rest/v1/todos")
                .await
                .expect_status(200)
                .expect_header("cache-status", contains("hit"));
        }
    };
    let (said, ()) = tokio::join!(flood(proxy.address(), frames, ROUNDS), others);
    client.get("/rest/v1/todos").await.expect_status(200);
    said
}

#[tokio::test]
async fn c15_whoever_takes_back_request_after_request_is_sent_away() {
    let origin = origin()
        .route("GET /rest/v1/todos", text("[]"))
        .route("GET /rest/v1/other", text("[]"))
        .start()
        .await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    proxy.client().get("/rest/v1/todos").await.expect_status(200);
    for target in ["/rest/v1/todos", "/rest/v1/todos?select=id", "/rest/v1/other"] {
        assert_eq!(floods(&proxy, Flood::Resets(&get(target))).await, Some(ENHANCE_YOUR_CALM), "{target}");
    }
    let fetched = origin.saw("GET /rest/v1/todos").count() + origin.saw("GET /rest/v1/other").count();
    assert!(fetched <= 2 * FETCHES_MAX, "{fetched} requests reached the upstream");
}

#[tokio::test]
async fn c16_and_c18_frames_that_only_cost_are_not_taken_without_end() {
    let origin = origin().route("GET /rest/v1/todos", text("[]")).start().await;
    let proxy = proxy(&origin).rules(CACHED).start().await;
    proxy.client().get("/rest/v1/todos").await.expect_status(200);
    let (read, write) = (get("/rest/v1/todos"), post("/rest/v1/todos"));
    for (frames, expected) in [
        (Flood::Continuations(&read), Some(ENHANCE_YOUR_CALM)),
        (Flood::EmptyData(&write), Some(ENHANCE_YOUR_CALM)),
        // each has its answer, and none is kept
        (Flood::Pings, None),
        (Flood::Settings, None),
    ] {
        assert_eq!(floods(&proxy, frames).await, expected, "{frames:?}");
    }
    origin.saw("GET /rest/v1/todos").times(1);
    origin.saw("POST /rest/v1/todos").times(0);
}
