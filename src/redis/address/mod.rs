//! Where is the store, and how does one get in?
//!
//! An [`Address`] is read once, files of certificates included, so that whatever is
//! wrong with it is told at start. Nothing that it shows, errors included, holds a password.

mod error;
mod parse;
mod tls;

pub use error::AddressError;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ::redis::RedisConnectionInfo;
use http::Uri;
use http::uri::Scheme;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

/// A store's address. Shown without its password.
#[derive(Clone)]
pub struct Address {
    pub(super) form: Form,
    shown: String,
}

/// What kind of store it is.
#[derive(Clone)]
pub(super) enum Form {
    /// One server.
    One(Endpoint),
    /// Servers of which one leads; the sentinels know which.
    Sentinels(Sentinels),
    /// Servers that share the keys; each of those named here knows all of them.
    Cluster(Vec<Endpoint>),
    /// Commands over HTTPS.
    Rest(Box<Rest>),
}

/// One server.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) place: Place,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) login: RedisConnectionInfo,
}

/// Where one server listens.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    Tcp(String, u16),
    Unix(PathBuf),
}

/// Those who know which server leads.
#[derive(Clone)]
pub(super) struct Sentinels {
    /// The sentinels themselves, with their own password.
    pub(super) asked: Vec<Endpoint>,
    /// What they call the servers they watch.
    pub(super) service: String,
    /// How one gets into those servers.
    pub(super) login: RedisConnectionInfo,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// A store that is spoken to over HTTPS.
#[derive(Clone)]
pub(super) struct Rest {
    pub(super) uri: Uri,
    pub(super) token: String,
    pub(super) tls: ClientConfig,
}

impl Address {
    /// Reads an address: `redis://user:password@host:6379/0` and the other forms of `docs/store.md`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        parse::address(text)
    }

    /// Upstash's REST API, from what its console shows as `UPSTASH_REDIS_REST_URL` and
    /// `UPSTASH_REDIS_REST_TOKEN`.
    pub fn upstash(url: &str, token: &str) -> Result<Self, AddressError> {
        let uri: Uri = url.parse().map_err(|_unreadable| AddressError::RestUrl)?;
        let is_http = uri.scheme() == Some(&Scheme::HTTPS) || uri.scheme() == Some(&Scheme::HTTP);
        let authority = uri.authority().ok_or(AddressError::RestUrl)?;
        if !is_http || authority.as_str().contains('@') || uri.query().is_some() {
            return Err(AddressError::RestUrl);
        }
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AddressError::RestToken);
        }
        let shown = format!("{}://{authority}", uri.scheme_str().unwrap_or("https"));
        let rest = Rest { token: token.to_owned(), tls: tls::usual(), uri };
        Ok(Self { form: Form::Rest(Box::new(rest)), shown })
    }

    /// Fills in a password that the address leaves out, and leaves one alone that it names.
    pub fn or_password(mut self, password: &str) -> Self {
        let fill = |login: &mut RedisConnectionInfo| {
            if login.password().is_none() && !password.is_empty() {
                *login = login.clone().set_password(password);
            }
        };
        match &mut self.form {
            Form::One(endpoint) => fill(&mut endpoint.login),
            Form::Sentinels(sentinels) => fill(&mut sentinels.login),
            Form::Cluster(seeds) => seeds.iter_mut().for_each(|seed| fill(&mut seed.login)),
            Form::Rest(_) => {}
        }
        self
    }

    /// Is it spoken to over HTTP, where nothing can be listened to?
    pub fn is_rest(&self) -> bool {
        matches!(self.form, Form::Rest(_))
    }
}

impl Endpoint {
    /// Another server of the same store.
    pub(super) fn at(&self, host: &str, port: u16) -> Self {
        Self { place: Place::Tcp(host.to_owned(), port), ..self.clone() }
    }

    /// What its certificate must be for.
    pub(super) fn name(&self) -> Option<ServerName<'static>> {
        match &self.place {
            Place::Tcp(host, _) => ServerName::try_from(host.clone()).ok(),
            Place::Unix(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Without its password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests;
