//! What does an entry look like in a store that others can reach?
//!
//! Flat and binary, the body last, so that it is a slice of what came over the wire. Whatever the
//! store hands out is read as if an enemy had written it: bytes that are not exactly what was
//! written under this name are a closed [`Unreadable`], never a panic and never a body.
//!
//! ```text
//!  0  magic, 4 bytes          44  server, u64           72  header lines, u16
//!  4  format, u8              52  stored, unix ms, u64  74  their bytes, u32
//!  5  flags, u8               60  expires, unix ms, u64 78  body, bytes as kept, u32
//!  6  status, u16             68  generations, u16      82  body, bytes as served, u32
//!  8  digest of the name, 32  70  bytes of tags, u16       86  of no use from, unix ms, u64
//! 40  checksum, u32                                     94  generations, u64 each
//! then: what they are of, each as its length, u16, and its text; if sealed: key id, 8, and nonce, 12;
//! validator, 16; header lines; body; if sealed: tag, 16
//! ```

mod codec;
mod head;
mod keyring;
mod lines;
mod tags;

pub use codec::Codec;
pub use keyring::{Keyring, KeyringError};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::key::Tag;

use head::Head;

/// The format that is written and read. A name that holds it keeps versions of larder apart that
/// share a store and do not understand one another, so that they do not overwrite each other.
///
/// A record holds the validator of its answer, so validators that are made otherwise are another format.
pub const FORMAT: u8 = 3;

/// Bytes of a validator: a hash of what is kept, so it is sealed with it.
const VALIDATOR: usize = 16;

/// What is kept of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The run of the server that the generations are from.
    pub server: u64,
    /// The generations that were current before it was fetched.
    pub generations: Vec<u64>,
    /// When it was stored, in milliseconds since 1970.
    pub stored_at: u64,
    /// When it expires, in milliseconds since 1970.
    pub expires_at: u64,
    /// From when on it is of no use, in milliseconds since 1970.
    pub ends_at: u64,
    /// Its status.
    pub status: StatusCode,
    /// Its header lines, in their order.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What tells it from other answers.
    pub validator: [u8; VALIDATOR],
    /// Its body.
    pub body: Bytes,
}

/// So many bytes of a record are enough for the [`Outline`] of most.
pub(super) const OUTLINE_BYTES: usize = 1_024;

/// What the beginning of a record tells, whoever it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) server: u64,
    pub(super) stored_at: u64,
    pub(super) expires_at: u64,
    pub(super) status: u16,
    pub(super) body_bytes: u64,
    pub(super) is_sealed: bool,
    /// What it depends on, and the generations that this had.
    pub(super) tags: Vec<(Tag, u64)>,
    /// So many bytes of it are needed to tell of the tags.
    pub(super) bytes: usize,
}

impl Outline {
    /// Reads it, from a record or from its first bytes; nothing where it is none of ours. For people
    /// who look: whether the rest of it is as it was written is not seen here.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let head = Head::read_alone(bytes).ok()?;
        let generations = head::HEAD..head::HEAD + usize::from(head.generations) * 8;
        let names = generations.end..generations.end + usize::from(head.tag_bytes);
        let needed = names.end;
        let tags = match (bytes.get(generations), bytes.get(names)) {
            (Some(generations), Some(names)) => tags::read(names, generations).ok()?,
            _ => Vec::new(),
        };
        Some(Self {
            tags,
            bytes: needed,
            server: head.server,
            stored_at: head.stored_at,
            expires_at: head.expires_at,
            status: head.status,
            body_bytes: u64::from(head.body_bytes),
            is_sealed: head.is_sealed,
        })
    }
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not written by larder.
    #[error("not a record")]
    Foreign,
    /// Written by a version of larder that writes another format.
    #[error("a record of another format")]
    OtherFormat,
    /// Too short for what it says it holds, or too long.
    #[error("a record of another length than it says")]
    Cut,
    /// Some of it has changed since it was written.
    #[error("a record that does not match its checksum")]
    Corrupt,
    /// Written under another name.
    #[error("a record of another name")]
    OtherName,
    /// Sealed with a key that is not among ours.
    #[error("a record sealed with an unknown key (hint: LARDER_ENCRYPTION_KEYS)")]
    UnknownKey,
    /// Not sealed, though ours are.
    #[error("a record that is not sealed")]
    NotSealed,
    /// Sealed by somebody without the key, or changed since.
    #[error("a record whose seal is broken")]
    Forged,
    /// Its body is larger than any that is kept.
    #[error("a record larger than any that is kept")]
    TooLarge,
    /// Its body cannot be decompressed, or is of another length then.
    #[error("a record whose body does not decompress")]
    Compression,
    /// A status, flag or header line that nobody writes.
    #[error("a record that nobody writes")]
    Malformed,
}

impl Unreadable {
    /// For labels and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::OtherFormat => "other-format",
            Self::Cut => "cut",
            Self::Corrupt => "corrupt",
            Self::OtherName => "other-name",
            Self::UnknownKey => "unknown-key",
            Self::NotSealed => "not-sealed",
            Self::Forged => "forged",
            Self::TooLarge => "too-large",
            Self::Compression => "compression",
            Self::Malformed => "malformed",
        }
    }
}

/// Why an answer cannot be a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// More generations, header lines or bytes than a record can count.
    #[error("an answer with more than a record can hold")]
    TooLarge,
    /// The system gave no random bytes.
    #[error("no random bytes for a seal")]
    NoRandomness,
}

#[cfg(test)]
mod tests;
