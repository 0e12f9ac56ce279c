//! What tells an answer from every other one, for those who keep a copy of it?

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue, StatusCode};

use super::admission::tells_apart;
use super::form::Coding;

/// Changes whenever the same answer gets another validator.
const DOMAIN: &[u8] = b"larder validator 1";

/// Bytes of the hash that are told: nobody finds two answers that share so many.
pub(super) const TOLD_BYTES: usize = 16;

/// Characters of a validator between its quotes.
const TEXT_BYTES: usize = 22;

/// A strong validator: two answers have the same one only if status, headers that are data, and body
/// are the same. It is made of nothing else, so every proxy of a fleet makes the same one. In a store that
/// others share it stands beside the body, under the same checksum.
#[derive(Clone, PartialEq, Eq)]
pub struct Validator(HeaderValue);

impl Validator {
    /// The validator of a whole answer.
    pub(super) fn of(status: StatusCode, headers: &[(HeaderName, HeaderValue)], body: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&head_of(status, headers));
        hasher.update(body);
        let mut told = [0; TOLD_BYTES];
        hasher.finalize_xof().fill(&mut told);
        Self::told_as(told)
    }

    /// The one that was told as these bytes.
    pub(super) fn told_as(told: [u8; TOLD_BYTES]) -> Self {
        let mut quoted = [b'"'; TEXT_BYTES + 2];
        // always fits: so many bytes have so many characters, letters, digits, `-` and `_`
        let _written = BASE64_URL_SAFE_NO_PAD.encode_slice(told, &mut quoted[1..=TEXT_BYTES]);
        Self(HeaderValue::from_bytes(&quoted).unwrap_or(HeaderValue::from_static("\"\"")))
    }

    /// As bytes, for a record.
    pub(super) fn told(&self) -> [u8; TOLD_BYTES] {
        let mut told = [0; TOLD_BYTES];
        let text = self.0.as_bytes().get(1..=TEXT_BYTES).unwrap_or_default();
        let _read = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut told);
        told
    }

    /// As `ETag` says it of the answer as it came, in quotes.
    pub fn header(&self) -> &HeaderValue {
        &self.0
    }

    /// As `ETag` says it of the answer in a coding, or of the answer as it came.
    pub fn header_of(&self, coding: Option<Coding>) -> HeaderValue {
        let (Some(coding), Ok(quoted)) = (coding, self.0.to_str()) else { return self.0.clone() };
        let header = [quoted.trim_end_matches('"'), "-", coding.as_str(), "\""].concat();
        HeaderValue::try_from(header).unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// Which form of this answer a client means by what it wrote between quotes: one in a coding, or the
    /// one as it came.
    pub fn form_of(&self, opaque: &[u8]) -> Option<Option<Coding>> {
        let (text, coding) = taken_apart(opaque)?;
        (self.0.as_bytes().get(1..=TEXT_BYTES) == Some(text)).then_some(coding)
    }

    /// Whether a client can have what it wrote between quotes from here.
    pub fn may_be(opaque: &[u8]) -> bool {
        let is_told = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        taken_apart(opaque).is_some_and(|(text, _)| text.iter().all(is_told))
    }
}

/// The text of a validator, and the coding behind it.
fn taken_apart(opaque: &[u8]) -> Option<(&[u8], Option<Coding>)> {
    let (text, behind) = opaque.split_at_checked(TEXT_BYTES)?;
    let is_named = |coding: &Coding| behind.strip_prefix(b"-") == Some(coding.as_str().as_bytes());
    match Coding::ALL.into_iter().find(is_named) {
        None if !behind.is_empty() => None,
        coding => Some((text, coding)),
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Validator({:?})", self.0)
    }
}

/// What of an answer's head a validator is made of.
fn head_of(status: StatusCode, headers: &[(HeaderName, HeaderValue)]) -> Vec<u8> {
    let mut head = Vec::with_capacity(256);
    head.extend_from_slice(DOMAIN);
    head.extend_from_slice(&status.as_u16().to_le_bytes());
    let headers = || headers.iter().filter(|(name, _)| tells_apart(name));
    head.extend_from_slice(&headers().count().to_le_bytes());
    for (name, value) in headers() {
        for part in [name.as_str().as_bytes(), value.as_bytes()] {
            head.extend_from_slice(&part.len().to_le_bytes());
            head.extend_from_slice(part);
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_RANGE, CONTENT_TYPE};

    use super::*;

    #[test]
    fn equal_answers_have_equal_validators_and_others_do_not() {
        let line = |name: HeaderName, value| (name, HeaderValue::from_static(value));
        let json = line(CONTENT_TYPE, "application/json");
        let of = |status, headers: &[_], body: &str| {
            Validator::of(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes())
        };
        let all = [
            of(200, &[], "[1]"),
            of(206, &[], "[1]"),
            of(200, &[], "[2]"),
            of(200, &[], ""),
            of(200, std::slice::from_ref(&json), "[1]"),
            of(200, &[json.clone(), line(CONTENT_RANGE, "0-0/1")], "[1]"),
            of(200, &[json.clone(), line(CONTENT_RANGE, "0-0/2")], "[1]"),
        ];
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                assert_eq!(one == other, i == j, "{one:?} {other:?}");
            }
        }
        assert_eq!(of(200, std::slice::from_ref(&json), "[1]"), all[4]);
    }

    #[test]
    fn it_is_told_in_few_bytes_and_is_the_same_again() {
        let validator = Validator::of(StatusCode::OK, &[], b"[1]");
        assert_eq!(Validator::told_as(validator.told()), validator);
        assert_eq!(validator.header().len(), TEXT_BYTES + 2);
        assert_ne!(Validator::told_as([0; TOLD_BYTES]), validator);
    }

    #[test]
    fn it_is_recognised_by_what_stands_between_its_quotes() {
        let validator = Validator::of(StatusCode::OK, &[], b"[1]");
        let other = Validator::of(StatusCode::OK, &[], b"[2]");
        for coding in [None, Some(Coding::Gzip), Some(Coding::Zstd)] {
            let header = validator.header_of(coding);
            let text = header.to_str().unwrap().trim_matches('"').as_bytes();
            assert_eq!(validator.form_of(text), Some(coding));
            assert_eq!(other.form_of(text), None);
            assert!(Validator::may_be(text));
        }
        let text = validator.header().to_str().unwrap().trim_matches('"').to_owned();
        for foreign in
            ["", "x", "33a64df551425fcc55e4d42a148795d9f25f89d4", &format!("{text}x"), &format!("{text}-br")]
        {
            assert!(
                validator.form_of(foreign.as_bytes()).is_none() && !Validator::may_be(foreign.as_bytes()),
                "{foreign}"
            );
        }
    }
}
