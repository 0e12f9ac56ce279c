//! How is a real Redis started for a test, and made to fail?

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// For a slow machine under load; a healthy one needs some milliseconds.
const START_MAX: Duration = Duration::from_secs(60);

/// Between two looks whether it has started.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A server of its own on a port of its own, which ends with this value, and with this
/// process should it be killed.
pub(crate) struct Redis {
    process: Child,
    port: u16,
    folder: PathBuf,
    settings: Vec<String>,
}

impl Redis {
    /// Starts a server that keeps nothing on disk unless `settings` say so: `["--appendonly", "yes"]`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("larder-redis-{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the server's files");
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect::<Vec<_>>();
        // somebody else may take a port between our looking for it and the server's
        for _ in 0..20 {
            let port = free_port();
            let process = run(port, &folder, &settings);
            let mut redis = Self { process, port, folder: folder.clone(), settings: settings.clone() };
            if redis.answers() {
                return redis;
            }
            redis.kill();
        }
        panic!("redis-server does not start: is it installed?");
    }

    /// As `--store` takes it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Sends it a command and returns what redis-cli shows.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let shown = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("redis-cli runs");
        String::from_utf8_lossy(&shown.stdout).trim_end().to_owned()
    }

    /// It is gone at once, as by a crash.
    pub(crate) fn kill(&mut self) {
        let _gone_already = self.process.kill();
        let _gone_either_way = self.process.wait();
    }

    /// The same server again on the same port, with what it saved.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        self.process = run(self.port, &self.folder, &self.settings);
        assert!(self.answers(), "redis-server starts again");
    }

    /// It still holds its connections, but does nothing.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("the server runs");
    }

    fn answers(&mut self) -> bool {
        for _ in 0..START_MAX.as_millis() / LOOK_EVERY.as_millis() {
            if self.process.try_wait().expect("a child of ours").is_some() {
                return false; // the port was taken, or the program is not there
            }
            if self.cli(&["ping"]) == "PONG"
                && self.cli(&["info", "server"]).contains(&format!("process_id:{}", self.process.id()))
            {
                return true;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        false
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _left_behind = fs::remove_dir_all(&self.folder);
    }
}

fn run(port: u16, folder: &Path, settings: &[String]) -> Child {
    let saves = settings.iter().any(|setting| setting == "--save" || setting == "--appendonly");
    let unsaved: &[&str] = if saves { &[] } else { &["--save", ""] };
    // should we be killed, the kernel kills it
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "redis-server", "--bind", "127.0.0.1", "--loglevel", "warning"])
        .args(["--port", &port.to_string(), "--dir", &folder.to_string_lossy()])
        .args(unsaved)
        .args(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed: run scripts/test once")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
