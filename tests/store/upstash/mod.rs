//! Is a store over HTTP spoken to as its own client speaks to it?

mod stand_in;

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use larder::redis::{Address, Lua, Redis as Store, Refusal, ServerId, Silence, Value, cmd};
use tokio::time::Instant;

use crate::redis::Redis;
use crate::{becomes, becomes_up, command, store_at};
use stand_in::{Mood, TOKEN, start};

fn at(url: &str) -> Store {
    store_at(Address::upstash(url, TOKEN).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_client_vouches_for_the_stand_in() {
    let redis = Redis::start(&[]);
    let (url, _) = start(&redis.url()).await;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    assert!(
        tests.join("upstash/node_modules").exists(),
        "packages of tests/ are missing: run scripts/test once"
    );
    let packaged = tests.join("upstream/node_modules/.bin/node");
    let node = if packaged.exists() { packaged } else { "node".into() };
    let spoken = tokio::process::Command::new(node)
        .arg(tests.join("upstash/speak.mjs"))
        .args([&url, TOKEN])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let spoken = tokio::time::timeout(Duration::from_secs(60), spoken).await.expect("it ends").unwrap();
    assert!(spoken.status.success(), "{}", String::from_utf8_lossy(&spoken.stderr));
    assert_eq!(spoken.stdout, b"spoken\n");
}

#[tokio::test]
async fn commands_and_scripts_are_said_over_http() {
    let redis = Redis::start(&[]);
    let (url, mood) = start(&redis.url()).await;
    let store = at(&url);
    assert_eq!(store.one(&cmd("PING")).await, Err(Silence::Away), "nobody waits for the first answer");
    becomes_up(&store).await;
    let bytes = (0..=255).cycle().take(10_000).collect::<Vec<u8>>();
    let name = "larder:list:a/b c?d=ü&{x}%#0123";
    let mut set = cmd("SET");
    set.arg(name).arg(&bytes).arg("PX").arg(60_000);
    let (server, said) = store.one(&set).await.unwrap();
    assert_eq!(said, Value::Okay);
    assert!(redis.cli(&["pttl", name]).trim_start_matches("(integer) ").parse::<i64>().unwrap() > 50_000);
    store.one(&command(&["SET", "{ns}:1", "7"])).await.unwrap();
    let got = store.one(&command(&["MGET", name, "{ns}:1", "none"])).await.unwrap();
    let expected = vec![Value::BulkString(bytes), Value::BulkString(b"7".to_vec()), Value::Nil];
    assert_eq!(got, (server, Value::Array(expected)));
    assert_ne!(server, ServerId(0));

    let script = Lua::new("return {ARGV[1] .. KEYS[1], 5}");
    for _ in 0..2 {
        let (_, said) = store.script(&script, &["b"], &[b"a"]).await.unwrap();
        assert_eq!(said, Value::Array(vec![Value::BulkString(b"ab".to_vec()), Value::Int(5)]));
        assert_eq!(redis.cli(&["script", "flush"]), "OK");
    }
    let unable = Err(Silence::Refused(Refusal::Unable));
    assert_eq!(store.script(&script, &["b"], &[b"\xff", b"\xfe"]).await, unable, "two cannot be said");
    assert!(matches!(store.listen(&["news"], |_| {}).await, Err(Silence::Refused(Refusal::Unable))));
    assert!(store.one(&command(&["HGET", "{ns}:1", "x"])).await.is_err());
    assert!(store.is_up(), "an error is an answer");
    assert_eq!(mood.connections.load(Ordering::SeqCst), 1, "one connection for one command after another");
}

#[tokio::test]
async fn a_service_that_refuses_or_stalls_is_left_alone() {
    let redis = Redis::start(&[]);
    let (url, mood) = start(&redis.url()).await;
    let store = at(&url);
    let get = command(&["GET", "a"]);
    for (status, expected, calls_max) in
        [(429, Refusal::Crowded, 5), (503, Refusal::NotNow, 5), (401, Refusal::Forbidden, 1)]
    {
        becomes_up(&store).await;
        mood.status.store(status, Ordering::SeqCst);
        let mut calls = 0;
        while store.is_up() {
            assert_eq!(store.one(&get).await, Err(Silence::Refused(expected)));
            calls += 1;
        }
        assert_eq!(calls, calls_max, "{status}");
        is_left_alone(&store, &mood).await;
        mood.status.store(0, Ordering::SeqCst);
    }
    becomes_up(&store).await;
    mood.delay.store(400, Ordering::SeqCst);
    for _ in 0..5 {
        let asked = Instant::now();
        assert_eq!(store.one(&get).await, Err(Silence::Late));
        assert!(asked.elapsed() < Duration::from_millis(250), "{:?}", asked.elapsed());
    }
    is_left_alone(&store, &mood).await;
    mood.delay.store(0, Ordering::SeqCst);
    becomes_up(&store).await;
    assert!(store.one(&get).await.is_ok());
}

/// Only the question whether it is back reaches it.
async fn is_left_alone(store: &Store, mood: &Mood) {
    let before = mood.requests.load(Ordering::SeqCst);
    for _ in 0..1_000 {
        assert_eq!(store.one(&cmd("PING")).await, Err(Silence::Away));
    }
    assert!(mood.requests.load(Ordering::SeqCst) <= before + 1);
}

#[tokio::test]
async fn a_wrong_token_is_no_store() {
    let redis = Redis::start(&[]);
    let (url, mood) = start(&redis.url()).await;
    let store = store_at(Address::upstash(&url, "wrong").unwrap());
    becomes("it was asked twice", || async { mood.requests.load(Ordering::SeqCst) >= 2 }).await;
    assert!(!store.is_up());
}
