//! Where a run takes place: the real upstream, and Larder in front of one of its servers.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::pull::Folder;
use crate::started::{Larder, Upstream};
use crate::wire::Side;

/// One run at a time: each brings a database server and wants the machine for itself.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Stage {
    larder: Larder,
    /// The rules, which are looked at as long as Larder runs.
    _folder: Folder,
    _upstream: Upstream,
    _turn: MutexGuard<'static, ()>,
    /// Addresses; Larder stands before the last.
    pub(crate) servers: Vec<String>,
    pub(crate) jwt_secret: String,
    pub(crate) publishable_key: String,
}

impl Stage {
    /// Starts everything with these rules and what was learned from the database; Larder tells callers apart by the bytes of their tokens.
    pub(crate) fn start(rules: &str, upstream: &[&str]) -> Self {
        Self::build(rules, upstream, false)
    }

    /// As [`Stage::start`], with the project's keys: Larder verifies callers.
    pub(crate) fn verifying(rules: &str, upstream: &[&str]) -> Self {
        Self::build(rules, upstream, true)
    }

    fn build(rules: &str, upstream: &[&str], is_verifying: bool) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let upstream = Upstream::start(upstream);
        let keys: Value = serde_json::from_str(&upstream.keys).expect("a line of JSON");
        let key = |name: &str| keys[name].as_str().expect("a key").to_owned();
        let folder = Folder::new();
        folder.pull(keys["databases"][0].as_str().expect("a database"), "public");
        let rules = folder.file("rules.yaml", rules);
        let last = upstream.servers.last().expect("a server");
        let (jwt_secret, publishable_key) = (key("jwtSecret"), key("publishableKey"));
        let both = [("SUPABASE_JWT_SECRET", &*jwt_secret), ("SUPABASE_PUBLISHABLE_KEY", &*publishable_key)];
        let variables = if is_verifying { &both[..] } else { &[] };
        let larder = Larder::start(&rules, last, variables);
        Self {
            servers: upstream.servers.clone(),
            jwt_secret,
            publishable_key,
            larder,
            _folder: folder,
            _upstream: upstream,
            _turn: turn,
        }
    }

    /// The server behind Larder, asked directly.
    pub(crate) fn direct(&self) -> Side {
        self.side(self.servers.last().expect("a server"))
    }

    pub(crate) fn through(&self) -> Side {
        self.side(&self.larder.address)
    }

    pub(crate) fn side(&self, address: &str) -> Side {
        Side::new(address, &self.publishable_key)
    }

    /// Runs something to its end.
    pub(crate) fn play<F: Future>(&self, run: F) -> F::Output {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(run)
    }

    /// The last lines that Larder has written.
    pub(crate) fn log(&self) -> String {
        self.larder.last_lines()
    }
}
