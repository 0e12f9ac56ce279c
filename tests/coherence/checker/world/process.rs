//! A process of ours: it gets signals by its own number, and ends with us even if we are killed.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal as Number, kill_process};

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(10);

/// Why there is nothing to check.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("cannot start {program} ({hint})")]
    Start { program: String, hint: &'static str, source: io::Error },
    #[error("{0}")]
    Silent(String),
    #[error("PostgreSQL is missing (hint: apt-get install postgresql, or put its initdb into PATH)")]
    NoPostgres,
    #[error("no larder at {0} (hint: cargo build, or --larder PATH)")]
    NoLarder(String),
    #[error(
        "{0} is a release build, and has no bugs to switch on (hint: cargo build, and --larder target/debug/larder)"
    )]
    NoBugs(String),
    #[error("PostgreSQL refuses")]
    Database(#[from] tokio_postgres::Error),
    #[error("the network or the disk refuses")]
    Io(#[from] io::Error),
}

/// What is sent to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Kill,
    Stop,
    Continue,
    Terminate,
}

#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Starts a program whose death is ours: the kernel sends it the signal of this name.
    pub(super) fn start(
        program: &Path,
        by: &[&str],
        set: impl FnOnce(&mut Command),
    ) -> Result<Self, Trouble> {
        let mut command = Command::new("setpriv");
        command.args(by).args(["--pdeathsig", "KILL"]).arg(program);
        set(&mut command);
        let started = command.spawn();
        started.map(Self).map_err(|source| Trouble::Start {
            program: program.display().to_string(),
            hint: "hint: it and setpriv, of util-linux, must be in PATH",
            source,
        })
    }

    pub(super) fn signal(&self, signal: Signal) {
        let number = match signal {
            Signal::Kill => Number::KILL,
            Signal::Stop => Number::STOP,
            Signal::Continue => Number::CONT,
            Signal::Terminate => Number::TERM,
        };
        let _gone_already = kill_process(Pid::from_child(&self.0), number);
    }

    /// Waits for its end; kills it if that takes too long.
    pub(super) fn wait(&mut self, longest: Duration) {
        let late = Instant::now() + longest;
        while matches!(self.0.try_wait(), Ok(None)) {
            if Instant::now() > late {
                self.signal(Signal::Kill);
                let _gone = self.0.wait();
                return;
            }
            std::thread::sleep(LOOK);
        }
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::Kill);
        let _gone = self.0.wait();
    }
}

/// A folder for as long as it is needed.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> io::Result<Self> {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("larder-coherence-{}-{number}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// A port that nobody has at the moment.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.local_addr()?.port())
}

/// Waits for a condition.
pub(super) fn until(what: &str, longest: Duration, mut is_true: impl FnMut() -> bool) -> Result<(), Trouble> {
    let late = Instant::now() + longest;
    while !is_true() {
        if Instant::now() > late {
            return Err(Trouble::Silent(format!("waited {} s for {what}", longest.as_secs())));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
