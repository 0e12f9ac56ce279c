//! What do the header lines say about framing, the host and the connection?

use http::{HeaderMap, HeaderValue};
use memchr::memchr;

use super::authority::vet_authority;
use super::fault::Fault;
use crate::upstream::{connection_options, is_end_to_end};

/// Header lines in one request: what hyper allows on HTTP/1, held on HTTP/2 too.
const HEADER_LINES_MAX: usize = 100;

/// Names in all `Connection` headers together. Real clients send three.
const CONNECTION_NAMES_MAX: usize = 32;

/// Bytes of a declared body. Twice the largest object that Supabase Storage takes; beyond that a length
/// is an attack on somebody's arithmetic.
const DECLARED_BODY_BYTES_MAX: u64 = 1 << 40;

/// Bytes of the longest protected name, with room: longer names alias nothing.
const ALIASED_NAME_BYTES_MAX: usize = 64;

/// What one pass over the headers brings to light.
#[derive(Default)]
pub(super) struct Seen<'a> {
    pub(super) host: Option<&'a str>,
    pub(super) has_body: bool,
    pub(super) offers_upgrade: bool,
    /// `Connection` names a header that is not about connections anyway.
    pub(super) takes_away: bool,
    /// Those headers that came and must not come again.
    singles: [bool; 4],
    connection_names: usize,
    coding: bool,
    length: Option<u64>,
}

/// Reads every line once, and refuses what two servers could read in two ways.
pub(super) fn read_lines(headers: &HeaderMap) -> Result<Seen<'_>, Fault> {
    if headers.len() > HEADER_LINES_MAX {
        return Err(Fault::HeadersTooMany);
    }
    let mut seen = Seen::default();
    for (name, value) in headers {
        match name.as_str() {
            "host" => seen.take_host(value)?,
            "connection" => seen.take_connection(value)?,
            "transfer-encoding" => seen.take_coding(value)?,
            "content-length" => seen.take_length(value)?,
            "expect" => vet_expectation(value)?,
            "authorization" => {
                seen.take_single(0, value, !starts_with_word(value.as_bytes().trim_ascii(), b"bearer"))?
            }
            "apikey" => seen.take_single(1, value, false)?,
            "accept-profile" => seen.take_single(2, value, false)?,
            "content-profile" => seen.take_single(3, value, false)?,
            other => vet_spelling(other)?,
        }
    }
    Ok(seen)
}

impl<'a> Seen<'a> {
    fn take_host(&mut self, value: &'a HeaderValue) -> Result<(), Fault> {
        if self.host.is_some() {
            return Err(Fault::HostRepeated);
        }
        let host = value.to_str().map_err(|_| Fault::HostMalformed)?;
        vet_authority(host)?;
        self.host = Some(host);
        Ok(())
    }

    fn take_connection(&mut self, value: &HeaderValue) -> Result<(), Fault> {
        for option in connection_options(value) {
            self.connection_names += 1;
            if self.connection_names > CONNECTION_NAMES_MAX {
                return Err(Fault::ConnectionTooLong);
            }
            if !option.iter().all(|&byte| is_token_byte(byte)) {
                return Err(Fault::ConnectionMalformed);
            }
            if is_end_to_end(option) {
                return Err(Fault::ConnectionNamesEndToEnd);
            }
            let is_upgrade = option.eq_ignore_ascii_case(b"upgrade");
            self.offers_upgrade |= is_upgrade;
            let is_usual =
                [&b"keep-alive"[..], b"close"].iter().any(|usual| option.eq_ignore_ascii_case(usual));
            self.takes_away |= !is_upgrade && !is_usual;
        }
        Ok(())
    }

    /// Refuses a second value, on its own line or behind a comma. Signatures of the S3 protocol have
    /// commas of their own, so for `authorization` only bearer tokens are looked into.
    fn take_single(&mut self, which: usize, value: &HeaderValue, may_list: bool) -> Result<(), Fault> {
        let is_second = std::mem::replace(&mut self.singles[which], true);
        if is_second || (!may_list && memchr(b',', value.as_bytes()).is_some()) {
            return Err(Fault::HeaderRepeated);
        }
        Ok(())
    }

    fn take_coding(&mut self, value: &HeaderValue) -> Result<(), Fault> {
        if self.coding {
            return Err(Fault::CodingRepeated);
        }
        self.coding = true;
        self.has_body = true;
        let coding = value.as_bytes().trim_ascii();
        if coding.eq_ignore_ascii_case(b"chunked") {
            return Ok(());
        }
        let only_chunked =
            coding.split(|&byte| byte == b',').all(|one| one.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        Err(if only_chunked { Fault::CodingRepeated } else { Fault::CodingUnknown })
    }

    fn take_length(&mut self, value: &HeaderValue) -> Result<(), Fault> {
        let length = decimal(value.as_bytes()).ok_or(Fault::LengthMalformed)?;
        if self.length.is_some_and(|earlier| earlier != length) {
            return Err(Fault::LengthMalformed);
        }
        if length > DECLARED_BODY_BYTES_MAX {
            return Err(Fault::BodyTooLarge);
        }
        self.length = Some(length);
        self.has_body |= length > 0;
        Ok(())
    }
}

/// Digits only; leading zeros are fine, because the length is written anew for the upstream.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // A number that does not fit is too large rather than malformed.
    Some(
        digits
            .iter()
            .fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))),
    )
}

fn vet_expectation(value: &HeaderValue) -> Result<(), Fault> {
    if value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
        return Ok(());
    }
    Err(Fault::ExpectationUnknown)
}

fn starts_with_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Refuses `content_length` and its like: CGI-like servers read `_` and `-` alike. Other names with `_` are
/// an application's own and pass through.
fn vet_spelling(name: &str) -> Result<(), Fault> {
    // names are short: looking at every byte is quicker than looking for the first
    if !name.bytes().fold(false, |found, byte| found | (byte == b'_')) {
        return Ok(());
    }
    let mut dashed = [0_u8; ALIASED_NAME_BYTES_MAX];
    let Some(dashed) = dashed.get_mut(..name.len()) else { return Ok(()) };
    for (to, from) in dashed.iter_mut().zip(name.bytes()) {
        *to = if from == b'_' { b'-' } else { from };
    }
    if is_end_to_end(dashed) || matches!(&*dashed, b"connection" | b"upgrade" | b"te" | b"trailer") {
        return Err(Fault::HeaderAliased);
    }
    Ok(())
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
