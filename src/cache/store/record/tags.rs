//! How is it kept what generations are of?
//!
//! Each tag as the length of its text and its text. Not sealed, as neither the names of entries nor those of
//! generations are.

use bytes::Buf;

use crate::key::Tag;

use super::Unreadable;

/// Writes them, unless they are longer than a record can say: then nobody is told.
pub(super) fn written(tags: &[Tag]) -> Vec<u8> {
    let mut written = Vec::new();
    for text in tags.iter().map(Tag::as_str) {
        let Ok(length) = u16::try_from(text.len()) else { return Vec::new() };
        written.extend_from_slice(&length.to_be_bytes());
        written.extend_from_slice(text.as_bytes());
    }
    if u16::try_from(written.len()).is_ok() { written } else { Vec::new() }
}

/// Reads them, each with its generation; none where they were not told.
pub(super) fn read(mut written: &[u8], mut generations: &[u8]) -> Result<Vec<(Tag, u64)>, Unreadable> {
    let mut tags = Vec::new();
    while !written.is_empty() {
        let length = written.try_get_u16().map_err(|_cut| Unreadable::Malformed)?;
        let (text, rest) = written.split_at_checked(length.into()).ok_or(Unreadable::Malformed)?;
        let text = std::str::from_utf8(text).map_err(|_nobody_writes| Unreadable::Malformed)?;
        let generation = generations.try_get_u64().map_err(|_more_than_there_are| Unreadable::Malformed)?;
        tags.push((Tag::of_text(text), generation));
        written = rest;
    }
    if tags.is_empty() || generations.is_empty() { Ok(tags) } else { Err(Unreadable::Malformed) }
}
