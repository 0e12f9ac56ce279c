//! How are the real upstream and the product started for a test, as processes of their own?
//!
//! Whatever is started here ends with the value that stands for it, and with this process should it be killed.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, PipeReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use serde_json::Value;

/// For a slow machine under load; a healthy one needs a few seconds.
const START_MAX: Duration = Duration::from_secs(120);

/// As much of a log as a failure shows.
const LOG_LINES_MAX: usize = 40;

/// Servers with databases of their own, holding the same rows.
pub(crate) struct Upstream {
    process: Child,
    pub(crate) servers: Vec<String>,
    /// What the servers' keys are: one line of JSON.
    pub(crate) keys: String,
}

impl Upstream {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(node())
            .arg(in_repository("tests/upstream/start.mjs"))
            .args(arguments)
            .stdin(Stdio::piped()) // it runs until this ends, even if we are killed
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let mut keys = String::new();
        let stdout = process.stdout.take().expect("a piped stdout");
        BufReader::new(stdout).read_line(&mut keys).expect("a line from the upstream");
        let started: Value =
            serde_json::from_str(&keys).expect("the upstream's line of JSON; its complaint is above");
        let servers = started["servers"].as_array().expect("a list of servers");
        let servers = servers.iter().map(|server| server.as_str().expect("an address").to_owned()).collect();
        Self { process, servers, keys }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _gone_either_way = self.process.wait();
    }
}

/// The product, as people start it.
pub(crate) struct Larder {
    process: Child,
    pub(crate) address: String,
    pub(crate) admin: String,
    log: Log,
}

/// The last lines that a process has written; a mutex because a thread reads them.
type Log = Arc<Mutex<VecDeque<String>>>;

impl Larder {
    /// `variables` are all that it sees of an environment.
    pub(crate) fn start(rules: &str, upstream: &str, variables: &[(&str, &str)]) -> Self {
        let (output, input) = std::io::pipe().expect("a pipe");
        // should we be killed, the kernel kills it
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_larder"), "serve"])
            .args(["--rules", rules, "--upstream", upstream, "--log", "json"])
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear() // nobody's own settings
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(input.try_clone().expect("a second handle"))
            .stderr(input)
            .spawn()
            .expect("larder runs");
        let (lines, log) = lines_of(output);
        let mut larder = Self { process, address: String::new(), admin: String::new(), log };
        (larder.address, larder.admin) = bound_addresses(&lines);
        larder
    }

    /// The last lines of its log.
    pub(crate) fn last_lines(&self) -> String {
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn kill(&mut self) {
        let _gone_already = self.process.kill();
        let _gone_either_way = self.process.wait();
    }
}

impl Drop for Larder {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads the log up to the line that says where it listens.
fn bound_addresses(lines: &mpsc::Receiver<String>) -> (String, String) {
    let mut seen = String::new();
    loop {
        let line =
            lines.recv_timeout(START_MAX).unwrap_or_else(|_| panic!("larder does not listen:\n{seen}"));
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        let fields = event.get("fields").unwrap_or(&event);
        if let (Some(listen), Some(admin)) = (fields["listen"].as_str(), fields["admin"].as_str()) {
            return (format!("http://{listen}"), format!("http://{admin}"));
        }
        seen = seen + &line + "\n";
    }
}

/// Lines as they are written, for as long as somebody wants them, and the last of them; never lets a
/// writer wait.
fn lines_of(output: PipeReader) -> (mpsc::Receiver<String>, Log) {
    let (sender, lines) = mpsc::channel();
    let log = Log::default();
    let kept = Arc::clone(&log);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == LOG_LINES_MAX {
                kept.pop_front();
            }
            kept.push_back(line.clone());
            drop(kept);
            let _nobody_listens = sender.send(line);
        }
    });
    (lines, log)
}

/// Node from the upstream's packages, where it comes as one; else the system's.
pub(crate) fn node() -> PathBuf {
    let modules = in_repository("tests/upstream/node_modules");
    let packages = [modules.clone(), in_repository("tests/e2e/node_modules")];
    assert!(
        packages.iter().all(|folder| folder.exists()),
        "packages of tests/ are missing: run scripts/test once"
    );
    let packaged = modules.join(".bin/node");
    if packaged.exists() { packaged } else { "node".into() }
}

pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
