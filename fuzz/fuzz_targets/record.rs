//! Do any bytes from a store panic, allocate beyond bounds, or read as what is written differently?
#![no_main]

use larder::cache::record::Codec;
use libfuzzer_sys::fuzz_target;

const NAME: &[u8] = b"name";

fuzz_target!(|written: &[u8]| {
    let codec = Codec::new(1 << 20).without_compression();
    let mut known = written.to_vec();
    // magic, format and the digest of the name, so that more than the first check is reached
    if let Some(head) = known.get_mut(..40) {
        head[..5].copy_from_slice(b"LRDR\x01");
        head[8..].copy_from_slice(blake3::hash(NAME).as_bytes());
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(head);
        checksum.update(written.get(44..).unwrap_or_default());
        let checksum = checksum.finalize().to_be_bytes();
        if let Some(place) = known.get_mut(40..44) {
            place.copy_from_slice(&checksum);
        }
    }
    for bytes in [written, &known] {
        if let Ok(record) = codec.decode(NAME, bytes.to_vec().into()) {
            let again = codec.encode(NAME, &record).expect("what was read can be written");
            assert_eq!(codec.decode(NAME, again.into()), Ok(record));
        }
    }
});
