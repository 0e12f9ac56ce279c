//! Which API keys mean "signed out"?
//!
//! Only public keys are configured. Service and secret keys are recognised by
//! what they look like, so that a cache never has to be told one.

use std::fmt;

use super::claim::{Claim, read_claims};
use super::keys::Keys;
use super::opaque::claims_privilege;
use super::reason::Reason;
use super::token::Token;

/// What new public keys begin with.
const PUBLISHABLE: &str = "sb_publishable_";

/// The role of signed-out callers, which a legacy public key names.
const SIGNED_OUT_ROLE: &str = "anon";

/// Why a text is no public API key. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyMistake {
    /// It would be of no use here, and should be known to as few as possible.
    #[error("this is a service or secret key: larder recognises those by itself and must not be given one")]
    Privileged,
    /// Neither of the two forms of Supabase's keys.
    #[error("neither `sb_publishable_…` nor the JWT of the role `anon`")]
    Unknown,
}

/// The forms of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKind {
    /// `sb_publishable_…`.
    Publishable,
    /// A JWT with the role `anon`, believed because the operator configured it.
    LegacyAnon,
}

impl PublicKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publishable => "publishable",
            Self::LegacyAnon => "anon",
        }
    }
}

/// A public key and what is known about it.
#[derive(Clone)]
pub(super) struct PublicKey {
    text: String,
    pub(super) kind: PublicKind,
    /// When it ends, in seconds since 1970. Its other claims decide nothing here.
    pub(super) expires: Option<u64>,
}

/// The configured public API keys.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys {
    keys: Vec<PublicKey>,
}

impl ApiKeys {
    /// Reads every key, or names the first that is none by its position.
    pub fn new<S: AsRef<str>>(keys: &[S]) -> Result<Self, (usize, ApiKeyMistake)> {
        let keys = keys.iter().enumerate();
        let keys =
            keys.map(|(index, key)| PublicKey::parse(key.as_ref()).map_err(|mistake| (index, mistake)));
        Ok(Self { keys: keys.collect::<Result<_, _>>()? })
    }

    /// Whether none is configured.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key with which signed-out reads are made: the first that was configured.
    pub fn first(&self) -> Option<&str> {
        self.keys.first().map(|key| key.text.as_str())
    }

    /// What is known of each: its kind, and when it ends, in seconds since 1970.
    pub fn known(&self) -> impl Iterator<Item = (PublicKind, Option<u64>)> {
        self.keys.iter().map(|key| (key.kind, key.expires))
    }

    /// Whether these keys signed the first legacy key; nothing where there is none, or no key of its kind.
    pub fn are_signed_by(&self, keys: &Keys) -> Option<bool> {
        let legacy = self.keys.iter().find(|key| key.is_token())?;
        let token = Token::parse(&legacy.text).ok()?;
        match keys.verify(&token) {
            Ok(_) => Some(true),
            Err(Reason::Signature) => Some(false),
            Err(_) => None,
        }
    }

    /// These keys stand in every visitor's browser, so how long a comparison takes gives nothing away.
    pub(super) fn find(&self, text: &[u8]) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.text.as_bytes() == text)
    }
}

impl PublicKey {
    fn parse(text: &str) -> Result<Self, ApiKeyMistake> {
        if claims_privilege(text) {
            return Err(ApiKeyMistake::Privileged);
        }
        if let Some(rest) = text.strip_prefix(PUBLISHABLE) {
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            let is_good = !rest.is_empty() && rest.bytes().all(is_word);
            let key = Self { text: text.to_owned(), kind: PublicKind::Publishable, expires: None };
            return if is_good { Ok(key) } else { Err(ApiKeyMistake::Unknown) };
        }
        let payload = Token::parse(text).and_then(|token| token.payload());
        let claims = payload.and_then(|json| read_claims(&json).map_err(|_| Reason::Claims));
        let claims = claims.map_err(|_| ApiKeyMistake::Unknown)?;
        let is_public = claims.get("role").and_then(Claim::as_str) == Some(SIGNED_OUT_ROLE);
        let expires = match claims.get("exp") {
            None => None,
            Some(end) => Some(end.as_seconds().ok_or(ApiKeyMistake::Unknown)?),
        };
        if !is_public {
            return Err(ApiKeyMistake::Unknown);
        }
        Ok(Self { text: text.to_owned(), kind: PublicKind::LegacyAnon, expires })
    }

    /// Whether this is the key that was sent.
    pub(super) fn is(&self, sent: &str) -> bool {
        self.text == sent
    }

    /// Whether it is a token, which PostgREST can read, and not a word that only a gateway understands.
    pub(super) fn is_token(&self) -> bool {
        match self.kind {
            PublicKind::LegacyAnon => true,
            PublicKind::Publishable => false,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn only_public_keys_are_taken() {
        let jwt = |claims: &str| {
            format!(
                "{}.{}.c2ln",
                URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#),
                URL_SAFE_NO_PAD.encode(claims)
            )
        };
        for (key, expected) in [
            ("sb_publishable_abc-_9".into(), Ok((PublicKind::Publishable, None))),
            ("sb_publishable_".into(), Err(ApiKeyMistake::Unknown)),
            ("sb_publishable_a b".into(), Err(ApiKeyMistake::Unknown)),
            (jwt(r#"{"role":"anon","iss":"supabase"}"#), Ok((PublicKind::LegacyAnon, None))),
            (jwt(r#"{"role":"anon","exp":2000}"#), Ok((PublicKind::LegacyAnon, Some(2000)))),
            (jwt(r#"{"role":"anon","exp":"2000"}"#), Err(ApiKeyMistake::Unknown)),
            (jwt(r#"{"role":"anon","role":"anon"}"#), Err(ApiKeyMistake::Unknown)),
            (jwt(r#"{"role":"authenticated","sub":"1"}"#), Err(ApiKeyMistake::Unknown)),
            (jwt(r#"{"role":"service_role"}"#), Err(ApiKeyMistake::Privileged)),
            ("sb_secret_abc".into(), Err(ApiKeyMistake::Privileged)),
            (String::new(), Err(ApiKeyMistake::Unknown)),
            ("anon".into(), Err(ApiKeyMistake::Unknown)),
        ] {
            let found = PublicKey::parse(&key).map(|key| (key.kind, key.expires));
            assert_eq!(found, expected, "{key}");
        }
        let keys = ApiKeys::new(&["sb_publishable_a", "sb_secret_b"]);
        assert_eq!(keys.unwrap_err(), (1, ApiKeyMistake::Privileged));
    }
}
