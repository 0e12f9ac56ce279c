//! What proves that a lock is one's own?

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes of a token: nobody guesses 128 bits.
const TOKEN_BYTES: usize = 16;

/// Proves that whoever has it took the lock, or began the operation.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one; `None` if the system has no randomness to give, which no system that runs this has.
    pub fn random() -> Option<Self> {
        let mut bytes = [0_u8; TOKEN_BYTES];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// What somebody says is a token. `None` if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 2 * TOKEN_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| Self(text.to_ascii_lowercase()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Never shown: whoever has it can release the lock.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
