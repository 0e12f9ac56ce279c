//! Whom is an answer for, and with whose credentials is it fetched?
//!
//! Where nothing is configured to verify callers with, every answer is for the
//! very same `Authorization` and `apikey`, whatever the rule's scope. Otherwise
//! the scope decides, and who cannot be verified passes through.

use std::fmt::Write;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::identity::{APIKEY, Identity, Unkept, User, Verifier, caller};
use crate::key::Scope;

use super::Pass;
use super::terms::verbatim;

/// What tells answers for everybody apart from those for some.
pub(super) const EVERYBODY: &str = "public";

/// Who shares an answer.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    /// Headers that are sent and keep the answer apart.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers that are sent and do not.
    pub(super) credentials: Vec<(HeaderName, HeaderValue)>,
    /// What keeps the answer apart in their place.
    pub(super) told_apart_by: String,
    /// The user, where the answer is for whoever is alike.
    pub(super) user: Option<Arc<User>>,
    /// When the first of the caller's tokens ends, in seconds since 1970.
    pub(super) expires: Option<u64>,
}

/// Finds out who shares the answer to a read.
pub(super) fn sharing(
    scope: &Scope,
    verifier: Option<&Verifier>,
    sent: &HeaderMap,
    now_unix: u64,
) -> Result<Sharing, Pass> {
    let (Some(verifier), false) = (verifier, *scope == Scope::Token) else {
        return caller(sent, now_unix).map(|caller| by_bytes(sent, caller.expires)).map_err(unkept);
    };
    match verifier.identify(sent, now_unix) {
        Identity::Privileged => Err(Pass::ServiceKey),
        Identity::Expired => Err(Pass::ExpiredToken),
        Identity::Unverified(reason) => Err(Pass::Unverified(reason)),
        Identity::Anonymous { .. } | Identity::User { .. } if *scope == Scope::Public => {
            Ok(signed_out(verifier))
        }
        // which of its keys a caller sends where may matter to a gateway
        Identity::Anonymous { expires, .. } => Ok(by_bytes(sent, expires)),
        Identity::User { user, expires } => Ok(Sharing {
            headers: verbatim(&HeaderName::from_static(APIKEY), sent).collect(),
            credentials: verbatim(&AUTHORIZATION, sent).collect(),
            told_apart_by: told_apart(scope, &user),
            user: Some(user),
            expires: Some(expires),
        }),
    }
}

fn unkept(unkept: Unkept) -> Pass {
    match unkept {
        Unkept::Privileged => Pass::ServiceKey,
        Unkept::Expired => Pass::ExpiredToken,
        Unkept::Unreadable => Pass::UnreadableToken,
    }
}

fn by_bytes(sent: &HeaderMap, expires: Option<u64>) -> Sharing {
    let headers = [AUTHORIZATION, HeaderName::from_static(APIKEY)];
    Sharing {
        headers: headers.iter().flat_map(|name| verbatim(name, sent)).collect(),
        expires,
        ..Sharing::default()
    }
}

/// What anybody may see is fetched as somebody who is signed out, the way
/// supabase-js asks then, whoever caused the fetch.
fn signed_out(verifier: &Verifier) -> Sharing {
    let mut headers = Vec::new();
    if let Some(key) = verifier.api_keys().first()
        && let (Ok(apikey), Ok(bearer)) =
            (HeaderValue::try_from(key), HeaderValue::try_from(format!("Bearer {key}")))
    {
        headers = vec![(AUTHORIZATION, bearer), (HeaderName::from_static(APIKEY), apikey)];
    }
    Sharing { headers, told_apart_by: EVERYBODY.into(), ..Sharing::default() }
}

fn told_apart(scope: &Scope, user: &User) -> String {
    match scope {
        Scope::Public | Scope::Token => String::new(),
        Scope::Role => format!("role {}", user.role),
        Scope::User => hex("user", &user.digest),
        // the role decides which policies apply at all, so it is always part of it
        Scope::Claims(paths) => {
            let digest = user.digest_of(paths.iter().map(String::as_str));
            format!("{} of role {}", hex("claims", &digest), user.role)
        }
    }
}

fn hex(word: &str, digest: &[u8; 32]) -> String {
    digest.iter().fold(format!("{word} "), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
