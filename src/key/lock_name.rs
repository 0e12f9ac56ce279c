//! What is a lock called, so that one row has one lock however a request spells its id?

use std::fmt;

use super::escape::escape;
use super::fold::spell;
use super::{Key, Piece, Placeholder, Template};

/// Longest name that an app may give, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// The name of a lock: `payment:5`. Equal for all spellings of one id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockName(Key);

/// Why a text is no name of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockNameMistake {
    /// Nothing.
    #[error("a lock has a name, as in payment:5")]
    Empty,
    /// Longer than any name needs to be.
    #[error("a lock's name has at most 512 bytes")]
    TooLong,
}

impl LockName {
    /// The name that an app gives: `payment:5` is what a rule's `payment:{lease_id}` becomes.
    pub fn parse(text: &str) -> Result<Self, LockNameMistake> {
        if text.is_empty() {
            return Err(LockNameMistake::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(LockNameMistake::TooLong);
        }
        let segments: Vec<String> =
            text.split(':').map(|segment| escape(&spell(segment)).into_owned()).collect();
        Ok(Self(Key::of(&segments.join(":"))))
    }

    /// The name that a rule gives, with exactly one value for each placeholder; fails with the first
    /// for which there is none.
    pub fn render<E>(
        template: &Template,
        mut value: impl FnMut(&Placeholder) -> Result<String, E>,
    ) -> Result<Self, E> {
        let mut rendered = String::new();
        for piece in template.pieces() {
            match piece {
                Piece::Literal(literal) => rendered.push_str(&literal.to_ascii_lowercase()),
                Piece::Value(placeholder) => rendered.push_str(&escape(&spell(&value(placeholder)?))),
            }
        }
        Ok(Self(Key::of(&rendered)))
    }

    /// As text: printable ASCII without blanks.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_and_a_rule_mean_the_same_lock() {
        let template = Template::parse("Payment:{lease_id}:{city}").unwrap();
        let values = |city: &'static str| {
            move |placeholder: &Placeholder| {
                Ok::<_, ()>(if placeholder.to_string() == "{city}" { city.into() } else { "007".to_owned() })
            }
        };
        let named = LockName::render(&template, values("Dakar")).unwrap();
        assert_eq!(named.as_str(), "payment:7:dakar");
        assert_eq!(named, LockName::parse("payment:7:Dakar").unwrap());
        let tricky = LockName::render(&template, values("a:b*, c")).unwrap();
        assert_eq!(tricky.as_str(), "payment:7:a%3Ab%2A,%20c");
        assert_eq!(LockName::render(&template, |_| Err(5)), Err(5));
    }

    #[test]
    fn what_is_no_name_says_why() {
        assert_eq!(LockName::parse(""), Err(LockNameMistake::Empty));
        assert_eq!(LockName::parse(&"x".repeat(513)), Err(LockNameMistake::TooLong));
        assert!(LockName::parse(&"x".repeat(512)).unwrap().as_str().len() <= 200, "shortened, with a digest");
    }
}
