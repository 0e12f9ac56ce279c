//! What happens when very many come, or come back?

use std::net::TcpStream;
use std::time::Duration;

use larder::redis::{Address, Manners, Redis as Store};
use larder::workers::Workers;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::redis::Redis;
use crate::{becomes, becomes_up, command, store};

#[tokio::test]
async fn a_server_without_room_is_tried_until_it_has_some() {
    let redis = Redis::start(&["--maxclients", "8"]);
    let crowd = (0..8).map(|_| {
        let at = redis.url();
        TcpStream::connect(at.trim_start_matches("redis://").trim_end_matches("/0")).unwrap()
    });
    let crowd = crowd.collect::<Vec<_>>();
    let store = store(&redis.url());
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        assert!(!store.is_up(), "there is no room");
        assert!(store.one(&command(&["PING"])).await.is_err());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(crowd);
    becomes_up(&store).await;
    assert!(store.one(&command(&["PING"])).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_come_back_once() {
    let redis = Redis::start(&[]);
    let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
    let workers = Workers::here();
    let manners = Manners { timeout: Duration::from_secs(1), connections: 1, workers };
    let address = Address::parse(&redis.url()).unwrap();
    let stores = (0..500).map(|_| Store::new(address.clone(), manners.clone(), &tasks, &stopping));
    let stores = stores.collect::<Vec<_>>();
    for store in &stores {
        becomes_up(store).await;
    }
    redis.cli(&["client", "kill", "type", "normal"]);
    // each waits a time of its own, as `lines` tests; here all of them come back, and none twice
    let connects = |told: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.and_then(|count| count.trim().parse::<usize>().ok()).unwrap()
    };
    becomes("all are back", || async {
        let lost = connects(&redis.cli(&["info", "stats"])) < 2 * stores.len();
        !lost && stores.iter().all(Store::is_up)
    })
    .await;
    for store in &stores {
        assert!(store.one(&command(&["PING"])).await.is_ok());
    }
    let own = 100; // those of redis-cli
    let connected = connects(&redis.cli(&["info", "stats"]));
    assert!(connected < 2 * stores.len() + own, "{connected} connections for {} stores", stores.len());
    stopping.cancel();
    tasks.close();
    tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await.expect("every task ends");
}
