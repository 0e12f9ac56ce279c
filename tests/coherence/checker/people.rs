//! Who asks, and how is it told that a row is really theirs? Tokens and canaries.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use ring::hmac;
use serde::Deserialize;
use serde_json::json;

use super::words::{Register, Version, Who};

/// What everybody sends.
pub(crate) const PUBLISHABLE_KEY: &str = "sb_publishable_coherence_0000000000";
/// Signs the tokens; the proxies and the upstream know it.
pub(crate) const JWT_SECRET: &str = "coherence-jwt-secret-of-at-least-32-characters";
/// Makes the canaries; only the database and the checker know it.
const CANARY_SECRET: &[u8; 32] = b"coherence-canaries-of-32-bytes!!";
const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// In the year 2100: tokens are valid whenever this runs.
const NEVER: u64 = 4_102_444_800;

/// Makes and reads tokens.
#[derive(Debug)]
pub(crate) struct People {
    key: hmac::Key,
    canary: hmac::Key,
    bearers: Vec<HeaderValue>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

impl People {
    pub(crate) fn new() -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, JWT_SECRET.as_bytes());
        let canary = hmac::Key::new(hmac::HMAC_SHA256, CANARY_SECRET);
        let token = |who: &Who| match *who {
            Who::ANYBODY => PUBLISHABLE_KEY.to_owned(),
            who => token(&key, who),
        };
        let bearer =
            |who: &Who| HeaderValue::try_from(format!("Bearer {}", token(who))).expect("plain ASCII");
        Self { bearers: Who::ALL.iter().map(bearer).collect(), key, canary }
    }

    /// What somebody sends as `Authorization`.
    pub(crate) fn bearer(&self, who: Who) -> HeaderValue {
        self.bearers[usize::from(who.0)].clone()
    }

    /// Who sent this, if it is true.
    pub(crate) fn identify(&self, authorization: &HeaderValue) -> Option<Who> {
        let token = authorization.to_str().ok()?.strip_prefix("Bearer ")?;
        if token == PUBLISHABLE_KEY {
            return Some(Who::ANYBODY);
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.key, signed.as_bytes(), &signature).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        Who::ALL.into_iter().find(|who| who.name() == claims.sub)
    }

    /// Is this the canary of a register in a version?
    pub(crate) fn is_canary(&self, owner: &str, register: Register, version: Version, told: &str) -> bool {
        let tag = hmac::sign(&self.canary, format!("{owner}/{}/{version}", register.index()).as_bytes());
        hex(tag.as_ref()) == told
    }

    /// The schema, with the canaries' key in its place.
    pub(crate) fn schema(sql: &str) -> String {
        let pad = |with: u8| {
            let key = CANARY_SECRET.iter().copied().chain(std::iter::repeat(0)).take(64);
            hex(&key.map(|byte| byte ^ with).collect::<Vec<u8>>())
        };
        sql.replace("{ipad}", &pad(0x36)).replace("{opad}", &pad(0x5c))
    }
}

fn token(key: &hmac::Key, who: Who) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"sub": who.name(), "role": "authenticated", "aud": "authenticated", "exp": NEVER});
    let signed = part(json!({"alg": "HS256", "typ": "JWT"})) + "." + &part(claims);
    let signature = hmac::sign(key, signed.as_bytes());
    signed + "." + &URL_SAFE_NO_PAD.encode(signature)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
    }
    text
}
