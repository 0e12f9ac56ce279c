//! How is the database reached? A URL, made into a connection, or words about why not.
//!
//! No message repeats any of the URL but host, port and database: it holds a password.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use super::catalogue;
use super::facts::Facts;
use super::fingerprint::Fingerprint;
use super::tls::Tls;

/// For the connection to stand, TLS and password included: a handshake across the world takes a second.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Older servers are asked nothing: half of what is asked for came later.
const SERVER_OLDEST: u32 = 13;

/// Which database, and how far its certificate is believed.
#[derive(Clone)]
pub struct DatabaseUrl {
    config: Config,
    trust: Trust,
}

/// Whose certificate is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trust {
    /// Anybody's: `disable`, `prefer` and `require`.
    Anybody,
    /// One that the system's authorities vouch for, or those in this file.
    Authorities(Option<PathBuf>),
}

/// Why a text names no database.
#[derive(Debug, thiserror::Error)]
pub enum UrlMistake {
    /// Not a URL of PostgreSQL, or with an option that is not known.
    #[error(
        "not a URL as in postgres://user:password@host:5432/postgres (hint: `%`, `@`, `/` and `#` in a password are written %25, %40, %2F and %23)"
    )]
    Unreadable,
    /// No host.
    #[error("names no host")]
    NoHost,
    /// A mode that libpq does not have.
    #[error("`sslmode` is one of disable, prefer, require, verify-ca and verify-full")]
    SslMode,
}

/// Why the database could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers there.
    #[error(
        "{0} does not answer (hint: is it the right host and port, and does a firewall or network restriction let this machine in?)"
    )]
    Unreachable(String, #[source] Option<tokio_postgres::Error>),
    /// The password or the user is wrong.
    #[error(
        "{0} refuses this user and password (hint: Supabase shows both under Connect; a pooler wants postgres.<project> as user)"
    )]
    Refused(String, #[source] tokio_postgres::Error),
    /// There is no such database.
    #[error("{0} has no such database")]
    NoDatabase(String, #[source] tokio_postgres::Error),
    /// TLS failed, or one side does not want it.
    #[error(
        "no TLS with {0} (hint: `?sslmode=require` encrypts without checking, `sslmode=verify-full&sslrootcert=FILE` names the authority that the provider offers for download)"
    )]
    Tls(String, #[source] tokio_postgres::Error),
    /// The file with authorities cannot be used.
    #[error("cannot read the authorities `{}`", file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The server is too old.
    #[error("{0} is PostgreSQL {1}; {SERVER_OLDEST} or newer is needed")]
    TooOld(String, String),
    /// The role may not look at something.
    #[error(
        "the role may not read the catalogue of {0} (hint: use the role `postgres`, or one that may connect and read pg_catalog)"
    )]
    Rights(String, #[source] tokio_postgres::Error),
    /// It took too long.
    #[error("{0} took too long to answer")]
    Slow(String, #[source] tokio_postgres::Error),
    /// Anything else.
    #[error("{0} could not be asked")]
    Failed(String, #[source] tokio_postgres::Error),
}

impl DatabaseUrl {
    /// Reads `postgres://user:password@host:5432/postgres?sslmode=…`.
    pub fn parse(text: &str) -> Result<Self, UrlMistake> {
        let (address, options) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut authorities, mut others) = ("prefer", None, Vec::new());
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = value,
                Some(("sslrootcert", value)) => {
                    let file = percent_encoding::percent_decode_str(value);
                    authorities =
                        Some(PathBuf::from(&*file.decode_utf8().map_err(|_| UrlMistake::Unreadable)?));
                }
                // poolers and drivers of other languages have these; they change nothing here
                Some(("pgbouncer" | "connection_limit" | "pool_timeout" | "schema", _)) => {}
                _ => others.push(option),
            }
        }
        if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
            return Err(UrlMistake::Unreadable);
        }
        let mut config: Config =
            format!("{address}?{}", others.join("&")).parse().map_err(|_| UrlMistake::Unreadable)?;
        if config.get_hosts().is_empty() {
            return Err(UrlMistake::NoHost);
        }
        let (mode, trust) = match mode {
            "disable" => (SslMode::Disable, Trust::Anybody),
            "allow" | "prefer" => (SslMode::Prefer, Trust::Anybody),
            // as libpq: whoever names an authority wants it checked
            "require" if authorities.is_none() => (SslMode::Require, Trust::Anybody),
            "require" | "verify-ca" | "verify-full" => (SslMode::Require, Trust::Authorities(authorities)),
            _ => return Err(UrlMistake::SslMode),
        };
        config.ssl_mode(mode).connect_timeout(CONNECT_TIMEOUT);
        config.application_name("larder");
        Ok(Self { config, trust })
    }

    /// What may be told of it: host, port and database.
    fn told(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        format!("{host}:{port}/{}", self.config.get_dbname().unwrap_or_default())
    }

    fn tls(&self) -> Result<Tls, ConnectError> {
        let file = match &self.trust {
            Trust::Anybody => return Ok(Tls::unchecked()),
            Trust::Authorities(None) => return Ok(Tls::checked(Vec::new())),
            Trust::Authorities(Some(file)) => file,
        };
        let read = |text: Vec<u8>| {
            let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
            let certificates =
                certificates.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if certificates.is_empty() {
                Err(io::Error::other("it holds no certificate"))
            } else {
                Ok(certificates)
            }
        };
        let certificates = std::fs::read(file).and_then(read);
        certificates
            .map(Tls::checked)
            .map_err(|source| ConnectError::Authorities { file: file.clone(), source })
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.told())
    }
}

/// Reads everything. `schemas` are those that requests can name, where the operator said.
pub async fn ask(
    url: &DatabaseUrl,
    schemas: Option<&[String]>,
) -> Result<(Facts, Fingerprint), ConnectError> {
    connected(url, async |database| {
        let asked = catalogue::facts(&mut database.client, schemas).await;
        asked.map_err(|error| ConnectError::of(database.told.clone(), error))
    })
    .await
}

/// Reads the fingerprint alone.
pub async fn ask_fingerprint(url: &DatabaseUrl) -> Result<Fingerprint, ConnectError> {
    connected(url, async |database| {
        let asked = catalogue::fingerprint(&mut database.client).await;
        asked.map_err(|error| ConnectError::of(database.told.clone(), error))
    })
    .await
}

/// Asks over a connection of its own, which ends with the answer; dropping this ends it too.
async fn connected<T>(
    url: &DatabaseUrl,
    asking: impl AsyncFnOnce(&mut Database) -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    let (mut database, work) = Database::connect(url).await?;
    let told = database.told.clone();
    let asked = async {
        database.refuse_old().await?;
        asking(&mut database).await
    };
    tokio::select! {
        biased;
        answer = asked => answer,
        () = work => Err(ConnectError::Unreachable(told, None)),
    }
}

/// A connection to the database.
#[derive(Debug)]
struct Database {
    client: Client,
    told: String,
}

impl Database {
    /// Connects. What is given back second is the connection's work: it runs for as long as the database is asked.
    async fn connect(
        url: &DatabaseUrl,
    ) -> Result<(Self, impl Future<Output = ()> + Send + use<>), ConnectError> {
        let told = url.told();
        let tls = url.tls()?;
        let connecting = async {
            if url.config.get_ssl_mode() == SslMode::Disable {
                let (client, connection) = url.config.connect(NoTls).await?;
                return Ok((client, Work::Plain(connection)));
            }
            let (client, connection) = url.config.connect(tls).await?;
            Ok((client, Work::Encrypted(connection)))
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let (client, work) = match connected {
            Ok(connected) => connected.map_err(|error| ConnectError::of(told.clone(), error))?,
            Err(_elapsed) => return Err(ConnectError::Unreachable(told, None)),
        };
        Ok((Self { client, told }, work.run()))
    }

    async fn refuse_old(&self) -> Result<(), ConnectError> {
        let asked = self.client.simple_query("show server_version").await;
        let rows = asked.map_err(|error| ConnectError::of(self.told.clone(), error))?;
        let version = rows.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        let version = version.unwrap_or_default();
        let major = version.split(['.', ' ', 'b', 'r']).next().and_then(|major| major.parse::<u32>().ok());
        match major {
            Some(major) if major < SERVER_OLDEST => Err(ConnectError::TooOld(self.told.clone(), version)),
            Some(_) | None => Ok(()),
        }
    }
}

/// What carries a connection's bytes.
enum Work<P, E> {
    Plain(P),
    Encrypted(E),
}

impl<P, E> Work<P, E>
where
    P: Future<Output = Result<(), tokio_postgres::Error>>,
    E: Future<Output = Result<(), tokio_postgres::Error>>,
{
    async fn run(self) {
        // whoever asks is told of a broken connection by its answer
        let _told_there = match self {
            Self::Plain(connection) => connection.await,
            Self::Encrypted(connection) => connection.await,
        };
    }
}

impl ConnectError {
    fn of(told: String, error: tokio_postgres::Error) -> Self {
        let state = error.code();
        let is = |states: &[SqlState]| state.is_some_and(|state| states.contains(state));
        if is(&[SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION]) {
            Self::Refused(told, error)
        } else if is(&[SqlState::INVALID_CATALOG_NAME]) {
            Self::NoDatabase(told, error)
        } else if is(&[SqlState::INSUFFICIENT_PRIVILEGE]) {
            Self::Rights(told, error)
        } else if is(&[SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE]) {
            Self::Slow(told, error)
        } else if state.is_some() {
            Self::Failed(told, error)
        } else {
            Self::of_transport(told, error)
        }
    }

    /// Without a state the server said nothing: the error's text, which holds no address, tells where it failed.
    fn of_transport(told: String, error: tokio_postgres::Error) -> Self {
        let text = error.to_string();
        if text.contains("TLS") {
            Self::Tls(told, error)
        } else if text.contains("connecting") || text.contains("timed out") {
            Self::Unreachable(told, Some(error))
        } else if text.contains("authentication") || text.contains("password") {
            Self::Refused(told, error)
        } else {
            Self::Failed(told, error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_how_far_a_certificate_is_believed() {
        let trust = |options: &str| {
            let url = DatabaseUrl::parse(&format!("postgres://u:p@db.example.com:6543/x{options}")).unwrap();
            (url.config.get_ssl_mode(), url.trust)
        };
        let file = Some(PathBuf::from("a b.crt"));
        for (options, expected) in [
            ("", (SslMode::Prefer, Trust::Anybody)),
            ("?sslmode=disable", (SslMode::Disable, Trust::Anybody)),
            ("?sslmode=require&pgbouncer=true", (SslMode::Require, Trust::Anybody)),
            ("?sslmode=require&sslrootcert=a%20b.crt", (SslMode::Require, Trust::Authorities(file))),
            ("?sslmode=verify-full", (SslMode::Require, Trust::Authorities(None))),
        ] {
            assert_eq!(trust(options), expected, "{options}");
        }
    }

    #[test]
    fn no_message_holds_the_password() {
        for text in [
            "mysql://u:hunter2@h/d",
            "postgres://u:hunter2@h/d?nonsense=1",
            "postgres://u:hunter2@h/d?sslmode=x",
        ] {
            let mistake = DatabaseUrl::parse(text).unwrap_err();
            assert!(!format!("{mistake} {mistake:?}").contains("hunter2"), "{text}");
        }
        let url = DatabaseUrl::parse("postgres://u:hunter2@h:1/d").unwrap();
        assert_eq!(format!("{url:?}"), "DatabaseUrl(h:1/d)");
    }
}
