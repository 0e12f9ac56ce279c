//! What is what called in a store that others use too?
//!
//! Entries are named for people: `<prefix>:<key>#<fingerprint>`. Everything by which
//! processes agree begins with `{<prefix>}`: the braces put it in one slot of a
//! cluster, so that one step there can change all of it, and keep it apart from entries.

use crate::key::{Fingerprint, Key, Tag};

/// A tag's text is part of a name up to this length; a hash stands for a longer one.
const TAG_BYTES_MAX: usize = 200;

/// So many bytes of a fingerprint tell the entries of one key apart; the record holds all of it.
const FINGERPRINT_BYTES: usize = 16;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The names under one prefix.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
    pub(super) intents: String,
    pub(super) intended: String,
    pub(super) fleet: String,
    /// What stands before a member's identity.
    pub(super) member: String,
    /// Where changes are told.
    pub(super) changed: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        let of = |what: &str| format!("{{{prefix}}}:{what}");
        Self {
            prefix: prefix.to_owned(),
            intents: of("intents"),
            intended: of("intended"),
            fleet: of("fleet"),
            member: of("member:"),
            changed: of("changed"),
        }
    }

    pub(super) fn entry(&self, key: &Key, fingerprint: &Fingerprint) -> String {
        let mut name =
            String::with_capacity(self.prefix.len() + key.as_str().len() + 2 + 2 * FINGERPRINT_BYTES);
        name.extend([&self.prefix, ":", key.as_str(), "#"]);
        name.extend(digits(fingerprint));
        name
    }

    /// Who is fetching an answer again.
    pub(super) fn renewal(&self, fingerprint: &Fingerprint) -> String {
        let mut name = format!("{{{}}}:renewal:", self.prefix);
        name.extend(digits(fingerprint));
        name
    }

    /// Where a tag's current generation is.
    pub(super) fn generation(&self, tag: &Tag) -> String {
        self.of_tag(":g:", tag)
    }

    /// What is there while a write on a tag is under way.
    pub(super) fn marker(&self, tag: &Tag) -> String {
        self.of_tag(":p:", tag)
    }

    /// The writes on a tag that are under way.
    pub(super) fn writes(&self, tag: &Tag) -> String {
        self.of_tag(":w:", tag)
    }

    /// Where a member hears that others have heard.
    pub(super) fn confirmed(&self, member: &str) -> String {
        format!("{{{}}}:confirmed:{member}", self.prefix)
    }

    fn of_tag(&self, what: &str, tag: &Tag) -> String {
        let text = tag.as_str();
        if text.len() <= TAG_BYTES_MAX {
            return ["{", &self.prefix, "}", what, text].concat();
        }
        // no tag begins with a hash sign
        ["{", &self.prefix, "}", what, "#", blake3::hash(text.as_bytes()).to_hex().as_str()].concat()
    }
}

fn digits(fingerprint: &Fingerprint) -> impl Iterator<Item = char> {
    let bytes = fingerprint.as_bytes()[..FINGERPRINT_BYTES].iter();
    bytes.flat_map(|byte| [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_tag_has_a_short_name_of_its_own() {
        let names = Names::new("larder");
        let tag = |text: &str| names.generation(&Tag::namespace(text));
        assert_eq!(tag("a"), "{larder}:g:namespace:a");
        let (one, other) = (tag(&"a".repeat(5_000)), tag(&"a".repeat(5_001)));
        assert!(one.len() < TAG_BYTES_MAX && one != other);
    }
}
