//! What do processes tell one another?

use serde::{Deserialize, Serialize};

use crate::key::Tag;

/// A change that others hear of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Changed {
    /// Who carried it out, and waits.
    pub(super) by: String,
    /// Which of its changes it is.
    pub(super) number: u64,
    /// What may be different now.
    pub(super) tags: Vec<String>,
}

/// A member has heard of a change.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Confirmed {
    /// Who has.
    pub(super) by: String,
    /// Which of the changes of the member it is told to.
    pub(super) number: u64,
}

/// A write that may be under way.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intended {
    /// Markers stand on its tags.
    pub(super) is_marked: bool,
    /// What it may change.
    pub(super) tags: Vec<String>,
}

/// As it is sent. Texts and numbers can always be told.
pub(super) fn told(what: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(what).unwrap_or_default()
}

/// As it was sent; what cannot be read was sent by a stranger.
pub(super) fn heard<'m, T: Deserialize<'m>>(payload: &'m [u8]) -> Option<T> {
    serde_json::from_slice(payload).ok()
}

pub(super) fn texts(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(|tag| tag.as_str().to_owned()).collect()
}

pub(super) fn tags(texts: &[String]) -> Vec<Tag> {
    texts.iter().map(|text| Tag::of_text(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard() {
        let changed = Changed { by: "a".into(), number: 7, tags: vec!["table:x.\"\n".into()] };
        assert_eq!(heard::<Changed>(&told(&changed)), Some(changed));
        assert_eq!(heard::<Changed>(b"{\"by\":1}"), None);
    }
}
