//! Is the database still the one that the rules were written for?
//!
//! A migration, a grant or a policy changes answers without any write that
//! Larder could see. Where it is told of the database, it looks at the digest of
//! its definitions once a minute: it says what has changed, and drops every
//! entry where it was told to.

use std::time::Duration;

use clap::Args;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::causes::in_full;
use crate::consistency::Consistency;
use crate::invalidation::Invalidator;
use crate::key::Tag;
use crate::metrics::Metrics;
use crate::schema::{DatabaseUrl, Fingerprint, ask_fingerprint};
use crate::units::parse_duration;

use super::settings::{SettingMistake, present, text_or};

/// A migration and its `schema pull` are minutes apart; a look takes the database some milliseconds.
const INTERVAL: &str = "1m";
const WHEN_CHANGED: &str = "warn";

/// Settings of the look at the database.
#[derive(Args, Clone, Debug, Default)]
pub struct SchemaFlags {
    /// Database, as in postgres://…, whose definitions are compared with what schema.yaml tells
    #[arg(long, env = "LARDER_SCHEMA_DB", value_name = "URL", hide_env_values = true)]
    pub schema_db: Option<String>,
    /// Time between two looks at that database
    #[arg(long, env = "LARDER_SCHEMA_INTERVAL", value_name = "TIME", default_value = INTERVAL)]
    pub schema_interval: String,
    /// When its tables, grants or policies have changed: `warn`, or `drop` every entry too
    #[arg(long, env = "LARDER_SCHEMA_CHANGED", value_name = "WORD", default_value = WHEN_CHANGED)]
    pub schema_changed: String,
}

/// The database to look at.
#[derive(Clone, Debug)]
pub struct SchemaDb {
    /// Where it is.
    pub url: DatabaseUrl,
    /// How long between two looks.
    pub interval: Duration,
    /// What a change leads to.
    pub when_changed: WhenChanged,
}

/// What a change of the database's definitions leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenChanged {
    /// A line in the log and a metric.
    Warn,
    /// Every entry goes, too.
    Drop,
}

/// Reads the settings of the look, or names every mistake.
pub(super) fn schema_db(flags: &SchemaFlags) -> Result<Option<SchemaDb>, Vec<SettingMistake>> {
    let interval = match parse_duration(text_or(&flags.schema_interval, INTERVAL)) {
        Ok(interval) if interval.is_zero() => Err("must be more than nothing".to_owned()),
        read => read.map_err(|error| error.to_string()),
    };
    let interval = interval.map_err(|problem| SettingMistake::of_flag("schema-interval", problem));
    let word = text_or(&flags.schema_changed, WHEN_CHANGED);
    let when_changed = WhenChanged::parse(word).ok_or_else(|| {
        SettingMistake::of_flag("schema-changed", format!("`{word}` is neither `warn` nor `drop`"))
    });
    // The text is not repeated: a URL holds a password.
    let url = present(flags.schema_db.as_deref()).map(DatabaseUrl::parse).transpose();
    let url = url.map_err(|mistake| SettingMistake::of_flag("schema-db", mistake.to_string()));
    match (url, interval, when_changed) {
        (Ok(url), Ok(interval), Ok(when_changed)) => {
            Ok(url.map(|url| SchemaDb { url, interval, when_changed }))
        }
        (url, interval, when_changed) => {
            Err([url.err(), interval.err(), when_changed.err()].into_iter().flatten().collect())
        }
    }
}

impl WhenChanged {
    /// Reads the word.
    fn parse(text: &str) -> Option<Self> {
        [Self::Warn, Self::Drop].into_iter().find(|value| value.as_str() == text)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Drop => "drop",
        }
    }
}

/// Looks at the database again and again.
pub(super) struct SchemaWatch {
    pub(super) database: SchemaDb,
    pub(super) invalidator: Invalidator,
    pub(super) metrics: Metrics,
    /// The fingerprint that the rules were compiled with, as they are now.
    pub(super) written_for: watch::Receiver<Option<String>>,
    pub(super) seen: Option<Fingerprint>,
}

impl SchemaWatch {
    /// Looks until draining begins. Cancel safe: a look that is dropped is made again by the next process.
    pub(super) async fn watch(mut self, draining: CancellationToken) {
        let mut interval = tokio::time::interval(self.database.interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = draining.cancelled() => return,
                _ = interval.tick() => {}
                // rules of another schema.yaml: whether they fit is known at once
                changed = self.written_for.changed() => if changed.is_err() { return },
            }
            tokio::select! {
                biased;
                () = draining.cancelled() => return,
                () = self.look() => {}
            }
        }
    }

    async fn look(&mut self) {
        let now = match ask_fingerprint(&self.database.url).await {
            Ok(now) => now,
            Err(error) => {
                self.metrics.looked_at_schema("failed");
                warn!(error = in_full(&error), "the database's definitions could not be looked at");
                return;
            }
        };
        let before = self.seen.replace(now.clone());
        let changed = before.as_ref().map_or_else(Vec::new, |before| now.differences(before));
        self.metrics.looked_at_schema(if changed.is_empty() { "same" } else { "changed" });
        let written_for = self.written_for.borrow_and_update().clone();
        let has_moved_on = written_for.as_ref().is_some_and(|written_for| *written_for != now.as_text());
        let had_moved_on = self.metrics.schema_moved_on.get() == 1;
        self.metrics.schema_moved_on.set(i64::from(has_moved_on));
        if has_moved_on && (!had_moved_on || !changed.is_empty()) {
            warn!("the database is another than schema.yaml tells of: `larder schema diff` says how");
        }
        if had_moved_on && !has_moved_on {
            info!("schema.yaml tells of the database as it is");
        }
        if !changed.is_empty() {
            self.act(&changed).await;
        }
    }

    async fn act(&self, changed: &[&str]) {
        let what = changed.join(", ");
        match self.database.when_changed {
            WhenChanged::Warn => warn!(%what, "the database's definitions have changed; entries stay"),
            WhenChanged::Drop => {
                self.invalidator.changed(&[Tag::everything()], Consistency::Fresh).await;
                warn!(%what, "the database's definitions have changed; every entry was dropped");
            }
        }
    }
}
