//! Does a fault do what its name says? One that does nothing would excuse nothing and prove nothing.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

/// Enough for anything that is not held up.
const SOON: Duration = Duration::from_secs(5);
/// What is held is not there by then.
const HELD: Duration = Duration::from_millis(100);

#[test]
fn redis_comes_back_with_everything_or_with_nothing() {
    let mut redis = Redis::start().expect("redis-server");
    let say = |redis: &Redis, words: &str| redis.command(words).unwrap_or_default().trim_end().to_owned();
    assert_eq!(say(&redis, "SET a 1"), "+OK");
    for (how, found) in [(Restart::Remembering, ":1"), (Restart::Empty, ":0")] {
        redis.signal(Signal::Kill);
        redis.restart(how).expect("the same port");
        assert_eq!(say(&redis, "EXISTS a"), found, "{how:?}");
    }
    redis.signal(Signal::Stop);
    assert!(redis.command("PING").is_err(), "a stopped server is silent");
    redis.signal(Signal::Continue);
    assert_eq!(say(&redis, "CONFIG SET maxmemory 100000"), "+OK");
    assert!(say(&redis, "SET b 1").starts_with("-OOM"));
}

/// A server that says everything back.
async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _gone = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn said_back(stream: &mut TcpStream) -> bool {
    let mut said = [0; 2];
    stream.write_all(b"hi").await.is_ok() && stream.read_exact(&mut said).await.is_ok() && said == *b"hi"
}

#[tokio::test]
async fn a_wire_holds_delays_breaks_and_lies() {
    let relay = Relay::to(echo().await).await.expect("a relay");
    let connect = || TcpStream::connect(relay.address());
    let mut stream = connect().await.expect("a connection");
    assert!(timeout(SOON, said_back(&mut stream)).await.expect("at once"));

    for passage in [Passage::Held, Passage::OneWay] {
        relay.set(passage);
        assert!(timeout(HELD, said_back(&mut stream)).await.is_err(), "{passage:?}");
        relay.set(Passage::Open);
        let mut late = [0; 2];
        timeout(SOON, stream.read_exact(&mut late)).await.expect("once it is open").expect("what was held");
    }

    relay.set(Passage::Late(HELD));
    let began = Instant::now();
    assert!(timeout(SOON, said_back(&mut stream)).await.expect("in time"));
    assert!(began.elapsed() >= 2 * HELD, "there and back");

    relay.set(Passage::Closed);
    assert!(!timeout(SOON, said_back(&mut stream)).await.expect("cut"));
    let mut refused = connect().await.expect("a port that is there");
    assert!(!timeout(SOON, said_back(&mut refused)).await.expect("closed at once"));

    relay.set(Passage::Garbage);
    let mut garbage = Vec::new();
    let mut stream = connect().await.expect("a connection");
    timeout(SOON, stream.read_to_end(&mut garbage)).await.expect("at once").expect("bytes");
    assert!(garbage.windows(7).any(|bytes| bytes == b"garbage"));

    relay.set(Passage::Open);
    relay.leads_to(echo().await);
    let mut stream = connect().await.expect("a connection");
    assert!(timeout(SOON, said_back(&mut stream)).await.expect("elsewhere"));
}
