//! Can this path mean two things to two servers?
//!
//! Gateways between us and PostgREST may resolve dot segments or decode slashes
//! before they route. A write that they route to a table and we do not would
//! leave that table's answers in the cache. Such paths are refused; browsers and
//! `fetch` resolve dot segments before they send, so nobody misses them.

/// Where PostgREST is; below it, no table's or function's name needs an encoded slash.
const TABLES: &str = "/rest/v1";

/// Whether a path has dot segments, plain or encoded, anywhere; or, below `/rest/v1`, encoded slashes or
/// control characters. Slashes may be encoded elsewhere: they occur in names of stored objects.
pub(super) fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
    let suspect = |pair: &[u8]| pair[0] == b'%' || (matches!(pair[0], b'/' | b'\\') && pair[1] == b'.');
    if !bytes.windows(2).any(suspect) {
        return false;
    }
    let mut hidden = false;
    let mut segment = Segment::default();
    let mut below = Below::default();
    for (byte, encoded) in decoded(bytes) {
        hidden |= encoded && (matches!(byte, b'/' | b'\\') || byte.is_ascii_control());
        below.push(byte);
        if segment.push(byte) {
            return true;
        }
    }
    segment.is_dots() || (hidden && below.reached())
}

/// The bytes of a path with each `%xx` decoded once, and whether it was encoded. What is no `%xx` stays.
fn decoded(path: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *path.get(at)?;
        let pair = (path.get(at + 1).and_then(hex), path.get(at + 2).and_then(hex));
        if let (b'%', (Some(high), Some(low))) = (byte, pair) {
            at += 3;
            return Some((high << 4 | low, true));
        }
        at += 1;
        Some((byte, false))
    })
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "called on the items of a slice")]
fn hex(digit: &u8) -> Option<u8> {
    char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The path segment being read: how long, and whether it is only dots.
#[derive(Default)]
struct Segment {
    length: usize,
    dots: usize,
}

impl Segment {
    /// Takes one byte; says whether it ended a segment of one or two dots.
    fn push(&mut self, byte: u8) -> bool {
        if matches!(byte, b'/' | b'\\') {
            let was_dots = self.is_dots();
            *self = Segment::default();
            return was_dots;
        }
        self.length += 1;
        self.dots += usize::from(byte == b'.');
        false
    }

    fn is_dots(&self) -> bool {
        self.length == self.dots && (1..=2).contains(&self.length)
    }
}

/// Follows whether the decoded path, with repeated slashes taken as one, begins with [`TABLES`].
#[derive(Default)]
struct Below {
    matched: usize,
    missed: bool,
    after_slash: bool,
}

impl Below {
    fn push(&mut self, byte: u8) {
        let repeated = byte == b'/' && self.after_slash;
        self.after_slash = byte == b'/';
        if repeated || self.reached() || self.missed {
            return;
        }
        if TABLES.as_bytes()[self.matched] == byte {
            self.matched += 1;
        } else {
            self.missed = true;
        }
    }

    fn reached(&self) -> bool {
        self.matched == TABLES.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_mean_one_thing() {
        for path in [
            "/",
            "/rest/v1/todos",
            "/rest/v1/todos%20list",
            "/rest/v1/caf%C3%A9",
            "/rest/v1/a.b",
            "/rest/v1/.hidden",
            "/rest/v1/...",
            "/rest/v1/%zz",
            "/rest/v1/a%",
            "/rest/v1/a%2",
            "/rest/v1/%252e%252e/x",
            "//evil/a",
            "/\\evil",
            "/storage/v1/object/public/b/a%2Fb.png",
            "/storage/v1/object/b/.well-known",
            "/storage/v1/object/b/%0A",
            "/.well-known/acme",
        ] {
            assert!(!is_ambiguous(path), "{path}");
        }
    }

    #[test]
    fn paths_that_mean_two() {
        for path in [
            "/a/../b",
            "/a/..",
            "/./a",
            "/.",
            "/..",
            "/a/%2e%2e/b",
            "/a/%2E./b",
            "/a/.%2e",
            "/auth/v1/../../rest/v1/todos",
            "/auth/v1%2f..%2f..%2frest/v1/todos",
            "/auth/v1/..\\x",
            "/auth/v1\\..\\x",
            "/storage/v1/object/b/%2e%2e/x",
            "/rest/v1/a%2Fb",
            "/rest/v1/a%2fb",
            "/rest/v1/a%5Cb",
            "/rest/v1/a%00",
            "/rest/v1/a%0Ax.css",
            "/rest/v1/a%7f",
            "/rest/v1%2ftodos",
            "/rest%2fv1/todos",
            "/%72est/v1/a%2fb",
            "//rest//v1/a%2fb",
        ] {
            assert!(is_ambiguous(path), "{path}");
        }
    }
}
