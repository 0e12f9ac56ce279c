//! A PostgreSQL of our own.

use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::process::{Folder, Process, Trouble, free_port, until};

/// For a slow machine under load; a healthy one needs a few seconds.
const START_MAX: Duration = Duration::from_secs(120);
/// Debian's place for it, outside of PATH.
const DEBIAN: &str = "/usr/lib/postgresql";
/// PostgreSQL refuses to run as root.
const USER: &str = "postgres";

/// Ends with this value.
#[derive(Debug)]
pub(crate) struct Postgres {
    _process: Process,
    _folder: Folder,
    server: String,
}

impl Postgres {
    pub(crate) fn start() -> Result<Self, Trouble> {
        let programs = programs().ok_or(Trouble::NoPostgres)?;
        let folder = Folder::new("postgres")?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        let is_root = std::fs::metadata("/proc/self")?.uid() == 0;
        let by: &[&str] =
            if is_root { &["--reuid=postgres", "--regid=postgres", "--clear-groups"] } else { &[] };
        if is_root {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
            let (user, group) = ids(USER).ok_or(Trouble::NoPostgres)?;
            chown(&data, Some(user), Some(group))?;
        }
        init(&programs.join("initdb"), by, &data)?;
        let port = free_port()?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let process = Process::start(&programs.join("postgres"), by, |command| {
            command
                .arg("-D")
                .arg(&data)
                .current_dir("/")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log);
            // nothing here outlives the run, so nothing needs to reach the disk
            for parameter in ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "jit=off"] {
                command.args(["-c", parameter]);
            }
            command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
            command.args(["-c", &format!("port={port}"), "-c", "max_connections=100"]);
        })?;
        until("PostgreSQL", START_MAX, || is_ready(&programs, port))?;
        Ok(Self { _process: process, _folder: folder, server: format!("postgres://{USER}@127.0.0.1:{port}") })
    }

    /// A database that is always there.
    pub(crate) fn first(&self) -> String {
        self.database("postgres")
    }

    /// One of this name.
    pub(crate) fn database(&self, name: &str) -> String {
        format!("{}/{name}", self.server)
    }
}

fn init(initdb: &Path, by: &[&str], data: &Path) -> Result<(), Trouble> {
    let made = Command::new("setpriv")
        .args(by)
        .arg(initdb)
        .arg("-D")
        .arg(data)
        .args(["-U", USER, "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
        .current_dir("/")
        .output()?;
    if made.status.success() {
        return Ok(());
    }
    Err(Trouble::Silent(format!("initdb failed:\n{}", String::from_utf8_lossy(&made.stderr))))
}

/// A port that is open may still belong to a server that is starting up.
fn is_ready(programs: &Path, port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
        && Command::new(programs.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status()
            .is_ok_and(|status| status.success())
}

/// The newest that is installed.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    debian.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = debian.into_iter().rev().chain(std::env::split_paths(&path));
    folders.into_iter().find(|folder| folder.join("initdb").exists())
}

/// User and group of this name.
fn ids(name: &str) -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let user = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = user.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
