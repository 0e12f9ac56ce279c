//! Why is there no answer from the upstream?

use http::StatusCode;
use hyper_util::client::legacy::Error as ClientError;

use super::headers::BadAnswer;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection came about: nothing was sent.
    #[error("cannot connect to the upstream")]
    Connect(#[source] ClientError),
    /// The connection broke before the head of an answer.
    #[error("the upstream broke off")]
    Broken(#[source] ClientError),
    /// No head of an answer within `--upstream-timeout`.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// An answer that must not be passed on.
    #[error(transparent)]
    Bad(BadAnswer),
    /// The target cannot be written as a request line.
    #[error("the target is no request line")]
    Target(#[source] http::Error),
}

impl Failure {
    /// What a gateway answers for this.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Connect(_) | Self::Broken(_) | Self::Bad(_) | Self::Target(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// Is it certain that the upstream never saw the request?
    pub fn never_sent(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Target(_) => true,
            Self::Broken(_) | Self::Timeout | Self::Bad(_) => false,
        }
    }
}
