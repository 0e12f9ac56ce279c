//! Everything that one process needs, built from settings in one place.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::admin::{Admin, Health, Phase};
use crate::cache::Cache;
use crate::canary::Canaries;
use crate::causes::in_full;
use crate::clock::Clock;
use crate::guard::Guards;
use crate::invalidation::Invalidator;
use crate::key::Scope;
use crate::metrics::Metrics;
use crate::plan::Planner;
use crate::proxy::{Limits as ProxyLimits, Means, Peer, Proxy, Tasks};
use crate::rules::{Context, Mistake, Remark, RuleSet, Warning};
use crate::upstream::client_tls;
use crate::workers::Workers;

use super::canaries::CanaryCheck;
use super::files;
use super::jwks::{KeyRing, keep_keys};
use super::limits::Limits;
use super::listen::{Entrance, serve};
use super::reload::{Contents, Watched, contents};
use super::reloader::{Outcomes, Reloader};
use super::rules_file::{RulesFiles, RulesRefused, read_rules};
use super::running::Running;
use super::schema_watch::SchemaWatch;
use super::settings::Settings;
use super::shutdown::Shutdown;
use super::spans::Exporter;
use super::store::{StoreSettings, Within};
use super::tls::{Tls, TlsError};

/// Between two looks for writes whose deadline has passed.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Operators' connections at a time: a few people, a few scrapers.
const ADMIN_CONNECTIONS_MAX: usize = 128;

/// Why a process did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The rules are missing, or not ours to read.
    #[error("cannot read the rules `{file}` (hint: --rules names the file)")]
    RulesRead { file: PathBuf, source: io::Error },
    /// The rules have mistakes.
    #[error("the rules `{file}` have mistakes")]
    Rules { file: PathBuf, mistakes: Vec<Mistake> },
    /// What two callers are told shows that a rule must not be used as it is.
    #[error("the rules `{file}` do not keep callers apart: their canaries show it")]
    Canaries { file: PathBuf, mistakes: Vec<Mistake> },
    /// A rule wants entries sealed, and nothing to seal them with was given.
    #[error(
        "the rules `{file}` say `encrypt: true` (hint: LARDER_ENCRYPTION_KEYS=name:BASE64, from `openssl rand -base64 32`)"
    )]
    NoEncryptionKeys { file: PathBuf },
    /// The certificate or its key cannot be used.
    #[error("TLS for clients")]
    Tls(#[from] TlsError),
    /// The system gives no more threads.
    #[error("cannot start the threads that answer (hint: --workers asks for fewer)")]
    Workers(#[source] io::Error),
    /// An address is taken, or not ours to take.
    #[error("cannot listen on {address} (hint: another process may have it; {setting} names another)")]
    Bind { setting: &'static str, address: SocketAddr, source: io::Error },
}

/// A process before it runs.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Builds everything, listens, and answers from then on.
    pub async fn start(settings: Settings) -> Result<Running, StartError> {
        Server::start_with(settings, Limits::default(), Clock::default()).await
    }

    /// As [`Server::start`], with the limits of connections and the clock of a test.
    pub async fn start_with(settings: Settings, limits: Limits, clock: Clock) -> Result<Running, StartError> {
        let seen = contents(&RulesFiles::new(settings.rules.clone()).list());
        let (rules, _told) = compile(&settings.rules, &context(&settings), &settings.store)?;
        warn_if_narrowed(&rules, &settings);
        let tls = settings.tls.as_ref().map(Tls::load).transpose()?;
        let clients = bind("--listen", settings.listen).await?;
        let operators = match settings.admin {
            Some(address) => Some((bind("--admin", address).await?, address)),
            None => None,
        };

        let (workers, end) = Workers::start(settings.workers).map_err(StartError::Workers)?;
        let connections = settings.max_connections.min(files::connections_affordable());
        if connections < settings.max_connections {
            warn!(connections, "fewer connections than --max-connections: raise the limit of open files");
        }
        let limits = Limits { connections, ..limits };
        let (shutdown, admin_shutdown) = (Shutdown::default(), Shutdown::default());
        let (memory, max_body) = (settings.memory, settings.max_body);
        let within = Within { memory, max_body, prefix: rules.prefix(), clock: &clock, workers: &workers };
        let store = settings.store.open(&within, &admin_shutdown);
        let (cache, metrics) = (Arc::new(Cache::new(store, clock.clone())), Metrics::new());
        let network = settings.network.as_ref().map(|network| network.open(&metrics, &admin_shutdown));
        let ground = Ground {
            invalidator: Invalidator::new(Arc::clone(&cache), metrics.clone()).telling(network),
            cache,
            guards: Arc::new(settings.store.open_guards(&within, &admin_shutdown)),
            metrics,
            health: Health::default(),
            shutdown,
        };
        let canaries = ground.canaries(&settings, &clock, &workers);
        let planner = canaries.planner(rules);
        if let Err(refused) = canaries.pass(&settings.rules, &planner).await {
            ground.shutdown.abandon();
            admin_shutdown.abandon();
            return Err(refused);
        }
        ground.sweep();
        let written_for = watch::Sender::new(fingerprint(planner.rules()));
        ground.watch_schema(&settings, &written_for);
        let proxy = ground.proxy(&settings, (planner, &canaries.canaries), clock.clone(), &admin_shutdown);
        let explained = Arc::clone(&proxy);
        let reload = watch::Sender::new(());
        let reloader = ground.watch_rules(&settings, (&proxy, canaries, seen), written_for, &reload);
        ground.watch_certificate(&settings, tls.as_ref(), reload.subscribe());

        let clients_address = address_of(&clients, settings.listen);
        ground.serve_clients(clients, (limits, &workers), tls, proxy);
        let admin = operators.map(|(listener, asked)| {
            let address = address_of(&listener, asked);
            let listens = [("--listen", clients_address), ("--admin", address)];
            let admin = ground.admin(&settings, (&explained, &reloader), listens, clock.clone());
            ground.serve_operators(listener, limits, admin, &admin_shutdown);
            address
        });
        ground.health.enter(Phase::Ready);
        info!(listen = %clients_address, admin = admin.map(tracing::field::display), upstream = %settings.upstream, "ready");
        let Ground { health, shutdown, .. } = ground;
        let (address, grace) = (clients_address, settings.grace);
        Ok(Running { address, admin, grace, health, reload, shutdown, admin_shutdown, _workers: end })
    }
}

/// What several parts share.
pub(super) struct Ground {
    pub(super) cache: Arc<Cache>,
    pub(super) invalidator: Invalidator,
    pub(super) guards: Arc<Guards>,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    pub(super) shutdown: Shutdown,
}

impl Ground {
    /// `last` ends after the clients' requests have.
    fn proxy(
        &self,
        settings: &Settings,
        (planner, canaries): (Planner, &Canaries),
        clock: Clock,
        last: &Shutdown,
    ) -> Arc<Proxy> {
        let limits = ProxyLimits {
            body_bytes_max: canaries.body_bytes_max,
            extra_methods: settings.extra_methods.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
            logged_hits: settings.log_hits,
        };
        let tasks = Tasks { tracker: self.shutdown.tasks().clone(), stopping: self.shutdown.cut().clone() };
        let tracer = settings.traces.clone().map(|traces| {
            let (tracer, exporter) = Exporter::new(traces, self.metrics.lost_spans.clone());
            last.tasks().spawn(exporter.run(last.draining().clone()));
            tracer
        });
        let means = Means {
            tracer,
            cache: Arc::clone(&self.cache),
            invalidator: self.invalidator.clone(),
            guards: Arc::clone(&self.guards),
            upstream: canaries.upstream.clone(),
            verifier: canaries.verifier.clone(),
            metrics: self.metrics.clone(),
            clock,
            limits,
            tasks,
        };
        Proxy::new(planner, means)
    }

    /// Carries out again what nobody knows the outcome of, when it can no longer change.
    fn sweep(&self) {
        let invalidator = self.invalidator.clone();
        let draining = self.shutdown.draining().clone();
        self.shutdown.tasks().spawn(async move {
            while draining.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_some() {
                invalidator.sweep().await;
            }
        });
    }

    /// Fetches the keys that the upstream and other issuers sign tokens with, and keeps them current.
    pub(super) fn watch_keys(&self, settings: &Settings) -> Option<Arc<KeyRing>> {
        let callers = settings.callers.as_ref()?;
        let sources = callers.key_sources(&settings.upstream);
        let (verifier, secrets) = (Arc::clone(&callers.verifier), callers.secrets.clone());
        let key_ring = KeyRing::new(verifier, secrets, &sources, self.metrics.clone());
        keep_keys(&key_ring, sources, client_tls(), &self.shutdown);
        Some(key_ring)
    }

    /// What applies the rules whenever their file changes and compiles; otherwise the old ones stay.
    fn watch_rules(
        &self,
        settings: &Settings,
        (proxy, canaries, seen): (&Arc<Proxy>, CanaryCheck, Contents),
        written_for: watch::Sender<Option<String>>,
        ask: &watch::Sender<()>,
    ) -> Arc<Reloader> {
        let reloader = Arc::new(Reloader {
            file: settings.rules.clone(),
            context: context(settings),
            store: settings.store.clone(),
            proxy: Arc::clone(proxy),
            canaries,
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            written_for,
            ask: ask.clone(),
            draining: self.shutdown.draining().clone(),
            outcomes: Outcomes::default(),
        });
        let mut files = RulesFiles::new(settings.rules.clone());
        let applying = Arc::clone(&reloader);
        let watched = Watched::new(move || files.list(), move || applying.apply());
        self.watch(watched.since(seen), ask.subscribe());
        reloader
    }

    /// Looks whether the database is still the one that the rules were written for.
    fn watch_schema(&self, settings: &Settings, written_for: &watch::Sender<Option<String>>) {
        let Some(database) = settings.schema_db.clone() else { return };
        let watch = SchemaWatch {
            database,
            invalidator: self.invalidator.clone(),
            metrics: self.metrics.clone(),
            written_for: written_for.subscribe(),
            seen: None,
        };
        self.shutdown.tasks().spawn(watch.watch(self.shutdown.draining().clone()));
    }

    /// Uses the certificate of new connections whenever its files change and fit.
    fn watch_certificate(&self, settings: &Settings, tls: Option<&Tls>, asked: watch::Receiver<()>) {
        let (Some(tls), Some(files)) = (tls.cloned(), settings.tls.clone()) else { return };
        let watched = vec![files.cert.clone(), files.key.clone()];
        let apply = move || match tls.reload(&files) {
            Ok(()) => info!("the certificate was read again and is in use"),
            Err(error) => {
                error!(error = in_full(&error), "the certificate was refused, the old one stays")
            }
        };
        self.watch(Watched::new(move || watched.clone(), apply), asked);
    }

    fn watch<F, L>(&self, watched: Watched<F, L>, asked: watch::Receiver<()>)
    where
        F: FnMut() + Send + 'static,
        L: FnMut() -> Vec<PathBuf> + Send + 'static,
    {
        let tasks = self.shutdown.tasks();
        tasks.spawn(watched.watch(asked, tasks.clone(), self.shutdown.draining().clone()));
    }

    fn serve_clients(
        &self,
        listener: TcpListener,
        (limits, workers): (Limits, &Workers),
        tls: Option<Tls>,
        proxy: Arc<Proxy>,
    ) {
        let entrance = Entrance {
            limits,
            workers: workers.clone(),
            tls,
            shutdown: self.shutdown.clone(),
            open: Some(self.metrics.connections.clone()),
            panics: self.metrics.panics.clone(),
            handler: move |request: Request<Incoming>, peer: Peer| proxy.handle(request, peer),
        };
        self.shutdown.tasks().spawn(serve(listener, entrance));
    }

    fn serve_operators(&self, listener: TcpListener, limits: Limits, admin: Arc<Admin>, shutdown: &Shutdown) {
        shutdown.tasks().spawn(Arc::clone(&admin).look(shutdown.draining().clone()));
        let entrance = Entrance {
            limits: Limits { connections: ADMIN_CONNECTIONS_MAX, ..limits },
            workers: Workers::here(),
            tls: None,
            shutdown: shutdown.clone(),
            // These are not the clients' connections.
            open: None,
            panics: self.metrics.panics.clone(),
            handler: move |request: Request<Incoming>, _peer: Peer| {
                let admin = Arc::clone(&admin);
                async move { admin.handle(request).await }
            },
        };
        shutdown.tasks().spawn(serve(listener, entrance));
    }
}

/// Says once what callers cannot be verified with, where rules share answers. What the issuers'
/// keys leave open is said when they are fetched.
fn warn_if_narrowed(rules: &RuleSet, settings: &Settings) {
    if rules.read_rules().iter().all(|rule| rule.scope == Scope::Token) {
        return;
    }
    match &settings.callers {
        None => warn!(
            "callers cannot be verified, so answers are shared only between requests with the same token: \
             set SUPABASE_PUBLISHABLE_KEY (or SUPABASE_ANON_KEY), and SUPABASE_JWT_SECRET if tokens are signed with it"
        ),
        Some(callers) if callers.verifier.api_keys().is_empty() => warn!(
            "no public API key is configured, so requests that send an `apikey`, as supabase-js does, pass \
             through uncached: set SUPABASE_PUBLISHABLE_KEY (or SUPABASE_ANON_KEY)"
        ),
        Some(_) => {}
    }
}

/// What the included schema.yaml was written for.
pub(super) fn fingerprint(rules: &RuleSet) -> Option<String> {
    let known = rules.schema().knowledge.as_ref()?;
    Some(known.fingerprint.clone()).filter(|fingerprint| !fingerprint.is_empty())
}

pub(super) fn context(settings: &Settings) -> Context {
    Context {
        default_schema: settings.default_schema.clone(),
        upstream: settings.upstream.to_string(),
        ignored_claims: settings.ignored_claims.clone(),
        consistency: settings.store.consistency,
    }
}

/// Reads and compiles the rules; warnings go to the log, too.
pub(super) fn compile(
    file: &Path,
    context: &Context,
    store: &StoreSettings,
) -> Result<(RuleSet, Vec<Warning>), StartError> {
    let (rules, warnings) = read_rules(file, context).map_err(|refused| match refused {
        RulesRefused::Read(source) => StartError::RulesRead { file: file.to_owned(), source },
        RulesRefused::Mistakes(mistakes) => StartError::Rules { file: file.to_owned(), mistakes },
    })?;
    warn_of(file, &warnings);
    if store.cannot_seal(&rules) {
        return Err(StartError::NoEncryptionKeys { file: file.to_owned() });
    }
    Ok((rules, warnings))
}

/// Each with its place and what would be right.
pub(super) fn warn_of(file: &Path, warnings: &[Warning]) {
    for Warning(Remark { line, path, message, hint, .. }) in warnings {
        warn!(file = %file.display(), line, field = %path, hint = hint.as_deref(), "{message}");
    }
}

async fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Bind { setting, address, source })
}

/// The address with the port that the system chose, where it was asked to.
fn address_of(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
