//! How the product is started for a test: as `larder serve` would, on free ports.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder::clock::Clock;
use larder::server::{self, Drained, Flags, Limits, Server, Settings};

use super::client::Client;
use super::proxy::Builder;

/// A running product.
#[derive(Debug)]
pub(crate) struct Running {
    running: server::Running,
    clock: Clock,
    rules: RulesFile,
}

/// Starts the product.
pub(crate) async fn start(builder: &Builder) -> Running {
    let rules = RulesFile::write(&builder.rules);
    let mut flags = Flags {
        rules: rules.path.display().to_string(),
        upstream: Some(format!("http://{}", builder.upstream)),
        listen: "127.0.0.1:0".to_owned(),
        admin: "127.0.0.1:0".to_owned(),
        // one client's connection and the next live on different threads
        workers: Some("2".to_owned()),
        upstream_timeout: format!("{}ms", builder.answer_within.as_millis()),
        ..Flags::default()
    };
    flags.store.guard_store = Some(builder.guard_store.clone());
    flags.network = builder.network.clone();
    flags.canaries.canary_tokens_file = builder.canary_tokens_file.clone();
    (builder.flags)(&mut flags);
    let variable = |name: &str| {
        let mut set = builder.variables.iter();
        set.find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    let settings = Settings::resolve(&flags, &variable).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let clock = Clock::default();
    let running = Server::start_with(settings, Limits::default(), clock.clone()).await;
    let running = running.unwrap_or_else(|error| panic!("{error:#?}"));
    Running { running, clock, rules }
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.running.admin.expect("an admin address")
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What `/metrics` says.
    pub(crate) async fn metrics(&self) -> String {
        let page = Client::new(self.admin()).get("/metrics").await.expect_status(200);
        String::from_utf8(page.body.to_vec()).unwrap()
    }

    /// Other rules in its file, which nobody has read yet.
    pub(crate) fn rewrite_rules(&self, yaml: &str) {
        std::fs::write(&self.rules.path, yaml).unwrap();
    }

    pub(crate) async fn shutdown(self) -> Drained {
        let drained = self.running.shutdown().await;
        drop(self.rules);
        drained
    }
}

/// A rules file of one proxy, removed at its end.
#[derive(Debug)]
pub(crate) struct RulesFile {
    pub(crate) path: PathBuf,
}

impl RulesFile {
    pub(crate) fn write(yaml: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("larder-it-{}-{number}.yaml", std::process::id()));
        std::fs::write(&path, yaml).unwrap();
        Self { path }
    }
}

impl Drop for RulesFile {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}
