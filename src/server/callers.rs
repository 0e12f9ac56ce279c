//! With what are callers verified?
//!
//! Public API keys and secrets come from the environment alone: a command line
//! is seen by everybody on the machine. Who else's tokens count is no secret,
//! and a setting like any other.

use std::sync::Arc;

use clap::Args;
use tracing::warn;

use crate::causes::in_full;
use crate::identity::{ApiKeys, Issuers, Keys, NEVER_IGNORED, Verifier};
use crate::upstream::Origin;

use super::jwks::KeySource;
use super::settings::SettingMistake;

/// Variables with one public API key each; the first that is set is used for signed-out reads.
const API_KEY_VARIABLES: [&str; 2] = ["SUPABASE_PUBLISHABLE_KEY", "SUPABASE_ANON_KEY"];

/// Variable with the secrets of the project's HS256 tokens, one a line.
const SECRETS_VARIABLE: &str = "SUPABASE_JWT_SECRET";

/// Variable with the secrets of other issuers' HS256 tokens, `ISSUER=SECRET`, one a line.
const OTHER_SECRETS_VARIABLE: &str = "LARDER_OTHER_SECRETS";

/// Where an issuer's keys are unless its setting says otherwise; Auth0, Clerk and WorkOS have them there.
const KEYS_PATH: &str = "/.well-known/jwks.json";

/// `identity::IGNORED_CLAIMS` as they are written in the setting; a test compares the two.
const IGNORED_DEFAULT: &str = "iat,exp,nbf,jti,session_id,amr";

/// Whose tokens count, as written on the command line or in the environment.
#[derive(Args, Clone, Debug, Default)]
pub struct CallerFlags {
    /// Issuers, comma separated, whose tokens the upstream's own keys sign [default: the upstream's URL and /auth/v1]
    #[arg(long, env = "LARDER_ISSUER", value_name = "ISSUERS")]
    pub issuer: Option<String>,
    /// Issuers besides it, comma separated, as ISSUER or as ISSUER=URL where its keys are not at
    /// ISSUER/.well-known/jwks.json; LARDER_OTHER_SECRETS holds the secrets of those that use HS256
    #[arg(long, env = "LARDER_OTHER_ISSUERS", value_name = "ISSUERS", hide_env_values = true)]
    pub other_issuers: Option<String>,
    /// Audiences, comma separated: only tokens that name one of them in `aud` count [default: `aud` is not looked at]
    #[arg(long, env = "LARDER_AUDIENCES", value_name = "NAMES")]
    pub audiences: Option<String>,
    #[command(flatten)]
    pub ignored_claims: IgnoredClaims,
}

/// Which claims do not count, as written; the rules are compiled with them too.
#[derive(Args, Clone, Debug, Default)]
pub struct IgnoredClaims {
    /// Claims, comma separated, that do not tell one user of `scope: user` from another
    #[arg(long, env = "LARDER_IGNORED_CLAIMS", value_name = "CLAIMS", default_value = IGNORED_DEFAULT)]
    pub ignored_claims: String,
}

impl IgnoredClaims {
    /// Their names; nothing given means the usual ones.
    pub fn names(&self) -> Vec<String> {
        let text = Some(self.ignored_claims.as_str()).filter(|text| !text.is_empty());
        words(text.or(Some(IGNORED_DEFAULT)))
    }
}

/// What callers are verified with.
#[derive(Clone, Debug)]
pub struct Callers {
    /// Tells who asks.
    pub verifier: Arc<Verifier>,
    /// The keys that are configured; those of the issuers are fetched beside them.
    pub(super) secrets: Keys,
    /// Whom the upstream's own keys vouch for, where that is said.
    pub(super) upstream_issuers: Option<Issuers>,
    /// Where the keys of the other issuers are.
    pub(super) sources: Vec<KeySource>,
}

impl Callers {
    /// Where keys are fetched from: those of other issuers, and the upstream's own.
    pub(super) fn key_sources(&self, upstream: &Origin) -> Vec<KeySource> {
        let issuers = self.upstream_issuers.clone();
        let issuers = issuers.unwrap_or_else(|| Issuers::Only(vec![KeySource::upstream_issuer(upstream)]));
        let mut sources = self.sources.clone();
        match KeySource::of_upstream(upstream, issuers) {
            Ok(source) => sources.push(source),
            Err(error) => warn!(error = in_full(&error), "the upstream's keys cannot be asked for"),
        }
        sources
    }
}

/// Reads what flags and environment describe; none if they describe nothing.
pub fn callers(
    flags: &CallerFlags,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Callers>, Vec<SettingMistake>> {
    let mut mistakes = Vec::new();
    let api_keys = api_keys(&variable, &mut mistakes);
    let secrets = secrets(&variable, &mut mistakes);
    let sources = sources(flags.other_issuers.as_deref(), &mut mistakes);
    for name in flags.ignored_claims.names().iter().filter(|name| NEVER_IGNORED.contains(&name.as_str())) {
        let problem = format!("`{name}` tells users apart: share among them with `scope: {{ claims: […] }}`");
        mistakes.push(SettingMistake::of_flag("ignored-claims", problem));
    }
    let named = words(flags.issuer.as_deref());
    let upstream_issuers = (!named.is_empty()).then_some(Issuers::Only(named));
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let is_described =
        !api_keys.is_empty() || !secrets.is_empty() || !sources.is_empty() || upstream_issuers.is_some();
    let verifier = Verifier::new(secrets.clone(), api_keys)
        .with_audiences(words(flags.audiences.as_deref()))
        .ignoring(flags.ignored_claims.names());
    Ok(is_described.then(|| Callers { verifier: Arc::new(verifier), secrets, upstream_issuers, sources }))
}

fn api_keys(variable: &impl Fn(&str) -> Option<String>, mistakes: &mut Vec<SettingMistake>) -> ApiKeys {
    let named: Vec<(&'static str, String)> =
        API_KEY_VARIABLES.into_iter().filter_map(|name| Some((name, variable(name)?))).collect();
    let texts: Vec<&str> = named.iter().map(|(_, key)| key.as_str()).collect();
    ApiKeys::new(&texts).unwrap_or_else(|(at, error)| {
        let setting = named.get(at).map_or(API_KEY_VARIABLES[0], |(name, _)| name);
        mistakes.push(SettingMistake::of_variable(setting, error.to_string()));
        ApiKeys::default()
    })
}

/// The secrets of the project and of other issuers. No message repeats any of them.
fn secrets(variable: &impl Fn(&str) -> Option<String>, mistakes: &mut Vec<SettingMistake>) -> Keys {
    let own = variable(SECRETS_VARIABLE).unwrap_or_default();
    // the secret is known to the project's own servers alone, so whatever it signed is the project's word
    let mut keys = Keys::new(&lines(&own), Issuers::Any).unwrap_or_else(|error| {
        mistakes.push(SettingMistake::of_variable(SECRETS_VARIABLE, error.to_string()));
        Keys::default()
    });
    let others = variable(OTHER_SECRETS_VARIABLE).unwrap_or_default();
    for (number, line) in lines(&others).into_iter().enumerate() {
        let made = match line.split_once('=') {
            Some((issuer, secret)) if !issuer.trim().is_empty() => {
                let issuers = Issuers::Only(vec![issuer.trim().to_owned()]);
                Keys::new(&[secret], issuers).map_err(|error| error.to_string())
            }
            Some(_) | None => Err("not `ISSUER=SECRET`".to_owned()),
        };
        match made {
            Ok(more) => keys = keys.and(more),
            Err(problem) => {
                let problem = format!("line {}: {problem}", number + 1);
                mistakes.push(SettingMistake::of_variable(OTHER_SECRETS_VARIABLE, problem));
            }
        }
    }
    keys
}

fn sources(text: Option<&str>, mistakes: &mut Vec<SettingMistake>) -> Vec<KeySource> {
    let mut sources = Vec::new();
    for (number, word) in words(text).iter().enumerate() {
        let (issuer, url) = match word.split_once('=') {
            Some((issuer, url)) => (issuer, url.to_owned()),
            None => (word.as_str(), format!("{}{KEYS_PATH}", word.trim_end_matches('/'))),
        };
        // The text is not repeated: a URL may hold a password.
        match KeySource::of_issuer(&url, Issuers::Only(vec![issuer.to_owned()])) {
            Ok(source) => sources.push(source),
            Err(error) => {
                let problem = format!("number {}: {error}", number + 1);
                mistakes.push(SettingMistake::of_flag("other-issuers", problem));
            }
        }
    }
    sources
}

/// The words between commas.
fn words(text: Option<&str>) -> Vec<String> {
    let words = text.unwrap_or_default().split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A secret may hold any character but the end of a line.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
#[path = "callers_tests.rs"]
mod tests;
