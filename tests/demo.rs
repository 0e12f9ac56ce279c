//! Does `larder demo` show what it promises, all by itself?

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// Enough for several hundred requests and a write or two.
const SECONDS: &str = "5";

/// The first number after a label at the beginning of a line.
fn number(shown: &str, label: &str) -> u64 {
    let line = shown.lines().find(|line| line.trim_start().starts_with(label));
    let line = line.unwrap_or_else(|| panic!("no `{label}` in\n{shown}"));
    let word = line.trim_start()[label.len()..].split_whitespace().next().unwrap_or_default();
    word.replace(',', "").parse().unwrap_or_else(|_| panic!("no number in `{line}`"))
}

#[test]
fn the_demo_hits_misses_writes_and_is_never_stale() {
    let larder = env!("CARGO_BIN_EXE_larder");
    let output = Command::new(larder).args(["demo", "--seconds", SECONDS]).output().expect("a demo");
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));

    for part in ["curl -i 'http://127.0.0.1:", "-X PATCH", "hit_rate=", "without Larder", "larder serve"] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    assert!(!shown.contains('\x1b'), "no colours where nobody sees them");
    assert!(!shown.contains("trouble"), "{shown}");

    let (hits, misses, writes) = (number(&shown, "hits"), number(&shown, "misses"), number(&shown, "writes"));
    assert!(hits > 0 && misses > 0 && writes > 0, "{shown}");
    assert!(number(&shown, "reached Supabase") <= misses + writes, "{shown}");

    let clicks = shown.lines().find(|line| line.contains("second clicks")).expect("that line");
    let counts: Vec<u64> = clicks.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(
        counts.len() == 2 && counts[0] > 0 && counts[0] == counts[1],
        "a second click went through: {clicks}"
    );

    let seen = shown.lines().find(|line| line.contains("new price was seen")).expect("that line");
    let counts: Vec<&str> = seen.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    assert_eq!(counts.len(), 2, "{seen}");
    assert_eq!(counts[0], counts[1], "a read after a write showed the old row: {seen}");
}

#[test]
fn the_demo_says_where_its_dashboard_is() {
    let larder = env!("CARGO_BIN_EXE_larder");
    let mut demo =
        Command::new(larder).args(["demo", "--seconds", "60"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().expect("a piped stdout")).lines();
    let line = lines.find_map(|line| line.ok().filter(|line| line.trim_start().starts_with("dashboard")));
    let line = line.expect("a line about the dashboard");
    let address =
        line.split_whitespace().nth(1).and_then(|url| url.strip_prefix("http://")).expect("its address");
    let address = address.trim_end_matches('/');
    let mut page = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        write!(stream, "GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        stream.read_to_string(&mut page)
    });
    demo.kill().expect("it still runs");
    demo.wait().expect("it has ended");
    asked.expect("an answer");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<title>Larder</title>"), "{page}");
}

#[test]
fn an_address_that_is_none_is_a_usage_error() {
    let larder = env!("CARGO_BIN_EXE_larder");
    let output = Command::new(larder).args(["demo", "--listen", "here"]).output().expect("an answer");
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--listen"), "{output:?}");
}
