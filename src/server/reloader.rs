//! The rules on disk, put in the place of those in use: when their file changes, on SIGHUP, or when
//! an operator asks and waits for what comes of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::admin::{Health, Reloaded};
use crate::causes::in_full;
use crate::explain::rules_of;
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use crate::rules::{Context, Mistake, Remark, Warning};

use super::canaries::CanaryCheck;
use super::start::{StartError, compile, fingerprint};
use super::store::StoreSettings;

/// Longest wait for the rules to be read: a drive that hangs should not hold an operator up for ever. Their
/// canaries take seven seconds at most.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Puts rules in the place of others.
pub(super) struct Reloader {
    pub(super) file: PathBuf,
    pub(super) context: Context,
    pub(super) store: StoreSettings,
    pub(super) proxy: Arc<Proxy>,
    pub(super) canaries: CanaryCheck,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    pub(super) written_for: watch::Sender<Option<String>>,
    /// Asks for everything on disk to be read again.
    pub(super) ask: watch::Sender<()>,
    /// Whether this process ends.
    pub(super) draining: CancellationToken,
    pub(super) outcomes: Outcomes,
}

/// What came of each time that rules were read, by its number.
pub(super) struct Outcomes {
    begun: AtomicU64,
    last: watch::Sender<(u64, Option<Reloaded>)>,
}

impl Default for Outcomes {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), last: watch::Sender::new((0, None)) }
    }
}

impl Reloader {
    /// Reads the rules and uses them if they compile and their canaries find nothing; otherwise those before
    /// stay. One at a time, by whoever watches the file, on a thread that may wait.
    pub(super) fn apply(&self) {
        let number = self.outcomes.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let reading = self.draining.run_until_cancelled(self.read());
        // a process that ends takes no new rules
        let Some(read) = Handle::current().block_on(reading) else { return };
        let reloaded = read.unwrap_or_else(|refused| self.refuse(refused));
        let is_applied = matches!(reloaded, Reloaded::Applied { .. });
        self.metrics.reloaded(if is_applied { "ok" } else { "failed" });
        self.health.set_rules_broken(!is_applied);
        self.outcomes.last.send_replace((number, Some(reloaded)));
    }

    async fn read(&self) -> Result<Reloaded, StartError> {
        let (rules, mut warnings) = compile(&self.file, &self.context, &self.store)?;
        let planner = self.canaries.planner(rules);
        warnings.extend(self.canaries.pass(&self.file, &planner).await?);
        let before = self.proxy.with_planner(|planner| rules_of(planner.rules()));
        let after = rules_of(planner.rules());
        self.written_for.send_replace(fingerprint(planner.rules()));
        self.proxy.replace_rules(planner);
        info!(file = %self.file.display(), "the rules were read again and are in use");
        let warnings = warnings.into_iter().map(|Warning(remark)| remark).collect();
        Ok(Reloaded::Applied { before, after, warnings })
    }

    fn refuse(&self, refused: StartError) -> Reloaded {
        error!(error = in_full(&refused), "the rules were refused, the old ones stay in use");
        let message = refused.to_string();
        let mistakes: Vec<Remark> = match refused {
            StartError::Rules { mistakes, .. } | StartError::Canaries { mistakes, .. } => {
                mistakes.into_iter().map(|Mistake(remark)| remark).collect()
            }
            StartError::RulesRead { .. }
            | StartError::NoEncryptionKeys { .. }
            | StartError::Tls(_)
            | StartError::Workers(_)
            | StartError::Bind { .. } => Vec::new(),
        };
        for Remark { line, path, message, hint, .. } in &mistakes {
            error!(file = %self.file.display(), line, field = %path, hint = hint.as_deref(), "{message}");
        }
        Reloaded::Refused { message, mistakes }
    }

    /// Asks for it, and waits for what comes of a reading that begins from now on.
    pub(super) async fn reload(&self) -> Option<Reloaded> {
        let mut last = self.outcomes.last.subscribe();
        let begun = self.outcomes.begun.load(Ordering::SeqCst);
        self.ask.send_replace(());
        let done = last.wait_for(|(number, _)| *number > begun);
        let (_, reloaded) = tokio::time::timeout(WAIT_MAX, done).await.ok()?.ok()?.clone();
        reloaded
    }
}
