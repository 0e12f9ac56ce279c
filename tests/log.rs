//! Which requests write a line into the log?

#![allow(clippy::disallowed_methods, reason = "a test owns its threads")]
#![allow(clippy::unwrap_used, reason = "a test fails where what it takes for granted is not so")]

#[allow(dead_code, reason = "this test brings an upstream of its own")]
mod started;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{fs, thread};

use started::Larder;

/// An upstream that says `[]` to everything; it ends with the process.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            thread::spawn(move || {
                let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
                while let Some(Ok(line)) = lines.next() {
                    if line.is_empty() {
                        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]";
                        (&client).write_all(answer.as_bytes()).unwrap();
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

/// What the client is told of the cache.
fn get(larder: &Larder, path: &str) -> String {
    let address = larder.address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().find(|line| line.starts_with("cache-status: ")).unwrap().to_owned()
}

/// The log of a miss, two hits and something that passes through.
fn log_with(share: &str) -> String {
    let rules = std::env::temp_dir().join(format!("larder-log-{}-{share}.yaml", std::process::id()));
    fs::write(&rules, "version: 1\nreads: [{ match: /rest/v1/todos, ttl: 1m, scope: token }]").unwrap();
    let larder = Larder::start(rules.to_str().unwrap(), &upstream(), &[("LARDER_LOG_HITS", share)]);
    fs::remove_file(rules).unwrap();
    assert!(get(&larder, "/rest/v1/todos").contains("fwd=miss"));
    for _ in 0..2 {
        assert!(get(&larder, "/rest/v1/todos").contains("hit"));
    }
    get(&larder, "/rest/v1/others");
    larder.until_logged("no-rule")
}

fn hits(log: &str) -> usize {
    log.lines().filter(|line| line.contains(r#""outcome":"hit""#)).count()
}

#[test]
fn every_request_writes_a_line() {
    let log = log_with("1");
    assert_eq!(hits(&log), 2, "{log}");
}

#[test]
fn hits_are_left_out_where_that_is_asked_for_and_nothing_else_is() {
    let log = log_with("0");
    assert_eq!(hits(&log), 0, "{log}");
    assert!(log.contains(r#""outcome":"miss""#), "{log}");
}
