//! What comes from the store while a change is heard of: does it enter memory?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::support::{Proxy, contains, origin, proxy};

const RULES: &str = "reads: [{ name: todos, match: /rest/v1/todos, ttl: 60s, scope: token }]";
const READ: &str = "GET /rest/v1/todos";
const TARGET: &str = "/rest/v1/todos";
/// What a question about an entry names; no message on the channel does.
const ENTRY: &[u8] = b"larder:todos:";

/// A wire to the store on which answers to questions about entries can be held back. Nothing else is.
struct Wire {
    url: String,
    gate: Arc<Gate>,
    _passing: JoinSet<()>,
}

struct Gate {
    is_open: watch::Sender<bool>,
    /// How many answers were held back.
    held: watch::Sender<usize>,
}

impl Wire {
    async fn to(store: &Redis) -> Self {
        let there = store.url().trim_start_matches("redis://").trim_end_matches("/0").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let gate = Arc::new(Gate { is_open: watch::Sender::new(true), held: watch::Sender::new(0) });
        let own = Arc::clone(&gate);
        let accepting = async move {
            let mut connections = JoinSet::new();
            while let Ok((here, _)) = listener.accept().await {
                let there = TcpStream::connect(&there).await.unwrap();
                connections.spawn(Arc::clone(&own).pass(here, there));
            }
        };
        Self { url, gate, _passing: JoinSet::from_iter([accepting]) }
    }
}

impl Gate {
    async fn pass(self: Arc<Self>, here: TcpStream, there: TcpStream) {
        let ((from_here, to_here), (from_there, to_there)) = (here.into_split(), there.into_split());
        let was_asked = AtomicBool::new(false);
        tokio::select! {
            () = ask(from_here, to_there, &was_asked) => {}
            () = self.answer(from_there, to_here, &was_asked) => {}
        }
    }

    async fn answer(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, was_asked: &AtomicBool) {
        let (mut piece, mut is_open) = (vec![0; 64 * 1024], self.is_open.subscribe());
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            if was_asked.swap(false, Ordering::Relaxed) && !*is_open.borrow() {
                self.held.send_modify(|held| *held += 1);
                is_open.wait_for(|is_open| *is_open).await.unwrap();
            }
            if to.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    }
}

async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, was_asked: &AtomicBool) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let is_entry = piece[..length].windows(ENTRY.len()).any(|window| window == ENTRY);
        was_asked.fetch_or(is_entry, Ordering::Relaxed);
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn what_a_write_overtakes_on_its_way_from_the_store_is_not_remembered() {
    let (origin, redis) = (origin().table("todos").start().await, Redis::start(&[]));
    let wire = Wire::to(&redis).await;
    origin.now(READ, json!(["old"]));
    let start = async |url: &str| -> Proxy {
        let proxy = proxy(&origin).rules(RULES).variable("REDIS_URL", url);
        // longer than the answer is held
        proxy.variable("LARDER_STORE_TIMEOUT", "20s").start().await
    };
    let (one, other) = (start(&redis.url()).await, start(&wire.url).await);
    for proxy in [&one, &other] {
        proxy.until_counted("larder_fleet_members", &[], |members| members == 2.0).await;
    }
    one.client().get(TARGET).await.expect_json(&json!(["old"]));

    wire.gate.is_open.send_replace(false);
    let client = other.client();
    let loading = JoinSet::from_iter([async move { client.get(TARGET).await }]);
    wire.gate.held.subscribe().wait_for(|held| *held > 0).await.unwrap();
    origin.now(READ, json!(["new"]));
    // acknowledged only when the other has heard of it, whose answer from the store is still on its way
    one.client().patch("/rest/v1/todos?id=eq.1", json!({"done": true})).await.expect_status(204);
    wire.gate.is_open.send_replace(true);
    let loaded = loading.join_all().await;
    loaded
        .into_iter()
        .next()
        .unwrap()
        .expect_header("cache-status", contains("hit"))
        .expect_json(&json!(["old"]));

    other
        .client()
        .get(TARGET)
        .await
        .expect_json(&json!(["new"]))
        .expect_header("cache-status", contains("stored"));
    origin.saw(READ).times(2);
    assert_eq!(other.counted("larder_store_hits", &[]).await, 1.0);
}
