//! May this request operate the proxy?
//!
//! Off loopback: whoever knows the token. On loopback a token is asked for only
//! where one was set, but the `Host` must be an address or `localhost`: a web
//! page that rebinds its own name to 127.0.0.1 sends its own name.

use std::fmt;
use std::net::IpAddr;

use http::header::{AUTHORIZATION, HOST};
use http::request::Parts;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// Shorter ones can be guessed: 16 random bytes are 128 bits.
const TOKEN_BYTES_MIN: usize = 16;

/// What an operator must know, kept as a digest only.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    digest: [u8; 32],
}

/// Who may ask, by what they know.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// Operators; off loopback they need one.
    pub operator: Option<Token>,
    /// Whoever tells of changes; without one nobody may.
    pub changes: Option<Token>,
}

/// A text that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// It could be guessed.
    #[error("the token is shorter than 16 bytes")]
    TooShort,
}

/// Why a request may not operate the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// The token is missing or wrong.
    Token,
    /// The name in `Host` is not this machine's.
    Host,
    /// Nobody may tell of changes: no token for that was set.
    NoTellers,
}

impl Token {
    /// Accepts a text as token.
    pub fn new(text: &str) -> Result<Token, TokenError> {
        if text.len() < TOKEN_BYTES_MIN {
            return Err(TokenError::TooShort);
        }
        Ok(Token { digest: digest(text.as_bytes()) })
    }

    /// Compares digests: neither the length of a guess nor its first bytes show in the time taken.
    fn is(&self, guess: &[u8]) -> bool {
        self.digest.ct_eq(&digest(guess)).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(…)")
    }
}

fn digest(text: &[u8]) -> [u8; 32] {
    *blake3::hash(text).as_bytes()
}

/// Decides whether a request may be answered.
pub(super) fn check(head: &Parts, token: Option<&Token>) -> Result<(), Denial> {
    match token {
        Some(token) if bearer(head).is_some_and(|guess| token.is(guess)) => Ok(()),
        Some(_) => Err(Denial::Token),
        None if is_addressed_to_this_machine(head) => Ok(()),
        None => Err(Denial::Host),
    }
}

/// Decides whether a request may tell of changes. Whoever operates the proxy may not by that alone.
pub(super) fn check_teller(head: &Parts, token: Option<&Token>) -> Result<(), Denial> {
    match token {
        None => Err(Denial::NoTellers),
        Some(token) if bearer(head).is_some_and(|guess| token.is(guess)) => Ok(()),
        Some(_) => Err(Denial::Token),
    }
}

/// The one bearer token of a request; two `Authorization` lines are none.
fn bearer(head: &Parts) -> Option<&[u8]> {
    let mut lines = head.headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let (scheme, token) = line.as_bytes().split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

fn is_addressed_to_this_machine(head: &Parts) -> bool {
    let mut lines = head.headers.get_all(HOST).iter();
    let host = match (lines.next(), lines.next(), head.uri.authority()) {
        (Some(line), None, None) => line.to_str().ok(),
        (None, None, Some(authority)) => Some(authority.as_str()),
        // Both are there in HTTP/2 and in absolute form: they must agree.
        (Some(line), None, Some(authority)) => line.to_str().ok().filter(|host| *host == authority.as_str()),
        (None, _, None) | (_, Some(_), _) => None,
    };
    host.is_some_and(|host| names_this_machine(without_port(host)))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

fn names_this_machine(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn head(headers: &[(&str, &str)]) -> Parts {
        let request =
            headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_the_token_opens() {
        let token = Token::new(TOKEN).unwrap();
        let rows: [(&[(&str, &str)], bool); 8] = [
            (&[("authorization", "Bearer 0123456789abcdef")], true),
            (&[("authorization", "bearer 0123456789abcdef")], true),
            (&[("authorization", "Bearer 0123456789abcde")], false),
            (&[("authorization", "Bearer 0123456789abcdef0")], false),
            (&[("authorization", "Basic 0123456789abcdef")], false),
            (&[("authorization", "Bearer ")], false),
            (&[("authorization", "Bearer 0123456789abcdef"), ("authorization", "Bearer x")], false),
            (&[("host", "localhost")], false),
        ];
        for (headers, open) in rows {
            assert_eq!(check(&head(headers), Some(&token)).is_ok(), open, "{headers:?}");
        }
    }

    #[test]
    fn changes_are_told_by_those_who_know_their_own_token_only() {
        let (token, other) = (Token::new(TOKEN).unwrap(), Token::new("fedcba9876543210").unwrap());
        let told = head(&[("host", "localhost"), ("authorization", "Bearer 0123456789abcdef")]);
        assert_eq!(check_teller(&told, Some(&token)), Ok(()));
        assert_eq!(check_teller(&told, Some(&other)), Err(Denial::Token));
        assert_eq!(check_teller(&told, None), Err(Denial::NoTellers));
        assert_eq!(check_teller(&head(&[("host", "localhost")]), Some(&token)), Err(Denial::Token));
    }

    #[test]
    fn without_a_token_the_host_is_an_address_or_localhost() {
        let rows = [
            ("127.0.0.1:8081", true),
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("[::1]:8081", true),
            ("10.1.2.3", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:8081", false),
            ("", false),
        ];
        for (host, open) in rows {
            assert_eq!(check(&head(&[("host", host)]), None).is_ok(), open, "{host}");
        }
        assert!(check(&head(&[]), None).is_err());
        assert!(check(&head(&[("host", "localhost"), ("host", "localhost")]), None).is_err());
    }

    #[test]
    fn a_token_is_long_and_never_shown() {
        assert_eq!(Token::new(&TOKEN[1..]), Err(TokenError::TooShort));
        assert_eq!(format!("{:?}", Token::new(TOKEN).unwrap()), "Token(…)");
    }
}
