//! What is an operation called that must not be done twice?

use std::fmt;

use super::escape::escape;

/// Longest idempotency key that a client may send, in bytes: what payment services allow.
const KEY_BYTES_MAX: usize = 255;

/// Bytes of the digest that keeps equal keys of different callers and routes apart.
const DIGEST_BYTES: usize = 16;

/// An operation: what its client calls it, and whose and which it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationName(String);

impl OperationName {
    /// Names an operation. `None` if the key is empty or longer than any key needs to be.
    pub fn new(key: &str, caller: &[u8; 32], method: &str, path: &str) -> Option<Self> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return None;
        }
        let mut hasher = blake3::Hasher::new_derive_key("larder 2026 guard: an operation");
        for part in [key.as_bytes(), caller, method.as_bytes(), path.as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let digest = hasher.finalize().to_hex();
        Some(Self(format!("{}#{}", escape(key), &digest[..2 * DIGEST_BYTES])))
    }

    /// `key#digest`: printable ASCII without blanks.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its client called it that.
    pub fn is_called(&self, key: &str) -> bool {
        self.0.split_once('#').is_some_and(|(own, _)| own == escape(key))
    }
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_its_callers_and_its_routes() {
        let name = |key: &str, caller: u8, method: &str, path: &str| {
            OperationName::new(key, &[caller; 32], method, path).unwrap()
        };
        let one = name("k:1", 1, "POST", "/a");
        assert_eq!(one, name("k:1", 1, "POST", "/a"));
        for other in [
            name("k:2", 1, "POST", "/a"),
            name("k:1", 2, "POST", "/a"),
            name("k:1", 1, "PUT", "/a"),
            name("k:1", 1, "POST", "/b"),
        ] {
            assert_ne!(one, other);
        }
        assert!(one.as_str().starts_with("k%3A1#"), "{one}");
        assert!(one.is_called("k:1") && !one.is_called("k"));
        assert_eq!(OperationName::new("", &[0; 32], "POST", "/a"), None);
        assert_eq!(OperationName::new(&"x".repeat(256), &[0; 32], "POST", "/a"), None);
    }
}
