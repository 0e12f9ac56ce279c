//! Is it understood what a server says that will not?

use std::cell::Cell;

use larder::redis::{Refusal, Silence};
use tokio::time::{Duration, Instant};

use crate::redis::Redis;
use crate::servers::cli;
use crate::{becomes, becomes_up, command, connected, store};

#[tokio::test]
async fn a_full_server_says_so_and_still_reads() {
    let redis = Redis::start(&["--maxmemory", "1500kb", "--maxmemory-policy", "noeviction"]);
    let store = store(&redis.url());
    becomes_up(&store).await;
    let value = "x".repeat(100_000);
    let mut refused = None;
    for number in 0..100 {
        refused = store.one(&command(&["SET", &number.to_string(), &value])).await.err();
        if refused.is_some() {
            break;
        }
    }
    assert_eq!(refused, Some(Silence::Refused(Refusal::Full)));
    assert!(store.is_up(), "what it holds is still of use");
    assert!(store.one(&command(&["GET", "0"])).await.is_ok());
}

#[tokio::test]
async fn a_server_that_follows_another_is_left_within_a_second() {
    let redis = Redis::start(&[]);
    let store = store(&redis.url());
    becomes_up(&store).await;
    assert_eq!(redis.cli(&["replicaof", "127.0.0.1", "1"]), "OK");
    assert_eq!(store.one(&command(&["SET", "a", "b"])).await, Err(Silence::Refused(Refusal::ReadOnly)));
    assert_eq!(redis.cli(&["replicaof", "no", "one"]), "OK");
    becomes_up(&store).await;

    // nobody writes: it is noticed all the same
    let told = Instant::now();
    assert_eq!(redis.cli(&["replicaof", "127.0.0.1", "1"]), "OK");
    becomes("a look at its role", || async { !store.is_up() }).await;
    assert!(told.elapsed() < Duration::from_secs(1), "noticed after {:?}", told.elapsed());
    let connections = || connected(&redis.cli(&["info", "stats"]));
    let (before, looks) = (connections(), Cell::new(0));
    let tried_twice = || async {
        // each look is a connection too
        looks.set(looks.get() + 1);
        connections() >= before + looks.get() + 2
    };
    becomes("two tries to connect again", tried_twice).await;
    assert!(!store.is_up(), "a replica is not connected to");
    assert_eq!(redis.cli(&["replicaof", "no", "one"]), "OK");
    becomes_up(&store).await;
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_why() {
    let redis = Redis::start(&[]);
    assert_eq!(redis.cli(&["config", "set", "requirepass", "secret"]), "OK");
    let url = redis.url();
    let with = |login: &str| url.replace("redis://", &format!("redis://{login}@"));
    let none = store(&url);
    let wrong = store(&with(":wrong"));
    let right = store(&with(":secret"));
    becomes_up(&right).await;
    assert!(right.one(&command(&["PING"])).await.is_ok());
    let limits = ["acl", "setuser", "ann", "on", ">pw", "~mine:*", "+@all", "-flushall"];
    assert_eq!(redis.cli(&[&["-a", "secret", "--no-auth-warning"][..], &limits].concat()), "OK");
    let ann = store(&with("ann:pw"));
    becomes_up(&ann).await;
    assert!(ann.one(&command(&["SET", "mine:a", "b"])).await.is_ok());
    for words in [&["SET", "other", "b"][..], &["FLUSHALL"]] {
        assert_eq!(ann.one(&command(words)).await, Err(Silence::Refused(Refusal::Forbidden)), "{words:?}");
        becomes_up(&ann).await;
    }
    assert!(!none.is_up() && !wrong.is_up(), "without the password there is no store");
    assert_eq!(none.listen(&["news"], |_| {}).await.err(), Some(Silence::Refused(Refusal::Forbidden)));
    assert_eq!(wrong.listen(&["news"], |_| {}).await.err(), Some(Silence::Refused(Refusal::Forbidden)));
}

/// What docs/store.md tells people to let larder do is enough.
#[tokio::test]
async fn a_user_with_what_the_docs_name_gets_in() {
    let redis = Redis::start(&[]);
    let docs = std::fs::read_to_string("docs/store.md").unwrap();
    let line = docs.lines().find_map(|line| line.trim().strip_prefix("ACL SETUSER ")).unwrap();
    let words = line.split(' ').filter(|word| !word.contains('|')).collect::<Vec<_>>();
    assert_eq!(redis.cli(&[&["acl", "setuser"][..], &words].concat()), "OK");
    let store = store(&redis.url().replace("redis://", "redis://larder:password@"));
    becomes_up(&store).await;
    for words in [
        &["SET", "larder:a", "b", "PX", "5000"][..],
        &["MGET", "larder:a", "larder:b"],
        &["EVAL", "return redis.call('PUBLISH', '{larder}:news', '1')", "1", "larder:a"],
        &["PUBLISH", "{larder}:news", "1"],
        &["UNLINK", "larder:a"],
        &["EXISTS", "larder:a"],
        &["INFO", "server"],
        &["ROLE"],
    ] {
        assert!(store.one(&command(words)).await.is_ok(), "{words:?}");
    }
    let channel = store.listen(&["{larder}:news"], |_| {}).await.unwrap();
    assert!(channel.one(&command(&["PING"])).await.is_ok());
    let refused = Err(Silence::Refused(Refusal::Forbidden));
    assert_eq!(store.one(&command(&["GET", "other"])).await, refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_loads_its_data_is_not_up_yet() {
    let settings = ["--enable-debug-command", "yes", "--save", "900 1", "--key-load-delay", "100"];
    let mut redis =
        Redis::start(&[&settings[..], &["--loading-process-events-interval-bytes", "1024"]].concat());
    let store = store(&redis.url());
    becomes_up(&store).await;
    redis.cli(&["debug", "populate", "10000"]);
    assert_eq!(redis.cli(&["save"]), "OK");
    let port = redis.url().trim_start_matches("redis://127.0.0.1:").trim_end_matches("/0").parse().unwrap();
    let asking = store.clone();
    let saw_loading = tokio::spawn(async move {
        // that the former connection broke is noticed first
        becomes("the server is gone", || async { !asking.is_up() }).await;
        loop {
            let told = tokio::task::spawn_blocking(move || cli(port, &["get", "a"])).await.unwrap();
            if told.starts_with("LOADING") {
                assert!(asking.one(&command(&["GET", "a"])).await.is_err(), "it is loading");
                assert!(!asking.is_up(), "it is not up before all is loaded");
                return;
            }
        }
    });
    // returns when all is loaded
    redis.start_again();
    tokio::time::timeout(Duration::from_secs(5), saw_loading)
        .await
        .expect("it was asked while loading")
        .unwrap();
    becomes_up(&store).await;
    assert!(store.one(&command(&["GET", "key:1"])).await.is_ok());
}
