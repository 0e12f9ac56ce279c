//! Which user is it, across refreshed tokens?
//!
//! Row-level security may read any claim, so every claim is part of who a user
//! is, except those that say only how fresh a token is.

use std::fmt;

use super::claim::{Claim, Claims, hash_part};

/// Claims that a refresh changes and that no policy should read. An operator may list others.
pub const IGNORED_CLAIMS: [&str; 6] = ["iat", "exp", "nbf", "jti", "session_id", "amr"];

/// Keeps these digests apart from all other hashes of this program.
const DIGEST_OF_USER: &str = "larder 2026 identity: all claims of a user";
const DIGEST_OF_CLAIMS: &str = "larder 2026 identity: chosen claims of a user";

/// Who issued a token decides what its other claims mean, so it is always looked at.
const ISSUER: &str = "iss";

/// Without these a user is not a user, so they are never ignored.
pub const NEVER_IGNORED: [&str; 3] = [ISSUER, "sub", "role"];

/// A user whose token was verified.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The database role.
    pub role: String,
    /// Everything that the token says.
    pub claims: Claims,
    /// Equal for two tokens exactly if they say the same, apart from the ignored claims.
    pub digest: [u8; 32],
    /// When the token ends, in seconds since 1970.
    pub expires: u64,
    /// When the token begins, in seconds since 1970.
    pub(super) begins: u64,
}

impl User {
    /// A user of whose claims the essential ones have been read.
    pub(super) fn new(role: String, claims: Claims, times: (u64, u64), ignored: &[String]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(DIGEST_OF_USER);
        for (name, claim) in &claims {
            if NEVER_IGNORED.contains(&name.as_str()) || !ignored.contains(name) {
                hash_part(&mut hasher, b'k', name.as_bytes());
                claim.hash_into(&mut hasher);
            }
        }
        let (begins, expires) = times;
        Self { role, claims, digest: hasher.finalize().into(), expires, begins }
    }

    /// A claim by its path: `sub`, `app_metadata.tenant_id`.
    pub fn claim(&self, dotted_path: &str) -> Option<&Claim> {
        let mut steps = dotted_path.split('.');
        let mut claim = self.claims.get(steps.next()?)?;
        for step in steps {
            let Claim::Map(inner) = claim else { return None };
            claim = inner.get(step)?;
        }
        Some(claim)
    }

    /// Equal for two users exactly if they have the same issuer and the same claims at these paths.
    pub fn digest_of<'p>(&self, dotted_paths: impl IntoIterator<Item = &'p str>) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(DIGEST_OF_CLAIMS);
        for path in [ISSUER].into_iter().chain(dotted_paths) {
            hash_part(&mut hasher, b'p', path.as_bytes());
            match self.claim(path) {
                Some(claim) => claim.hash_into(&mut hasher),
                None => hash_part(&mut hasher, b'-', &[]),
            }
        }
        hasher.finalize().into()
    }
}

/// The digest's beginning: enough to follow one user through a log, and nothing about them.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut start = String::with_capacity(16);
        for byte in &self.digest[..8] {
            fmt::Write::write_fmt(&mut start, format_args!("{byte:02x}"))?;
        }
        f.debug_struct("User").field("role", &self.role).field("digest", &start).finish_non_exhaustive()
    }
}
