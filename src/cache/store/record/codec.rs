//! From an answer to bytes and back.

use std::cell::RefCell;

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;
use zstd::bulk::{Compressor, Decompressor};

use crate::key::Tag;

use super::head::{HEAD, Head, write_checksum};
use super::keyring::{Keyring, SEAL, TAG as SEAL_TAG};
use super::{Record, Unreadable, Unwritable, VALIDATOR, lines, tags};

/// Bodies from so many bytes on are compressed: below, a round trip costs more than the bytes.
const COMPRESSED_MIN: usize = 8 << 10;

/// How hard: the fastest level shrinks JSON to an eighth already.
const LEVEL: i32 = 1;

/// A body that stays larger than so many percent of itself is kept as it is.
const WORTH_IT_PERCENT: usize = 90;

thread_local! {
    /// Tables that would cost more to make than to use.
    static ZSTD: RefCell<(Option<Compressor<'static>>, Option<Decompressor<'static>>)> =
        const { RefCell::new((None, None)) };
}

/// Writes and reads records.
#[derive(Clone, Debug)]
pub struct Codec {
    body_bytes_max: usize,
    is_compressing: bool,
    keyring: Option<Keyring>,
}

impl Codec {
    /// Reads no body larger than this, however small it is kept.
    pub fn new(body_bytes_max: usize) -> Self {
        Self { body_bytes_max, is_compressing: true, keyring: None }
    }

    /// Keeps bodies as they are served. Compressed ones of others are read all the same.
    #[must_use]
    pub fn without_compression(self) -> Self {
        Self { is_compressing: false, ..self }
    }

    /// Seals what it writes, and reads nothing that is not sealed.
    #[must_use]
    pub fn sealing(self, keyring: Keyring) -> Self {
        Self { keyring: Some(keyring), ..self }
    }

    /// Writes a record that can be read under this name alone. What its generations are of is told to
    /// whoever looks, and costs those who read it nothing.
    pub fn encode(&self, name: &[u8], record: &Record, tags: &[Tag]) -> Result<Vec<u8>, Unwritable> {
        let compressed = self.compressed(record);
        let kept = compressed.as_deref().unwrap_or(&record.body);
        let mut block = record.validator.to_vec();
        lines::write(&record.headers, &mut block)?;
        let tags = tags::written(tags);
        let head = Head {
            is_compressed: compressed.is_some(),
            is_sealed: self.keyring.is_some(),
            status: record.status.as_u16(),
            digest: *blake3::hash(name).as_bytes(),
            server: record.server,
            stored_at: record.stored_at,
            expires_at: record.expires_at,
            ends_at: record.ends_at,
            generations: count(record.generations.len())?,
            tag_bytes: count(tags.len())?,
            lines: count(record.headers.len())?,
            line_bytes: count(block.len() - VALIDATOR)?,
            kept_bytes: count(kept.len())?,
            body_bytes: count(record.body.len())?,
        };
        let known = HEAD + record.generations.len() * 8 + tags.len();
        let bytes = known + SEAL + block.len() + kept.len() + SEAL_TAG;
        let mut written = Vec::with_capacity(bytes);
        head.write(&mut written);
        for generation in &record.generations {
            written.extend_from_slice(&generation.to_be_bytes());
        }
        written.extend_from_slice(&tags);
        match &self.keyring {
            None => {
                written.extend_from_slice(&block);
                written.extend_from_slice(kept);
            }
            Some(keyring) => {
                block.extend_from_slice(kept);
                keyring.seal(&mut written, block)?;
            }
        }
        write_checksum(&mut written);
        Ok(written)
    }

    fn compressed(&self, record: &Record) -> Option<Vec<u8>> {
        let is_plain = !record.headers.iter().any(|(name, _)| name == http::header::CONTENT_ENCODING);
        if !self.is_compressing || !is_plain || record.body.len() < COMPRESSED_MIN {
            return None;
        }
        let compressed = ZSTD.with_borrow_mut(|(compressor, _)| {
            if compressor.is_none() {
                *compressor = Some(Compressor::new(LEVEL).ok()?);
            }
            compressor.as_mut()?.compress(&record.body).ok()
        });
        compressed.filter(|compressed| compressed.len() * 100 < record.body.len() * WORTH_IT_PERCENT)
    }

    /// Reads what was written under this name. The body is a slice of it, unless it was compressed.
    pub fn decode(&self, name: &[u8], written: Bytes) -> Result<Record, Unreadable> {
        let head = Head::read(&written)?;
        if head.digest != *blake3::hash(name).as_bytes() {
            return Err(Unreadable::OtherName);
        }
        self.opened(&head, written)
    }

    /// Reads a record whatever its name, for people who look. Never to be served: nobody has said
    /// whose answer it is.
    pub(in super::super) fn look(&self, written: Bytes) -> Result<Record, Unreadable> {
        self.opened(&Head::read(&written)?, written)
    }

    fn opened(&self, head: &Head, written: Bytes) -> Result<Record, Unreadable> {
        if head.body_bytes as usize > self.body_bytes_max {
            return Err(Unreadable::TooLarge);
        }
        let status = StatusCode::from_u16(head.status).map_err(|_no_status| Unreadable::Malformed)?;
        let seal = if head.is_sealed { (SEAL, SEAL_TAG) } else { (0, 0) };
        let names = HEAD + usize::from(head.generations) * 8;
        let known = names + usize::from(head.tag_bytes) + seal.0;
        let payload = VALIDATOR + head.line_bytes as usize + head.kept_bytes as usize;
        if written.len() != known + payload + seal.1 {
            return Err(Unreadable::Cut);
        }
        let mut generations = written.slice(HEAD..names);
        let generations = (0..head.generations).map(|_| generations.get_u64()).collect();
        let mut payload = match (&self.keyring, head.is_sealed) {
            (None, false) => written.slice(known..),
            (Some(keyring), true) => opened(keyring, written, known)?,
            (Some(_), false) => return Err(Unreadable::NotSealed),
            (None, true) => return Err(Unreadable::UnknownKey),
        };
        let mut validator = [0; VALIDATOR];
        payload.copy_to_slice(&mut validator);
        let block = payload.split_to(head.line_bytes as usize);
        Ok(Record {
            server: head.server,
            generations,
            stored_at: head.stored_at,
            expires_at: head.expires_at,
            ends_at: head.ends_at,
            status,
            headers: lines::read(block, head.lines)?,
            validator,
            body: served(head, payload)?,
        })
    }
}

/// Header lines and body of a sealed record, in place where nobody else holds it.
fn opened(keyring: &Keyring, mut written: Bytes, known: usize) -> Result<Bytes, Unreadable> {
    let mut known = BytesMut::from(&written.split_to(known)[..]);
    // the checksum was written after the seal, over zeros
    known[40..44].fill(0);
    let mut payload = BytesMut::from(written);
    keyring.open(&known, &mut payload)?;
    payload.truncate(payload.len() - SEAL_TAG);
    Ok(payload.freeze())
}

/// The body as it is served.
fn served(head: &Head, kept: Bytes) -> Result<Bytes, Unreadable> {
    let bytes = head.body_bytes as usize;
    if !head.is_compressed {
        return if kept.len() == bytes { Ok(kept) } else { Err(Unreadable::Malformed) };
    }
    let body = ZSTD.with_borrow_mut(|(_, decompressor)| {
        if decompressor.is_none() {
            *decompressor = Some(Decompressor::new().ok()?);
        }
        // no more than the record says, which is no more than is kept
        decompressor.as_mut()?.decompress(&kept, bytes).ok()
    });
    body.filter(|body| body.len() == bytes).map(Bytes::from).ok_or(Unreadable::Compression)
}

fn count<N: TryFrom<usize>>(number: usize) -> Result<N, Unwritable> {
    N::try_from(number).map_err(|_too_many| Unwritable::TooLarge)
}
