//! Why is there no answer from the upstream?

use std::error::Error;

use http::StatusCode;
use hyper_util::client::legacy::Error as ClientError;

use super::deadline::BodyFailure;
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
    /// The client broke off while it was still sending.
    #[error("the client broke off")]
    Client(#[source] ClientError),
    /// The client sent so slowly that it was no longer waited for.
    #[error("the client was too slow")]
    Slow(#[source] ClientError),
    /// So many reads ask already that this one was not sent.
    #[error("too many reads wait for the upstream")]
    Crowded,
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
    /// Tells apart whose fault an error of the connection is.
    pub(super) fn of(error: ClientError) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(found) = cause {
            // only a request's body fails like this before there is an answer
            match found.downcast_ref() {
                Some(BodyFailure::Slow | BodyFailure::Silent) => return Self::Slow(error),
                Some(BodyFailure::Broken(_)) => return Self::Client(error),
                None => {}
            }
            cause = found.source();
        }
        if error.is_connect() { Self::Connect(error) } else { Self::Broken(error) }
    }

    /// Is it the client's fault, not the upstream's?
    pub fn is_clients(&self) -> bool {
        matches!(self, Self::Client(_) | Self::Slow(_))
    }

    /// What a gateway answers for this.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Client(_) => StatusCode::BAD_REQUEST,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Connect(_) | Self::Broken(_) | Self::Bad(_) | Self::Target(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// Is it certain that the upstream never saw the request?
    pub fn never_sent(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Target(_) | Self::Crowded => true,
            Self::Broken(_) | Self::Client(_) | Self::Slow(_) | Self::Timeout | Self::Bad(_) => false,
        }
    }
}
