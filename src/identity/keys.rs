//! Which keys are trusted, and for whose tokens?
//!
//! An algorithm belongs to a key, not to a token: a public key is never used
//! as a secret, whatever a token's header says. A key vouches for its own
//! issuers only, so that one issuer cannot sign in another's name.

use std::fmt;
use std::sync::Arc;

use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::jwk::PublicKeys;
use super::reason::Reason;
use super::token::{Algorithm, Token};

/// Shortest secret, in bytes: as long as the hash, which is PostgREST's own limit too.
const SECRET_BYTES_MIN: usize = 32;

/// Whose tokens a key may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuers {
    /// Tokens with one of these in `iss`.
    Only(Vec<String>),
    /// Any token, also one without `iss`. For a secret that only the operator's own servers know.
    Any,
}

impl Issuers {
    pub(super) fn include(&self, issuer: Option<&str>) -> bool {
        match self {
            Self::Only(names) => issuer.is_some_and(|issuer| names.iter().any(|name| name == issuer)),
            Self::Any => true,
        }
    }
}

/// Why a secret is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretMistake {
    /// Guessable, or not the secret at all.
    #[error("a secret for tokens has at least {SECRET_BYTES_MIN} bytes")]
    Short,
}

/// Everything that tokens are verified with; replaced as a whole.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: Option<Arc<str>>,
    material: Material,
    issuers: Arc<Issuers>,
}

/// What a key is made of, which decides its algorithm.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Public {
    /// A point, uncompressed.
    P256([u8; 65]),
    /// Modulus and exponent, without leading zeros.
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Ed25519([u8; 32]),
}

#[derive(Clone)]
enum Material {
    Secret(hmac::Key),
    Public(Public),
}

impl Keys {
    /// Keys for HS256: every secret vouches for these issuers.
    pub fn new<S: AsRef<[u8]>>(secrets: &[S], issuers: Issuers) -> Result<Self, SecretMistake> {
        let issuers = Arc::new(issuers);
        let key = |secret: &S| {
            let secret = secret.as_ref();
            if secret.len() < SECRET_BYTES_MIN {
                return Err(SecretMistake::Short);
            }
            let material = Material::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret));
            Ok(Key { id: None, material, issuers: Arc::clone(&issuers) })
        };
        Ok(Self { keys: secrets.iter().map(key).collect::<Result<_, _>>()? })
    }

    /// These keys and those.
    #[must_use]
    pub fn and(mut self, mut others: Self) -> Self {
        self.keys.append(&mut others.keys);
        self
    }

    /// These keys and a set of public ones, which vouches for these issuers.
    #[must_use]
    pub fn with(&self, set: &PublicKeys, issuers: Issuers) -> Self {
        let issuers = Arc::new(issuers);
        let more = set.keys.iter().map(|(id, public)| Key {
            id: id.clone(),
            material: Material::Public(public.clone()),
            issuers: Arc::clone(&issuers),
        });
        Self { keys: self.keys.iter().cloned().chain(more).collect() }
    }

    /// Whether nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whom the keys vouch for that verify this token; never empty.
    pub(super) fn verify(&self, token: &Token<'_>) -> Result<Vec<&Issuers>, Reason> {
        let candidates = self.candidates(token)?;
        let verified = candidates.into_iter().filter(|key| key.material.verifies(token));
        let issuers: Vec<&Issuers> = verified.map(|key| key.issuers.as_ref()).collect();
        if issuers.is_empty() { Err(Reason::Signature) } else { Ok(issuers) }
    }

    fn candidates(&self, token: &Token<'_>) -> Result<Vec<&Key>, Reason> {
        let of_algorithm = |key: &&Key| key.material.algorithm() == token.algorithm;
        // Configured secrets have no ids: whatever a token calls its secret, each is tried.
        let id = token.key_id.as_deref().filter(|_| token.algorithm != Algorithm::Hs256);
        let Some(id) = id else {
            let keys: Vec<&Key> = self.keys.iter().filter(of_algorithm).collect();
            return if keys.is_empty() { Err(Reason::NoKey) } else { Ok(keys) };
        };
        let named = |key: &&Key| key.id.as_deref() == Some(id);
        let mut keys = self.keys.iter().filter(named).peekable();
        if keys.peek().is_none() {
            return Err(Reason::UnknownKey);
        }
        let keys: Vec<&Key> = keys.filter(of_algorithm).collect();
        if keys.is_empty() { Err(Reason::Algorithm) } else { Ok(keys) }
    }
}

impl Material {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Secret(_) => Algorithm::Hs256,
            Self::Public(Public::P256(_)) => Algorithm::Es256,
            Self::Public(Public::Rsa { .. }) => Algorithm::Rs256,
            Self::Public(Public::Ed25519(_)) => Algorithm::EdDsa,
        }
    }

    fn verifies(&self, token: &Token<'_>) -> bool {
        let (message, signature) = (token.signed, token.signature.as_slice());
        let verified = match self {
            Self::Secret(secret) => hmac::verify(secret, message, signature),
            Self::Public(Public::P256(point)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::Public(Public::Rsa { modulus, exponent }) => {
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(
                    &RSA_PKCS1_2048_8192_SHA256,
                    message,
                    signature,
                )
            }
            Self::Public(Public::Ed25519(point)) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("algorithm", &self.material.algorithm()).finish_non_exhaustive()
    }
}
