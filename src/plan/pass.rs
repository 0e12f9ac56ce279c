//! Why is a request not answered from the cache, or not answered at all?

use http::StatusCode;

use crate::identity::Reason;

/// Why a request passes through untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// No read rule matches.
    NoRule,
    /// Its rule says `cache: never`.
    Never,
    /// HEAD runs the query without a body and ignores `Range`: it is never a GET's answer.
    Head,
    /// A piece of a file that is not at hand as a whole: it is not fetched for that.
    ByteRange,
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
    /// `select` stands there twice: rules look at one of them and PostgREST at the first.
    RepeatedSelect,
    /// An API key in the query: which role it means is the gateway's secret.
    ApikeyInQuery,
    /// A service or secret key: it sees every row.
    ServiceKey,
    /// A token that has ended.
    ExpiredToken,
    /// A token that cannot be read.
    UnreadableToken,
    /// Who asks cannot be verified.
    Unverified(Reason),
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
            Self::ByteRange => "byte-range",
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
            Self::RepeatedSelect => "repeated-select",
            Self::ApikeyInQuery => "apikey-in-query",
            Self::ServiceKey => "service-key",
            Self::ExpiredToken => "expired-token",
            Self::UnreadableToken => "unreadable-token",
            Self::Unverified(reason) => reason.as_str(),
            Self::NoValue => "no-value",
        }
    }

    /// Why, in one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NoRule => "no read rule matches its path and query",
            Self::Never => "its rule says `cache: never`",
            Self::Head => {
                "a HEAD has no body to keep; PostgREST ignores Range with it, so a GET's answer is not its own"
            }
            Self::ByteRange => "a piece of a file is cut from the whole, and that is not at hand",
            Self::Options => "a preflight reads no data",
            Self::Upgrade => "it asks to switch protocols, as websockets do",
            Self::Body => "it is a read with a body, and what the body means is not known",
            Self::OddPath => "its path has empty or dot segments, or escapes that servers read differently",
            Self::Semicolon => "it has a raw `;`, which some servers read as `&` and others as data",
            Self::NotUtf8 => "its query is not UTF-8 once it is decoded",
            Self::MovingTime => "a filter moves with time, so its answer goes stale by itself",
            Self::QueryPlan => "it asks for a query plan, not for rows",
            Self::Cookie => "it carries a cookie, and its rule does not say that answers depend on it",
            Self::DuplicateHeader => "a header that decides the answer stands there twice",
            Self::RepeatedSelect => "`select` stands in its query twice, and PostgREST reads only the first",
            Self::ApikeyInQuery => "its API key is in the query, where logs and caches see it",
            Self::ServiceKey => "its key sees every row, so nothing it is answered is ever kept",
            Self::ExpiredToken => "its token has ended, and only Supabase may say so",
            Self::UnreadableToken => "its token cannot be read, so only Supabase knows whom it stands for",
            Self::Unverified(_) => "who asks cannot be verified with what is configured",
            Self::NoValue => "a placeholder in its rule's key has no value in this request",
        }
    }

    /// What would change it, where something should.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NoRule => "add a rule under `reads` whose `match` and `where` fit",
            Self::Never => "move a narrower rule above it, or take `cache: never` out",
            Self::Head | Self::ByteRange | Self::Options | Self::Upgrade | Self::QueryPlan => {
                "nothing: it is as it should be"
            }
            Self::Body => "send what it means in the query",
            Self::OddPath => "ask for the path without `//`, `.`, `..` and a trailing slash",
            Self::Semicolon => "write `%3B` in its place",
            Self::NotUtf8 => "encode the query as UTF-8",
            Self::MovingTime => {
                "send a moment instead of a word such as `now`, cut to the minute or the hour"
            }
            Self::Cookie => "do not send cookies to the API, or list `cookie` in the rule's `vary`",
            Self::DuplicateHeader | Self::RepeatedSelect => "send it once",
            Self::ApikeyInQuery => "send it in the header `apikey`",
            Self::ServiceKey => "use a publishable key or a user's token for reads that should be fast",
            Self::ExpiredToken => "refresh the token: supabase-js does so by itself",
            Self::UnreadableToken => "send a token that Supabase Auth gave out",
            Self::Unverified(reason) => reason.hint(),
            Self::NoValue => {
                "pin the placeholder with `where`, as in `where: { id: eq.* }`; \
                 `{claims.…}` has a value for verified users whose token says it"
            }
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

    /// Why, in one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Ambiguous => "its path has dot segments, encoded slashes or control characters",
        }
    }

    /// What would change it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Ambiguous => "ask for the plain path, as in /rest/v1/properties",
        }
    }
}
