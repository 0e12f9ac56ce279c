//! What keeps two different answers apart?
//!
//! A [`Question`] holds everything that is sent upstream for a cacheable read
//! and nothing else; its [`Fingerprint`] is a cryptographic hash over all of it, the
//! [`Terms`] on which it is asked included.
//! Equal fingerprints therefore mean byte-identical upstream requests, up to
//! the credentials of those who are verified to be the same for the rule's scope.

use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method};

use crate::sabotage::{self, Bug};

/// A hash over a question, unique among all questions ever asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 64 bits are enough to tell entries of one key apart by eye
        for byte in &self.0[..8] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Everything that is sent upstream for a cacheable read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Always GET today; part of the fingerprint so that it can never be confused.
    pub method: Method,
    /// Path and canonical query, exactly as sent.
    pub target: String,
    /// In which form it is asked and for whom; the same for many targets.
    pub terms: Arc<Terms>,
}

/// On which terms a question is asked: everything of it that headers say.
#[derive(Clone, PartialEq, Eq)]
pub struct Terms {
    /// The request's headers that may change the answer, in a fixed order.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers that prove who asks and are sent, but do not keep the answer apart:
    /// `sharing` does.
    credentials: Vec<(HeaderName, HeaderValue)>,
    /// Whom the answer is for, where that is not told by `headers` alone.
    sharing: String,
    /// Names of further headers that the rule declares; those that the caller
    /// sent are in `headers`. Fixed by the rules, which are hashed as context.
    vary: Vec<HeaderName>,
    /// Over `headers` and `sharing`: hashed once for all targets.
    digest: [u8; 32],
}

impl Terms {
    /// Puts the terms together, and hashes what keeps answers apart.
    pub fn new(
        headers: Vec<(HeaderName, HeaderValue)>,
        credentials: Vec<(HeaderName, HeaderValue)>,
        sharing: String,
        vary: Vec<HeaderName>,
    ) -> Self {
        let mut parts = Parts::with_capacity(2048);
        let is_blind = sabotage::is(Bug::IdentityLeftOut);
        parts.add(if is_blind { b"" } else { sharing.as_bytes() });
        for (name, value) in headers.iter().filter(|(name, _)| !is_blind || name != AUTHORIZATION) {
            parts.add(name.as_str().as_bytes());
            parts.add(value.as_bytes());
        }
        let digest = parts.digest();
        Self { headers, credentials, sharing, vary, digest }
    }

    /// The headers that are sent and keep the answer apart.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The headers that are sent as well, but do not.
    pub fn credentials(&self) -> &[(HeaderName, HeaderValue)] {
        &self.credentials
    }

    /// What keeps the answer apart in their place; empty where nothing does.
    pub fn sharing(&self) -> &str {
        &self.sharing
    }

    /// Further headers that keep answers apart, sent or not.
    pub fn vary(&self) -> &[HeaderName] {
        &self.vary
    }
}

impl Question {
    /// Hashes everything that is asked. `context` is what is the same for a
    /// whole rule set: the upstream and the digest of the rules.
    pub fn fingerprint(&self, context: &[u8; 32]) -> Fingerprint {
        let mut parts = Parts::with_capacity(128 + self.target.len());
        parts.add(context);
        parts.add(self.method.as_str().as_bytes());
        parts.add(self.target.as_bytes());
        parts.add(&self.terms.digest);
        Fingerprint(parts.digest())
    }
}

/// Parts to be hashed, each with its length before it, so that no two lists of
/// parts run together. One buffer: hashing many small pieces costs more than
/// hashing them together.
struct Parts(Vec<u8>);

impl Parts {
    fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    fn add(&mut self, part: &[u8]) {
        self.0.extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.0.extend_from_slice(part);
    }

    fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.0).as_bytes()
    }
}

/// Shows names only: the values hold credentials.
impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Terms").field("headers", &names).field("sharing", &self.sharing).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{ACCEPT, RANGE};

    fn question(target: &str, headers: &[(HeaderName, &str)]) -> Question {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let terms = Arc::new(Terms::new(headers, Vec::new(), String::new(), Vec::new()));
        Question { method: Method::GET, target: target.into(), terms }
    }

    #[test]
    fn parts_never_run_together() {
        let context = [7; 32];
        let questions = [
            question("/a", &[]),
            question("/ab", &[]),
            question("/a", &[(ACCEPT, "b")]),
            question("/a", &[(RANGE, "b")]),
            question("/a", &[(ACCEPT, "b"), (RANGE, "b")]),
            question("/a", &[(ACCEPT, "brange")]),
            question("/a", &[(ACCEPT, "")]),
        ];
        for (i, one) in questions.iter().enumerate() {
            for (j, other) in questions.iter().enumerate() {
                let same = one.fingerprint(&context) == other.fingerprint(&context);
                assert_eq!(same, i == j, "{one:?} {other:?}");
            }
        }
        let other_rules = questions[0].fingerprint(&[8; 32]);
        assert_ne!(questions[0].fingerprint(&context), other_rules);
    }

    #[test]
    fn a_question_never_prints_a_credential() {
        let secret = question("/a", &[(http::header::AUTHORIZATION, "Bearer canary")]);
        assert!(!format!("{secret:?}").contains("canary"));
    }
}
