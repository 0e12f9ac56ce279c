//! How true is what one process remembers to what was written through another?

use std::fmt;

/// What a read may rely on, and what a write therefore waits for. Later ones promise more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consistency {
    /// Another process's write is seen at most a second late.
    Bounded,
    /// A read that starts after a write was acknowledged sees it, through whichever process.
    #[default]
    Fresh,
    /// Nor does any read see an older row than an earlier read did: while a write is under way,
    /// what it may change is read from the upstream.
    Strict,
}

impl Consistency {
    /// Every word for it, from the least to the most that is promised.
    pub const ALL: [Self; 3] = [Self::Bounded, Self::Fresh, Self::Strict];

    /// Reads the word that stands in settings and rules.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|consistency| consistency.as_str() == word)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounded => "bounded",
            Self::Fresh => "fresh",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for consistency in Consistency::ALL {
            assert_eq!(Consistency::parse(consistency.as_str()), Some(consistency));
        }
        assert_eq!(Consistency::parse("eventual"), None);
    }
}
