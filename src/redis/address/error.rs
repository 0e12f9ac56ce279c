//! What can be wrong with the address of a store?

use std::path::PathBuf;

use super::parse::FORMS;

/// Why an address was not understood. None of these repeats what may be part of a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Does not begin with one of the forms.
    #[error("not the address of a store (hint: it begins with one of {FORMS})")]
    Form,
    /// User or password hold a character that means something else in a URL.
    #[error(
        "user or password of the store's address hold a character that has a meaning in URLs \
         (hint: write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25)"
    )]
    Login,
    /// No host, or none that could be one.
    #[error("the store's address has no host that could be one (hint: redis://user:password@host:6379/0)")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error(
        "the port of the store is not a number from 1 to 65535 (hint: redis://user:password@host:6379/0; a \
         / in a password is written %2F)"
    )]
    Port,
    /// Several hosts where one is meant.
    #[error(
        "several hosts are of use with redis+sentinel:// and redis+cluster:// only (hint: which of the two is it?)"
    )]
    Hosts,
    /// The number of the database is none, or behind an address that has none.
    #[error("the database is a number from 0 to 65535 behind the host (hint: redis://host:6379/0)")]
    Database,
    /// A cluster has no databases.
    #[error("a cluster has one database, number 0 (hint: leave what is behind the hosts out)")]
    ClusterDatabase,
    /// No name of what the sentinels watch.
    #[error(
        "redis+sentinel:// needs the name of what is watched (hint: redis+sentinel://host:26379/mymaster/0)"
    )]
    Service,
    /// No path of a socket.
    #[error("redis+unix:// needs the path of a socket (hint: redis+unix:///run/redis/redis.sock?db=0)")]
    Socket,
    /// A parameter that this form does not have, or that stands there twice.
    #[error(
        "`{0}` is no parameter of this form of address, or is there twice (hint: ca, cert and key with TLS; db with redis+unix; sentinel_user and sentinel_password with redis+sentinel)"
    )]
    Parameter(String),
    /// `cert` without `key`, or `key` without `cert`.
    #[error("a client certificate needs both (hint: ?cert=FILE&key=FILE)")]
    Pair,
    /// A file that cannot be read.
    #[error("{parameter}: {file} cannot be read: {reason}", file = file.display())]
    File {
        /// Which parameter names it.
        parameter: &'static str,
        /// Its path.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file that holds something else.
    #[error("{parameter}: {file} holds no {parameter} that can be used (hint: PEM, a key without a passphrase)", file = file.display())]
    Pem {
        /// Which parameter names it.
        parameter: &'static str,
        /// Its path.
        file: PathBuf,
    },
    /// `UPSTASH_REDIS_REST_URL` is no such URL.
    #[error(
        "UPSTASH_REDIS_REST_URL is not the URL of a REST API (hint: https://….upstash.io, as the console shows it)"
    )]
    RestUrl,
    /// `UPSTASH_REDIS_REST_TOKEN` is no such token.
    #[error(
        "UPSTASH_REDIS_REST_TOKEN is missing or is no token (hint: copy it whole from the console; not the read-only one)"
    )]
    RestToken,
}
