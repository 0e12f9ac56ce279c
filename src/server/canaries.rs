//! Are the rules' canaries asked before the rules are used, by whom, and what is made of what they find?

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::time::timeout;
use tracing::info;

use crate::canary::{Canaries, Doubt, Finding, Tokens, Verdict};
use crate::clock::Clock;
use crate::plan::Planner;
use crate::rules::{Mistake, RuleSet, Warning};
use crate::upstream::{Deadlines, Line, Upstream, client_tls};
use crate::workers::Workers;

use super::jwks::KeyRing;
use super::secret::secret;
use super::settings::{SettingMistake, Settings};
use super::start::{Ground, StartError, warn_of};

/// Variable with the tokens themselves, one a line.
const TOKENS_VARIABLE: &str = "LARDER_CANARY_TOKENS";

/// Longest wait for the keys that tokens are verified with, at the start: they are fetched at the same time.
const KEYS_WAIT: Duration = Duration::from_secs(2);

/// As whom canaries are asked, as written on the command line or in the environment.
#[derive(Args, Clone, Debug, Default)]
pub struct CanaryFlags {
    /// File with the tokens of two users, one a line, as whom the canaries of rules are asked;
    /// LARDER_CANARY_TOKENS holds the tokens themselves [default: they are not asked]
    #[arg(long, env = "LARDER_CANARY_TOKENS_FILE", value_name = "FILE")]
    pub canary_tokens_file: Option<String>,
}

/// Where the tokens of two users are.
#[derive(Clone, Debug)]
pub enum CanaryTokens {
    /// In a file, which somebody may write anew before they end.
    File(String),
    /// In the environment.
    Given(Tokens),
}

/// Finds out where they are, and whether they are two.
pub(super) fn canary_tokens(
    flags: &CanaryFlags,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<CanaryTokens>, SettingMistake> {
    if let Some(file) = flags.canary_tokens_file.clone().filter(|file| !file.is_empty()) {
        let tokens = CanaryTokens::File(file);
        let read = tokens.read().map_err(|problem| SettingMistake::of_flag("canary-tokens-file", problem));
        return read.map(|_| Some(tokens));
    }
    let Some(text) = variable(TOKENS_VARIABLE) else { return Ok(None) };
    match Tokens::parse(&text) {
        Ok(tokens) => Ok(Some(CanaryTokens::Given(tokens))),
        Err(mistake) => Err(SettingMistake::of_variable(TOKENS_VARIABLE, mistake.to_string())),
    }
}

impl CanaryTokens {
    /// As they are now.
    fn read(&self) -> Result<Tokens, String> {
        match self {
            Self::Given(tokens) => Ok(tokens.clone()),
            Self::File(file) => {
                let text = secret(Some(file), None)?.unwrap_or_default();
                Tokens::parse(&text).map_err(|mistake| format!("`{file}`: {mistake}"))
            }
        }
    }
}

/// What stands between rules that compile and their use.
#[derive(Debug)]
pub(super) struct CanaryCheck {
    pub(super) canaries: Canaries,
    pub(super) tokens: Option<CanaryTokens>,
    /// What tokens are verified with, where callers are.
    pub(super) keys: Option<Arc<KeyRing>>,
}

impl Ground {
    /// What asks canaries: of the upstream that clients are answered from, told who asks by what tells it of clients.
    pub(super) fn canaries(&self, settings: &Settings, clock: &Clock, workers: &Workers) -> CanaryCheck {
        let deadlines =
            Deadlines { connect: settings.upstream_connect_timeout, answer: settings.upstream_timeout };
        let line = self.metrics.line.clone();
        let line = Line::new(settings.max_fetches, line.waiting, line.turned_away);
        let upstream = Upstream::new(settings.upstream.clone(), deadlines, client_tls(), workers);
        let canaries = Canaries {
            upstream: upstream.behind(line),
            verifier: settings.callers.as_ref().map(|callers| Arc::clone(&callers.verifier)),
            metrics: self.metrics.clone(),
            clock: clock.clone(),
            body_bytes_max: usize::try_from(settings.max_body.0).unwrap_or(usize::MAX),
        };
        CanaryCheck { canaries, tokens: settings.canary_tokens.clone(), keys: self.watch_keys(settings) }
    }
}

impl CanaryCheck {
    /// The planner that clients will meet.
    pub(super) fn planner(&self, rules: RuleSet) -> Planner {
        Planner::new(rules, self.canaries.verifier.clone())
    }

    /// Asks the canaries of rules that are not in use yet. What cannot be judged is a warning, and told.
    pub(super) async fn pass(&self, file: &Path, planner: &Planner) -> Result<Vec<Warning>, StartError> {
        if planner.rules().read_rules().iter().all(|rule| rule.canaries.is_empty()) {
            return Ok(Vec::new());
        }
        if let Some(keys) = &self.keys {
            let _late_keys_are_told_as_what_passes_through = timeout(KEYS_WAIT, keys.asked()).await;
        }
        let tokens = match &self.tokens {
            Some(tokens) => tokens.read().map_err(Doubt::Unreadable),
            None => Err(Doubt::NoTokens),
        };
        let (mut mistakes, mut warnings) = (Vec::new(), Vec::new());
        for Finding { verdict, remark } in self.canaries.ask(planner, tokens).await {
            match verdict {
                Verdict::Leak | Verdict::Open => mistakes.push(Mistake(remark)),
                Verdict::Unjudged(_) => warnings.push(Warning(remark)),
                Verdict::Apart | Verdict::Shared => {
                    info!(file = %file.display(), line = remark.line, field = %remark.path, "{}", remark.message);
                }
            }
        }
        warn_of(file, &warnings);
        if mistakes.is_empty() {
            return Ok(warnings);
        }
        Err(StartError::Canaries { file: file.to_owned(), mistakes })
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::identity::{ApiKeys, Issuers, Keys, Verifier};
    use crate::metrics::Metrics;
    use crate::rules::Context;
    use crate::server::KeySource;
    use crate::upstream::Origin;

    const RULES: &str =
        "{ version: 1, reads: [{ match: /rest/v1/leases, ttl: 1m, canary: /rest/v1/leases?select=id }] }";

    #[tokio::test(start_paused = true)]
    async fn keys_are_waited_for_before_anybody_is_asked_and_not_for_ever() {
        let nowhere = Origin::parse("http://127.0.0.1:1").unwrap();
        let silent = KeySource::of_upstream(&nowhere, Issuers::Any).unwrap();
        for (sources, waits) in [(Vec::new(), Duration::ZERO), (vec![silent], KEYS_WAIT)] {
            let verifier = Arc::new(Verifier::new(Keys::default(), ApiKeys::default()));
            let keys = KeyRing::new(Arc::clone(&verifier), Keys::default(), &sources, Metrics::new());
            let deadlines = Deadlines { connect: KEYS_WAIT, answer: KEYS_WAIT };
            let canaries = Canaries {
                upstream: Upstream::new(
                    Origin::parse("http://127.0.0.1:1").unwrap(),
                    deadlines,
                    client_tls(),
                    &Workers::here(),
                ),
                verifier: Some(verifier),
                metrics: Metrics::new(),
                clock: Clock::default(),
                body_bytes_max: 1,
            };
            let check = CanaryCheck { canaries, tokens: None, keys: Some(keys) };
            let planner = check.planner(RuleSet::parse(RULES, &Context::default()).unwrap().0);
            let began = Instant::now();
            let warnings = check.pass(Path::new("rules.yaml"), &planner).await.unwrap();
            assert_eq!((warnings.len(), began.elapsed()), (1, waits));
        }
    }
}
