//! How are the real upstream and the product started for a test, as processes of their own?
//!
//! Whatever is started here ends with the value that stands for it, and with this process should it be killed.

mod log;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use log::{Log, bound_addresses, lines_of};

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
        let (listen, admin) = bound_addresses(&lines).unwrap_or_else(|silence| panic!("{silence}"));
        (larder.address, larder.admin) = (format!("http://{listen}"), format!("http://{admin}"));
        larder
    }

    /// The last lines of its log.
    pub(crate) fn last_lines(&self) -> String {
        self.log.last_lines()
    }

    /// The last lines of its log, once this is among them.
    #[allow(dead_code, reason = "not every test looks at a log")]
    #[allow(clippy::disallowed_methods, reason = "it waits in real time")]
    pub(crate) fn until_logged(&self, words: &str) -> String {
        // for a slow machine under load; a healthy one needs some milliseconds
        const LOGGED_MAX: Duration = Duration::from_secs(60);
        let begun = Instant::now();
        loop {
            let log = self.log.last_lines();
            if log.contains(words) {
                return log;
            }
            assert!(begun.elapsed() < LOGGED_MAX, "no `{words}` in\n{log}");
            std::thread::yield_now();
        }
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
