//! Why did a store say nothing of use?

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

/// A store that did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// No connection to it stands; nothing was sent.
    #[error("the store cannot be reached")]
    Away,
    /// It did not answer in time; it may still do what it was asked.
    #[error("the store did not answer in time")]
    Late,
    /// The connection broke, or what came over it made no sense; it may have done what it was asked.
    #[error("the connection to the store broke")]
    Broken,
    /// It said that it will not.
    #[error("the store refused: {0}")]
    Refused(Refusal),
}

/// Why a store refused, by the first word of what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `OOM`: it is full and pushes nothing out.
    #[error("OOM, it is full (hint: maxmemory-policy volatile-lru)")]
    Full,
    /// `READONLY`: it is a replica now.
    #[error("READONLY, it is a replica")]
    ReadOnly,
    /// `LOADING`, `BUSY`, `MASTERDOWN`, `CLUSTERDOWN`, `TRYAGAIN`: not now.
    #[error("it is busy, loading or failing over")]
    NotNow,
    /// `NOSCRIPT`: it does not know a script by that name.
    #[error("NOSCRIPT")]
    UnknownScript,
    /// `NOAUTH`, `WRONGPASS`, `NOPERM`: it does not let us.
    #[error(
        "NOAUTH, WRONGPASS or NOPERM (hint: user, password and ACL of the store's URL; LARDER_STORE_PASSWORD)"
    )]
    Forbidden,
    /// `MOVED`, `ASK`: another server of a cluster has it.
    #[error("MOVED, it is one server of a cluster (hint: redis+cluster://)")]
    Elsewhere,
    /// This kind of store cannot do that at all.
    #[error("it cannot do that over HTTP (hint: redis:// or rediss://)")]
    Unable,
    /// `max number of clients reached`, HTTP 429: too many ask it.
    #[error("it serves too many already (hint: maxclients, or the limits of the plan)")]
    Crowded,
    /// Anything else: a script of ours that it cannot run, a setting that forbids writing.
    #[error("an error")]
    Other,
}

impl Refusal {
    /// Would it help to send the script whole?
    pub fn is_unknown_script(self) -> bool {
        self == Self::UnknownScript
    }
}

impl Silence {
    /// For labels and log lines.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Late => "late",
            Self::Broken => "broken",
            Self::Refused(Refusal::Full) => "full",
            Self::Refused(Refusal::ReadOnly) => "read-only",
            Self::Refused(Refusal::NotNow) => "not-now",
            Self::Refused(Refusal::UnknownScript) => "unknown-script",
            Self::Refused(Refusal::Forbidden) => "forbidden",
            Self::Refused(Refusal::Elsewhere) => "elsewhere",
            Self::Refused(Refusal::Unable) => "unable",
            Self::Refused(Refusal::Crowded) => "crowded",
            Self::Refused(Refusal::Other) => "error",
        }
    }

    /// Whether this connection is of no use any more, whatever is asked next.
    pub(super) fn ends_connection(&self) -> bool {
        matches!(self, Self::Broken | Self::Refused(Refusal::ReadOnly | Refusal::Forbidden))
    }

    /// Whether it was an answer, though not the one that was hoped for.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self, Self::Refused(Refusal::Forbidden | Refusal::Other))
    }

    /// Whether another server of a cluster may have what this one did not give.
    pub(super) fn may_be_elsewhere(&self) -> bool {
        matches!(
            self,
            Self::Away
                | Self::Broken
                | Self::Refused(Refusal::ReadOnly | Refusal::NotNow | Refusal::Elsewhere)
        )
    }

    /// Whether the store as a whole seems unwell.
    pub(super) fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Late | Self::Broken | Self::Refused(Refusal::ReadOnly | Refusal::NotNow | Refusal::Crowded)
        )
    }
}

impl Refusal {
    /// From the words of an error, as a server writes them.
    pub(super) fn said(words: &str) -> Self {
        let (code, detail) = words.split_once(' ').unwrap_or((words, ""));
        match code {
            "READONLY" => Self::ReadOnly,
            "NOSCRIPT" => Self::UnknownScript,
            "NOPERM" => Self::Forbidden,
            "MOVED" | "ASK" => Self::Elsewhere,
            "LOADING" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" => Self::NotNow,
            "ERR" => unnamed(Some(detail)),
            _ => named(Some(code)),
        }
    }
}

impl From<RedisError> for Silence {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::ResponseError) => Self::Refused(unnamed(error.detail())),
            ErrorKind::Server(kind) => Self::Refused(refusal(kind, error.code())),
            ErrorKind::AuthenticationFailed => Self::Refused(Refusal::Forbidden),
            ErrorKind::Extension => Self::Refused(named(error.code())),
            _ if error.is_timeout() => Self::Late,
            _ => Self::Broken,
        }
    }
}

fn refusal(kind: ServerErrorKind, code: Option<&str>) -> Refusal {
    match kind {
        ServerErrorKind::ReadOnly => Refusal::ReadOnly,
        ServerErrorKind::NoScript => Refusal::UnknownScript,
        ServerErrorKind::NoPerm => Refusal::Forbidden,
        ServerErrorKind::Moved | ServerErrorKind::Ask => Refusal::Elsewhere,
        ServerErrorKind::BusyLoading
        | ServerErrorKind::TryAgain
        | ServerErrorKind::ClusterDown
        | ServerErrorKind::MasterDown => Refusal::NotNow,
        _ => named(code),
    }
}

/// `ERR`, and what comes behind it.
fn unnamed(detail: Option<&str>) -> Refusal {
    let detail = detail.unwrap_or_default();
    // Redis, and the plans of Upstash
    let is_crowded = detail.starts_with("max number of clients") || detail.contains("limit exceeded");
    if is_crowded { Refusal::Crowded } else { Refusal::Other }
}

/// Words that the client library has no kind for.
fn named(code: Option<&str>) -> Refusal {
    match code {
        Some("OOM") => Refusal::Full,
        Some("BUSY" | "MISCONF" | "NOREPLICAS") => Refusal::NotNow,
        Some("NOAUTH" | "WRONGPASS") => Refusal::Forbidden,
        _ => Refusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_an_error_mean_the_same_over_http_and_over_a_socket() {
        for (words, refusal) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", Refusal::Full),
            ("READONLY You can't write against a read only replica.", Refusal::ReadOnly),
            ("LOADING Redis is loading the dataset in memory", Refusal::NotNow),
            ("BUSY Redis is busy running a script.", Refusal::NotNow),
            ("MISCONF Redis is configured to save RDB snapshots", Refusal::NotNow),
            ("NOREPLICAS Not enough good replicas to write.", Refusal::NotNow),
            ("MASTERDOWN Link with MASTER is down", Refusal::NotNow),
            ("CLUSTERDOWN The cluster is down", Refusal::NotNow),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Refusal::NotNow),
            ("NOAUTH Authentication required.", Refusal::Forbidden),
            ("WRONGPASS invalid username-password pair", Refusal::Forbidden),
            ("NOPERM this user has no permissions", Refusal::Forbidden),
            ("NOSCRIPT No matching script.", Refusal::UnknownScript),
            ("MOVED 3999 127.0.0.1:6381", Refusal::Elsewhere),
            ("ASK 3999 127.0.0.1:6381", Refusal::Elsewhere),
            ("ERR max number of clients reached", Refusal::Crowded),
            ("ERR max daily request limit exceeded", Refusal::Crowded),
            ("ERR wrong number of arguments", Refusal::Other),
            ("", Refusal::Other),
        ] {
            assert_eq!(Refusal::said(words), refusal, "{words}");
            if words.is_empty() {
                continue;
            }
            let line = format!("-{words}\r\n");
            let error = ::redis::parse_redis_value(line.as_bytes()).unwrap().extract_error().unwrap_err();
            assert_eq!(Silence::from(error), Silence::Refused(refusal), "{words}");
        }
    }
}
