//! The part of a record that has the same length always.

use super::{FORMAT, Unreadable};

const MAGIC: [u8; 4] = *b"LRDR";

/// Where it says what has changed since it was written.
const CHECKSUM: std::ops::Range<usize> = 40..44;

/// Bytes of a head.
pub(super) const HEAD: usize = 94;

/// The body is compressed.
const COMPRESSED: u8 = 1;

/// Header lines and body are sealed.
const SEALED: u8 = 2;

/// All of a head but magic, format and checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) is_compressed: bool,
    pub(super) is_sealed: bool,
    pub(super) status: u16,
    pub(super) digest: [u8; 32],
    pub(super) server: u64,
    pub(super) stored_at: u64,
    pub(super) expires_at: u64,
    pub(super) ends_at: u64,
    pub(super) generations: u16,
    /// Bytes that tell what these are of.
    pub(super) tag_bytes: u16,
    pub(super) lines: u16,
    pub(super) line_bytes: u32,
    /// Bytes of the body in the record.
    pub(super) kept_bytes: u32,
    /// Bytes of the body that is served.
    pub(super) body_bytes: u32,
}

impl Head {
    /// With a checksum of zeros, which `write_checksum` replaces when all is written.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        let flags = if self.is_compressed { COMPRESSED } else { 0 } | if self.is_sealed { SEALED } else { 0 };
        into.extend_from_slice(&MAGIC);
        into.extend_from_slice(&[FORMAT, flags]);
        into.extend_from_slice(&self.status.to_be_bytes());
        into.extend_from_slice(&self.digest);
        into.extend_from_slice(&[0; 4]);
        for number in [self.server, self.stored_at, self.expires_at] {
            into.extend_from_slice(&number.to_be_bytes());
        }
        into.extend_from_slice(&self.generations.to_be_bytes());
        into.extend_from_slice(&self.tag_bytes.to_be_bytes());
        into.extend_from_slice(&self.lines.to_be_bytes());
        for number in [self.line_bytes, self.kept_bytes, self.body_bytes] {
            into.extend_from_slice(&number.to_be_bytes());
        }
        into.extend_from_slice(&self.ends_at.to_be_bytes());
    }

    /// Reads a head, and that nothing behind it has changed.
    pub(super) fn read(record: &[u8]) -> Result<Self, Unreadable> {
        let head = ours(record)?;
        if head[CHECKSUM] != checksum(record) {
            return Err(Unreadable::Corrupt);
        }
        Self::parse(head)
    }

    /// Reads a head, whatever is behind it.
    pub(super) fn read_alone(record: &[u8]) -> Result<Self, Unreadable> {
        Self::parse(ours(record)?)
    }

    fn parse(head: &[u8; HEAD]) -> Result<Self, Unreadable> {
        let flags = head[5];
        if flags & !(COMPRESSED | SEALED) != 0 {
            return Err(Unreadable::Malformed);
        }
        Ok(Self {
            is_compressed: flags & COMPRESSED != 0,
            is_sealed: flags & SEALED != 0,
            status: u16::from_be_bytes(at(head, 6)),
            digest: at(head, 8),
            server: u64::from_be_bytes(at(head, 44)),
            stored_at: u64::from_be_bytes(at(head, 52)),
            expires_at: u64::from_be_bytes(at(head, 60)),
            generations: u16::from_be_bytes(at(head, 68)),
            tag_bytes: u16::from_be_bytes(at(head, 70)),
            lines: u16::from_be_bytes(at(head, 72)),
            line_bytes: u32::from_be_bytes(at(head, 74)),
            kept_bytes: u32::from_be_bytes(at(head, 78)),
            body_bytes: u32::from_be_bytes(at(head, 82)),
            ends_at: u64::from_be_bytes(at(head, 86)),
        })
    }
}

/// The bytes of a head, if these are ours and of this format.
fn ours(record: &[u8]) -> Result<&[u8; HEAD], Unreadable> {
    let is_ours = record.starts_with(&MAGIC) || MAGIC.starts_with(record);
    let head = record.first_chunk().ok_or(if is_ours { Unreadable::Cut } else { Unreadable::Foreign })?;
    if !is_ours {
        return Err(Unreadable::Foreign);
    }
    if head[4] != FORMAT { Err(Unreadable::OtherFormat) } else { Ok(head) }
}

/// Bytes of a head from a place on. The places are those of the drawing in `mod.rs`.
fn at<const BYTES: usize>(head: &[u8; HEAD], place: usize) -> [u8; BYTES] {
    std::array::from_fn(|offset| head[place + offset])
}

/// Writes the checksum into a record that is otherwise whole.
pub(super) fn write_checksum(record: &mut [u8]) {
    let sum = checksum(record);
    if let Some(place) = record.get_mut(CHECKSUM) {
        place.copy_from_slice(&sum);
    }
}

/// Over everything but itself.
fn checksum(record: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(record.get(..CHECKSUM.start).unwrap_or_default());
    hasher.update(record.get(CHECKSUM.end..).unwrap_or_default());
    hasher.finalize().to_be_bytes()
}
