//! What is what called in a store that others use too?
//!
//! Entries are named for people: `<prefix>:<key>#<fingerprint>`. Everything by which
//! processes agree begins with `{<prefix>}`: the braces put it in one slot of a
//! cluster, so that one step there can change all of it, and keep it apart from entries.

use crate::key::{Fingerprint, Key, KeyGlob, Tag};

use super::super::super::listing::{SHOWN_BYTES, Standing};

/// A tag's text is part of a name up to this length; a hash stands for a longer one.
const TAG_BYTES_MAX: usize = 200;

/// So many bytes of a fingerprint tell the entries of one key apart; the record holds all of it.
const FINGERPRINT_BYTES: usize = SHOWN_BYTES;

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
    /// Where members say that they are alive.
    pub(super) alive: String,
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
            alive: of("alive"),
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

    /// Who is fetching an answer that nobody has.
    pub(super) fn turn(&self, fingerprint: &Fingerprint) -> String {
        let mut name = format!("{{{}}}:turn:", self.prefix);
        name.extend(digits(fingerprint));
        name
    }

    /// Who has changed something softly.
    pub(super) fn writer(&self, writer: &[u8; 32]) -> String {
        let mut name = format!("{{{}}}:writer:", self.prefix);
        name.extend(hex(writer));
        name
    }

    /// What the names of such entries look like to a server; a character that would be a wildcard
    /// there stands for any one.
    pub(super) fn entries_like(&self, glob: &KeyGlob) -> String {
        let literally = |c: char| if "?[]\\^".contains(c) { '?' } else { c };
        let prefix = self.prefix.chars().map(|c| if c == '*' { '?' } else { literally(c) });
        let key = glob.as_str().chars().map(literally);
        prefix.chain([':']).chain(key).chain(['#', '*']).collect()
    }

    /// Which entry is called that, if one is.
    pub(super) fn standing(&self, name: &str) -> Option<Standing> {
        let (key, variant) = name.strip_prefix(&self.prefix)?.strip_prefix(':')?.rsplit_once('#')?;
        let is_ours =
            variant.len() == 2 * FINGERPRINT_BYTES && variant.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_ours.then(|| Standing { key: Key::of(key), variant: variant.to_owned() })
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
    hex(&fingerprint.as_bytes()[..FINGERPRINT_BYTES])
}

fn hex(bytes: &[u8]) -> impl Iterator<Item = char> {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_known_by_its_name() {
        let names = Names::new("lar[d]er");
        let variant = "0123456789abcdef0123456789abcdef";
        let standing = names.standing(&format!("lar[d]er:a:b#{variant}")).unwrap();
        assert_eq!((standing.key.as_str(), standing.variant.as_str()), ("a:b", variant));
        for name in [
            "lar[d]er:a:b",
            "lar[d]er:a#b",
            "{lar[d]er}:g:namespace:a",
            "other:a:b#0",
            "lar[d]er:doctor:pace",
        ] {
            assert_eq!(names.standing(name), None, "{name}");
        }
        let like = names.entries_like(&KeyGlob::parse("a?b:*").unwrap());
        assert_eq!(like, "lar?d?er:a?b:*#*");
    }

    #[test]
    fn a_long_tag_has_a_short_name_of_its_own() {
        let names = Names::new("larder");
        let tag = |text: &str| names.generation(&Tag::namespace(text));
        assert_eq!(tag("a"), "{larder}:g:namespace:a");
        let (one, other) = (tag(&"a".repeat(5_000)), tag(&"a".repeat(5_001)));
        assert!(one.len() < TAG_BYTES_MAX && one != other);
    }
}
