//! As whom are canaries asked? The tokens of two users.

use http::HeaderValue;

/// Two users who must not see each other's rows. Never printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// What each of them sends as `Authorization`.
    pub(super) bearers: [HeaderValue; 2],
}

/// Why a text does not hold two tokens. No message repeats any of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensMistake {
    /// One, or three.
    #[error("not two tokens, one a line, but {0}")]
    Count(usize),
    /// One user cannot be told apart.
    #[error("the same token twice: two different users are needed")]
    Same,
    /// A blank, or something that no header can hold.
    #[error("the token in line {0} cannot be sent: write the token alone, without `Bearer`")]
    Unsendable(usize),
}

impl Tokens {
    /// Reads two tokens, one a line.
    pub fn parse(text: &str) -> Result<Self, TokensMistake> {
        let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
        let bearers = lines.map(|(index, token)| bearer(token).ok_or(TokensMistake::Unsendable(index + 1)));
        let bearers: Vec<HeaderValue> = bearers.collect::<Result<_, _>>()?;
        let bearers: [HeaderValue; 2] =
            bearers.try_into().map_err(|others: Vec<_>| TokensMistake::Count(others.len()))?;
        if bearers[0] == bearers[1] { Err(TokensMistake::Same) } else { Ok(Self { bearers }) }
    }
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    bearer.set_sensitive(true);
    (!token.contains([' ', '\t'])).then_some(bearer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tokens_are_two_lines_and_nothing_shows_them() {
        for (text, expected) in [
            ("", Err(TokensMistake::Count(0))),
            ("canary-a\n", Err(TokensMistake::Count(1))),
            ("canary-a\ncanary-b\ncanary-c", Err(TokensMistake::Count(3))),
            ("canary-a\ncanary-a", Err(TokensMistake::Same)),
            ("canary-a\n\nBearer canary-b", Err(TokensMistake::Unsendable(3))),
            ("canary-a\ncanary\u{1}b", Err(TokensMistake::Unsendable(2))),
            ("canary-a\r\n\n  canary-b  \n", Ok(["Bearer canary-a", "Bearer canary-b"])),
        ] {
            let tokens = Tokens::parse(text);
            let shown =
                format!("{tokens:?} {}", tokens.as_ref().err().map_or(String::new(), |e| e.to_string()));
            assert!(!shown.contains("canary"), "{shown}");
            let bearers =
                tokens.map(|tokens| tokens.bearers.map(|bearer| bearer.to_str().unwrap().to_owned()));
            assert_eq!(bearers, expected.map(|all| all.map(str::to_owned)), "{text:?}");
        }
    }
}
