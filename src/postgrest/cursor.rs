//! How does a parser walk over a parameter's text?
//!
//! A [`Cursor`] is two words and `Copy`: an alternative is tried on a copy, and
//! taken by writing the copy back. Nothing here allocates.

/// The text of one parameter that was not completely understood.
///
/// PostgREST's own parsers stop wherever their grammar ends and ignore what
/// follows. We demand that a grammar reaches the end of the text; what does not
/// is opaque: nothing may be concluded from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not in PostgREST's grammar to its last character")]
pub struct Opaque;

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(super) fn rest(self) -> &'a str {
        self.rest
    }

    pub(super) fn is_at_end(self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Whether the next character is one of these.
    pub(super) fn is_before(self, characters: &[char]) -> bool {
        self.peek().is_some_and(|next| characters.contains(&next))
    }

    /// Steps over `expected`, or stays where it is.
    pub(super) fn eat(&mut self, expected: &str) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// As [`Cursor::eat`], for use with `?`.
    pub(super) fn expect(&mut self, expected: &str) -> Option<()> {
        self.eat(expected).then_some(())
    }

    /// Steps over everything that satisfies `accepts` and returns it.
    pub(super) fn take_while(&mut self, accepts: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !accepts(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// Steps over `bytes` bytes, which must end on a character, and returns them.
    pub(super) fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    /// PostgREST allows blanks and tabs around most words.
    pub(super) fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// A character that may have blanks around it.
    pub(super) fn expect_between_blanks(&mut self, expected: &str) -> Option<()> {
        self.skip_blanks();
        self.expect(expected)?;
        self.skip_blanks();
        Some(())
    }

    /// The end of a grammar: everything must have been read.
    pub(super) fn finish<T>(self, parsed: T) -> Result<T, Opaque> {
        if self.is_at_end() { Ok(parsed) } else { Err(Opaque) }
    }
}
