//! How is the text of an address read?
//!
//! By hand, because no URL parser knows several hosts. What stands before the last `@` is
//! never repeated to anybody.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ::redis::RedisConnectionInfo;
use percent_encoding::percent_decode_str;
use rustls::ClientConfig;

use super::tls::{self, Files};
use super::{Address, AddressError, Endpoint, Form, Place, Sentinels};

/// What an address may begin with, for hints.
pub(super) const FORMS: &str = "redis://, rediss://, redis+unix://, redis+sentinel://, rediss+sentinel://, \
                                redis+cluster://, rediss+cluster://";

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Most databases that a server can be told to have without anybody finding it odd.
const DATABASE_MAX: i64 = 65_535;

/// Which form of address it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    One,
    Unix,
    Sentinel,
    Cluster,
}

/// An address taken apart.
struct Parts<'a> {
    kind: Kind,
    is_tls: bool,
    login: RedisConnectionInfo,
    hosts: &'a str,
    path: &'a str,
    parameters: Parameters,
}

/// What stands behind the `?`.
#[derive(Default)]
struct Parameters {
    db: Option<String>,
    files: Files,
    sentinel_user: Option<String>,
    sentinel_password: Option<String>,
}

pub(super) fn address(text: &str) -> Result<Address, AddressError> {
    let parts = parts(text.trim())?;
    let tls = parts.is_tls.then(|| tls::config(&parts.parameters.files)).transpose()?.map(Arc::new);
    match parts.kind {
        Kind::One => one(parts, tls.as_ref()),
        Kind::Unix => unix(parts),
        Kind::Sentinel => sentinels(parts, tls.as_ref()),
        Kind::Cluster => cluster(&parts, tls.as_ref()),
    }
}

fn parts(text: &str) -> Result<Parts<'_>, AddressError> {
    let (scheme, rest) = text.split_once("://").ok_or(AddressError::Form)?;
    let (kind, is_tls) = match scheme {
        "redis" | "valkey" => (Kind::One, false),
        "rediss" | "valkeys" => (Kind::One, true),
        "redis+unix" | "valkey+unix" | "unix" => (Kind::Unix, false),
        "redis+sentinel" | "valkey+sentinel" => (Kind::Sentinel, false),
        "rediss+sentinel" | "valkeys+sentinel" => (Kind::Sentinel, true),
        "redis+cluster" | "valkey+cluster" => (Kind::Cluster, false),
        "rediss+cluster" | "valkeys+cluster" => (Kind::Cluster, true),
        _ => return Err(AddressError::Form),
    };
    let authority_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(authority_ends);
    // part of a password that nobody encoded: whatever else is said of it would repeat it
    if behind.contains(['@', '#']) {
        return Err(AddressError::Login);
    }
    let (login, hosts) = match authority.split_once('@') {
        Some((_, hosts)) if hosts.contains('@') => return Err(AddressError::Login),
        Some((login, hosts)) => (self::login(login)?, hosts),
        None => (RedisConnectionInfo::default(), authority),
    };
    let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
    let parameters = Parameters::read(kind, is_tls, query)?;
    Ok(Parts { kind, is_tls, login, hosts, path, parameters })
}

fn one(parts: Parts<'_>, tls: Option<&Arc<ClientConfig>>) -> Result<Address, AddressError> {
    let places = places(parts.hosts, PORT)?;
    let [place] = <[Place; 1]>::try_from(places).map_err(|_several| AddressError::Hosts)?;
    let db = database(parts.path.trim_matches('/'))?;
    let shown = format!("{}://{place}/{db}", if tls.is_some() { "rediss" } else { "redis" });
    let endpoint = Endpoint { place, tls: tls.cloned(), login: parts.login.set_db(db) };
    Ok(Address { form: Form::One(endpoint), shown })
}

fn unix(parts: Parts<'_>) -> Result<Address, AddressError> {
    let path = decoded(parts.path)?;
    if !parts.hosts.is_empty() || path.len() < 2 {
        return Err(AddressError::Socket);
    }
    let db = database(parts.parameters.db.as_deref().unwrap_or_default())?;
    let shown = format!("redis+unix://{path}?db={db}");
    let place = Place::Unix(PathBuf::from(path));
    Ok(Address { form: Form::One(Endpoint { place, tls: None, login: parts.login.set_db(db) }), shown })
}

fn sentinels(parts: Parts<'_>, tls: Option<&Arc<ClientConfig>>) -> Result<Address, AddressError> {
    let path = parts.path.strip_prefix('/').unwrap_or_default().trim_end_matches('/');
    let (service, db) = path.split_once('/').unwrap_or((path, ""));
    let service = Some(decoded(service)?).filter(|name| !name.is_empty()).ok_or(AddressError::Service)?;
    let db = database(db)?;
    let places = places(parts.hosts, SENTINEL_PORT)?;
    let shown = shown("sentinel", tls.is_some(), &places) + &format!("/{service}/{db}");
    let mut login = RedisConnectionInfo::default();
    if let Some(user) = &parts.parameters.sentinel_user {
        login = login.set_username(user);
    }
    if let Some(password) = &parts.parameters.sentinel_password {
        login = login.set_password(password);
    }
    let asked = places.into_iter().map(|place| Endpoint { place, tls: tls.cloned(), login: login.clone() });
    let asked = asked.collect();
    let form =
        Form::Sentinels(Sentinels { asked, service, login: parts.login.set_db(db), tls: tls.cloned() });
    Ok(Address { form, shown })
}

fn cluster(parts: &Parts<'_>, tls: Option<&Arc<ClientConfig>>) -> Result<Address, AddressError> {
    if !matches!(parts.path.trim_matches('/'), "" | "0") {
        return Err(AddressError::ClusterDatabase);
    }
    let places = places(parts.hosts, PORT)?;
    let shown = shown("cluster", tls.is_some(), &places);
    let seeds =
        places.into_iter().map(|place| Endpoint { place, tls: tls.cloned(), login: parts.login.clone() });
    Ok(Address { form: Form::Cluster(seeds.collect()), shown })
}

fn shown(kind: &str, is_tls: bool, places: &[Place]) -> String {
    let places = places.iter().map(Place::to_string).collect::<Vec<_>>().join(",");
    format!("redis{}+{kind}://{places}", if is_tls { "s" } else { "" })
}

/// `user:password`, each percent-encoded. Without a colon it is a user.
fn login(text: &str) -> Result<RedisConnectionInfo, AddressError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (user, password) = (decoded(user)?, decoded(password)?);
    let mut login = RedisConnectionInfo::default();
    if !user.is_empty() {
        login = login.set_username(user);
    }
    if !password.is_empty() {
        login = login.set_password(password);
    }
    Ok(login)
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let is_encoded_badly = text.match_indices('%').any(|(at, _)| {
        !text.get(at + 1..at + 3).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.ok().filter(|_| !is_encoded_badly).map(String::from).ok_or(AddressError::Login)
}

fn places(hosts: &str, port: u16) -> Result<Vec<Place>, AddressError> {
    hosts.split(',').map(|host| place(host.trim(), port)).collect()
}

fn place(text: &str, usual_port: u16) -> Result<Place, AddressError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or(AddressError::Host)?;
            host.parse::<IpAddr>().map_err(|_unreadable| AddressError::Host)?;
            (host, if behind.is_empty() { None } else { Some(behind.strip_prefix(':').unwrap_or("")) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => usual_port,
        Some(digits) => digits.parse().ok().filter(|&port: &u16| port > 0).ok_or(AddressError::Port)?,
    };
    let place = Endpoint {
        place: Place::Tcp(host.to_owned(), port),
        tls: None,
        login: RedisConnectionInfo::default(),
    };
    place.name().map(|_could_be_one| place.place).ok_or(AddressError::Host)
}

fn database(text: &str) -> Result<i64, AddressError> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().ok().filter(|number| (0..=DATABASE_MAX).contains(number)).ok_or(AddressError::Database)
}

impl Parameters {
    fn read(kind: Kind, is_tls: bool, query: &str) -> Result<Self, AddressError> {
        let mut read = Self::default();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = decoded(value)?;
            let is_there_twice = match (name, kind) {
                ("db", Kind::Unix) => read.db.replace(value).is_some(),
                ("ca", _) if is_tls => read.files.ca.replace(value.into()).is_some(),
                ("cert", _) if is_tls => read.files.cert.replace(value.into()).is_some(),
                ("key", _) if is_tls => read.files.key.replace(value.into()).is_some(),
                ("sentinel_user", Kind::Sentinel) => read.sentinel_user.replace(value).is_some(),
                ("sentinel_password", Kind::Sentinel) => read.sentinel_password.replace(value).is_some(),
                _ => true,
            };
            if is_there_twice {
                return Err(AddressError::Parameter(name.to_owned()));
            }
        }
        Ok(read)
    }
}
