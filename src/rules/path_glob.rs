//! `/rest/v1/bank_*`: which paths does a rule's `match` mean?
//!
//! The language is small on purpose: `*` stands for anything but `/`, `**` for
//! any number of whole segments, `{a,b}` for either word. A glob's segments
//! are then a path's segments, so that `{path.1}` has one meaning. Globs see
//! the decoded path, compare case and are anchored at both ends.

use globset::{Glob, GlobBuilder, GlobMatcher};

/// Longest glob, in bytes. A path in a rules file is a few words.
const GLOB_BYTES_MAX: usize = 512;

/// Namespace of a glob without a single plain word, such as `/**`.
const NAMESPACE_OF_ALL: &str = "all";

/// Segments that are no name for what lies under them.
const VERSIONS: [&str; 1] = ["v1"];

/// Why a text is no path glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathGlobMistake {
    /// Nothing can be matched without its first character.
    #[error("a path begins with `/`")]
    Relative,
    /// Paths with empty segments pass through uncached.
    #[error("an empty segment: such paths are never matched")]
    EmptySegment,
    /// Dot segments are refused before any rule is asked.
    #[error("a dot segment: such paths are refused")]
    DotSegment,
    /// `/properties?id=eq.5`
    #[error("`?` cannot stand in a path")]
    Query,
    /// `%20`
    #[error("`%`: globs are compared with the decoded path")]
    Encoded,
    /// `[a-z]`, `\*`, control characters.
    #[error("`{0}` cannot stand in a path glob")]
    Unsupported(char),
    /// `a**` or `{a,**}`
    #[error("`**` must be a whole segment")]
    StarsInside,
    /// Where the first would end and the second begin, nobody could say.
    #[error("more than one `**`")]
    DeepTwice,
    /// `{a/b,c}`
    #[error("`/` inside braces")]
    SlashInBraces,
    /// More than any path needs.
    #[error("longer than {GLOB_BYTES_MAX} bytes")]
    TooLong,
    /// Nothing but braces is left that the glob library could mind.
    #[error("the braces do not match")]
    Braces(#[source] globset::Error),
}

impl PathGlobMistake {
    /// What would be right.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Relative => Some("write the whole path, as in `/rest/v1/properties`"),
            Self::Query => Some("conditions on the query belong in `where`"),
            Self::Encoded => Some("write the character itself"),
            Self::Unsupported(_) => Some("globs know `*`, `**` and `{a,b}`"),
            Self::StarsInside => Some("`*` stands for anything within a segment"),
            Self::SlashInBraces => Some("write one rule for each"),
            Self::EmptySegment | Self::DotSegment | Self::DeepTwice | Self::TooLong | Self::Braces(_) => None,
        }
    }
}

/// A parsed `match`.
#[derive(Clone, Debug)]
pub(super) struct PathGlob {
    text: String,
    glob: Glob,
}

impl PathGlob {
    pub(super) fn parse(text: &str) -> Result<Self, PathGlobMistake> {
        use PathGlobMistake as Bad;
        if text.len() > GLOB_BYTES_MAX {
            return Err(Bad::TooLong);
        }
        let path = text.strip_prefix('/').ok_or(Bad::Relative)?;
        match text.chars().find(|c| "?%[]\\".contains(*c) || c.is_control()) {
            Some('?') => return Err(Bad::Query),
            Some('%') => return Err(Bad::Encoded),
            Some(bad) => return Err(Bad::Unsupported(bad)),
            None => {}
        }
        if slash_in_braces(path) {
            return Err(Bad::SlashInBraces);
        }
        for segment in path.split('/') {
            match segment {
                "" if path.is_empty() => {}
                "" => return Err(Bad::EmptySegment),
                "." | ".." => return Err(Bad::DotSegment),
                "**" => {}
                _ if segment.contains("**") => return Err(Bad::StarsInside),
                _ => {}
            }
        }
        if path.split('/').filter(|segment| *segment == "**").count() > 1 {
            return Err(Bad::DeepTwice);
        }
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build();
        let glob = glob.map_err(Bad::Braces)?;
        Ok(Self { text: text.into(), glob })
    }

    /// The glob as written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The glob for a set.
    pub(super) fn glob(&self) -> &Glob {
        &self.glob
    }

    /// Places of the segments that `{path.1}`, `{path.2}` … stand for: those
    /// with a wildcard. After a `**` no place is certain any more.
    pub(super) fn wildcard_segments(&self) -> Vec<usize> {
        self.segments()
            .enumerate()
            .take_while(|(_, segment)| *segment != "**")
            .filter(|(_, segment)| has_wildcard(segment))
            .map(|(place, _)| place)
            .collect()
    }

    /// Is there a `**`?
    pub(super) fn is_deep(&self) -> bool {
        self.segments().any(|segment| segment == "**")
    }

    /// The namespace of a rule that names none: the last plain word of the path.
    pub(super) fn default_namespace(&self) -> String {
        self.segments()
            .filter(|segment| !segment.is_empty() && !has_wildcard(segment) && !VERSIONS.contains(segment))
            .last()
            .unwrap_or(NAMESPACE_OF_ALL)
            .to_owned()
    }

    /// Does this glob certainly match every path that `other` matches?
    pub(super) fn covers(&self, other: &Self) -> bool {
        let ours: Vec<&str> = self.segments().collect();
        let theirs: Vec<&str> = other.segments().collect();
        self.text == other.text || segments_cover(&ours, &theirs)
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.text.split('/').skip(1)
    }
}

/// Parts of a path at the given places, as [`PathGlob::wildcard_segments`] counts them.
pub(super) fn captures(path: &str, places: &[usize]) -> Vec<String> {
    let Some(last) = places.last() else { return Vec::new() };
    let parts = path.split('/').skip(1).take(last + 1).enumerate();
    parts.filter(|(place, _)| places.contains(place)).map(|(_, part)| part.to_owned()).collect()
}

/// Does a glob without separators match every text that another one matches?
/// Answers "no" when in doubt. Both are taken as `*`-globs.
pub(super) fn word_covers(broad: &str, narrow: &str, matches: impl Fn(&str) -> bool) -> bool {
    if broad == narrow || broad == "*" {
        return true;
    }
    if !narrow.contains(['*', '?', '[', '{', '\\']) {
        return matches(narrow);
    }
    match broad.strip_suffix('*') {
        Some(start) if !start.contains(['*', '?', '[', '{', '\\']) => narrow.starts_with(start),
        Some(_) | None => false,
    }
}

fn segments_cover(broad: &[&str], narrow: &[&str]) -> bool {
    match (broad.split_first(), narrow.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        // At the end `**` wants at least one segment, elsewhere it may stand for none.
        (Some((&"**", [])), Some(_)) => true,
        (Some((&"**", rest)), _) if !rest.is_empty() => {
            (0..=narrow.len()).any(|taken| segments_cover(rest, &narrow[taken..]))
        }
        (Some((&first, rest)), Some((&other, others))) if other != "**" => {
            word_covers(first, other, |word| segment_matcher(first).is_some_and(|glob| glob.is_match(word)))
                && segments_cover(rest, others)
        }
        (Some(_), Some(_) | None) => false,
    }
}

fn segment_matcher(segment: &str) -> Option<GlobMatcher> {
    let glob = GlobBuilder::new(segment).literal_separator(true).backslash_escape(false).build().ok()?;
    Some(glob.compile_matcher())
}

fn has_wildcard(segment: &str) -> bool {
    segment.contains(['*', '{'])
}

fn slash_in_braces(path: &str) -> bool {
    let mut depth = 0_usize;
    path.chars().any(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == '/' && depth > 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> PathGlob {
        PathGlob::parse(text).unwrap()
    }

    #[test]
    fn globs_match_whole_decoded_paths() {
        for (text, path, matched) in [
            ("/rest/v1/properties", "/rest/v1/properties", true),
            ("/rest/v1/properties", "/rest/v1/Properties", false),
            ("/rest/v1/properties", "/rest/v1/properties/", false),
            ("/rest/v1/properties", "/rest/v1/properties;x=1", false),
            ("/rest/v1/properties", "/x/rest/v1/properties", false),
            ("/rest/v1/properties", "/rest/v1/propertiesx", false),
            ("/rest/v1/properties", "/rest/v1/properties\n", false),
            ("/rest/v1/bank_*", "/rest/v1/bank_accounts", true),
            ("/rest/v1/bank_*", "/rest/v1/bank_a/b", false),
            ("/rest/v1/bank_*", "/rest/v1/bank_é\nx", true),
            ("/rest/v1/*", "/rest/v1/rpc/f", false),
            ("/rest/v1/**", "/rest/v1/rpc/f", true),
            ("/rest/v1/**", "/rest/v1", false),
            ("/rest/**/f", "/rest/f", true),
            ("/rest/**/f", "/rest/v1/rpc/f", true),
            ("/**", "/anything/at/all", true),
            ("/rest/v1/{leases,visits}", "/rest/v1/visits", true),
            ("/rest/v1/{leases,visits}", "/rest/v1/users", false),
            ("/rest/v1/maisons à louer", "/rest/v1/maisons à louer", true),
        ] {
            assert_eq!(glob(text).glob().compile_matcher().is_match(path), matched, "{text} {path}");
        }
    }

    #[test]
    fn what_is_no_path_glob_says_why() {
        for (text, message) in [
            ("rest/v1/x", "a path begins with `/`"),
            ("", "a path begins with `/`"),
            ("**", "a path begins with `/`"),
            ("/rest//x", "an empty segment: such paths are never matched"),
            ("/rest/v1/", "an empty segment: such paths are never matched"),
            ("/rest/../x", "a dot segment: such paths are refused"),
            ("/rest/v1/x?id=eq.5", "`?` cannot stand in a path"),
            ("/rest/v1/a%20b", "`%`: globs are compared with the decoded path"),
            ("/rest/v1/[a-z]", "`[` cannot stand in a path glob"),
            ("/rest/v1/\\*", "`\\` cannot stand in a path glob"),
            ("/rest/v1/a**", "`**` must be a whole segment"),
            ("/rest/v1/***", "`**` must be a whole segment"),
            ("/rest/v1/{a,**}", "`**` must be a whole segment"),
            ("/rest/{v1/a,b}", "`/` inside braces"),
            ("/a/**/b/**", "more than one `**`"),
        ] {
            assert_eq!(PathGlob::parse(text).unwrap_err().to_string(), message, "{text}");
        }
        for text in ["/a{b", "/a}b"] {
            assert!(matches!(PathGlob::parse(text), Err(PathGlobMistake::Braces(_))), "{text}");
        }
        let nested = format!("/{}x{}", "{".repeat(255), "}".repeat(255));
        assert!(PathGlob::parse(&nested).is_ok(), "deep braces are bounded by the length");
        assert_eq!(PathGlob::parse(&"/x".repeat(300)).unwrap_err(), PathGlobMistake::TooLong);
    }

    #[test]
    fn wildcard_segments_are_counted_up_to_the_first_deep_one() {
        for (text, path, values) in [
            ("/rest/v1/properties", "/rest/v1/properties", vec![]),
            ("/rest/v1/*", "/rest/v1/leases", vec!["leases"]),
            ("/rest/v1/bank_*", "/rest/v1/bank_accounts", vec!["bank_accounts"]),
            ("/a/*/b/{c,d}", "/a/1/b/d", vec!["1", "d"]),
            ("/a/*/**/*", "/a/1/2/3", vec!["1"]),
            ("/**", "/a/1/2/3", vec![]),
        ] {
            assert_eq!(captures(path, &glob(text).wildcard_segments()), values, "{text}");
        }
    }

    #[test]
    fn the_namespace_is_the_last_plain_word() {
        for (text, namespace) in [
            ("/rest/v1/properties", "properties"),
            ("/rest/v1/rpc/search_properties", "search_properties"),
            ("/rest/v1/*", "rest"),
            ("/rest/v1/bank_*", "rest"),
            ("/storage/v1/object/public/**", "public"),
            ("/**", "all"),
            ("/", "all"),
            ("/rest/v1/maisons à louer", "maisons à louer"),
        ] {
            assert_eq!(glob(text).default_namespace(), namespace, "{text}");
        }
    }

    #[test]
    fn covering_is_told_only_when_it_is_certain() {
        for (broad, narrow, covers) in [
            ("/rest/v1/a", "/rest/v1/a", true),
            ("/rest/v1/a", "/rest/v1/b", false),
            ("/rest/v1/*", "/rest/v1/a", true),
            ("/rest/v1/*", "/rest/v1/bank_*", true),
            ("/rest/v1/*", "/rest/v1/a/b", false),
            ("/rest/v1/*", "/rest/v1/**", false),
            ("/rest/v1/**", "/rest/v1/*", true),
            ("/rest/v1/**", "/rest/v1/**", true),
            ("/rest/v1/**", "/rest/v1/a/**", true),
            ("/rest/v1/**", "/rest/v1", false),
            ("/**", "/rest/v1/a", true),
            ("/rest/**/a", "/rest/a", true),
            ("/rest/**/a", "/rest/x/y/a", true),
            ("/rest/**/a", "/rest/x/y/b", false),
            ("/rest/v1/bank_*", "/rest/v1/bank_accounts", true),
            ("/rest/v1/bank_*", "/rest/v1/bank_a*", true),
            ("/rest/v1/bank_*", "/rest/v1/*", false),
            ("/rest/v1/{a,b}", "/rest/v1/a", true),
            ("/rest/v1/{a,b}", "/rest/v1/{b,a}", false),
            ("/rest/v1/a", "/rest/v1/*", false),
        ] {
            assert_eq!(glob(broad).covers(&glob(narrow)), covers, "{broad} {narrow}");
        }
    }
}
