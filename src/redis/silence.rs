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
    #[error("NOAUTH, WRONGPASS or NOPERM (hint: user, password and ACL of the store's URL)")]
    Forbidden,
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
            Self::Refused(Refusal::Other) => "error",
        }
    }

    /// Whether this connection is of no use any more, whatever is asked next.
    pub(super) fn ends_connection(&self) -> bool {
        matches!(self, Self::Broken | Self::Refused(Refusal::ReadOnly | Refusal::Forbidden))
    }

    /// Whether the store as a whole seems unwell.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Late | Self::Broken | Self::Refused(Refusal::ReadOnly | Refusal::NotNow))
    }
}

impl From<RedisError> for Silence {
    fn from(error: RedisError) -> Self {
        match error.kind() {
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
        ServerErrorKind::BusyLoading
        | ServerErrorKind::Moved
        | ServerErrorKind::Ask
        | ServerErrorKind::TryAgain
        | ServerErrorKind::ClusterDown
        | ServerErrorKind::MasterDown => Refusal::NotNow,
        _ => named(code),
    }
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
