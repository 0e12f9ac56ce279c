//! Which segments does a raw path name?
//!
//! Rules match the decoded path; the upstream receives the raw one. Where a
//! gateway on the way could read the raw path differently than we do, the path
//! is odd, and nothing that follows from it may be shared.

use std::borrow::Cow;
use std::fmt;

use super::percent::{Plus, decode, escaped_byte};

/// A request's path, decoded once.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    raw: &'a str,
    decoded: Cow<'a, str>,
    oddity: Option<Oddity>,
}

/// Why gateways may disagree about a path; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// A segment is `.` or `..`, escaped or not: some gateways walk along it.
    DotSegment,
    /// `%2F`, `%5C` or a backslash: some gateways take it for a slash.
    EncodedSlash,
    /// A control character, escaped or not; C programs end at `%00`.
    Control,
    /// The escapes do not make up UTF-8: overlong dots and slashes hide here.
    NotUtf8,
    /// A `%` without two hex digits behind it.
    BadEscape,
    /// `%25`: whoever decodes twice reads another path.
    DoubleEscape,
    /// A `;`, escaped or not: some gateways cut the segment there.
    MatrixParameter,
    /// Bytes outside ASCII that should have been escaped.
    NotAscii,
    /// `//` or a `/` at the end: some gateways merge or drop it.
    EmptySegment,
}

impl Oddity {
    /// Whether such a path is answered with 400 where it leads, or may lead, below `/rest/v1`.
    /// All other odd paths pass through uncached.
    pub fn refused_under_rest(self) -> bool {
        match self {
            Self::DotSegment | Self::EncodedSlash | Self::Control => true,
            Self::NotUtf8
            | Self::BadEscape
            | Self::DoubleEscape
            | Self::MatrixParameter
            | Self::NotAscii
            | Self::EmptySegment => false,
        }
    }

    /// A short name, fit for labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DotSegment => "dot-segment",
            Self::EncodedSlash => "encoded-slash",
            Self::Control => "control-character",
            Self::NotUtf8 => "not-utf8",
            Self::BadEscape => "bad-escape",
            Self::DoubleEscape => "double-escape",
            Self::MatrixParameter => "matrix-parameter",
            Self::NotAscii => "not-ascii",
            Self::EmptySegment => "empty-segment",
        }
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DotSegment => "the path has a segment of dots",
            Self::EncodedSlash => "the path has an encoded slash or a backslash",
            Self::Control => "the path has a control character",
            Self::NotUtf8 => "the path is not UTF-8",
            Self::BadEscape => "the path has a % without two hex digits",
            Self::DoubleEscape => "the path has an encoded %",
            Self::MatrixParameter => "the path has a semicolon",
            Self::NotAscii => "the path has unescaped characters outside ASCII",
            Self::EmptySegment => "the path has an empty segment",
        })
    }
}

impl<'a> Path<'a> {
    /// Reads a path without its query.
    pub fn parse(raw: &'a str) -> Self {
        if is_plain(raw.as_bytes()) {
            return Self { raw, decoded: Cow::Borrowed(raw), oddity: None };
        }
        let bytes = decode(raw, Plus::Itself);
        let oddity = oddity_of(raw, &bytes);
        let decoded = match bytes {
            Cow::Borrowed(_) => Cow::Borrowed(raw),
            Cow::Owned(bytes) => String::from_utf8(bytes).map_or(Cow::Borrowed(raw), Cow::Owned),
        };
        Self { raw, decoded, oddity }
    }

    /// The path as the client wrote it and the upstream gets it.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The path that globs are matched against; the raw one if it is not UTF-8.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }

    /// The gravest reason for which gateways may disagree about this path.
    pub fn oddity(&self) -> Option<Oddity> {
        self.oddity
    }
}

/// Whether there is certainly nothing odd and nothing to decode, as in nearly all paths.
fn is_plain(raw: &[u8]) -> bool {
    let mut before = None;
    let all = raw.iter().all(|&byte| {
        let is_begun = before.is_some_and(|before| before != b'/');
        let is_fine = match byte {
            b'/' => before.is_none() || is_begun,
            b'.' => is_begun,
            _ => before.is_some() && (byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')),
        };
        before = Some(byte);
        is_fine
    });
    all && before.is_some_and(|last| last != b'/')
}

fn oddity_of(raw: &str, decoded: &[u8]) -> Option<Oddity> {
    oddity_of_segments(decoded)
        .into_iter()
        .chain(oddity_of_escapes(raw))
        .chain(decoded.iter().filter_map(|&byte| oddity_of_byte(byte)))
        .chain(std::str::from_utf8(decoded).is_err().then_some(Oddity::NotUtf8))
        .chain((!raw.is_ascii()).then_some(Oddity::NotAscii))
        .min()
}

fn oddity_of_byte(decoded: u8) -> Option<Oddity> {
    match decoded {
        b'\\' => Some(Oddity::EncodedSlash),
        b';' => Some(Oddity::MatrixParameter),
        _ if decoded.is_ascii_control() => Some(Oddity::Control),
        _ => None,
    }
}

fn oddity_of_escapes(raw: &str) -> Option<Oddity> {
    let bytes = raw.as_bytes();
    let percents = bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'%');
    percents
        .filter_map(|(at, _)| match escaped_byte(&bytes[at..]) {
            None => Some(Oddity::BadEscape),
            Some(b'/') => Some(Oddity::EncodedSlash),
            Some(b'%') => Some(Oddity::DoubleEscape),
            Some(_) => None,
        })
        .min()
}

fn oddity_of_segments(decoded: &[u8]) -> Option<Oddity> {
    // what stands before the first slash is nothing; a lone slash is the root and not odd
    let below_root = decoded.strip_prefix(b"/").unwrap_or(decoded);
    if below_root.is_empty() {
        return None;
    }
    let segments = below_root.split(|&byte| byte == b'/');
    segments
        .filter_map(|segment| match segment.split(|&byte| byte == b';').next() {
            Some(b"." | b"..") => Some(Oddity::DotSegment),
            _ if segment.is_empty() => Some(Oddity::EmptySegment),
            _ => None,
        })
        .min()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_path_is_what_the_long_way_makes_of_it(raw in "/?[a-z0-9_./%;\\\\-]{0,12}") {
            let decoded = decode(&raw, Plus::Itself);
            if is_plain(raw.as_bytes()) {
                prop_assert_eq!(&*decoded, raw.as_bytes());
                prop_assert_eq!(oddity_of(&raw, &decoded), None);
            }
        }
    }

    #[test]
    fn oddities() {
        for (raw, decoded, oddity) in [
            ("/", "/", None),
            ("/rest/v1/todos", "/rest/v1/todos", None),
            ("/rest/v1/%74odos", "/rest/v1/todos", None),
            ("/rest/v1/a%20b", "/rest/v1/a b", None),
            ("/rest/v1/a+b", "/rest/v1/a+b", None),
            ("/rest/v1/caf%C3%A9", "/rest/v1/café", None),
            ("/rest/v1/...", "/rest/v1/...", None),
            ("/rest/v1/todos/", "/rest/v1/todos/", Some(Oddity::EmptySegment)),
            ("//rest/v1/todos", "//rest/v1/todos", Some(Oddity::EmptySegment)),
            ("/x/../todos", "/x/../todos", Some(Oddity::DotSegment)),
            ("/x/%2e%2E/todos", "/x/../todos", Some(Oddity::DotSegment)),
            ("/./a", "/./a", Some(Oddity::DotSegment)),
            ("/a/..;x=1/b", "/a/..;x=1/b", Some(Oddity::DotSegment)),
            ("/a/..", "/a/..", Some(Oddity::DotSegment)),
            ("/%2e%2e/%ff", "/%2e%2e/%ff", Some(Oddity::DotSegment)),
            ("/a%2Fb", "/a/b", Some(Oddity::EncodedSlash)),
            ("/a%5cb", "/a\\b", Some(Oddity::EncodedSlash)),
            ("/a\\b", "/a\\b", Some(Oddity::EncodedSlash)),
            ("/t%00", "/t\0", Some(Oddity::Control)),
            ("/t%0d%0ax", "/t\r\nx", Some(Oddity::Control)),
            ("/t%7f", "/t\x7f", Some(Oddity::Control)),
            ("/%c0%ae", "/%c0%ae", Some(Oddity::NotUtf8)),
            ("/%zz", "/%zz", Some(Oddity::BadEscape)),
            ("/a%2", "/a%2", Some(Oddity::BadEscape)),
            ("/%252e%252e/x", "/%2e%2e/x", Some(Oddity::DoubleEscape)),
            ("/t;x=1", "/t;x=1", Some(Oddity::MatrixParameter)),
            ("/t%3Bx", "/t;x", Some(Oddity::MatrixParameter)),
            ("/café", "/café", Some(Oddity::NotAscii)),
        ] {
            let path = Path::parse(raw);
            assert_eq!(path.decoded(), decoded, "{raw:?}");
            assert_eq!(path.oddity(), oddity, "{raw:?}");
            assert_eq!(path.raw(), raw);
        }
    }

    #[test]
    fn trap_19_an_encoded_name_is_the_same_table() {
        assert_eq!(Path::parse("/%74odos").decoded(), Path::parse("/todos").decoded());
    }

    #[test]
    fn nothing_is_copied_when_nothing_is_encoded() {
        assert!(matches!(Path::parse("/rest/v1/todos").decoded, Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn any_text_is_a_path(raw in "\\PC{0,30}|(/|\\.|%2[eEfF5]|%5c|;|a|\\\\){0,12}") {
            let path = Path::parse(&raw);
            // what is not odd has as many segments in everyone's reading
            if path.oddity().is_none() {
                prop_assert_eq!(path.decoded().matches('/').count(), raw.matches('/').count());
                prop_assert!(!path.decoded().contains(['\\', ';', '%']));
            }
        }
    }
}
