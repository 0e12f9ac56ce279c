//! `Range: bytes=0-99`: which part of a body of this length is asked for? RFC 9110 14.

use std::ops::Range;

/// What of a body is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: nothing else was asked for, or not in words that are understood, or several parts were.
    Whole,
    /// These bytes.
    Bytes(Range<usize>),
    /// None: the body ends before what is asked for.
    None,
}

/// Whether a `Range` is about bytes at all.
pub fn is_of_bytes(range: &[u8]) -> bool {
    range.trim_ascii_start().get(..5).is_some_and(|unit| unit.eq_ignore_ascii_case(b"bytes"))
}

/// The part of so many bytes that a `Range` asks for.
pub fn part(range: &str, length: usize) -> Part {
    let wanted = range.trim().split_once('=').filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = wanted.and_then(|(_, wanted)| wanted.trim().split_once('-')) else {
        return Part::Whole;
    };
    match (first, number(first), number(last)) {
        // the last so many
        ("", _, Some(0)) => Part::None,
        ("", _, Some(_)) if length == 0 => Part::None,
        ("", _, Some(count)) => Part::Bytes(length - count.min(length)..length),
        (_, Some(first), Some(last)) if first > last => Part::Whole,
        (_, Some(first), end) if end.is_some() || last.is_empty() => {
            let end = end.map_or(length, |last| last.saturating_add(1).min(length));
            if first < length { Part::Bytes(first..end) } else { Part::None }
        }
        _ => Part::Whole,
    }
}

/// Digits alone; what is too large to hold is behind every end.
fn number(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_ten_bytes() {
        for (range, expected) in [
            ("bytes=0-0", Part::Bytes(0..1)),
            ("Bytes=2-4", Part::Bytes(2..5)),
            ("bytes=2-", Part::Bytes(2..10)),
            ("bytes=9-99", Part::Bytes(9..10)),
            ("bytes=0-99999999999999999999999", Part::Bytes(0..10)),
            ("bytes=-3", Part::Bytes(7..10)),
            ("bytes=-30", Part::Bytes(0..10)),
            ("bytes=10-", Part::None),
            ("bytes=99999999999999999999999-", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=4-2", Part::Whole),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=1-x", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("0-9", Part::Whole),
            ("rows=0-9", Part::Whole),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
        assert_eq!(part("bytes=-3", 0), Part::None);
        assert_eq!(part("bytes=0-", 0), Part::None);
    }
}
