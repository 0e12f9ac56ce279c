//! The product, as people start it, and start it again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use larder::sabotage::{Bug, Death, VARIABLE};

use super::super::people::{JWT_SECRET, PUBLISHABLE_KEY};
use super::log::{Log, bound_addresses, lines_of};
use super::process::{Folder, Process, Signal, Trouble};

/// Longer than `--grace`: what has not ended by then hangs.
const END_MAX: Duration = Duration::from_secs(20);
const RULES: &str = include_str!("../../rules.yaml");

/// How it is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) upstream: SocketAddr,
    pub(crate) store: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) bug: Option<Bug>,
}

#[derive(Debug)]
pub(crate) struct Larder {
    launch: Launch,
    rules: PathBuf,
    reloads: u32,
    process: Process,
    log: Log,
    address: SocketAddr,
    _folder: Folder,
}

impl Larder {
    pub(crate) fn start(launch: Launch) -> Result<Self, Trouble> {
        let folder = Folder::new("larder")?;
        let rules = folder.path().join("rules.yaml");
        std::fs::write(&rules, RULES)?;
        let (process, log, address) = run(&launch, None, &rules)?;
        Ok(Self { launch, rules, reloads: 0, process, log, address, _folder: folder })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Starts it again once it has ended; it listens elsewhere then, and perhaps ends at a point of a write.
    pub(crate) fn restart(&mut self, death: Option<Death>) -> Result<(), Trouble> {
        self.process.wait(END_MAX);
        (self.process, self.log, self.address) = run(&self.launch, death, &self.rules)?;
        Ok(())
    }

    /// Changes what the rules mean, so that everything kept under the former ones is out of reach.
    pub(crate) fn reload(&mut self) -> Result<(), Trouble> {
        self.reloads += 1;
        let ttl = format!("ttl: {}m", 60 + self.reloads);
        Ok(std::fs::write(&self.rules, RULES.replace("ttl: 1h", &ttl))?)
    }

    /// The last lines of its log.
    pub(crate) fn last_lines(&self) -> String {
        self.log.last_lines()
    }
}

fn run(launch: &Launch, death: Option<Death>, rules: &Path) -> Result<(Process, Log, SocketAddr), Trouble> {
    let sabotage: Vec<&str> =
        launch.bug.map(Bug::as_str).into_iter().chain(death.map(Death::as_str)).collect();
    let sabotage = (!sabotage.is_empty()).then(|| sabotage.join(","));
    let (output, input) = std::io::pipe()?;
    let second = input.try_clone()?;
    let process = Process::start(&launch.program, &[], |command| {
        command
            .args([
                "serve",
                "--log",
                "json",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--grace",
                "2s",
            ])
            .args(["--upstream", &format!("http://{}", launch.upstream), "--store", &launch.store])
            .args(&launch.arguments)
            .arg("--rules")
            .arg(rules)
            .env_clear() // nobody's own settings
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("RUST_LOG", "warn,larder::server=info,larder::sabotage=error")
            .env("SUPABASE_JWT_SECRET", JWT_SECRET)
            .env("SUPABASE_PUBLISHABLE_KEY", PUBLISHABLE_KEY)
            .envs(sabotage.as_ref().map(|names| (VARIABLE, names)))
            .stdin(Stdio::null())
            .stdout(input)
            .stderr(second);
    })?;
    let (lines, log) = lines_of(output);
    let (listen, _admin) = bound_addresses(&lines).map_err(Trouble::Silent)?;
    if sabotage.is_some() && !log.last_lines().contains("SABOTAGED") {
        return Err(Trouble::NoBugs(launch.program.display().to_string()));
    }
    let address = listen.parse().map_err(|_| Trouble::Silent(format!("larder listens at `{listen}`")))?;
    Ok((process, log, address))
}
