//! `larder demo`: what does it look like when it works?
//!
//! One process holds everything: a stand-in for Supabase, the proxy as `larder
//! serve` runs it, with the example's rules, visitors, and a table of what the
//! proxy counts and what the visitors measure.

mod chance;
mod change;
mod client;
mod data;
mod figures;
mod moment;
mod query;
mod refusal;
mod rules_file;
mod screen;
mod table;
mod traffic;
mod upstream;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::server::{Flags as ServeFlags, Running, Server, SettingMistake, Settings, StartError};

use super::exit::{Exit, say};
use super::serve::chain;

use client::{Client, Unanswered};
use figures::{Counts, Figures, Measured};
use rules_file::RulesFile;
use screen::{Places, Screen};
use traffic::Traffic;

/// What the demo may be told.
#[derive(Args, Clone, Debug)]
pub(super) struct Flags {
    /// End after so many seconds instead of with Ctrl-C
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Address of the proxy; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: String,
}

/// Why the demo did not go on.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    /// No runtime, no port for the upstream, no signals: the machine's doing.
    #[error("cannot set the stage")]
    Stage(#[source] io::Error),
    /// The address cannot be used.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<SettingMistake>),
    /// The proxy did not start.
    #[error("the proxy did not start")]
    Start(#[from] StartError),
    /// The proxy's own metrics could not be read.
    #[error("cannot read the proxy's metrics")]
    Metrics(#[from] Unanswered),
    /// Nobody reads what is shown.
    #[error("cannot write to standard output")]
    Screen(#[source] io::Error),
}

/// Runs the demo until it is over.
pub(super) fn run(flags: &Flags) -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let shown = match runtime {
        Ok(runtime) => runtime.block_on(show(flags)),
        Err(error) => Err(DemoError::Stage(error)),
    };
    match shown {
        Ok(()) => Exit::Success,
        Err(error) => {
            say(&chain(&error));
            match error {
                DemoError::Settings(_) => Exit::Usage,
                DemoError::Stage(_) | DemoError::Start(_) | DemoError::Metrics(_) | DemoError::Screen(_) => {
                    Exit::Failure
                }
            }
        }
    }
}

async fn show(flags: &Flags) -> Result<(), DemoError> {
    let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
    let upstream = upstream::start(&tasks, &stopping).await.map_err(DemoError::Stage)?;
    let rules = RulesFile::write().map_err(DemoError::Stage)?;
    let running = start_larder(upstream, &flags.listen, &rules).await?;
    let traffic = Traffic {
        client: Client::new(),
        larder: format!("http://{}", running.address),
        upstream: format!("http://{upstream}"),
        measured: Arc::default(),
    };
    let places = Places {
        larder: traffic.larder.clone(),
        admin: running.admin.map(|address| format!("http://{address}")).unwrap_or_default(),
        upstream: traffic.upstream.clone(),
        rules: rules.path().display().to_string(),
    };
    let screen = Screen::new();
    screen.welcome(&places).map_err(DemoError::Screen)?;
    traffic.start(&tasks, &stopping);
    let watched = Watch::new(&traffic, &places.admin).until_over(screen, flags.seconds).await;

    stopping.cancel();
    tasks.close();
    running.shutdown().await;
    tasks.wait().await;
    watched
}

/// Starts the proxy as `larder serve` would.
async fn start_larder(upstream: SocketAddr, listen: &str, rules: &RulesFile) -> Result<Running, DemoError> {
    let flags = ServeFlags {
        rules: rules.path().display().to_string(),
        upstream: Some(format!("http://{upstream}")),
        listen: listen.to_owned(),
        admin: "127.0.0.1:0".to_owned(),
        // what began is answered within a second; nobody waits longer after Ctrl-C
        grace: "2s".to_owned(),
        ..ServeFlags::default()
    };
    // the environment is for the real thing
    let settings = Settings::resolve(&flags, &|_| None).map_err(DemoError::Settings)?;
    Ok(Server::start(settings).await?)
}

/// Looks at the figures until the end.
#[derive(Debug)]
struct Watch {
    client: Client,
    measured: Arc<Measured>,
    metrics: String,
    clock: Clock,
    began: Instant,
}

impl Watch {
    fn new(traffic: &Traffic, admin: &str) -> Self {
        let clock = Clock::default();
        let (client, measured) = (traffic.client.clone(), Arc::clone(&traffic.measured));
        Self { client, measured, metrics: format!("{admin}/metrics"), began: clock.now(), clock }
    }

    async fn until_over(self, mut screen: Screen, seconds: Option<u64>) -> Result<(), DemoError> {
        let mut interrupted = signal(SignalKind::interrupt()).map_err(DemoError::Stage)?;
        let mut terminated = signal(SignalKind::terminate()).map_err(DemoError::Stage)?;
        let mut ticks = tokio::time::interval(screen.every());
        let over = tokio::time::sleep(seconds.map_or(Duration::MAX, Duration::from_secs));
        tokio::pin!(over);
        loop {
            tokio::select! {
                _ = interrupted.recv() => break,
                _ = terminated.recv() => break,
                () = &mut over => break,
                _ = ticks.tick() => screen.show(&self.figures().await?).map_err(DemoError::Screen)?,
            }
        }
        screen.farewell(&self.figures().await?).map_err(DemoError::Screen)
    }

    async fn figures(&self) -> Result<Figures, DemoError> {
        let metrics = self.client.get(&self.metrics).await?;
        Ok(Figures {
            running: self.clock.now().saturating_duration_since(self.began),
            counts: Counts::read(&String::from_utf8_lossy(&metrics.body)),
            latencies: self.measured.latencies(),
        })
    }
}
