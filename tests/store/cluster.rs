//! Are several servers one store, whatever moves and whoever dies?

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::clock::Clock;
use larder::guard::{Acquired, Guards};
use larder::key::LockName;
use larder::redis::{Heard, Lua, Redis as Store, Refusal, ScanCursor, ServerId, Silence, Value};
use tokio::time::Instant;

use crate::servers::{Server, cli, free_port};
use crate::{becomes, becomes_up, command, store};

/// A namespace's keys have one slot; those of its entries have many.
const TAGGED: &str = "{ns}:generation";
const OTHER: &str = "{ns}:other";

/// Three leaders and three followers.
struct Cluster {
    servers: Vec<Server>,
}

impl Cluster {
    fn start() -> Self {
        let servers = (0..6).map(|_| {
            let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
            Server::start_plain(free_port(), &[&settings[..], &["--repl-diskless-sync-delay", "0"]].concat())
        });
        let servers = servers.collect::<Vec<_>>();
        let hosts = servers.iter().map(|server| format!("127.0.0.1:{}", server.port));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(hosts)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let cluster = Self { servers };
        for server in &cluster.servers {
            server.wait_for(&["cluster", "info"], "cluster_state:ok");
            // every follower follows: else nobody can take a leader's place
            if server.cli(&["role"]).starts_with("slave") {
                server.wait_for(&["info", "replication"], "master_link_status:up");
            }
        }
        cluster
    }

    fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:1,127.0.0.1:{}", self.servers[5].port)
    }

    /// The name of the server on a port.
    fn id(port: u16) -> String {
        cli(port, &["cluster", "myid"])
    }

    /// Whose leader a slot has.
    fn leader(&self, key: &str) -> u16 {
        let slot = cli(self.servers[0].port, &["cluster", "keyslot", key]);
        let slot = slot.trim_start_matches("(integer) ").parse::<u16>().unwrap();
        let alive = self.servers.iter().find(|server| server.cli(&["ping"]) == "PONG").unwrap();
        let nodes = alive.cli(&["cluster", "nodes"]);
        let has = |line: &&str| {
            line.split(' ').skip(8).filter(|range| !range.starts_with('[')).any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                (first.parse::<u16>().unwrap()..=last.parse().unwrap()).contains(&slot)
            })
        };
        let line = nodes.lines().filter(|line| !line.contains("fail")).find(has).unwrap();
        let address = line.split(' ').nth(1).unwrap();
        address.split([':', '@']).nth(1).unwrap().parse().unwrap()
    }

    /// The run of the server on a port, as larder names it.
    fn run(port: u16) -> ServerId {
        let info = cli(port, &["info", "server"]);
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap();
        ServerId(u64::from_str_radix(&run[..16], 16).unwrap())
    }

    /// Gives a key's slot to another leader, as `redis-cli --cluster reshard` does.
    fn move_slot(&self, key: &str, from: u16, to: u16) {
        let slot = cli(from, &["cluster", "keyslot", key]);
        let (source, target) = (Self::id(from), Self::id(to));
        cli(to, &["cluster", "setslot", &slot, "importing", &source]);
        cli(from, &["cluster", "setslot", &slot, "migrating", &target]);
        let keys = cli(from, &["cluster", "getkeysinslot", &slot, "100"]);
        let port = to.to_string();
        let migrate = ["migrate", "127.0.0.1", &port, "", "0", "1000", "keys"];
        let keys = keys.lines().collect::<Vec<_>>();
        assert_eq!(cli(from, &[&migrate[..], &keys].concat()), "OK");
        for port in [to, from] {
            assert_eq!(cli(port, &["cluster", "setslot", &slot, "node", &target]), "OK");
        }
    }
}

/// Reads as a look-up does, and counts what it gets.
#[derive(Default)]
struct Reads {
    right: AtomicU64,
    wrong: AtomicU64,
    silent: AtomicU64,
    ended: AtomicBool,
}

impl Reads {
    fn begin(store: &Store) -> (Arc<Self>, Vec<tokio::task::JoinHandle<()>>) {
        let reads = Arc::new(Self::default());
        let tasks = (0..4).map(|task| {
            let (reads, store) = (Arc::clone(&reads), store.clone());
            tokio::spawn(async move {
                while !reads.ended.load(Ordering::Relaxed) {
                    reads.one(&store, task).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
        });
        let tasks = tasks.collect();
        (reads, tasks)
    }

    async fn one(&self, store: &Store, task: usize) {
        let entry = format!("entry:{task}");
        let asked = command(&["MGET", &entry, TAGGED, OTHER]);
        let expected = [&entry, "7", "8"].map(|text| Value::BulkString(text.into()));
        let counter = match store.one(&asked).await {
            Ok((_, Value::Array(got))) if got == expected => &self.right,
            Ok(_) => &self.wrong,
            Err(_) => &self.silent,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> [u64; 3] {
        [&self.right, &self.wrong, &self.silent].map(|counter| counter.swap(0, Ordering::Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_one_store() {
    let mut cluster = Cluster::start();
    let store = store(&cluster.url());
    becomes_up(&store).await;
    becomes("all leaders", || async {
        let mut answered = Vec::new();
        for task in 0..4 {
            let entry = format!("entry:{task}");
            answered.push(store.one(&command(&["SET", &entry, &entry])).await.is_ok());
        }
        answered.push(store.one(&command(&["SET", TAGGED, "7"])).await.is_ok());
        answered.push(store.one(&command(&["SET", OTHER, "8"])).await.is_ok());
        answered.into_iter().all(|is_answered| is_answered)
    })
    .await;

    several_slots_are_asked_at_once(&cluster, &store).await;
    what_is_published_is_heard_in_order(&cluster, &store).await;
    let (reads, readers) = Reads::begin(&store);
    a_slot_moves_under_load(&cluster, &store, &reads).await;
    a_leader_dies(&mut cluster, &store, &reads).await;
    reads.ended.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}

async fn several_slots_are_asked_at_once(cluster: &Cluster, store: &Store) {
    let leader = Cluster::run(cluster.leader(TAGGED));
    let owners = ["entry:0", "entry:1", "entry:2", "entry:3"].map(|key| cluster.leader(key));
    assert!(owners.iter().any(|&owner| Cluster::run(owner) != leader), "keys have several owners");
    let asked = command(&["MGET", "entry:3", TAGGED, "entry:0", "{ns}:none", "entry:1", "entry:2"]);
    let (server, got) = store.one(&asked).await.unwrap();
    let text = |text: &str| Value::BulkString(text.into());
    let expected =
        [text("entry:3"), text("7"), text("entry:0"), Value::Nil, text("entry:1"), text("entry:2")];
    assert_eq!(got, Value::Array(expected.to_vec()));
    assert_eq!(server, leader, "whoever has the generations speaks");
    for words in [&["GET", "entry:0"][..], &["GET", "entry:1"], &["PING"], &["GET", TAGGED]] {
        assert_eq!(store.one(&command(words)).await.unwrap().0, leader, "{words:?}");
    }
    store.one(&command(&["MSET", "x", "1"])).await.unwrap();
    let (_, gone) = store.one(&command(&["UNLINK", "x", "y", "z", "{ns}:x"])).await.unwrap();
    assert_eq!(gone, Value::Int(1));
}

async fn what_is_published_is_heard_in_order(cluster: &Cluster, store: &Store) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let channel = store.listen(&["{ns}:news"], move |said| hears.lock().unwrap().push(said)).await.unwrap();
    assert_eq!(channel.server(), Cluster::run(cluster.leader(TAGGED)));
    let script = Lua::new("redis.call('PUBLISH', ARGV[1], ARGV[2]) return redis.call('EXISTS', KEYS[1])");
    for round in 0..200_usize {
        let number = round.to_string();
        let (server, _) = store.script(&script, &[TAGGED], &[b"{ns}:news", number.as_bytes()]).await.unwrap();
        assert_eq!(server, channel.server());
        assert_eq!(channel.one(&command(&["PING"])).await.unwrap(), Value::SimpleString("PONG".into()));
        assert_eq!(heard.lock().unwrap().len(), round + 1);
    }
    assert!(
        matches!(heard.lock().unwrap().last(), Some(Heard::Message { payload, .. }) if payload == b"199")
    );
}

async fn a_slot_moves_under_load(cluster: &Cluster, store: &Store, reads: &Reads) {
    let channel = store.listen(&["{ns}:news"], |_| {}).await.unwrap();
    let from = cluster.leader(TAGGED);
    let mut ports = cluster.servers.iter().map(|server| server.port);
    let to = ports.find(|&port| port != from && cli(port, &["role"]).starts_with("master")).unwrap();
    becomes("reads", || async { reads.right.load(Ordering::Relaxed) > 200 }).await;
    tokio::task::block_in_place(|| cluster.move_slot(TAGGED, from, to));
    let refused = channel.one(&command(&["PING"])).await;
    assert_eq!(
        refused,
        Err(Silence::Refused(Refusal::Elsewhere)),
        "what is published elsewhere is not heard"
    );
    becomes("the new leader speaks", || async {
        store.one(&command(&["GET", TAGGED])).await.is_ok_and(|(server, _)| server == Cluster::run(to))
    })
    .await;
    becomes("reads go on", || async { reads.right.load(Ordering::Relaxed) > 1_000 }).await;
    let [right, wrong, silent] = reads.take();
    assert_eq!(wrong, 0);
    assert!(silent * 100 <= right, "{silent} of {right} had no answer");
    let again = store.listen(&["{ns}:news"], |_| {}).await.unwrap();
    assert_eq!(again.server(), Cluster::run(to));
}

async fn a_leader_dies(cluster: &mut Cluster, store: &Store, reads: &Reads) {
    let (before, _) = store.one(&command(&["GET", TAGGED])).await.unwrap();
    let port = cluster.leader(TAGGED);
    let entry = (0..100).map(|n| format!("other:{n}")).find(|key| cluster.leader(key) != port).unwrap();
    let died = cluster.servers.iter().position(|server| server.port == port).unwrap();
    // the first time it stalls, so that no connection breaks
    cluster.servers[died].pause();
    let killed = Instant::now();
    becomes("it is noticed", || async { !store.is_up() }).await;
    assert!(killed.elapsed() < Duration::from_secs(1), "noticed after {:?}", killed.elapsed());
    assert!(store.one(&command(&["SET", &entry, "x"])).await.is_ok(), "other servers are not concerned");
    becomes_up(store).await;
    becomes("the follower speaks", || async {
        store.one(&command(&["GET", TAGGED])).await.is_ok_and(|(server, _)| server != before)
    })
    .await;
    let after = reads.take();
    becomes("reads go on", || async { reads.right.load(Ordering::Relaxed) > 200 }).await;
    cluster.servers[died].kill();
    assert_eq!([after[1], reads.take()[1]], [0, 0], "no answer was wrong");
}

#[tokio::test]
async fn a_scan_goes_through_all_leaders_and_finds_each_name() {
    let cluster = Cluster::start();
    let store = store(&cluster.url());
    becomes_up(&store).await;
    let names: BTreeSet<String> = (0..300).map(|number| format!("ns:entry:{number}#0")).collect();
    for name in &names {
        becomes("a name is taken", || async { store.one(&command(&["SET", name, "1"])).await.is_ok() }).await;
    }
    let (mut found, mut steps) = (BTreeSet::new(), 0);
    let mut next = Some(ScanCursor::default());
    while let Some(cursor) = next {
        // what is given out is read back, as an operator's next page does
        let cursor = cursor.to_string().parse().unwrap();
        let (more, after) = store.scan(cursor, "ns:entry:*#*", 10).await.unwrap();
        found.extend(more.into_iter().map(|name| String::from_utf8(name).unwrap()));
        (next, steps) = (after, steps + 1);
        assert!(steps < 1_000, "it has no end");
    }
    assert_eq!(found, names);
    assert!(steps > 3, "three leaders, and more than a step for each");
    locks_are_listed_whichever_leader_has_them(&cluster, &store).await;
}

async fn locks_are_listed_whichever_leader_has_them(cluster: &Cluster, store: &Store) {
    let guards = Guards::shared(store, "ns", &Clock::default());
    let names: BTreeSet<String> = (0..12).map(|number| format!("lease:{number}")).collect();
    let leaders = names.iter().map(|name| cluster.leader(&format!("ns:lock:{{{name}}}")));
    assert_eq!(leaders.collect::<BTreeSet<_>>().len(), 3, "each leader has some");
    let mut held = Vec::new();
    for name in &names {
        let name = LockName::parse(name).unwrap();
        match guards.locks.acquire(&name, Duration::from_secs(60)).await {
            Acquired::Held(lock) => held.push(lock),
            other => panic!("{other:?}"),
        }
    }
    let listed = guards.locks.list(1_000).await.unwrap();
    assert_eq!(listed.iter().map(|lock| lock.name.clone()).collect::<BTreeSet<_>>(), names);
    assert_eq!(guards.locks.list(5).await.unwrap().len(), 5, "and no more than are asked for");
    for lock in held {
        lock.release().await;
    }
    assert_eq!(guards.locks.list(1_000).await.unwrap().len(), 0);
}
