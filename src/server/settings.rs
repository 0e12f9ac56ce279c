//! What was this process told to do? Flags and environment, made into `Settings`.
//!
//! [`Flags`] is the one table: the parser, the environment variables and
//! `--help` are made from it. It holds texts only, so that [`Settings::resolve`]
//! can report every mistake at once. Nothing else reads the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::Method;
use thiserror::Error;

use crate::admin::{Bodies, Token};
use crate::chance::Share;
use crate::log::LogFormat;
use crate::units::{AmountError, ByteSize, parse_duration};
use crate::upstream::{Origin, TrustedProxies};

use super::callers::{CallerFlags, Callers, callers};
use super::canaries::{CanaryFlags, CanaryTokens, canary_tokens};
use super::network::{Network, NetworkFlags, network};
use super::ram;
use super::schema_watch::{SchemaDb, SchemaFlags, schema_db};
use super::secret::secret;
use super::spans::{TraceFlags, TraceSettings, traces};
use super::store::{StoreFlags, StoreSettings, store};

const RULES: &str = "rules.yaml";
/// Loopback: a cache of other people's data opens itself to a network only when told to.
const LISTEN: &str = "127.0.0.1:8080";
const ADMIN: &str = "127.0.0.1:8081";
/// PostgREST pages of a thousand rows fit; a thousand of them fill the largest default memory several times.
const MAX_BODY: &str = "2MiB";
/// What Kubernetes and systemd-style supervisors commonly allow between the signal and the kill.
const GRACE: &str = "30s";
/// Supabase's own gateway gives up at this point.
const UPSTREAM_TIMEOUT: &str = "60s";
/// A handshake across the world takes under half a second; two seconds leave room for one lost packet.
const UPSTREAM_CONNECT_TIMEOUT: &str = "2s";
/// PostgREST's `db-schemas` starts with this one unless it was told otherwise.
const DEFAULT_SCHEMA: &str = "public";
/// 10,000 idle connections take 179 MiB: 16 KiB each, most of it hyper's buffers.
const MAX_CONNECTIONS: &str = "10000";
/// About as many connections as a small project's database takes.
const MAX_FETCHES: &str = "64";
/// More threads than machines have cores would only take turns.
const WORKERS_MAX: usize = 1024;
const LOG: &str = "text";
const ADMIN_BODIES: &str = "hide";
/// The word that switches the admin address off.
const ADMIN_OFF: &str = "off";

/// How this process serves, as written on the command line or in the environment.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub struct Flags {
    /// File that says what is cached
    #[arg(long, env = "LARDER_RULES", value_name = "FILE", default_value = RULES)]
    pub rules: String,
    /// Supabase or PostgREST behind this proxy; SUPABASE_URL is read where this is not given
    #[arg(long, env = "LARDER_UPSTREAM", value_name = "URL", hide_env_values = true)]
    pub upstream: Option<String>,
    /// Address for clients
    #[arg(long, env = "LARDER_LISTEN", value_name = "ADDRESS", default_value = LISTEN)]
    pub listen: String,
    /// Address for operators and metrics, or `off`; elsewhere than on loopback it needs a token
    #[arg(long, env = "LARDER_ADMIN", value_name = "ADDRESS", default_value = ADMIN)]
    pub admin: String,
    /// File with the token for the admin address, 16 bytes or more; LARDER_ADMIN_TOKEN holds the token itself
    #[arg(long, env = "LARDER_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub admin_token_file: Option<String>,
    /// File with the token by which the database tells of changes, 16 bytes or more; LARDER_CHANGES_TOKEN
    /// holds the token itself [default: nobody may tell]
    #[arg(long, env = "LARDER_CHANGES_TOKEN_FILE", value_name = "FILE")]
    pub changes_token_file: Option<String>,
    /// Whether operators may read stored bodies, `show`, or only what is said about them, `hide`
    #[arg(long, env = "LARDER_ADMIN_BODIES", value_name = "WORD", default_value = ADMIN_BODIES)]
    pub admin_bodies: String,
    #[command(flatten)]
    pub store: StoreFlags,
    /// Memory for entries, such as 256MiB [default: a quarter of the memory, at most 256MiB]
    #[arg(long, env = "LARDER_MEMORY", value_name = "SIZE")]
    pub memory: Option<String>,
    /// Largest answer that is kept; larger ones pass through
    #[arg(long, env = "LARDER_MAX_BODY", value_name = "SIZE", default_value = MAX_BODY)]
    pub max_body: String,
    /// Time for requests to finish after SIGTERM
    #[arg(long, env = "LARDER_GRACE", value_name = "TIME", default_value = GRACE)]
    pub grace: String,
    /// Time for the upstream to begin its answer, and between parts of it
    #[arg(long, env = "LARDER_UPSTREAM_TIMEOUT", value_name = "TIME", default_value = UPSTREAM_TIMEOUT)]
    pub upstream_timeout: String,
    /// Time for connecting to the upstream, TLS included
    #[arg(long, env = "LARDER_UPSTREAM_CONNECT_TIMEOUT", value_name = "TIME", default_value = UPSTREAM_CONNECT_TIMEOUT)]
    pub upstream_connect_timeout: String,
    /// Addresses and networks, comma separated, whose X-Forwarded-For is believed
    #[arg(long, env = "LARDER_TRUSTED_PROXIES", value_name = "NETWORKS")]
    pub trusted_proxies: Option<String>,
    /// Certificate chain in PEM; together with --tls-key clients speak TLS
    #[arg(long, env = "LARDER_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<String>,
    /// Private key in PEM
    #[arg(long, env = "LARDER_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<String>,
    /// Schema of requests that name none
    #[arg(long, env = "LARDER_DEFAULT_SCHEMA", value_name = "NAME", default_value = DEFAULT_SCHEMA)]
    pub default_schema: String,
    /// Methods, comma separated, that pass through besides GET HEAD POST PUT PATCH DELETE OPTIONS
    #[arg(long, env = "LARDER_EXTRA_METHODS", value_name = "METHODS")]
    pub extra_methods: Option<String>,
    /// Client connections at a time; more wait to be accepted
    #[arg(long, env = "LARDER_MAX_CONNECTIONS", value_name = "COUNT", default_value = MAX_CONNECTIONS)]
    pub max_connections: String,
    /// Reads that ask the upstream at a time; more wait for their turn, and in the end get 503
    #[arg(long, env = "LARDER_MAX_FETCHES", value_name = "COUNT", default_value = MAX_FETCHES)]
    pub max_fetches: String,
    /// Threads that answer requests, each with its own connections [default: one for each core]
    #[arg(long, env = "LARDER_WORKERS", value_name = "COUNT")]
    pub workers: Option<String>,
    #[command(flatten)]
    pub schema: SchemaFlags,
    /// Form of the log lines, `text` or `json`; RUST_LOG says which lines
    #[arg(long, env = "LARDER_LOG", value_name = "FORM", default_value = LOG)]
    pub log: String,
    /// Share of hits that write a line: 0.01 for one in a hundred; everything else always does
    #[arg(long, env = "LARDER_LOG_HITS", value_name = "SHARE", default_value = "1")]
    pub log_hits: String,
    #[command(flatten)]
    pub callers: CallerFlags,
    #[command(flatten)]
    pub canaries: CanaryFlags,
    #[command(flatten)]
    pub traces: TraceFlags,
    #[command(flatten)]
    pub network: NetworkFlags,
}

/// Everything a process needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    pub rules: PathBuf,
    pub upstream: Origin,
    pub listen: SocketAddr,
    pub admin: Option<SocketAddr>,
    pub admin_token: Option<Token>,
    /// What whoever tells of changes must know.
    pub changes_token: Option<Token>,
    /// Whether operators may read what is stored.
    pub admin_bodies: Bodies,
    pub store: StoreSettings,
    pub memory: ByteSize,
    pub max_body: ByteSize,
    pub grace: Duration,
    pub upstream_timeout: Duration,
    pub upstream_connect_timeout: Duration,
    pub trusted_proxies: TrustedProxies,
    pub tls: Option<TlsFiles>,
    pub default_schema: String,
    pub extra_methods: Vec<Method>,
    pub max_connections: usize,
    /// Reads that ask the upstream at a time.
    pub max_fetches: usize,
    /// Threads that answer.
    pub workers: usize,
    pub log: LogFormat,
    /// How many hits write a line.
    pub log_hits: Share,
    /// The database whose definitions are looked at, if any.
    pub schema_db: Option<SchemaDb>,
    /// What callers are verified with, where that is said.
    pub callers: Option<Callers>,
    pub ignored_claims: Vec<String>,
    /// As whom the rules' canaries are asked.
    pub canary_tokens: Option<CanaryTokens>,
    /// Where spans go; nothing is traced without.
    pub traces: Option<TraceSettings>,
    /// The content delivery network in front, if it is told what changes.
    pub network: Option<Network>,
}

/// Where the certificate and its key lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// One setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{dashes}{setting}: {problem}")]
pub struct SettingMistake {
    /// What stands before its name: `--` for a flag, nothing for a variable.
    dashes: &'static str,
    setting: &'static str,
    problem: String,
}

impl SettingMistake {
    /// A flag's, or its variable's.
    pub(super) fn of_flag(setting: &'static str, problem: impl Into<String>) -> Self {
        Self { dashes: "--", setting, problem: problem.into() }
    }

    /// That of a variable which is no flag.
    pub(super) fn of_variable(setting: &'static str, problem: impl Into<String>) -> Self {
        Self { dashes: "", setting, problem: problem.into() }
    }
}

impl Settings {
    /// Turns texts into settings, or names every mistake.
    ///
    /// `environment` answers for variables that are not flags: `SUPABASE_URL`,
    /// `LARDER_ADMIN_TOKEN` and those that announce a store.
    pub fn resolve(
        flags: &Flags,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Settings, Vec<SettingMistake>> {
        let mut read = Reading { environment, mistakes: Vec::new() };
        let admin = read.admin(&flags.admin);
        let admin_token =
            read.token("admin-token-file", flags.admin_token_file.as_deref(), "LARDER_ADMIN_TOKEN");
        let changes_token =
            read.token("changes-token-file", flags.changes_token_file.as_deref(), "LARDER_CHANGES_TOKEN");
        if changes_token.is_some() && changes_token == admin_token {
            let problem = "this is the operators' token: whoever tells of changes could do all that they can";
            read.mistake("changes-token-file", problem);
        }
        read.require_token_off_loopback(admin, admin_token.as_ref());
        let upstream = read.upstream(flags.upstream.as_deref());
        let settings = Settings {
            upstream,
            rules: PathBuf::from(text_or(&flags.rules, RULES)),
            listen: read.address("listen", text_or(&flags.listen, LISTEN)),
            admin,
            admin_token,
            changes_token,
            admin_bodies: read.bodies(text_or(&flags.admin_bodies, ADMIN_BODIES)),
            store: read.store(&flags.store),
            memory: read.memory(flags.memory.as_deref()),
            max_body: read.size("max-body", text_or(&flags.max_body, MAX_BODY)),
            grace: read.time("grace", text_or(&flags.grace, GRACE)),
            upstream_timeout: read
                .positive_time("upstream-timeout", text_or(&flags.upstream_timeout, UPSTREAM_TIMEOUT)),
            upstream_connect_timeout: read.positive_time(
                "upstream-connect-timeout",
                text_or(&flags.upstream_connect_timeout, UPSTREAM_CONNECT_TIMEOUT),
            ),
            trusted_proxies: read.trusted_proxies(flags.trusted_proxies.as_deref()),
            tls: read.tls(flags),
            default_schema: text_or(&flags.default_schema, DEFAULT_SCHEMA).to_owned(),
            extra_methods: read.methods(flags.extra_methods.as_deref()),
            max_connections: read.count("max-connections", text_or(&flags.max_connections, MAX_CONNECTIONS)),
            max_fetches: read.count("max-fetches", text_or(&flags.max_fetches, MAX_FETCHES)),
            workers: read.workers(flags.workers.as_deref()),
            log: read.log(text_or(&flags.log, LOG)),
            log_hits: read.share("log-hits", text_or(&flags.log_hits, "1")),
            schema_db: read.schema_db(&flags.schema),
            callers: read.callers(&flags.callers),
            ignored_claims: flags.callers.ignored_claims.names(),
            canary_tokens: read.canary_tokens(&flags.canaries),
            traces: read.traces(&flags.traces),
            network: read.network(&flags.network),
        };
        if read.mistakes.is_empty() { Ok(settings) } else { Err(read.mistakes) }
    }
}

/// The mistakes so far; what cannot be read is replaced, because the result is then thrown away.
struct Reading<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    mistakes: Vec<SettingMistake>,
}

impl Reading<'_> {
    fn mistake(&mut self, setting: &'static str, problem: impl Into<String>) {
        self.mistakes.push(SettingMistake::of_flag(setting, problem));
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }

    fn address(&mut self, setting: &'static str, text: &str) -> SocketAddr {
        let literal = text.replacen("localhost:", "127.0.0.1:", 1);
        literal.parse().unwrap_or_else(|_| {
            self.mistake(
                setting,
                format!("`{text}` is not an address with a port, as in 0.0.0.0:8080 or [::1]:8080"),
            );
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    fn traces(&mut self, flags: &TraceFlags) -> Option<TraceSettings> {
        traces(flags, self.environment).unwrap_or_else(|(setting, problem)| {
            self.mistake(setting, problem);
            None
        })
    }

    fn admin(&mut self, text: &str) -> Option<SocketAddr> {
        match text_or(text, ADMIN) {
            ADMIN_OFF => None,
            address => Some(self.address("admin", address)),
        }
    }

    fn token(&mut self, setting: &'static str, file: Option<&str>, variable: &str) -> Option<Token> {
        let token = secret(file, self.variable(variable)).and_then(|text| {
            let token = text.map(|text| Token::new(&text)).transpose();
            token.map_err(|error| error.to_string())
        });
        token.map_err(|problem| self.mistake(setting, problem)).ok().flatten()
    }

    fn bodies(&mut self, text: &str) -> Bodies {
        match text {
            "show" => Bodies::Shown,
            "hide" => Bodies::Hidden,
            other => {
                self.mistake("admin-bodies", format!("`{other}` is neither `hide` nor `show`"));
                Bodies::Hidden
            }
        }
    }

    fn require_token_off_loopback(&mut self, admin: Option<SocketAddr>, token: Option<&Token>) {
        let open = admin.is_some_and(|address| !address.ip().to_canonical().is_loopback());
        // A token that was given and is wrong has its own mistake already.
        let token_was_wrong = self.mistakes.iter().any(|mistake| mistake.setting == "admin-token-file");
        if open && token.is_none() && !token_was_wrong {
            let problem = "an address that others can reach needs a token: \
                           set LARDER_ADMIN_TOKEN or --admin-token-file, or listen on 127.0.0.1";
            self.mistake("admin", problem);
        }
    }

    fn callers(&mut self, flags: &CallerFlags) -> Option<Callers> {
        callers(flags, |name| self.variable(name)).unwrap_or_else(|mut mistakes| {
            self.mistakes.append(&mut mistakes);
            None
        })
    }

    fn canary_tokens(&mut self, flags: &CanaryFlags) -> Option<CanaryTokens> {
        let read = canary_tokens(flags, |name| self.variable(name));
        read.map_err(|mistake| self.mistakes.push(mistake)).ok().flatten()
    }

    fn network(&mut self, flags: &NetworkFlags) -> Option<Network> {
        network(flags, |name| self.variable(name)).unwrap_or_else(|mistake| {
            self.mistakes.push(mistake);
            None
        })
    }

    fn store(&mut self, flags: &StoreFlags) -> StoreSettings {
        store(flags, |name| self.variable(name)).unwrap_or_else(|mut mistakes| {
            self.mistakes.append(&mut mistakes);
            StoreSettings::default()
        })
    }

    fn upstream(&mut self, flag: Option<&str>) -> Origin {
        let text = present(flag).map(str::to_owned).or_else(|| self.variable("SUPABASE_URL"));
        let Some(text) = text else {
            self.mistake(
                "upstream",
                "missing: give the URL of the project, as in https://<project>.supabase.co",
            );
            return nowhere();
        };
        // The text is not repeated: a URL may hold a password.
        Origin::parse(&text).unwrap_or_else(|error| {
            self.mistake("upstream", error.to_string());
            nowhere()
        })
    }

    fn trusted_proxies(&mut self, flag: Option<&str>) -> TrustedProxies {
        let entries = present(flag).into_iter().flat_map(|text| text.split(','));
        TrustedProxies::parse(entries).unwrap_or_else(|error| {
            self.mistake("trusted-proxies", error.to_string());
            TrustedProxies::default()
        })
    }

    fn memory(&mut self, flag: Option<&str>) -> ByteSize {
        match present(flag) {
            Some(text) => self.size("memory", text),
            None => ram::default_memory(),
        }
    }

    fn size(&mut self, setting: &'static str, text: &str) -> ByteSize {
        text.parse().unwrap_or_else(|error: AmountError| {
            self.mistake(setting, error.to_string());
            ByteSize(0)
        })
    }

    fn time(&mut self, setting: &'static str, text: &str) -> Duration {
        parse_duration(text).unwrap_or_else(|error| {
            self.mistake(setting, error.to_string());
            Duration::MAX
        })
    }

    fn positive_time(&mut self, setting: &'static str, text: &str) -> Duration {
        let time = self.time(setting, text);
        if time.is_zero() {
            self.mistake(setting, "must be more than nothing");
        }
        time
    }

    fn methods(&mut self, flag: Option<&str>) -> Vec<Method> {
        let words = present(flag).into_iter().flat_map(|text| text.split(','));
        let mut methods = Vec::new();
        for word in words.map(str::trim).filter(|word| !word.is_empty()) {
            match word.parse() {
                Ok(method) => methods.push(method),
                Err(_) => self.mistake("extra-methods", format!("`{word}` is not a method")),
            }
        }
        methods
    }

    fn tls(&mut self, flags: &Flags) -> Option<TlsFiles> {
        match (present(flags.tls_cert.as_deref()), present(flags.tls_key.as_deref())) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert: cert.into(), key: key.into() }),
            (None, None) => None,
            (Some(_), None) => {
                self.mistake("tls-key", "missing: --tls-cert needs it");
                None
            }
            (None, Some(_)) => {
                self.mistake("tls-cert", "missing: --tls-key needs it");
                None
            }
        }
    }

    fn count(&mut self, setting: &'static str, text: &str) -> usize {
        match text.parse() {
            Ok(count) if count > 0 => count,
            Ok(_) | Err(_) => {
                self.mistake(setting, format!("`{text}` is not a number above 0"));
                1
            }
        }
    }

    fn workers(&mut self, text: Option<&str>) -> usize {
        match present(text) {
            Some(text) => self.count("workers", text).min(WORKERS_MAX),
            None => std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX),
        }
    }

    fn log(&mut self, text: &str) -> LogFormat {
        match text {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => {
                self.mistake("log", format!("`{other}` is neither `text` nor `json`"));
                LogFormat::Text
            }
        }
    }

    fn share(&mut self, setting: &'static str, text: &str) -> Share {
        text.parse().ok().and_then(Share::of).unwrap_or_else(|| {
            self.mistake(setting, format!("`{text}` is not a share from 0 to 1"));
            Share::ALL
        })
    }

    fn schema_db(&mut self, flags: &SchemaFlags) -> Option<SchemaDb> {
        schema_db(flags).unwrap_or_else(|mut mistakes| {
            self.mistakes.append(&mut mistakes);
            None
        })
    }
}

/// Stands in for an upstream that could not be read.
fn nowhere() -> Origin {
    Origin::parse("http://localhost").unwrap_or_else(|error| unreachable!("a host and nothing else: {error}"))
}

/// Compose files and CI systems set variables to nothing; nothing is not given.
pub(super) fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

pub(super) fn text_or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
