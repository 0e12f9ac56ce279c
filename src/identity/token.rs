//! What are the parts of a token?
//!
//! One spelling only: three parts of canonical base64url. What is looked at
//! here has not been verified; the claims are not looked at.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::TOKEN_BYTES_MAX;
use super::claim::read_object;
use super::reason::Reason;

/// Longest key id, in bytes. Issuers use 32 to 64.
const KEY_ID_BYTES_MAX: usize = 128;

/// Parameters by which a token would change the rules or bring its own key.
const NEVER_GRANTED: [&str; 5] = ["crit", "b64", "jku", "jwk", "x5u"];

/// The algorithms that are accepted. `none` is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Algorithm {
    /// HMAC with SHA-256: a secret shared with the issuer.
    Hs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// By the name that tokens and key sets use.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "ES256" => Some(Self::Es256),
            "RS256" => Some(Self::Rs256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A token's parts, not verified.
pub(super) struct Token<'t> {
    pub(super) algorithm: Algorithm,
    /// Names a key, in the characters that issuers use.
    pub(super) key_id: Option<String>,
    /// The bytes that were signed.
    pub(super) signed: &'t [u8],
    pub(super) signature: Vec<u8>,
    payload: &'t str,
}

impl<'t> Token<'t> {
    /// Takes a token apart.
    pub(super) fn parse(text: &'t str) -> Result<Self, Reason> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(Reason::TooLong);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Reason::NotAToken);
        };
        let (algorithm, key_id) = read_header(&decode(header)?)?;
        let signed = &text.as_bytes()[..header.len() + 1 + payload.len()];
        Ok(Self { algorithm, key_id, signed, signature: decode(signature)?, payload })
    }

    /// The claims as JSON. To be called once the signature has been verified.
    pub(super) fn payload(&self) -> Result<Vec<u8>, Reason> {
        decode(self.payload)
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Without padding, and refused where spare bits are not zero.
fn decode(part: &str) -> Result<Vec<u8>, Reason> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Reason::Encoding)
}

fn read_header(json: &[u8]) -> Result<(Algorithm, Option<String>), Reason> {
    let mut algorithm = None;
    let mut key_id = None;
    for (name, value) in read_object(json).map_err(|_| Reason::Header)? {
        if NEVER_GRANTED.contains(&name.as_str()) {
            return Err(Reason::HeaderParameter);
        }
        let text = || serde_json::from_str::<String>(value.get());
        match name.as_str() {
            "alg" => algorithm = Some(text().map_err(|_| Reason::Algorithm)?),
            "kid" => key_id = Some(text().map_err(|_| Reason::KeyId)?),
            _ => {}
        }
    }
    if key_id.as_deref().is_some_and(|id| !is_key_id(id)) {
        return Err(Reason::KeyId);
    }
    let algorithm = algorithm.as_deref().and_then(Algorithm::parse).ok_or(Reason::Algorithm)?;
    Ok((algorithm, key_id))
}

/// Uuids, digests, base64 and names: what issuers use. Anything else is an attempt at something.
pub(super) fn is_key_id(id: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(&byte);
    !id.is_empty() && id.len() <= KEY_ID_BYTES_MAX && id.bytes().all(is_usual) && !id.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Result<(Algorithm, Option<String>), Reason> {
        let text = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header));
        Token::parse(&text).map(|token| (token.algorithm, token.key_id.clone()))
    }

    #[test]
    fn g11_only_four_algorithms_exist() {
        for (name, expected) in [
            ("HS256", Ok(Algorithm::Hs256)),
            ("ES256", Ok(Algorithm::Es256)),
            ("RS256", Ok(Algorithm::Rs256)),
            ("EdDSA", Ok(Algorithm::EdDsa)),
            ("none", Err(Reason::Algorithm)),
            ("None", Err(Reason::Algorithm)),
            ("NONE", Err(Reason::Algorithm)),
            ("", Err(Reason::Algorithm)),
            ("hs256", Err(Reason::Algorithm)),
            ("HS512", Err(Reason::Algorithm)),
            ("PS256", Err(Reason::Algorithm)),
        ] {
            let found = parse(&format!(r#"{{"alg":"{name}"}}"#)).map(|(algorithm, _)| algorithm);
            assert_eq!(found, expected, "{name}");
        }
        for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["HS256"]}"#, r#"{"ALG":"HS256"}"#] {
            assert_eq!(parse(header), Err(Reason::Algorithm), "{header}");
        }
    }

    #[test]
    fn g13_a_header_asks_for_nothing() {
        for (rest, reason) in [
            (r#""crit":["exp"]"#, Reason::HeaderParameter),
            (r#""b64":false"#, Reason::HeaderParameter),
            (r#""jku":"https://evil.example/keys""#, Reason::HeaderParameter),
            (r#""x5u":"https://evil.example/keys""#, Reason::HeaderParameter),
            (r#""jwk":{"kty":"oct","k":"AAAA"}"#, Reason::HeaderParameter),
            (r#""kid":"../../etc/passwd""#, Reason::KeyId),
            (r#""kid":"' or 1=1""#, Reason::KeyId),
            (r#""kid":"a\u0000b""#, Reason::KeyId),
            (r#""kid":["a"]"#, Reason::KeyId),
            (r#""kid":null"#, Reason::KeyId),
            (r#""kid":"""#, Reason::KeyId),
            (r#""kid":"a","kid":"a""#, Reason::Header),
            (r#""alg":"none""#, Reason::Header),
        ] {
            assert_eq!(parse(&format!(r#"{{"alg":"ES256",{rest}}}"#)), Err(reason), "{rest}");
        }
        let long = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(10_000));
        assert_eq!(parse(&long), Err(Reason::KeyId));
        let usual = r#"{"alg":"ES256","typ":"JWT","kid":"0b6d1e3a-8c1c-4b54-8d1a-3f1f0d7f9d10"}"#;
        assert!(parse(usual).unwrap().1.is_some());
    }

    #[test]
    fn g14_one_spelling_and_a_bounded_size() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        for (text, reason) in [
            (String::new(), Reason::NotAToken),
            ("sb_publishable_x".into(), Reason::NotAToken),
            (format!("{header}.e30"), Reason::NotAToken),
            (format!("{header}.e30.AAAA."), Reason::NotAToken),
            (format!("{header}.e30.AAAA.AAAA.AAAA"), Reason::NotAToken),
            (format!("{header}=.e30.AAAA"), Reason::Encoding),
            (format!("{header}.e30.AA=="), Reason::Encoding),
            (format!("{header}.e30.AB"), Reason::Encoding),
            (format!("{header}.e30.A"), Reason::Encoding),
            (format!("{header}.e30.AA+A"), Reason::Encoding),
            (format!("{header}.e30.AA A"), Reason::Encoding),
            (format!("{header}.e30.AA\u{e9}"), Reason::Encoding),
            (".e30.AAAA".into(), Reason::Header),
            ("e30.e30.AAAA".into(), Reason::Algorithm),
            (format!("{header}.e30.{}", "A".repeat(64 * 1024)), Reason::TooLong),
        ] {
            assert_eq!(Token::parse(&text).err(), Some(reason), "{text:.60}");
        }
        let deep = format!(r#"{{"alg":"HS256","x":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(parse(&deep).unwrap().0, Algorithm::Hs256, "what is not looked at costs one pass");
        assert_eq!(parse(&"[".repeat(10_000)), Err(Reason::Header));
    }
}
