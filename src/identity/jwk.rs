//! Which public keys does a key set hold?
//!
//! A set may hold keys that are of no use here; they are left out. A secret is
//! never taken from a set: sets are public.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::keys::Public;
use super::token::{Algorithm, is_key_id};

/// Largest key set, in bytes: the bound of a fetch too.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;

/// Most keys in a set. Supabase publishes one to three, the largest issuers about ten;
/// a token without a key id is tried against all of them.
const KEYS_MAX: usize = 32;

/// Smallest and largest modulus, in bytes, which are ring's limits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Longest exponent, in bytes: ring takes up to 33 bits, and everybody uses 65537.
const EXPONENT_BYTES_MAX: usize = 5;

/// Why a text is no key set. Nothing of the text is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksMistake {
    /// More than any issuer publishes.
    #[error("the key set is larger than {JWKS_BYTES_MAX} bytes")]
    Large,
    /// Not JSON, or without a list named `keys`.
    #[error("not a key set: no JSON object with a list of `keys`")]
    Shape,
    /// More than any issuer uses.
    #[error("the key set holds more than {KEYS_MAX} keys")]
    Many,
}

/// The public keys of one key set.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PublicKeys {
    pub(super) keys: Vec<(Option<Arc<str>>, Public)>,
}

#[derive(Deserialize)]
struct Set<'j> {
    #[serde(borrow)]
    keys: Vec<&'j RawValue>,
}

/// The members that matter, all of them texts.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl PublicKeys {
    /// Reads a key set and keeps the keys that can be used.
    pub fn parse(json: &[u8]) -> Result<Self, JwksMistake> {
        if json.len() > JWKS_BYTES_MAX {
            return Err(JwksMistake::Large);
        }
        let set: Set<'_> = serde_json::from_slice(json).map_err(|_| JwksMistake::Shape)?;
        if set.keys.len() > KEYS_MAX {
            return Err(JwksMistake::Many);
        }
        let readable = set.keys.iter().filter_map(|key| serde_json::from_str::<Jwk>(key.get()).ok());
        Ok(Self { keys: readable.filter_map(Jwk::into_key).collect() })
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none can be used; an issuer that signs with a secret publishes none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKeys").field("len", &self.len()).finish()
    }
}

impl Jwk {
    fn into_key(self) -> Option<(Option<Arc<str>>, Public)> {
        let is_for_signatures = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let may_verify = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !is_for_signatures || !may_verify {
            return None;
        }
        let (public, algorithm) = self.material()?;
        // A key that is declared for another algorithm (RSA-PSS, say) is not bent to this one.
        if self.alg.as_deref().is_some_and(|name| Algorithm::parse(name) != Some(algorithm)) {
            return None;
        }
        match self.kid {
            // No token that is accepted can name it.
            Some(id) if !is_key_id(&id) => None,
            id => Some((id.map(Arc::from), public)),
        }
    }

    fn material(&self) -> Option<(Public, Algorithm)> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => {
                let mut point = [4; 65]; // the first byte says: both coordinates follow
                point[1..33].copy_from_slice(&coordinate(self.x.as_deref())?);
                point[33..].copy_from_slice(&coordinate(self.y.as_deref())?);
                Some((Public::P256(point), Algorithm::Es256))
            }
            ("OKP", Some("Ed25519")) => {
                Some((Public::Ed25519(coordinate(self.x.as_deref())?), Algorithm::EdDsa))
            }
            ("RSA", _) => {
                let modulus = integer(self.n.as_deref())?;
                let exponent = integer(self.e.as_deref())?;
                let is_usual = MODULUS_BYTES.contains(&modulus.len())
                    && (1..=EXPONENT_BYTES_MAX).contains(&exponent.len());
                is_usual.then_some((Public::Rsa { modulus, exponent }, Algorithm::Rs256))
            }
            _ => None,
        }
    }
}

fn coordinate(text: Option<&str>) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text?).ok()?.try_into().ok()
}

/// Big-endian; some issuers write a leading zero, which ring refuses.
fn integer(text: Option<&str>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes[zeros..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COORDINATE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn kept(keys: &str) -> Result<usize, JwksMistake> {
        PublicKeys::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes()).map(|set| set.len())
    }

    #[test]
    fn only_public_keys_for_known_signatures_are_kept() {
        let modulus = URL_SAFE_NO_PAD.encode([0xff; 256]);
        let zero_first = URL_SAFE_NO_PAD.encode([&[0][..], &[0xff; 256]].concat());
        let ec = |more: &str| {
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{COORDINATE}","y":"{COORDINATE}"{more}}}"#)
        };
        let rsa = |n: &str, e: &str, more: &str| format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"{more}}}"#);
        for (keys, expected) in [
            (String::new(), 0),
            (ec(""), 1),
            (ec(r#","use":"sig","alg":"ES256","kid":"a","key_ops":["verify"],"ext":true"#), 1),
            (ec(r#","use":"enc""#), 0),
            (ec(r#","key_ops":["sign"]"#), 0),
            (ec(r#","alg":"HS256""#), 0),
            (ec(r#","alg":"RS256""#), 0),
            (ec(r#","kid":"../x""#), 0),
            (ec(r#","kid":7"#), 0),
            (format!(r#"{{"kty":"EC","crv":"P-256","x":"{COORDINATE}"}}"#), 0),
            (format!(r#"{{"kty":"EC","crv":"P-384","x":"{COORDINATE}","y":"{COORDINATE}"}}"#), 0),
            (format!(r#"{{"kty":"EC","crv":"P-256","x":"AA","y":"{COORDINATE}"}}"#), 0),
            (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{COORDINATE}","alg":"EdDSA"}}"#), 1),
            (format!(r#"{{"kty":"OKP","crv":"X25519","x":"{COORDINATE}"}}"#), 0),
            (rsa(&modulus, "AQAB", ""), 1),
            (rsa(&zero_first, "AAEAAQ", ""), 1),
            (rsa(&modulus, "AQAB", r#","alg":"PS256""#), 0),
            (rsa("AAEC", "AQAB", ""), 0),
            (rsa(&modulus, "AA", ""), 0),
            (rsa(&modulus, "AQEBAQEBAQE", ""), 0),
            (format!(r#"{{"kty":"oct","k":"{COORDINATE}","alg":"HS256"}}"#), 0),
            (format!(r#"7,null,"x",{{}},{}"#, ec("")), 1),
        ] {
            assert_eq!(kept(&keys), Ok(expected), "{keys}");
        }
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for garbage in
            ["", "null", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, "<html>", r#"{"keys":[]"#]
        {
            assert_eq!(PublicKeys::parse(garbage.as_bytes()), Err(JwksMistake::Shape), "{garbage}");
        }
        assert_eq!(PublicKeys::parse(&vec![b' '; JWKS_BYTES_MAX + 1]), Err(JwksMistake::Large));
        assert_eq!(kept(&["1"; KEYS_MAX + 1].join(",")), Err(JwksMistake::Many));
        let deep = format!(r#"{{"keys":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(PublicKeys::parse(deep.as_bytes()).is_ok_and(|set| set.is_empty()));
    }
}
