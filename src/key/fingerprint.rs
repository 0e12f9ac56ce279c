//! What keeps two different answers apart?
//!
//! A [`Question`] holds everything that is sent upstream for a cacheable read
//! and nothing else; its [`Fingerprint`] is a cryptographic hash over all of it.
//! Equal fingerprints therefore mean byte-identical upstream requests, up to
//! the credentials of those who are verified to be the same for the rule's scope.

use std::fmt;

use http::{HeaderName, HeaderValue, Method};

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
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// Always GET today; part of the fingerprint so that it can never be confused.
    pub method: Method,
    /// Path and canonical query, exactly as sent.
    pub target: String,
    /// The request's headers that may change the answer, in a fixed order.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers that prove who asks and are sent, but do not keep the answer apart:
    /// `sharing` does.
    pub credentials: Vec<(HeaderName, HeaderValue)>,
    /// Whom the answer is for, where that is not told by `headers` alone.
    pub sharing: String,
    /// Names of further headers that the rule declares; those that the caller
    /// sent are in `headers`. Fixed by the rules, which are hashed as context.
    pub vary: Vec<HeaderName>,
}

impl Question {
    /// Hashes every part with its length before it, so that no two lists of
    /// parts run together. `context` is what is the same for a whole rule set:
    /// the upstream and the digest of the rules.
    pub fn fingerprint(&self, context: &[u8; 32]) -> Fingerprint {
        // one buffer: hashing many small pieces costs more than hashing them together
        let mut parts = Vec::with_capacity(2048);
        let mut part = |bytes: &[u8]| {
            parts.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            parts.extend_from_slice(bytes);
        };
        part(context);
        part(self.method.as_str().as_bytes());
        part(self.target.as_bytes());
        part(self.sharing.as_bytes());
        for (name, value) in &self.headers {
            part(name.as_str().as_bytes());
            part(value.as_bytes());
        }
        Fingerprint(*blake3::hash(&parts).as_bytes())
    }
}

/// Shows names and sizes only: the values hold credentials.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Question")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &names)
            .field("sharing", &self.sharing)
            .finish()
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
        let (credentials, sharing) = (Vec::new(), String::new());
        Question {
            method: Method::GET,
            target: target.into(),
            headers,
            credentials,
            sharing,
            vary: Vec::new(),
        }
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
