//! How is a body made smaller?
//!
//! Once for many readers, so harder than a server that does it for each. Levels by measurement on lists
//! of rows (`docs/delivery.md` has the figures): above these, time doubles for a percent. Another level makes
//! other bytes: change the validators' domain with it, because a strong validator stands for bytes.

use std::cell::RefCell;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::bulk::Compressor;

use super::Coding;

const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 5;

/// Room that lists of rows need, as a part of their size; others grow into more.
const USUAL_PART: usize = 3;

thread_local! {
    /// Tables that cost as much to make as a page costs to compress.
    static ZSTD: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// The body in a coding; `None` where that cannot be done.
pub(super) fn squeezed(coding: Coding, body: &[u8]) -> Option<Bytes> {
    let coded = match coding {
        Coding::Gzip => {
            let room = Vec::with_capacity(body.len() / USUAL_PART);
            let mut encoder = GzEncoder::new(room, Compression::new(GZIP_LEVEL));
            encoder.write_all(body).ok()?;
            encoder.finish().ok()?
        }
        Coding::Zstd => ZSTD.with_borrow_mut(|compressor| {
            if compressor.is_none() {
                *compressor = Some(Compressor::new(ZSTD_LEVEL).ok()?);
            }
            compressor.as_mut()?.compress(body).ok()
        })?,
    };
    // kept for long: without the room that it did not need
    Some(Bytes::from(coded.into_boxed_slice()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use super::*;

    /// The body that was coded.
    pub(in super::super) fn undone(coding: Coding, coded: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        match coding {
            Coding::Gzip => {
                flate2::read::GzDecoder::new(coded).read_to_end(&mut body).unwrap();
            }
            Coding::Zstd => body = zstd::bulk::decompress(coded, 1 << 24).unwrap(),
        }
        body
    }

    #[test]
    fn what_is_squeezed_comes_back_and_is_the_same_every_time() {
        for length in [0, 1, 1_024, 300_000] {
            let body: Vec<u8> = (0..length).map(|at: u32| (at % 251) as u8).collect();
            for coding in Coding::ALL {
                let coded = squeezed(coding, &body).unwrap();
                assert_eq!(undone(coding, &coded), body, "{coding:?} {length}");
                // a strong validator stands for these bytes, whoever made them
                assert_eq!(squeezed(coding, &body).unwrap(), coded, "{coding:?} {length}");
            }
        }
    }
}
