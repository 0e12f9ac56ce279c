//! A Redis of our own, which can be killed, stopped, emptied and filled up.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::process::{Folder, Process, Signal, Trouble, free_port, until};

/// For a slow machine under load; a healthy one needs some milliseconds.
const START_MAX: Duration = Duration::from_secs(30);
/// A stopped server answers nothing; whoever asks it anything must not wait for ever.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How a killed server comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    /// With everything that it had written down.
    Remembering,
    Empty,
}

#[derive(Debug)]
pub(crate) struct Redis {
    process: Process,
    folder: Folder,
    port: u16,
}

impl Redis {
    pub(crate) fn start() -> Result<Self, Trouble> {
        let (folder, port) = (Folder::new("redis")?, free_port()?);
        let process = run(folder.path(), port)?;
        Ok(Self { process, folder, port })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Starts it again after it was killed.
    pub(crate) fn restart(&mut self, how: Restart) -> Result<(), Trouble> {
        self.process.wait(ANSWER_MAX);
        if how == Restart::Empty {
            std::fs::remove_dir_all(self.folder.path())?;
            std::fs::create_dir_all(self.folder.path())?;
        }
        self.process = run(self.folder.path(), self.port)?;
        Ok(())
    }

    /// Sends one command; the first line of its answer.
    pub(crate) fn command(&self, words: &str) -> Result<String, Trouble> {
        Ok(ask(self.port, words)?)
    }
}

fn run(folder: &Path, port: u16) -> Result<Process, Trouble> {
    let mut process = Process::start(Path::new("redis-server"), &[], |command| {
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "yes",
        ]);
        command.args(["--loglevel", "warning", "--enable-debug-command", "yes", "--dir"]).arg(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    })?;
    until("Redis", START_MAX, || {
        process.is_running() && ask(port, "PING").is_ok_and(|answer| answer.starts_with("+PONG"))
    })?;
    Ok(process)
}

fn ask(port: u16, words: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.write_all(format!("{words}\r\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}
