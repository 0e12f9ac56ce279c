//! How does larder speak to a store that comes, goes and stalls?

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::redis::{Address, Heard, Lua, Manners, Redis as Store, Silence, Value, cmd};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::redis::Redis;

const MANNERS: Manners = Manners { timeout: Duration::from_millis(50), connections: 2 };

fn store(redis: &Redis) -> Store {
    let address = Address::parse(&redis.url()).unwrap();
    Store::new(address, MANNERS, &TaskTracker::new(), &CancellationToken::new())
}

async fn becomes_up(store: &Store) {
    tokio::time::timeout(Duration::from_secs(20), store.up()).await.expect("the store is reached");
}

#[tokio::test]
async fn a_store_that_dies_is_not_waited_for_and_is_found_again() {
    let mut redis = Redis::start(&[]);
    let store = store(&redis);
    becomes_up(&store).await;
    let (before, pong) = store.one(&cmd("PING")).await.unwrap();
    assert_eq!(pong, Value::SimpleString("PONG".into()));

    redis.kill();
    while store.is_up() {
        assert!(store.one(&cmd("PING")).await.is_err());
        tokio::task::yield_now().await;
    }
    let asked = Instant::now();
    assert_eq!(store.one(&cmd("PING")).await, Err(Silence::Away));
    assert!(asked.elapsed() < Duration::from_millis(10), "nobody waits for a store that is away");

    redis.start_again();
    let started = Instant::now();
    becomes_up(&store).await;
    assert!(started.elapsed() < Duration::from_secs(1), "back after {:?}", started.elapsed());
    let (after, _) = store.one(&cmd("PING")).await.unwrap();
    assert_ne!(before, after, "another run of the server is another server");
}

#[tokio::test]
async fn a_store_that_stalls_is_left_alone_until_it_answers() {
    let redis = Redis::start(&[]);
    let store = store(&redis);
    becomes_up(&store).await;
    redis.pause();
    for _ in 0..5 {
        assert_eq!(store.one(&cmd("PING")).await, Err(Silence::Late));
    }
    assert_eq!(store.one(&cmd("PING")).await, Err(Silence::Away), "five in a row are enough");
    redis.go_on();
    becomes_up(&store).await;
    assert!(store.one(&cmd("PING")).await.is_ok());
}

#[tokio::test]
async fn a_script_is_sent_whole_to_a_server_that_forgot_it() {
    let redis = Redis::start(&[]);
    let store = store(&redis);
    becomes_up(&store).await;
    let script = Lua::new("return ARGV[1] .. KEYS[1]");
    for _ in 0..2 {
        let (_, said) = store.script(&script, &["b"], &[b"a"]).await.unwrap();
        assert_eq!(said, Value::BulkString(b"ab".to_vec()));
        assert_eq!(redis.cli(&["script", "flush"]), "OK");
    }
}

#[tokio::test]
async fn what_was_published_before_a_command_is_heard_before_its_answer() {
    let redis = Redis::start(&[]);
    let store = store(&redis);
    becomes_up(&store).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let channel = store.listen(&["news"], move |said| hears.lock().unwrap().push(said)).await.unwrap();
    for round in 0..1_000_usize {
        let mut publish = cmd("PUBLISH");
        publish.arg("news").arg(round);
        store.one(&publish).await.unwrap();
        channel.one(&cmd("PING")).await.unwrap();
        assert_eq!(heard.lock().unwrap().len(), round + 1);
    }
    redis.cli(&["client", "kill", "type", "pubsub"]);
    assert!(channel.one(&cmd("PING")).await.is_err());
    assert_eq!(heard.lock().unwrap().last(), Some(&Heard::Lost));
}
