//! What users send to say who they are.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::Ed25519KeyPair;

/// What the project signs with, long enough for a secret.
pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";

/// A token with these claims.
pub(crate) fn signed(claims: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    joined(r#"{"alg":"HS256"}"#, claims, |signed| hmac::sign(&key, signed).as_ref().to_vec())
}

/// The same of a project that signs with a key pair.
pub(crate) fn signed_by(pair: &Ed25519KeyPair, claims: &str) -> String {
    joined(r#"{"alg":"EdDSA","kid":"1"}"#, claims, |signed| pair.sign(signed).as_ref().to_vec())
}

/// The claims of a user, whose token ends at this time.
pub(crate) fn claims_of(user: &str, end: u64) -> String {
    format!(r#"{{"role":"authenticated","sub":"{user}","exp":{end}}}"#)
}

/// A user's token, which does not end.
pub(crate) fn token_of(user: &str) -> String {
    signed(&claims_of(user, 4_102_444_800))
}

fn joined(head: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", part(head.as_bytes()), part(claims.as_bytes()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", part(&signature))
}
