//! Who signs the tokens of these tests?
//!
//! Every key here is for tests only and protects nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use ring::{hmac, rsa};

/// The secret of the project in these tests.
pub(super) const SECRET: &[u8] = b"a secret for tests only, 32 bytes and more";

/// Who issues the users' tokens in these tests.
pub(super) const ISSUER: &str = "https://project.example/auth/v1";

/// A 2048-bit key in PKCS#1, for tests only.
const RSA_KEY: &[u8] = include_bytes!("test_only_rsa_key.der");

/// One signing key of each kind.
pub(super) enum Signer {
    Secret(Vec<u8>),
    P256(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    pub(super) fn secret() -> Self {
        Self::Secret(SECRET.to_vec())
    }

    pub(super) fn p256() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap())
    }

    pub(super) fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::from_der(RSA_KEY).unwrap()))
    }

    pub(super) fn ed25519() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    /// The name of its algorithm.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::P256(_) => "ES256",
            Self::Rsa(_) => "RS256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    /// Its public key as it would stand in a key set, and in the forms an attacker may use as a secret.
    pub(super) fn public_bytes(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Secret(_) => Vec::new(),
            Self::P256(pair) => {
                vec![pair.public_key().as_ref().into(), pair.public_key().as_ref()[1..].into()]
            }
            Self::Rsa(pair) => {
                let parts = rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                vec![pair.public().as_ref().into(), parts.n]
            }
            Self::Ed25519(pair) => vec![pair.public_key().as_ref().into()],
        }
    }

    /// The member of a key set.
    pub(super) fn jwk(&self, id: &str) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let key = match self {
            Self::Secret(secret) => format!(r#""kty":"oct","k":"{}""#, text(secret)),
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                format!(
                    r#""kty":"EC","crv":"P-256","x":"{}","y":"{}""#,
                    text(&point[1..33]),
                    text(&point[33..])
                )
            }
            Self::Rsa(pair) => {
                let parts = rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                format!(r#""kty":"RSA","n":"{}","e":"{}""#, text(&parts.n), text(&parts.e))
            }
            Self::Ed25519(pair) => {
                format!(r#""kty":"OKP","crv":"Ed25519","x":"{}""#, text(pair.public_key().as_ref()))
            }
        };
        format!(r#"{{{key},"alg":"{}","use":"sig","kid":"{id}"}}"#, self.algorithm())
    }

    /// A token with any header and any claims.
    pub(super) fn sign_as(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let message = signed.as_bytes();
        let signature = match self {
            Self::Secret(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
            }
            Self::P256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token without a key id.
    pub(super) fn sign(&self, claims: &str) -> String {
        self.sign_as(&format!(r#"{{"alg":"{}","typ":"JWT"}}"#, self.algorithm()), claims)
    }

    /// A token that names its key.
    pub(super) fn sign_with_id(&self, id: &str, claims: &str) -> String {
        self.sign_as(&format!(r#"{{"alg":"{}","typ":"JWT","kid":"{id}"}}"#, self.algorithm()), claims)
    }
}

/// Claims of an ordinary user until 5000, and more, which begins with a comma.
pub(super) fn claims(more: &str) -> String {
    format!(r#"{{"iss":"{ISSUER}","sub":"ann","role":"authenticated","exp":5000{more}}}"#)
}

/// A key set of these members.
pub(super) fn key_set(members: &[String]) -> Vec<u8> {
    format!(r#"{{"keys":[{}]}}"#, members.join(",")).into_bytes()
}

pub(super) fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}
