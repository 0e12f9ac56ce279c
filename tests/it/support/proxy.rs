//! The product, in process, on free ports.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http::Method;
use larder::server::{Drained, Flags, NetworkFlags};
use serde_json::Value;

use super::client::Client;
use super::origin::Origin;
use super::product::{self, Running};
use super::raw::Raw;
use super::scripted::Scripted;
use super::soon;

/// Anything that can stand behind a proxy.
pub(crate) trait Upstream {
    fn address(&self) -> SocketAddr;
}

impl Upstream for Origin {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Upstream for Scripted {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Where nobody listens.
impl Upstream for SocketAddr {
    fn address(&self) -> SocketAddr {
        *self
    }
}

/// A proxy to be started.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(super) upstream: SocketAddr,
    pub(super) rules: String,
    pub(super) answer_within: Duration,
    pub(super) flags: fn(&mut Flags),
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) guard_store: String,
    pub(super) network: NetworkFlags,
    pub(super) canary_tokens_file: Option<String>,
}

/// A proxy before this upstream, without rules.
pub(crate) fn proxy(upstream: &impl Upstream) -> Builder {
    let answer_within = Duration::from_secs(5);
    let rules = "version: 1\nreads: []\n".to_owned();
    Builder {
        upstream: upstream.address(),
        rules,
        answer_within,
        flags: |_| {},
        variables: Vec::new(),
        guard_store: String::new(),
        network: NetworkFlags::default(),
        canary_tokens_file: None,
    }
}

impl Builder {
    /// The rules as YAML; `version: 1` is put before them.
    pub(crate) fn rules(mut self, yaml: &str) -> Self {
        self.rules = format!("version: 1\n{yaml}");
        self
    }

    /// How long the upstream may take to begin its answer.
    pub(crate) fn answer_within(mut self, time: Duration) -> Self {
        self.answer_within = time;
        self
    }

    /// Other settings, as on the command line.
    pub(crate) fn flags(mut self, change: fn(&mut Flags)) -> Self {
        self.flags = change;
        self
    }

    /// Where locks, operations and limits are shared.
    pub(crate) fn guards_in(mut self, url: &str) -> Self {
        self.guard_store = url.to_owned();
        self
    }

    /// The network in front that it tells of changes.
    pub(crate) fn telling(mut self, network: NetworkFlags) -> Self {
        self.network = network;
        self
    }

    /// Where the tokens of those are who ask canaries.
    pub(crate) fn canary_tokens_in(mut self, file: &Path) -> Self {
        self.canary_tokens_file = Some(file.display().to_string());
        self
    }

    /// A variable of its environment, which is empty otherwise.
    pub(crate) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    pub(crate) async fn start(self) -> Proxy {
        Proxy { running: product::start(&self).await }
    }
}

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    running: Running,
}

impl Proxy {
    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// Where operators are answered.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.running.admin()
    }

    /// A client with connections of its own.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address())
    }

    /// A connection, byte by byte.
    pub(crate) async fn raw(&self) -> Raw {
        Raw::connect(self.address()).await
    }

    /// The sum of the series of a metric that have all these labels, as in `rule="-"`.
    pub(crate) async fn counted(&self, metric: &str, labels: &[&str]) -> f64 {
        let text = self.running.metrics().await;
        let is_it = |name: &str| {
            let (bare, inside) = name.split_once('{').unwrap_or((name, ""));
            bare == metric && labels.iter().all(|label| inside.contains(label))
        };
        let samples = text.lines().filter_map(|line| line.rsplit_once(' '));
        samples.filter(|(name, _)| is_it(name)).map(|(_, value)| value.parse::<f64>().unwrap()).sum()
    }

    /// Asks for a metric until it is as it should be.
    pub(crate) async fn until_counted(&self, metric: &str, labels: &[&str], is_so: fn(f64) -> bool) {
        let counting = async { while !is_so(self.counted(metric, labels).await) {} };
        soon(metric, counting).await;
    }

    /// Lets the proxy believe that time has passed.
    pub(crate) fn wait(&self, time: Duration) {
        self.running.clock().advance(time);
    }

    /// The time of day by its clock, in seconds since 1970.
    pub(crate) fn unix_seconds(&self) -> u64 {
        self.running.clock().unix_seconds()
    }

    /// Writes other rules to its file; `version: 1` is put before them.
    pub(crate) fn rewrite_rules(&self, yaml: &str) {
        self.running.rewrite_rules(&format!("version: 1\n{yaml}"));
    }

    /// Has its rules read again, and gives what is answered with this status.
    pub(crate) async fn reload(&self, status: u16) -> Value {
        let asked = Client::new(self.admin()).ask(Method::POST, "/api/rules/reload", "".into()).await;
        asked.expect_status(status).json()
    }

    /// Stops, and says whether everything that had begun was finished.
    pub(crate) async fn shutdown(self) -> Drained {
        self.running.shutdown().await
    }
}
