//! Who asks, without any keys?
//!
//! A caller is told from every other by the whole of the `Authorization` and
//! `apikey` headers, byte for byte. Claims are read without believing them, and
//! only to be stricter: to keep away from keys that see everything, and to end
//! an answer's life with its token. Nothing is ever shared because of a claim.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{PRIVILEGED_ROLES, TOKEN_BYTES_MAX};

/// Name of the header that carries a Supabase API key.
pub const APIKEY: &str = "apikey";

/// A caller whose answers may be kept for that caller alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// When the first of its tokens ends, in seconds since 1970.
    pub expires: Option<u64>,
}

/// Why a caller's answers must not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unkept {
    /// A service or secret key: it sees every row, so nothing it sees is remembered.
    Privileged,
    /// A token that has ended: only the upstream may say so.
    Expired,
    /// A token that cannot be read: only the upstream knows what it means.
    Unreadable,
}

/// Reads the caller from a request's headers.
pub fn caller(headers: &HeaderMap, now_unix: u64) -> Result<Caller, Unkept> {
    let mut expires = None;
    for name in [AUTHORIZATION.as_str(), APIKEY] {
        for value in headers.get_all(name) {
            let text = value.to_str().map_err(|_| Unkept::Unreadable)?;
            if let Some(end) = credential_end(text)? {
                expires = Some(expires.map_or(end, |other: u64| other.min(end)));
            }
        }
    }
    match expires {
        Some(end) if end <= now_unix => Err(Unkept::Expired),
        Some(_) | None => Ok(Caller { expires }),
    }
}

/// Whether this credential says of itself that it sees everything; believed, because it only makes stricter.
pub(super) fn claims_privilege(text: &str) -> bool {
    credential_end(text) == Err(Unkept::Privileged)
}

/// When this credential ends, if it says so.
fn credential_end(text: &str) -> Result<Option<u64>, Unkept> {
    // `Bearer x`, `bearer  x` and a bare key alike: reading more forms only makes us stricter
    let blank = text.rfind(' ').max(text.rfind('\t'));
    let token = blank.map_or(text, |at| &text[at + 1..]);
    if token.starts_with("sb_secret_") {
        return Err(Unkept::Privileged);
    }
    let mut parts = token.split('.');
    let (Some(_header), Some(payload), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Ok(None); // not a JWT: an opaque key, told apart by its bytes
    };
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Unkept::Unreadable);
    }
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Unkept::Unreadable)?;
    let claims: Claims<'_> = serde_json::from_slice(&payload).map_err(|_| Unkept::Unreadable)?;
    let role = claims.role.0.map_or("", RawValue::get);
    if role.contains('\\') {
        return Err(Unkept::Unreadable); // an escape could hide a role's name
    }
    if PRIVILEGED_ROLES.contains(&role.trim_matches('"')) {
        return Err(Unkept::Privileged);
    }
    match claims.exp.0 {
        None => Ok(None),
        Some(end) => end.get().parse().map(Some).map_err(|_| Unkept::Unreadable),
    }
}

/// The two claims that make stricter; a claim that is given twice is no JSON to us.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims<'t> {
    #[serde(borrow)]
    role: Given<'t>,
    #[serde(borrow)]
    exp: Given<'t>,
}

/// A claim as it was written, `null` included.
#[derive(Default)]
struct Given<'t>(Option<&'t RawValue>);

impl<'de: 't, 't> Deserialize<'de> for Given<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(Some(raw)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn read(headers: &[(&'static str, String)]) -> Result<Option<u64>, Unkept> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        caller(&map, 1000).map(|caller| caller.expires)
    }

    #[test]
    fn keys_that_see_everything_are_recognised_wherever_they_stand() {
        let service = jwt(r#"{"role":"service_role","exp":9999}"#);
        let user = jwt(r#"{"role":"authenticated","sub":"1","exp":2000}"#);
        for (headers, expected) in [
            (vec![], Ok(None)),
            (vec![("apikey", "sb_publishable_x".into())], Ok(None)),
            (vec![("apikey", "sb_secret_x".into())], Err(Unkept::Privileged)),
            (vec![("authorization", "Bearer sb_secret_x".into())], Err(Unkept::Privileged)),
            (vec![("authorization", format!("Bearer {service}"))], Err(Unkept::Privileged)),
            (vec![("authorization", jwt(r#"{"role":"service\u005frole"}"#))], Err(Unkept::Unreadable)),
            (vec![("authorization", format!("bearer  {service}"))], Err(Unkept::Privileged)),
            (
                vec![("apikey", service.clone()), ("authorization", format!("Bearer {user}"))],
                Err(Unkept::Privileged),
            ),
            (
                vec![("apikey", "sb_publishable_x".into()), ("authorization", format!("Bearer {user}"))],
                Ok(Some(2000)),
            ),
        ] {
            assert_eq!(read(&headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn trap_28_nothing_outlives_its_token() {
        for (claims, expected) in [
            (r#"{"exp":1001}"#, Ok(Some(1001))),
            (r#"{"exp":1000}"#, Err(Unkept::Expired)),
            (r#"{"sub":"1"}"#, Ok(None)),
            (r#"{"exp":"9999999999"}"#, Err(Unkept::Unreadable)),
            (r#"{"exp":1.5}"#, Err(Unkept::Unreadable)),
            (r#"{"exp":-1}"#, Err(Unkept::Unreadable)),
            (r#"{"exp":null}"#, Err(Unkept::Unreadable)),
            ("not json", Err(Unkept::Unreadable)),
        ] {
            assert_eq!(read(&[("authorization", format!("Bearer {}", jwt(claims)))]), expected, "{claims}");
        }
        let both = [
            ("apikey", jwt(r#"{"exp":5000}"#)),
            ("authorization", format!("Bearer {}", jwt(r#"{"exp":3000}"#))),
        ];
        assert_eq!(read(&both), Ok(Some(3000)), "the first to end decides");
    }
}
