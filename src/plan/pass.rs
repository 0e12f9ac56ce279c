//! Why is a request not answered from the cache, or not answered at all?

use http::StatusCode;

/// Why a request passes through untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// No read rule matches.
    NoRule,
    /// Its rule says `cache: never`.
    Never,
    /// HEAD runs the query without a body and ignores `Range`: it is never a GET's answer.
    Head,
    /// A preflight or another OPTIONS: it reads nothing.
    Options,
    /// It asks to switch protocols.
    Upgrade,
    /// A read with a body: what the body means is not known.
    Body,
    /// Its path has empty segments, dot segments, or escapes that servers read differently.
    OddPath,
    /// A raw `;`, which PostgREST reads as `&` and others as data.
    Semicolon,
    /// Its query is not UTF-8 once decoded.
    NotUtf8,
    /// A filter that moves with time (`now`, `today`): its answer goes stale by itself.
    MovingTime,
    /// It asks for a query plan.
    QueryPlan,
    /// It carries a cookie that its rule does not declare.
    Cookie,
    /// A header that decides the answer stands there twice.
    DuplicateHeader,
    /// An API key in the query: which role it means is the gateway's secret.
    ApikeyInQuery,
    /// A service or secret key: it sees every row.
    ServiceKey,
    /// A token that has ended.
    ExpiredToken,
    /// A token that cannot be read.
    UnreadableToken,
    /// A placeholder of the key has no value in this request.
    NoValue,
}

impl Pass {
    /// For `Cache-Status`, labels and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRule => "no-rule",
            Self::Never => "rule-says-never",
            Self::Head => "head",
            Self::Options => "options",
            Self::Upgrade => "upgrade",
            Self::Body => "body",
            Self::OddPath => "odd-path",
            Self::Semicolon => "semicolon",
            Self::NotUtf8 => "not-utf8",
            Self::MovingTime => "moving-time",
            Self::QueryPlan => "query-plan",
            Self::Cookie => "cookie",
            Self::DuplicateHeader => "duplicate-header",
            Self::ApikeyInQuery => "apikey-in-query",
            Self::ServiceKey => "service-key",
            Self::ExpiredToken => "expired-token",
            Self::UnreadableToken => "unreadable-token",
            Self::NoValue => "no-value",
        }
    }
}

/// Why a request is refused by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BadPath {
    /// Dot segments, encoded slashes or control characters below `/rest/v1`: a
    /// gateway may read another table's name than we do.
    Ambiguous,
}

impl BadPath {
    /// What the client is answered.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Ambiguous => StatusCode::BAD_REQUEST,
        }
    }

    /// For labels and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous-path",
        }
    }
}
