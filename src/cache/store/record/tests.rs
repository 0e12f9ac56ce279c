//! Is a record read as it was written, and nothing else at all?

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

const NAME: &[u8] = b"larder:properties:detail:5#0011223344556677";
const MAX: usize = 1 << 20;

fn keyring(names: &[(&str, u8)]) -> Keyring {
    let keys = names.iter().map(|(name, byte)| format!("{name}:{}", STANDARD.encode([*byte; 32])));
    Keyring::parse(&keys.collect::<Vec<_>>().join(",")).unwrap()
}

fn record(body: &[u8]) -> Record {
    let line = |name: &'static str, value: &'static str| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    Record {
        server: 0x0123_4567_89ab_cdef,
        generations: vec![1, u64::MAX, 0],
        stored_at: 1_700_000_000_000,
        expires_at: 1_700_000_300_000,
        ends_at: 1_700_000_330_000,
        status: StatusCode::OK,
        headers: vec![line("content-type", "application/json"), line("content-range", "0-9/*")],
        validator: *b"0123456789abcdef",
        body: Bytes::copy_from_slice(body),
    }
}

/// What the generations of [`record`] are of.
fn tags() -> Vec<Tag> {
    ["everything", "namespace:properties", "row:\n\u{e9}"].map(Tag::of_text).to_vec()
}

fn codecs() -> [Codec; 3] {
    let codec = Codec::new(MAX);
    [codec.clone(), codec.clone().without_compression(), codec.sealing(keyring(&[("a", 1)]))]
}

fn large() -> Vec<u8> {
    br#"{"id":5,"city":"Dakar"},"#.repeat(1_000)
}

#[test]
fn a_record_is_read_as_it_was_written() {
    for codec in codecs() {
        for body in [&b""[..], b"[]", &large()] {
            let record = record(body);
            let written = codec.encode(NAME, &record, &tags()).unwrap();
            assert_eq!(codec.decode(NAME, written.into()).unwrap(), record);
        }
    }
}

#[test]
fn a_body_is_a_slice_of_what_came_in() {
    let codec = Codec::new(MAX);
    let written = Bytes::from(codec.encode(NAME, &record(b"[1]"), &tags()).unwrap());
    let all = written.as_ptr_range();
    let read = codec.decode(NAME, written.clone()).unwrap();
    assert!(all.contains(&read.body.as_ptr()));
    assert!(all.contains(&read.headers[0].1.as_bytes().as_ptr()));
}

#[test]
fn large_bodies_are_small_in_the_store_and_those_that_stay_large_are_left_alone() {
    let [compressing, plain, sealing] = codecs();
    let whole = plain.encode(NAME, &record(&large()), &tags()).unwrap().len();
    assert!(compressing.encode(NAME, &record(&large()), &tags()).unwrap().len() * 8 < whole);
    assert!(sealing.encode(NAME, &record(&large()), &tags()).unwrap().len() * 8 < whole);
    let noise = (0_u32..).flat_map(|n| *blake3::hash(&n.to_be_bytes()).as_bytes()).take(20_000);
    let noise = record(&noise.collect::<Vec<_>>());
    assert_eq!(
        compressing.encode(NAME, &noise, &tags()).unwrap(),
        plain.encode(NAME, &noise, &tags()).unwrap()
    );
    let mut gzipped = record(&large());
    let gzip = (http::header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    gzipped.headers.push(gzip);
    assert_eq!(
        compressing.encode(NAME, &gzipped, &tags()).unwrap(),
        plain.encode(NAME, &gzipped, &tags()).unwrap()
    );
}

#[test]
fn no_flipped_bit_and_no_cut_is_read() {
    for codec in codecs() {
        let written = codec.encode(NAME, &record(b"{\"id\":5}"), &tags()).unwrap();
        for bit in 0..written.len() * 8 {
            let mut flipped = written.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = codec.decode(NAME, flipped.into());
            let expected = match bit / 8 {
                0..4 => Unreadable::Foreign,
                4 => Unreadable::OtherFormat,
                _ => Unreadable::Corrupt,
            };
            assert_eq!(read, Err(expected), "bit {bit}");
        }
        for length in 0..written.len() {
            let cut = codec.decode(NAME, Bytes::copy_from_slice(&written[..length])).unwrap_err();
            let expected = if length < head::HEAD { Unreadable::Cut } else { Unreadable::Corrupt };
            assert_eq!(cut, expected, "{length} bytes");
        }
        let longer = [written.as_slice(), b"x"].concat();
        assert_eq!(codec.decode(NAME, longer.into()), Err(Unreadable::Corrupt));
    }
}

/// Somebody who knows the format writes a checksum that fits.
#[test]
fn no_flipped_bit_with_a_fitting_checksum_does_harm() {
    for codec in codecs() {
        let original = record(b"{\"id\":5}");
        let written = codec.encode(NAME, &original, &tags()).unwrap();
        for bit in 0..written.len() * 8 {
            let mut flipped = written.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            head::write_checksum(&mut flipped);
            let is_sealed = codec.decode(NAME, written.clone().into()).is_ok() && written[5] & 2 != 0;
            let is_checksum = (40..44).contains(&(bit / 8));
            if let Some(outline) = Outline::read(&flipped) {
                assert!(outline.tags.len() <= tags().len(), "bit {bit} makes more of them: {outline:?}");
            }
            match codec.decode(NAME, flipped.into()) {
                Ok(read) => assert!(!is_sealed || is_checksum, "bit {bit} was sealed: {read:?}"),
                Err(_closed) => assert!(!is_checksum, "bit {bit} is written anew"),
            }
        }
    }
}

#[test]
fn whoever_looks_at_the_beginning_is_told_what_a_record_depends_on() {
    for codec in codecs() {
        let written = codec.encode(NAME, &record(&large()), &tags()).unwrap();
        let outline = Outline::read(&written[..OUTLINE_BYTES.min(written.len())]).unwrap();
        let expected: Vec<(Tag, u64)> = tags().into_iter().zip(record(b"").generations).collect();
        assert_eq!(outline.tags, expected);
        assert!(outline.bytes < OUTLINE_BYTES);
        let head = Outline::read(&written[..head::HEAD]).unwrap();
        assert_eq!((head.tags, head.bytes), (Vec::new(), outline.bytes), "so many more are asked for");
    }
    let endless = [Tag::of_text(&"x".repeat(usize::from(u16::MAX)))];
    let one = Record { generations: vec![7], ..record(b"[]") };
    let written = Codec::new(MAX).encode(NAME, &one, &endless).unwrap();
    assert_eq!(Outline::read(&written).unwrap().tags, [], "too long to be told");
    assert_eq!(Codec::new(MAX).decode(NAME, written.into()), Ok(one));
}

#[test]
fn bytes_of_others_are_not_read() {
    let codec = Codec::new(MAX);
    for foreign in [&b""[..], b"L", b"{\"id\":5}", &[0; 500], &[0xff; 85]] {
        let told = codec.decode(NAME, Bytes::copy_from_slice(foreign)).unwrap_err();
        let begins_alike = b"LRDR".starts_with(foreign);
        assert_eq!(told, if begins_alike { Unreadable::Cut } else { Unreadable::Foreign }, "{foreign:?}");
    }
    let mut newer = codec.encode(NAME, &record(b"[]"), &tags()).unwrap();
    for format in [0, FORMAT + 1] {
        newer[4] = format;
        head::write_checksum(&mut newer);
        assert_eq!(codec.decode(NAME, newer.clone().into()), Err(Unreadable::OtherFormat));
    }
}

#[test]
fn a_record_under_another_name_is_not_read() {
    for codec in codecs() {
        let written = Bytes::from(codec.encode(NAME, &record(b"[]"), &tags()).unwrap());
        assert_eq!(codec.decode(b"other", written), Err(Unreadable::OtherName));
    }
    // nor when its digest was written anew: the seal holds it
    let [_, _, sealing] = codecs();
    let mut moved = sealing.encode(NAME, &record(b"[]"), &tags()).unwrap();
    moved[8..40].copy_from_slice(blake3::hash(b"other").as_bytes());
    head::write_checksum(&mut moved);
    assert_eq!(sealing.decode(b"other", moved.into()), Err(Unreadable::Forged));
}

#[test]
fn keys_are_exchanged_without_a_miss() {
    let codec = |keys: &[(&str, u8)]| Codec::new(MAX).sealing(keyring(keys));
    let (old, both, new) = (codec(&[("a", 1)]), codec(&[("b", 2), ("a", 1)]), codec(&[("b", 2)]));
    let record = record(b"[]");
    let by_old = Bytes::from(old.encode(NAME, &record, &tags()).unwrap());
    let by_both = Bytes::from(both.encode(NAME, &record, &tags()).unwrap());
    assert_eq!(both.decode(NAME, by_old.clone()).as_ref(), Ok(&record));
    assert_eq!(new.decode(NAME, by_both.clone()).as_ref(), Ok(&record));
    assert_eq!(new.decode(NAME, by_old.clone()), Err(Unreadable::UnknownKey));
    assert_eq!(old.decode(NAME, by_both.clone()), Err(Unreadable::UnknownKey));
    assert_eq!(Codec::new(MAX).decode(NAME, by_old.clone()), Err(Unreadable::UnknownKey));
    // another key of the same name
    assert_eq!(codec(&[("a", 9)]).decode(NAME, by_old.clone()), Err(Unreadable::Forged));
    let plain = Codec::new(MAX).encode(NAME, &record, &tags()).unwrap();
    assert_eq!(old.decode(NAME, plain.into()), Err(Unreadable::NotSealed));
    assert_ne!(by_old, old.encode(NAME, &record, &tags()).unwrap(), "no two seals are alike");
    let shown = String::from_utf8_lossy(&by_old).into_owned();
    assert!(!shown.contains("application/json"), "header lines are sealed too");
}

#[test]
fn no_body_becomes_larger_than_it_may() {
    let generous = Codec::new(MAX);
    let written = generous.encode(NAME, &record(&vec![b'x'; 100_000]), &tags()).unwrap();
    assert!(written.len() < 1_000, "it would be a bomb");
    assert_eq!(Codec::new(99_999).decode(NAME, written.clone().into()), Err(Unreadable::TooLarge));
    // one that says less than it holds
    let mut bomb = written;
    bomb[82..86].copy_from_slice(&1_000_u32.to_be_bytes());
    head::write_checksum(&mut bomb);
    assert_eq!(generous.decode(NAME, bomb.clone().into()), Err(Unreadable::Compression));
    // one that says more than it holds
    bomb[82..86].copy_from_slice(&200_000_u32.to_be_bytes());
    head::write_checksum(&mut bomb);
    assert_eq!(generous.decode(NAME, bomb.into()), Err(Unreadable::Compression));
}

#[test]
fn what_cannot_be_counted_is_not_written() {
    let codec = Codec::new(MAX);
    let mut many = record(b"[]");
    many.generations = vec![0; usize::from(u16::MAX) + 1];
    assert_eq!(codec.encode(NAME, &many, &tags()), Err(Unwritable::TooLarge));
    let mut long = record(b"[]");
    let value = HeaderValue::from_bytes(&vec![b'x'; usize::from(u16::MAX) + 1]).unwrap();
    long.headers.push((HeaderName::from_static("x-long"), value));
    assert_eq!(codec.encode(NAME, &long, &tags()), Err(Unwritable::TooLarge));
}

prop_compose! {
    fn headers()(lines in prop::collection::vec(("[a-z][a-z0-9-]{0,20}", "[ -~]{0,40}"), 0..8))
        -> Vec<(HeaderName, HeaderValue)> {
        let line = |(name, value): (String, String)| (name.parse().unwrap(), value.trim().parse().unwrap());
        lines.into_iter().map(line).collect()
    }
}

prop_compose! {
    fn records()(
        server in any::<u64>(),
        generations in prop::collection::vec(any::<u64>(), 0..20),
        times in any::<(u64, u64, u64)>(),
        status in (100_u16..1000).prop_map(|status| StatusCode::from_u16(status).unwrap()),
        headers in headers(),
        validator in any::<[u8; 16]>(),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[ab]{9000,20000}".prop_map(String::into_bytes),
        ],
    ) -> Record {
        let (stored_at, expires_at, ends_at) = times;
        let body = body.into();
        Record { server, generations, stored_at, expires_at, ends_at, status, headers, validator, body }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_record_is_read_as_it_was_written(record in records(), name in ".{0,40}") {
        for codec in codecs() {
            let written = codec.encode(name.as_bytes(), &record, &tags()).unwrap();
            let read = codec.decode(name.as_bytes(), written.into());
            prop_assert_eq!(read.as_ref(), Ok(&record));
        }
    }

    #[test]
    fn any_change_with_a_fitting_checksum_is_survived(
        record in records(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for codec in codecs() {
            let mut written = codec.encode(NAME, &record, &tags()).unwrap();
            for (place, byte) in &changes {
                let place = place.index(written.len());
                written[place] = *byte;
            }
            head::write_checksum(&mut written);
            if let Ok(read) = codec.decode(NAME, written.into()) {
                prop_assert!(read.body.len() <= MAX);
            }
        }
    }
}
