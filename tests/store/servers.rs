//! How are servers started that are more than one plain Redis?

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// For a slow machine under load.
const START_MAX: Duration = Duration::from_secs(60);

/// Between two looks whether it has started.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A folder of its own, which goes with this value.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("larder-store-{}-{count}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

/// `redis-server` with whatever arguments; it ends with this value, and with the thread that
/// started it: that must be the test's own.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    _folder: Folder,
}

impl Server {
    pub(crate) fn start(port: u16, arguments: &[&str]) -> Self {
        let folder = Folder::new();
        let process = spawn(&folder.0, arguments);
        Self { process, port, _folder: folder }
    }

    /// One that answers redis-cli on its port without more ado.
    pub(crate) fn start_plain(port: u16, arguments: &[&str]) -> Self {
        let text = port.to_string();
        let server = Self::start(port, &[&["--port", &text, "--save", ""], arguments].concat());
        server.wait_for(&["ping"], "PONG");
        server
    }

    /// One that watches others, with these lines of configuration.
    pub(crate) fn start_sentinel(port: u16, lines: &str) -> Self {
        let folder = Folder::new();
        let file = folder.write("sentinel.conf", &format!("port {port}\nbind 127.0.0.1\n{lines}\n"));
        let process = spawn(&folder.0, &[&file, "--sentinel"]);
        let server = Self { process, port, _folder: folder };
        server.wait_for(&["ping"], "PONG");
        server
    }

    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        cli(self.port, arguments)
    }

    /// Asks until the answer holds this.
    pub(crate) fn wait_for(&self, arguments: &[&str], answer: &str) {
        for _ in 0..START_MAX.as_millis() / LOOK_EVERY.as_millis() {
            if self.cli(arguments).contains(answer) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("{arguments:?} of {} never told {answer:?}: {}", self.port, self.cli(arguments));
    }

    pub(crate) fn kill(&mut self) {
        let _gone_already = self.process.kill();
        let _gone_either_way = self.process.wait();
    }

    pub(crate) fn pause(&self) {
        kill_process(Pid::from_child(&self.process), Signal::STOP).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(folder: &Path, arguments: &[&str]) -> Child {
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "redis-server"])
        .args(arguments)
        .args(["--dir", &folder.to_string_lossy(), "--loglevel", "warning"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed: run scripts/test once")
}

pub(crate) fn cli(port: u16, arguments: &[&str]) -> String {
    let shown = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("redis-cli runs");
    String::from_utf8_lossy(&shown.stdout).trim_end().to_owned()
}

/// A port that nobody listens on. Below those that systems hand out, because a cluster's servers
/// speak among themselves on a port ten thousand above their own.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let of_this_process = u16::try_from(std::process::id() % 8_000).unwrap();
    for _ in 0..2_000 {
        let port = 12_000 + (of_this_process + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) && is_free(port + 10_000) {
            return port;
        }
    }
    panic!("no port is free");
}
