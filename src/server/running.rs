//! A process that answers, and how it ends.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::admin::{Health, Phase};
use crate::workers::End;

use super::shutdown::{Drained, Shutdown};

/// Operators' last answers: `/readyz` said "draining" long before.
const ADMIN_GRACE: Duration = Duration::from_millis(100);

/// A running process; dropped, it stops at once.
#[derive(Debug)]
pub struct Running {
    /// Where clients are answered.
    pub address: SocketAddr,
    /// Where operators are answered.
    pub admin: Option<SocketAddr>,
    pub(super) grace: Duration,
    pub(super) health: Health,
    pub(super) reload: watch::Sender<()>,
    pub(super) shutdown: Shutdown,
    pub(super) admin_shutdown: Shutdown,
    /// The threads that answer end with it.
    pub(super) _workers: End,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything that had begun was finished.
    Finished,
    /// The grace period was over first.
    Late,
    /// A second signal asked for haste.
    Hurried,
}

impl Running {
    /// Reads the rules and the certificate again, now.
    pub fn reload(&self) {
        self.reload.send_replace(());
    }

    /// Stops accepting, finishes what has begun, and tells whether that was everything.
    pub async fn shutdown(self) -> Drained {
        self.health.enter(Phase::Draining);
        let drained = self.shutdown.drain(self.grace).await;
        self.admin_shutdown.drain(ADMIN_GRACE).await;
        match drained {
            Drained::Everything => info!("everything is finished"),
            Drained::Cut(tasks) => warn!(tasks, "the grace period is over: cut"),
        }
        drained
    }

    /// Answers until SIGTERM or SIGINT, then drains; SIGHUP reloads.
    pub async fn wait(self) -> std::io::Result<Ended> {
        let mut signals = Signals::new()?;
        while signals.next().await == Asked::Reload {
            self.reload();
        }
        info!("draining: a second signal ends the process at once");
        tokio::select! {
            drained = self.shutdown() => match drained {
                Drained::Everything => Ok(Ended::Finished),
                Drained::Cut(_) => Ok(Ended::Late),
            },
            () = signals.second() => Ok(Ended::Hurried),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.abandon();
        self.admin_shutdown.abandon();
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    /// Resolves when a process that is ending already is asked to end again.
    async fn second(&mut self) {
        while self.next().await == Asked::Reload {}
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// SIGTERM, SIGINT.
    End,
    /// SIGHUP.
    Reload,
}
