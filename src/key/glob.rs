//! `properties:city:*`: which keys does an operator mean?
//!
//! Not a rule's [`Pattern`](super::Pattern), which is a tag: this one is held against one key after
//! another. `*` stands for anything, colons included, and every other character for itself.

/// Longest text that is taken: no key comes near.
const GLOB_BYTES_MAX: usize = 1_000;

/// Most stars: each may be tried against the rest of a key.
const STARS_MAX: usize = 16;

/// Keys that an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGlob {
    text: String,
}

/// Why a text means no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyGlobMistake {
    /// Longer than any key.
    #[error("a pattern has at most {GLOB_BYTES_MAX} bytes")]
    Long,
    /// It would take too long.
    #[error("a pattern has at most {STARS_MAX} stars")]
    Stars,
}

impl KeyGlob {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, KeyGlobMistake> {
        if text.len() > GLOB_BYTES_MAX {
            return Err(KeyGlobMistake::Long);
        }
        if text.bytes().filter(|&byte| byte == b'*').count() > STARS_MAX {
            return Err(KeyGlobMistake::Stars);
        }
        Ok(Self { text: text.to_owned() })
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Does it mean this key? Each star takes as little as it can: what follows it is looked for
    /// once, so a key is read at most once for each star.
    pub fn matches(&self, key: &str) -> bool {
        let Some((first, rest)) = self.text.split_once('*') else { return self.text == key };
        let Some(mut left) = key.strip_prefix(first) else { return false };
        let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in between.split('*') {
            match left.find(part) {
                Some(at) => left = &left[at + part.len()..],
                None => return false,
            }
        }
        left.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_anything_and_all_else_is_itself() {
        for (glob, key, is_meant) in [
            ("*", "", true),
            ("*", "a:b", true),
            ("a:b", "a:b", true),
            ("a:b", "a:bc", false),
            ("a:*", "a:b:c", true),
            ("a:*", "b:a:", false),
            ("*:tenant:*", "fmpa:list:tenant:x", true),
            ("*:tenant:*", "fmpa:list:tenant", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*ba*c", "abbac", true),
            ("a*ba*c", "abac", true),
            ("a**c", "abc", true),
            ("a?c", "abc", false),
            ("a[b]c", "a[b]c", true),
            ("*b*b*", "abb", true),
            ("*b*b", "ab", false),
        ] {
            assert_eq!(KeyGlob::parse(glob).unwrap().matches(key), is_meant, "{glob} {key}");
        }
    }

    #[test]
    fn a_pattern_that_would_take_long_is_refused() {
        assert_eq!(KeyGlob::parse(&"*".repeat(17)), Err(KeyGlobMistake::Stars));
        assert_eq!(KeyGlob::parse(&"a".repeat(1_001)), Err(KeyGlobMistake::Long));
    }
}
