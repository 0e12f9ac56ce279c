//! By which words does a content delivery network know what an answer depends on?
//!
//! A [`Label`] says what a [`Tag`] says in the letters that all of them take, and no longer than they allow. Two
//! tags may have the same label: then an answer is taken away that could have stayed. One tag never has two.

use std::fmt;

use http::HeaderValue;

use super::Tag;

/// Longest label. Cloudflare takes 120 characters in a call.
const LABEL_BYTES_MAX: usize = 100;

/// Characters of the hash at the end of one that is cut.
const HASH_BYTES: usize = 16;

/// A tag, as networks are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(Box<str>);

impl Label {
    /// The label of a tag.
    pub fn of(tag: &Tag) -> Self {
        // some compare letters without their case
        let text: String = tag.as_str().bytes().map(|byte| plain(byte.to_ascii_lowercase())).collect();
        if text.len() <= LABEL_BYTES_MAX {
            return Self(text.into());
        }
        let hash = blake3::hash(tag.as_str().as_bytes()).to_hex();
        let kept = LABEL_BYTES_MAX - HASH_BYTES - 1;
        Self([&text[..kept], "-", &hash[..HASH_BYTES]].concat().into())
    }

    /// The label as text: letters, digits, `.`, `:`, `=`, `_` and `-`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The labels of one answer, as headers say them.
#[derive(Clone, Debug)]
pub struct Labels {
    /// `Cache-Tag`, as Cloudflare and others read it.
    pub cache_tag: HeaderValue,
    /// `Surrogate-Key`, as Fastly and Varnish read it.
    pub surrogate_key: HeaderValue,
}

impl Labels {
    /// Longest of either header, in bytes: what passes every proxy on the way, with the rest of a head.
    pub const BYTES_MAX: usize = 2 * 1024;

    /// The labels of all tags of an answer; `None` where they are more than fit. Some of them would not do:
    /// a change of what the others stand for would not take the answer away.
    pub fn of(tags: &[Tag]) -> Option<Self> {
        let mut labels: Vec<Label> = tags.iter().map(Label::of).collect();
        labels.sort_unstable();
        labels.dedup();
        let joined = |separator| labels.iter().map(Label::as_str).collect::<Vec<_>>().join(separator);
        let header = |text: String| HeaderValue::try_from(text).ok();
        let (cache_tag, surrogate_key) = (joined(","), joined(" "));
        if labels.is_empty() || cache_tag.len() > Self::BYTES_MAX {
            return None;
        }
        Some(Self { cache_tag: header(cache_tag)?, surrogate_key: header(surrogate_key)? })
    }
}

/// A byte that every network takes. What data could end a list with becomes a `_`.
fn plain(byte: u8) -> char {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'.' | b':' | b'=' | b'-' => char::from(byte),
        _ => '_',
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Key, Table};

    #[test]
    fn labels_are_short_and_plain_whatever_the_data() {
        let table = Table::new("public", "properties");
        for (tag, label) in [
            (Tag::everything(), "everything"),
            (Tag::table(&table), "table:public.properties"),
            (Tag::row(&table, "id", "5"), "table:public.properties.id=5"),
            (Tag::unpinned(&table), "table:public.properties_unpinned"),
            (Tag::key(&Key::new("properties", "detail:5")), "key:properties:detail:5"),
            (Tag::of_text("key:a b,c\r\nX: y"), "key:a_b_c__x:_y"),
            (Tag::of_text("key:Thiès"), "key:thi__s"),
        ] {
            assert_eq!(Label::of(&tag).as_str(), label);
        }
    }

    #[test]
    fn headers_hold_all_labels_or_there_are_none() {
        let tags = |count| (0..count).map(|at| Tag::of_text(&format!("key:{at:090}"))).collect::<Vec<_>>();
        let labels = Labels::of(&[Tag::everything(), Tag::of_text("key:B"), Tag::of_text("key:b")]).unwrap();
        assert_eq!(
            (labels.cache_tag, labels.surrogate_key),
            ("everything,key:b".parse().unwrap(), "everything key:b".parse().unwrap())
        );
        assert!(Labels::of(&tags(20)).is_some());
        assert!(Labels::of(&tags(30)).is_none());
        assert!(Labels::of(&[]).is_none());
    }

    #[test]
    fn long_ones_are_told_apart_by_their_end() {
        let label = |end: &str| Label::of(&Tag::of_text(&["key:", &"x".repeat(300), end].concat()));
        assert_ne!(label("a"), label("b"));
        assert_eq!(label("a"), label("a"));
        assert_eq!(label("a").as_str().len(), LABEL_BYTES_MAX);
    }
}
