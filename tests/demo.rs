//! Does `larder demo` show what it promises, all by itself?

#[allow(dead_code, reason = "the demo brings everything along but a Node")]
mod started;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use started::{in_repository, node};

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

/// A demo that runs until this is dropped.
struct Demo {
    process: Child,
    welcome: Vec<String>,
    /// Nobody reads further, but a demo whose output nobody could read would end.
    _output: BufReader<ChildStdout>,
}

impl Demo {
    fn start() -> Self {
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_larder"), "demo"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a demo");
        let mut output = BufReader::new(process.stdout.take().expect("a piped stdout"));
        let lines = output.by_ref().lines().map_while(Result::ok);
        let welcome = lines.take_while(|line| !line.starts_with("Try it")).collect();
        Self { process, welcome, _output: output }
    }

    /// The URL on the line with this name.
    fn place(&self, name: &str) -> &str {
        let line = self.welcome.iter().find(|line| line.trim_start().starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {:?}", self.welcome));
        line.split_whitespace().nth(1).expect("its URL")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _gone_either_way = self.process.wait();
    }
}

/// The two stories of docs/examples, played as their first lines say.
#[test]
fn the_examples_book_one_visit_and_pay_one_rent() {
    let demo = Demo::start();
    for (example, said) in [
        ("booking", ["409 LARDER409, operation already in progress", "One visit, one booking."]),
        ("double-payment", ["the answer from before", "Paid once."]),
    ] {
        let script = in_repository(&format!("docs/examples/{example}.mjs"));
        let played = Command::new(node()).arg(script).arg(demo.place("Larder")).output().expect("node runs");
        let (told, complained) =
            (String::from_utf8_lossy(&played.stdout), String::from_utf8_lossy(&played.stderr));
        assert!(played.status.success(), "{example}:\n{told}{complained}");
        for part in said {
            assert!(told.contains(part), "{example} does not say `{part}`:\n{told}");
        }
    }
}

#[test]
fn the_demo_says_where_its_dashboard_is() {
    let demo = Demo::start();
    let url = demo.place("dashboard");
    let address = url.strip_prefix("http://").expect("its address").trim_end_matches('/');
    let mut page = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        write!(stream, "GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        stream.read_to_string(&mut page)
    });
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
