//! `"properties:city:{city}"` in a write rule: which keys does it take away?
//!
//! A pattern is known when the rules are compiled, so every key knows which
//! patterns it falls under, and with which values: those become tags of its
//! entry, and a write bumps the tag it renders. Nothing is ever scanned.
//!
//! Segments are parted by `:`. A segment is a literal, one placeholder between
//! literals, or `*`, which stands for one or more segments; a `*` may also end
//! the pattern (`city:Da*`). Values never contain `:`, because data is escaped.

use std::collections::BTreeSet;

use super::fold::fold;
use super::template::{Piece, Placeholder, Template, TemplateMistake};
use super::{Tag, escape};

/// Most placeholders in one pattern: a key that falls under it carries a tag
/// for each combination of known and unknown values, two to this power.
const PLACEHOLDERS_MAX: usize = 3;

/// Most tags one write may render from one pattern. More rows than this are
/// taken as "any": one tag instead of ten thousand.
const RENDERED_TAGS_MAX: usize = 10_000;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternMistake {
    /// Not even a template.
    #[error(transparent)]
    Template(#[from] TemplateMistake),
    /// A `*` in the middle of a segment.
    #[error("`*` must be a whole segment or end the pattern")]
    StarInside,
    /// Two values side by side cannot be told apart.
    #[error("a segment can hold one placeholder only")]
    Crowded,
    /// Each placeholder doubles the tags of every key under the pattern.
    #[error("more than {PLACEHOLDERS_MAX} placeholders")]
    TooMany,
    /// `{query}` names one query, which no write can know.
    #[error("`{{query}}` has no value in a write; use `*`")]
    Query,
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Exactly this text.
    Literal(String),
    /// A value between two literals; the index counts placeholders.
    Value { before: String, after: String },
    /// `*`: one or more segments.
    Star,
    /// `Da*` at the end: this prefix, then anything.
    Prefix(String),
}

/// A compiled `invalidate` pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
    placeholders: Vec<Placeholder>,
}

impl Pattern {
    /// Parses a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternMistake> {
        let template = Template::parse(text)?;
        let placeholders: Vec<_> = template.placeholders().cloned().collect();
        if placeholders.len() > PLACEHOLDERS_MAX {
            return Err(PatternMistake::TooMany);
        }
        if placeholders.contains(&Placeholder::Query) {
            return Err(PatternMistake::Query);
        }
        let mut segments = vec![Segment::Literal(String::new())];
        for piece in template.pieces() {
            match piece {
                Piece::Value(_) => add_value(&mut segments)?,
                Piece::Literal(literal) => {
                    let mut parts = literal.split(':');
                    if let Some(part) = parts.next() {
                        add_text(&mut segments, part);
                    }
                    for part in parts {
                        segments.push(Segment::Literal(part.into()));
                    }
                }
            }
        }
        let last = segments.len() - 1;
        for (index, segment) in segments.iter_mut().enumerate() {
            settle_stars(segment, index == last)?;
        }
        Ok(Self { text: text.into(), segments, placeholders })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose values the pattern needs, in order.
    pub fn placeholders(&self) -> &[Placeholder] {
        &self.placeholders
    }

    /// The tags that an entry of this key carries because of this pattern:
    /// none if the key does not fall under it. `full_key` is the whole rendered
    /// key, before any shortening.
    pub fn tags_of_key(&self, full_key: &str) -> Vec<Tag> {
        let parts: Vec<&str> = full_key.split(':').collect();
        let mut matches = BTreeSet::new();
        collect_matches(&self.segments, &parts, &mut Vec::new(), &mut matches);
        let mut tags = BTreeSet::new();
        for captured in &matches {
            for known in 0..1_u32 << captured.len() {
                let values: Vec<Option<&str>> = captured
                    .iter()
                    .enumerate()
                    .map(|(index, value)| (known >> index & 1 == 1).then_some(value.as_str()))
                    .collect();
                tags.insert(Tag::pattern(&self.text, &values));
            }
        }
        tags.into_iter().collect()
    }

    /// The tag of everything under this pattern as an operator writes it: with its placeholders, which
    /// stand for any value, or with values, escaped as in a key, in their places.
    pub fn tag_of_written(&self, written: &str) -> Option<Tag> {
        let parts: Vec<&str> = written.split(':').collect();
        if parts.len() != self.segments.len() {
            return None;
        }
        let as_written: Vec<&str> = self.text.split(':').collect();
        let mut values = Vec::new();
        for ((segment, as_written), part) in self.segments.iter().zip(as_written).zip(parts) {
            match segment {
                Segment::Value { .. } if part == as_written => values.push(None),
                Segment::Value { before, after } => {
                    let value = part.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
                    values.push(Some(fold(value)).filter(|_| !value.contains(['*', '{', '}', '#'])));
                    values.last()?.as_ref()?;
                }
                Segment::Literal(_) | Segment::Prefix(_) | Segment::Star if part == as_written => {}
                Segment::Literal(_) | Segment::Prefix(_) | Segment::Star => return None,
            }
        }
        let values: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
        Some(Tag::pattern(&self.text, &values))
    }

    /// The tags that a write bumps, given for each placeholder the values it may
    /// have had, or `None` where they are not known.
    pub fn tags_of_write(&self, values: &[Option<Vec<String>>]) -> Vec<Tag> {
        let folded: Vec<Vec<Option<String>>> = values
            .iter()
            .map(|known| match known {
                None => vec![None],
                Some(values) => {
                    let distinct: BTreeSet<_> = values.iter().map(|value| fold(&escape(value))).collect();
                    distinct.into_iter().map(Some).collect()
                }
            })
            .collect();
        let combinations = folded.iter().fold(1_usize, |all, some| all.saturating_mul(some.len()));
        if combinations > RENDERED_TAGS_MAX {
            return vec![Tag::pattern(&self.text, &vec![None; values.len()])];
        }
        let mut rendered: Vec<Vec<Option<&str>>> = vec![Vec::new()];
        for choices in &folded {
            rendered = rendered
                .iter()
                .flat_map(|start| {
                    choices.iter().map(|choice| [start.as_slice(), &[choice.as_deref()]].concat())
                })
                .collect();
        }
        rendered.iter().map(|values| Tag::pattern(&self.text, values)).collect()
    }

    /// Could a key of this template fall under the pattern, whatever its values?
    /// Answers "yes" when in doubt.
    pub fn may_match(&self, namespace: &str, template: &Template) -> bool {
        // A private-use character stands for a placeholder of unknown value.
        const UNKNOWN: char = '\u{e000}';
        let mut sample = format!("{namespace}:");
        for piece in template.pieces() {
            match piece {
                Piece::Literal(literal) => sample.push_str(literal),
                Piece::Value(_) => sample.push(UNKNOWN),
            }
        }
        let parts: Vec<&str> = sample.split(':').collect();
        segments_may_match(&self.segments, &parts, UNKNOWN)
    }
}

fn add_text(segments: &mut Vec<Segment>, text: &str) {
    match segments.last_mut() {
        Some(Segment::Literal(literal)) => literal.push_str(text),
        Some(Segment::Value { after, .. }) => after.push_str(text),
        Some(Segment::Star | Segment::Prefix(_)) | None => segments.push(Segment::Literal(text.into())),
    }
}

fn add_value(segments: &mut Vec<Segment>) -> Result<(), PatternMistake> {
    let before = match segments.pop() {
        Some(Segment::Literal(literal)) => literal,
        Some(Segment::Value { .. } | Segment::Star | Segment::Prefix(_)) => {
            return Err(PatternMistake::Crowded);
        }
        None => String::new(),
    };
    segments.push(Segment::Value { before, after: String::new() });
    Ok(())
}

/// Turns literals with a `*` into what they mean at their place.
fn settle_stars(segment: &mut Segment, is_last: bool) -> Result<(), PatternMistake> {
    match segment {
        Segment::Literal(literal) if literal == "*" => *segment = Segment::Star,
        Segment::Literal(literal) => {
            if let Some(star) = literal.find('*') {
                if !is_last || star + 1 != literal.len() {
                    return Err(PatternMistake::StarInside);
                }
                let prefix = literal[..star].to_owned();
                *segment = Segment::Prefix(prefix);
            }
        }
        Segment::Value { before, after } if before.contains('*') || after.contains('*') => {
            return Err(PatternMistake::StarInside);
        }
        Segment::Value { .. } | Segment::Star | Segment::Prefix(_) => {}
    }
    Ok(())
}

/// Gathers the captured values of every way in which the parts match.
fn collect_matches(
    segments: &[Segment],
    parts: &[&str],
    captured: &mut Vec<String>,
    matches: &mut BTreeSet<Vec<String>>,
) {
    let Some((segment, segments)) = segments.split_first() else {
        if parts.is_empty() {
            matches.insert(captured.clone());
        }
        return;
    };
    let Some((part, rest)) = parts.split_first() else { return };
    match segment {
        Segment::Literal(literal) if literal == part => collect_matches(segments, rest, captured, matches),
        Segment::Value { before, after } => {
            let value = part.strip_prefix(before.as_str()).and_then(|part| part.strip_suffix(after.as_str()));
            if let Some(value) = value {
                captured.push(fold(value));
                collect_matches(segments, rest, captured, matches);
                captured.pop();
            }
        }
        Segment::Prefix(prefix) if part.starts_with(prefix.as_str()) => {
            matches.insert(captured.clone());
        }
        Segment::Star => {
            for taken in 1..=parts.len() {
                collect_matches(segments, &parts[taken..], captured, matches);
            }
        }
        Segment::Literal(_) | Segment::Prefix(_) => {}
    }
}

fn segments_may_match(segments: &[Segment], parts: &[&str], unknown: char) -> bool {
    let Some((segment, segments)) = segments.split_first() else { return parts.is_empty() };
    let Some((part, rest)) = parts.split_first() else { return false };
    let open = part.contains(unknown);
    match segment {
        Segment::Literal(literal) => (open || literal == part) && segments_may_match(segments, rest, unknown),
        Segment::Value { before, after } => {
            let fits = open || (part.starts_with(before.as_str()) && part.ends_with(after.as_str()));
            fits && segments_may_match(segments, rest, unknown)
        }
        Segment::Prefix(prefix) => open || part.starts_with(prefix.as_str()),
        Segment::Star => {
            (1..=parts.len()).any(|taken| segments_may_match(segments, &parts[taken..], unknown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    fn known(value: &str) -> Option<Vec<String>> {
        Some(vec![value.into()])
    }

    /// Does a write with these values take away the entry of this key?
    fn takes(text: &str, values: &[Option<Vec<String>>], key: &str) -> bool {
        let carried = pattern(text).tags_of_key(key);
        pattern(text).tags_of_write(values).iter().any(|tag| carried.contains(tag))
    }

    #[test]
    fn a_write_takes_what_its_pattern_names() {
        assert!(takes("properties:detail:{id}", &[known("5")], "properties:detail:5"));
        assert!(!takes("properties:detail:{id}", &[known("6")], "properties:detail:5"));
        assert!(takes("properties:detail:{id}", &[None], "properties:detail:5"));
        assert!(takes("properties:list:*", &[], "properties:list:a=eq.1&b=eq.2"));
        assert!(takes("properties:list:*", &[], "properties:list:a:b"));
        assert!(!takes("properties:list:*", &[], "properties:lists:a"));
        assert!(takes("properties:*", &[], "properties:list:a"));
        assert!(takes("properties:city:Da*", &[], "properties:city:Dakar"));
        assert!(takes("properties:city:Da*", &[], "properties:city:Dakar:2"));
        assert!(!takes("properties:city:Da*", &[], "properties:city:Thies"));
        assert!(takes("fmpa:*:{t}:*", &[known("t1")], "fmpa:list:t1:f"));
        assert!(takes("fmpa:*:{t}:*", &[known("t1")], "fmpa:a:b:t1:f"));
        assert!(!takes("fmpa:*:{t}:*", &[known("t2")], "fmpa:list:t1:f"));
        assert!(takes("u:v-{id}-x", &[known("9")], "u:v-9-x"));
        assert!(takes("{x}:{y}", &[None, known("b")], "a:b"));
        assert!(!takes("{x}:{y}", &[None, known("c")], "a:b"));
        assert!(!takes("properties:detail:{id}", &[Some(vec![])], "properties:detail:5"), "no row changed");
    }

    #[test]
    fn an_operator_writes_a_pattern_with_values_or_without() {
        let takes = |text: &str, written: &str, key: &str| {
            pattern(text).tag_of_written(written).map(|tag| pattern(text).tags_of_key(key).contains(&tag))
        };
        for (text, written, key, taken) in [
            ("properties:list:*", "properties:list:*", "properties:list:a:b", Some(true)),
            ("properties:list:*", "properties:list:a", "properties:list:a", None),
            ("properties:list:*", "properties:*", "properties:list:a", None),
            ("properties:city:{city}", "properties:city:{city}", "properties:city:Dakar", Some(true)),
            ("properties:city:{city}", "properties:city:Dakar", "properties:city:Dakar", Some(true)),
            ("properties:city:{city}", "properties:city:Dakar", "properties:city:Thies", Some(false)),
            ("properties:city:{city}", "properties:city:*", "properties:city:Dakar", None),
            ("properties:city:{city}", "properties:city:{town}", "properties:city:Dakar", None),
            ("fmpa:*:{t}:*", "fmpa:*:t1:*", "fmpa:list:t1:f", Some(true)),
            ("fmpa:*:{t}:*", "fmpa:*:t1:*", "fmpa:list:t2:f", Some(false)),
            ("u:v-{id}-x", "u:v-09-x", "u:v-9-x", Some(true)),
        ] {
            assert_eq!(takes(text, written, key), taken, "{text} {written} {key}");
        }
    }

    #[test]
    fn values_that_may_be_equal_in_sql_are_equal_here() {
        for (written, read) in [("7", "007"), ("A@x.io", "a@x.io"), ("1", "1.0"), ("true", "t"), (" a", "a ")]
        {
            let key = format!("n:{}", escape(read));
            assert!(takes("n:{v}", &[known(written)], &key), "{written} {read}");
        }
    }

    #[test]
    fn ten_thousand_rows_are_named_and_more_are_any() {
        let rows = |n: usize| Some((0..n).map(|i| format!("r{i}")).collect::<Vec<_>>());
        assert_eq!(pattern("n:{id}").tags_of_write(&[rows(10_000)]).len(), 10_000);
        assert_eq!(pattern("n:{id}").tags_of_write(&[rows(10_001)]).len(), 1);
        assert_eq!(pattern("n:{id}:{x}").tags_of_write(&[rows(5_000), rows(5_000)]).len(), 1);
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, message) in [
            ("a:b*c", "`*` must be a whole segment or end the pattern"),
            ("a*:b", "`*` must be a whole segment or end the pattern"),
            ("a:{x}*", "`*` must be a whole segment or end the pattern"),
            ("a:{x}{y}", "a segment can hold one placeholder only"),
            ("{a}:{b}:{c}:{d}", "more than 3 placeholders"),
            ("list:{query}", "`{query}` has no value in a write; use `*`"),
            ("a:{", "unbalanced brace"),
        ] {
            assert_eq!(Pattern::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn a_pattern_that_no_key_can_match_is_told() {
        let template = |text: &str| Template::parse(text).unwrap();
        for (text, namespace, key, may) in [
            ("properties:detail:{id}", "properties", "detail:{id}", true),
            ("properties:list:*", "properties", "list:{query}", true),
            ("properties:city:{city}", "properties", "list:{query}", false),
            ("props:*", "properties", "list:{query}", false),
            ("*", "anything", "x:{id}", true),
            ("fmpa:*:{t}:*", "fmpa", "list:{claims.t}:{query}", true),
        ] {
            assert_eq!(pattern(text).may_match(namespace, &template(key)), may, "{text}");
        }
    }
}
