//! Who asks?
//!
//! [`Verifier::identify`] looks at a request's `Authorization` and `apikey` and
//! gives an [`Identity`]. What it calls a user has been verified with a key
//! that the operator trusts, and is known by its claims, so that a refreshed
//! token stays the same user. Everything else is named, and never trusted.
//!
//! [`caller`] needs no keys: it tells callers apart by the bytes of both
//! headers and believes nothing, for rules that share an answer with nobody.
//!
//! # What a configuration allows
//!
//! | API keys | keys for tokens | Who is identified |
//! |---|---|---|
//! | none | none | callers without `apikey` and `Authorization`: anonymous |
//! | none | some | the same, and users who send no `apikey`: plain PostgREST |
//! | some | none | callers with a public key, signed out |
//! | some | some | callers with a public key, signed out or as users |
//!
//! Everybody else passes through. Without configured API keys nobody who sends
//! one is identified: which keys the gateway still accepts, and what they mean
//! there, only its operator knows.
//!
//! Headers stand in the fingerprint as well: a caller who sends a public key as
//! `apikey` alone and one who sends it as bearer too are both anonymous, but a
//! gateway may show SQL different claims for them.
//!
//! Deliberately absent: `jsonwebtoken`. Its back ends need cmake or the `rsa`
//! crate, and it decides little of what is decided here; `ring` is in the house
//! already, under TLS.

mod api_keys;
mod claim;
mod jwk;
mod keys;
mod opaque;
mod reason;
mod token;
mod user;
mod verifier;

pub use api_keys::{ApiKeyMistake, ApiKeys, PublicKind};
pub use claim::{Claim, Claims};
pub use jwk::{JWKS_BYTES_MAX, JwksMistake, PublicKeys};
pub use keys::{Issuers, Keys, SecretMistake};
pub use opaque::{APIKEY, Caller, Unkept, caller};
pub use reason::Reason;
pub use user::{IGNORED_CLAIMS, NEVER_IGNORED, User};
pub use verifier::Verifier;

use std::sync::Arc;

/// Database roles that row-level security does not hold back.
const PRIVILEGED_ROLES: [&str; 3] = ["service_role", "supabase_admin", "postgres"];

/// Longest token that is looked into, in bytes. Supabase's are under 2 KB.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Who asks, as far as that can be proven.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Signed out: a configured public API key and no token of a user, or neither where no API keys exist.
    Anonymous {
        /// Which kind of key was sent as `apikey`.
        apikey: Option<PublicKind>,
        /// When the first of the keys ends, in seconds since 1970.
        expires: Option<u64>,
    },
    /// Somebody whose token was verified.
    User {
        /// What the token says.
        user: Arc<User>,
        /// When the token or the API key ends, whichever is first, in seconds since 1970.
        expires: u64,
    },
    /// A service or secret key, anywhere: it sees every row, so nothing it sees is kept.
    Privileged,
    /// A verified token or a configured key that has ended or is not valid yet: only the upstream may say so.
    Expired,
    /// Anything that cannot be verified.
    Unverified(Reason),
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod signing_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;
