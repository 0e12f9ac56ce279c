//! What if something answers that is no Redis, or one that has lost its mind?

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder::redis::Silence;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::{becomes, becomes_up, command, store};

/// What a server says to a GET.
#[derive(Clone, Copy)]
enum Says {
    /// This, and then nothing.
    Once(&'static [u8]),
    /// This, and then nonsense for ever.
    Endlessly(&'static [u8]),
}

/// A server that greets as Redis does. Counts the connections that the other side has closed.
async fn scripted(says: Says) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let closed = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&closed);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counts = Arc::clone(&counts);
            tokio::spawn(async move {
                let _until_closed = speak(stream, says).await;
                counts.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    (url, closed)
}

/// Answers commands in the order of their names, which stand in the text as they are.
async fn speak(mut stream: TcpStream, says: Says) -> std::io::Result<()> {
    let run = "run_id:0123456789abcdef0123456789abcdef01234567";
    let info = format!("${}\r\n{run}\r\n", run.len());
    let known: [(&str, &[u8]); 4] = [
        ("CLIENT", b"+OK\r\n"),
        ("PING", b"+PONG\r\n"),
        ("ROLE", b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"),
        ("INFO", info.as_bytes()),
    ];
    let mut buffer = vec![0; 16 << 10];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
        for word in said.split("\r\n") {
            if let Some((_, answer)) = known.iter().find(|(name, _)| *name == word) {
                stream.write_all(answer).await?;
            } else if word == "GET" {
                match says {
                    Says::Once(bytes) => stream.write_all(bytes).await?,
                    Says::Endlessly(bytes) => {
                        stream.write_all(bytes).await?;
                        loop {
                            stream.write_all(&[b'x'; 64 << 10]).await?;
                        }
                    }
                }
            }
        }
    }
}

/// Memory of this process, in MiB.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4 / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_talks_nonsense_is_dropped() {
    for (says, expected) in [
        (Says::Once(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Silence::Broken),
        (Says::Once(b"\0\0\0\0"), Silence::Broken),
        (Says::Once(b"$99999999999999999999\r\n"), Silence::Broken),
        (Says::Once(b"*1000000000\r\n"), Silence::Broken),
        (Says::Once(b"$1073741824\r\n"), Silence::Broken),
        (Says::Endlessly(b"$1073741824\r\n"), Silence::Broken),
        (Says::Endlessly(b"+"), Silence::Broken),
        (Says::Endlessly(b"*2\r\n$60000000\r\n"), Silence::Late),
        (Says::Once(b"$10\r\nabc"), Silence::Late),
    ] {
        let (url, closed) = scripted(says).await;
        let store = store(&url);
        becomes_up(&store).await;
        let (before, asked) = (resident(), Instant::now());
        assert_eq!(store.one(&command(&["GET", "a"])).await, Err(expected.clone()));
        assert!(asked.elapsed() < Duration::from_millis(300), "back after {:?}", asked.elapsed());
        // a reply that never ends takes its connection along after five more that are late
        for _ in 0..10 {
            let _silent = store.one(&command(&["GET", "a"])).await;
        }
        becomes("the connection is closed", || async { closed.load(Ordering::SeqCst) > 0 }).await;
        let grown = resident().saturating_sub(before);
        assert!(grown < 300, "{grown} MiB for {expected:?}");
        becomes_up(&store).await;
    }
}
