//! What do locks, operations and limits tell whoever they refuse?

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, StatusCode};

use crate::plan::{NoLockName, NoOperation};

use super::metered::whole_seconds;
use super::reject::Words;

/// When to ask again about something that is under way: most of what is locked is done within a second.
const SOON: Duration = Duration::from_secs(1);

/// When to ask again about something that nobody knows: an operator may say so in the meantime.
const LATER: Duration = Duration::from_secs(60);

/// Why a guard refuses a request. Nothing was forwarded.
#[derive(Debug)]
pub(super) enum GuardRefusal {
    /// The lock has no name, because something in its key has no value, or several.
    NoLockName(NoLockName),
    /// The header that names the operation is missing or unusable.
    NoOperation(NoOperation),
    /// The body is larger than what is looked at before it is forwarded.
    BodyTooLarge,
    /// The client broke off.
    BodyBroke,
    /// Somebody else holds the lock; told in the rule's words.
    Busy(Arc<str>),
    /// The same operation is under way.
    InProgress,
    /// The same operation began, and how it ended is not known.
    Doubtful,
    /// It was done, but its answer was too large to be kept.
    Unrepeatable(StatusCode),
    /// Under the same name something else was asked for.
    OtherOperation(HeaderName),
    /// Too many requests; there is room again after this time.
    Limited(Duration),
    /// The store of locks, operations and limits cannot be asked.
    StoreDown,
}

impl GuardRefusal {
    /// When to come again, where that makes sense.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Busy(_) | Self::InProgress | Self::StoreDown => Some(whole_seconds(SOON)),
            Self::Doubtful => Some(whole_seconds(LATER)),
            Self::Limited(more_in) => Some(whole_seconds(*more_in).max(1)),
            Self::NoLockName(_)
            | Self::NoOperation(_)
            | Self::BodyTooLarge
            | Self::BodyBroke
            | Self::Unrepeatable(_)
            | Self::OtherOperation(_) => None,
        }
    }

    /// What the client and the log are told.
    pub(super) fn words(&self) -> Words {
        let (status, code, label) = self.kind();
        Words { status, code, message: self.message(), hint: self.hint(), label }
    }

    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoLockName(_) => (StatusCode::BAD_REQUEST, "LARDER400", "lock-without-name"),
            Self::NoOperation(_) => (StatusCode::BAD_REQUEST, "LARDER400", "operation-without-name"),
            Self::BodyBroke => (StatusCode::BAD_REQUEST, "LARDER400", "client-broke-off"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "LARDER413", "body-too-large"),
            Self::Busy(_) => (StatusCode::CONFLICT, "LARDER409", "lock-busy"),
            Self::InProgress => (StatusCode::CONFLICT, "LARDER409", "in-progress"),
            Self::Doubtful => (StatusCode::CONFLICT, "LARDER409", "outcome-unknown"),
            Self::Unrepeatable(_) => (StatusCode::CONFLICT, "LARDER409", "unrepeatable"),
            Self::OtherOperation(_) => (StatusCode::UNPROCESSABLE_ENTITY, "LARDER422", "other-operation"),
            Self::Limited(_) => (StatusCode::TOO_MANY_REQUESTS, "LARDER429", "limited"),
            Self::StoreDown => (StatusCode::SERVICE_UNAVAILABLE, "LARDER503", "guard-store-down"),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NoLockName(NoLockName { placeholder, is_ambiguous: true, .. }) => {
                format!("this request is locked by {placeholder}, which has several values in it")
            }
            Self::NoLockName(NoLockName { placeholder, is_ambiguous: false, .. }) => {
                format!("this request is locked by {placeholder}, which has no value in it")
            }
            Self::NoOperation(NoOperation::Missing(header)) => format!("the header {header} is missing"),
            Self::NoOperation(NoOperation::Unusable(header)) => {
                format!("the header {header} is empty, repeated, too long or not text")
            }
            Self::BodyBroke => "the request's body broke off".into(),
            Self::BodyTooLarge => "the body is larger than the 1 MiB that a guarded request may have".into(),
            Self::Busy(message) => message.to_string(),
            Self::InProgress => "operation already in progress".into(),
            Self::Doubtful => "outcome unknown".into(),
            Self::Unrepeatable(status) => {
                format!("already done, and answered with {status}; that answer was not kept")
            }
            Self::OtherOperation(header) => format!("something else was asked for with this {header}"),
            Self::Limited(_) => "too many requests".into(),
            Self::StoreDown => "whether this may be done now cannot be found out".into(),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::NoLockName(_) => {
                "Send exactly one plain value: in the JSON body or as a filter `column=eq.value`."
            }
            Self::NoOperation(NoOperation::Missing(_)) => {
                "Send a new UUID with each operation, and the same one when you repeat it."
            }
            Self::NoOperation(NoOperation::Unusable(_)) => "Send it once, with at most 255 characters.",
            Self::BodyBroke | Self::BodyTooLarge => "Nothing was done.",
            Self::Busy(_) => "Nothing was done this time: the first request is still being answered.",
            Self::InProgress => "Ask again after Retry-After with the same key: the answer is repeated.",
            Self::Doubtful => {
                "It may have been done. Look before you send it with a new key; an operator can clear this one."
            }
            Self::Unrepeatable(_) => "Do not send it again: read what it changed.",
            Self::OtherOperation(_) => "Send a new one with each operation; nothing was done this time.",
            Self::Limited(_) | Self::StoreDown => "Nothing was done: come again after Retry-After.",
        }
    }
}
