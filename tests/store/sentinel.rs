//! Is the server found that leads, when another one leads?

use std::time::Duration;

use larder::redis::{Redis as Store, Refusal, ServerId, Silence};
use tokio::time::Instant;

use crate::servers::{Server, cli, free_port};
use crate::{becomes, becomes_up, command, store};

/// Two seconds, of which a sentinel may take one to notice the promotion that it asked for, and one
/// more for a machine that runs all tests at once.
const FOUND_MAX: Duration = Duration::from_secs(3);

/// A leader, a follower, and somebody who watches them.
struct Fleet {
    servers: [Server; 2],
    sentinel: Server,
}

impl Fleet {
    fn start() -> Self {
        let [leads, follows, watches] = [free_port(), free_port(), free_port()];
        let leader = Server::start_plain(leads, &["--repl-diskless-sync-delay", "0"]);
        let of = ["--replicaof", "127.0.0.1", &leads.to_string()];
        let follower = Server::start_plain(follows, &of);
        follower.wait_for(&["info", "replication"], "master_link_status:up");
        let lines = format!(
            "sentinel monitor mymaster 127.0.0.1 {leads} 1\nsentinel down-after-milliseconds mymaster 300\n\
             sentinel failover-timeout mymaster 2000"
        );
        let sentinel = Server::start_sentinel(watches, &lines);
        sentinel.wait_for(&["sentinel", "replicas", "mymaster"], &follows.to_string());
        Self { servers: [leader, follower], sentinel }
    }

    /// When a server says that it leads.
    async fn promoted(&self, server: usize) -> Instant {
        let port = self.servers[server].port;
        becomes("a promotion", || async move {
            tokio::task::spawn_blocking(move || cli(port, &["role"]).starts_with("master")).await.unwrap()
        })
        .await;
        Instant::now()
    }
}

/// Who answers, as soon as somebody does: a server that others copy may stall for a moment.
async fn answering(store: &Store) -> ServerId {
    let mut server = None;
    while server.is_none() {
        becomes_up(store).await;
        server = store.one(&command(&["GET", "a"])).await.ok().map(|(server, _)| server);
    }
    server.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_leader_is_found_within_two_seconds() {
    let mut fleet = Fleet::start();
    // one of those that are asked is gone
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{}/mymaster", fleet.sentinel.port);
    let store = store(&url);
    becomes_up(&store).await;
    let first = answering(&store).await;
    let channel = store.listen(&["news"], |_| {}).await.unwrap();
    assert_eq!(channel.server(), first);

    // it looks at the follower before it trusts it
    fleet.sentinel.wait_for(&["sentinel", "failover", "mymaster"], "OK");
    let promoted = fleet.promoted(1).await;
    becomes("writes to the new leader", || async {
        matches!(store.one(&command(&["SET", "a", "2"])).await, Ok((server, _)) if server != first)
    })
    .await;
    assert!(promoted.elapsed() < FOUND_MAX, "found after {:?}", promoted.elapsed());
    assert_eq!(fleet.servers[1].cli(&["get", "a"]), "2");
    becomes("the channel to the old leader ends", || async {
        let refused = channel.one(&command(&["SET", "a", "3"])).await;
        matches!(refused, Err(Silence::Broken | Silence::Refused(Refusal::ReadOnly)))
    })
    .await;

    // the sentinel knows the old leader as a follower before it can make it lead again
    fleet.servers[0].wait_for(&["info", "replication"], "master_link_status:up");
    let second = answering(&store).await;
    fleet.servers[1].kill();
    let promoted = fleet.promoted(0).await;
    becomes("writes to the first leader again", || async {
        matches!(store.one(&command(&["SET", "a", "4"])).await, Ok((server, _)) if server != second)
    })
    .await;
    assert!(promoted.elapsed() < FOUND_MAX, "found after {:?}", promoted.elapsed());
}
