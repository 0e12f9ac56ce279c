//! What does a store that others share say of its entries to somebody who looks?

use crate::key::Tag;

use super::super::listing::Standing;
use super::Doing;

/// An entry in a store that others share, as the beginning of its record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Which one it is.
    pub standing: Standing,
    /// Its status.
    pub status: u16,
    /// When it was stored, in milliseconds since 1970.
    pub stored_at: u64,
    /// When it expires, in milliseconds since 1970.
    pub expires_at: u64,
    /// Bytes of its body.
    pub body_bytes: u64,
    /// Whether only those with a key can read it.
    pub is_sealed: bool,
    /// What it depends on, and whether that is as it was; nothing where the record does not tell.
    pub tags: Vec<(Tag, bool)>,
    /// Whether the run of the store that answers is the one that it was made under.
    pub is_of_this_run: bool,
}

/// Part of a list of what a shared store holds.
#[derive(Debug, Default)]
pub struct StoredPage {
    /// The entries.
    pub entries: Vec<Stored>,
    /// Where to go on; nothing at the end.
    pub next: Option<String>,
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPage {
    /// What is to be gone on from was never given out.
    #[error("that is no cursor of a list")]
    Cursor,
    /// The store does not say.
    #[error("{0}")]
    Store(String),
}

/// A list of what a shared store holds, where there is one.
pub(in super::super) type Listing<'a, T> = Doing<'a, Option<Result<T, NoPage>>>;
