//! What is wrong with the file, where, and what would be right?
//!
//! A [`Remark`] is plain data: `larder check` prints it for people and, with
//! `--json`, as it is. Nothing here knows what a rule is.

use serde::Serialize;

/// Most mistakes, and most warnings, that are kept. Whoever has more than a
/// hundred repairs those first; the rest is only counted, so that a broken
/// file cannot make its own report grow without end.
const REMARKS_MAX: usize = 100;

/// Longest excerpt of a line, in characters: what fits a terminal.
const EXCERPT_CHARS_MAX: usize = 100;

/// Longest piece of the file repeated inside a message, in characters.
const QUOTED_CHARS_MAX: usize = 60;

/// A place in the text: line and column start at 1, all three count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) length: usize,
}

/// A place in the file, as a path (`reads[3].key`) and in the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) path: String,
    pub(super) place: Place,
}

/// Something to say about a place in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The field, such as `reads[3].key`; empty for the file as a whole.
    pub path: String,
    /// What is the matter, one sentence without a full stop.
    pub message: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in that line, from 1, in characters.
    pub column: usize,
    /// The line itself, or the part of it around the place.
    pub excerpt: String,
    /// Where in the excerpt the place begins, from 0, in characters.
    pub mark: usize,
    /// How many characters of the excerpt are meant; at least 1.
    pub length: usize,
    /// What would be right, where that is known.
    pub hint: Option<String>,
}

impl Remark {
    /// Something else about the same place.
    #[must_use]
    pub fn saying(&self, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()), ..self.clone() }
    }
}

/// Why the file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Mistake(pub Remark);

/// What works, but hardly as its author thinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Warning(pub Remark);

/// Gathers everything there is to say about one text.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    lines: Vec<&'t str>,
    mistakes: Vec<Remark>,
    warnings: Vec<Remark>,
    untold: usize,
}

impl<'t> Findings<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { lines: lines(text), mistakes: Vec::new(), warnings: Vec::new(), untold: 0 }
    }

    pub(super) fn mistake(&mut self, spot: &Spot, message: impl Into<String>) {
        self.add_mistake(spot, message.into(), None);
    }

    pub(super) fn mistake_with_hint(
        &mut self,
        spot: &Spot,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add_mistake(spot, message.into(), Some(hint.into()));
    }

    pub(super) fn warning(&mut self, spot: &Spot, message: impl Into<String>, hint: Option<String>) {
        if self.warnings.len() < REMARKS_MAX {
            let remark = self.remark(spot, message.into(), hint);
            self.warnings.push(remark);
        }
    }

    pub(super) fn has_mistakes(&self) -> bool {
        !self.mistakes.is_empty()
    }

    /// The mistakes in the order of the file.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|remark| (remark.line, remark.column));
        if self.untold > 0 {
            let message = format!("{} more mistakes are not shown", self.untold);
            let end = Spot {
                path: String::new(),
                place: Place { line: self.lines.len().max(1), column: 1, length: 1 },
            };
            let rest = self.remark(&end, message, None);
            self.mistakes.push(rest);
        }
        self.mistakes.into_iter().map(Mistake).collect()
    }

    /// The warnings in the order of the file.
    pub(super) fn into_warnings(mut self) -> Vec<Warning> {
        self.warnings.sort_by_key(|remark| (remark.line, remark.column));
        self.warnings.into_iter().map(Warning).collect()
    }

    /// Where something stands, for what will be said about it when the text is gone.
    pub(super) fn place(&self, spot: &Spot) -> Remark {
        self.remark(spot, String::new(), None)
    }

    fn add_mistake(&mut self, spot: &Spot, message: String, hint: Option<String>) {
        if self.mistakes.len() < REMARKS_MAX {
            let remark = self.remark(spot, message, hint);
            self.mistakes.push(remark);
        } else {
            self.untold += 1;
        }
    }

    fn remark(&self, spot: &Spot, message: String, hint: Option<String>) -> Remark {
        let Place { line, column, length } = spot.place;
        let whole = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or("");
        let skipped = column.saturating_sub(1 + EXCERPT_CHARS_MAX / 2);
        let chars = whole.chars().count();
        let from = if chars <= EXCERPT_CHARS_MAX { 0 } else { skipped.min(chars - EXCERPT_CHARS_MAX) };
        let excerpt: String = whole
            .chars()
            .skip(from)
            .take(EXCERPT_CHARS_MAX)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let excerpt = excerpt.trim_end().to_owned();
        let mark = column.saturating_sub(1 + from);
        let length = excerpt.chars().skip(mark).take(length).collect::<String>().trim_end().chars().count();
        let length = length.max(1);
        Remark { path: spot.path.clone(), message, line, column, excerpt, mark, length, hint }
    }
}

/// A piece of the file inside a message.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", clipped(text))
}

/// A piece of the file, short and without anything that a terminal would obey.
pub(super) fn clipped(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED_CHARS_MAX).flat_map(show).collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn show(c: char) -> impl Iterator<Item = char> {
    let (escaped, plain) = if c.is_control() { (Some(c.escape_unicode()), None) } else { (None, Some(c)) };
    escaped.into_iter().flatten().chain(plain)
}

/// Lines as YAML counts them: ended by `\n`, `\r\n` or `\r`.
fn lines(text: &str) -> Vec<&str> {
    // The byte order mark is no character of the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n')
        .flat_map(|line| {
            let line = line.strip_suffix('\r').unwrap_or(line);
            line.split('\r')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remark(text: &str, line: usize, column: usize, length: usize) -> Remark {
        let mut findings = Findings::new(text);
        let place = Place { line, column, length };
        findings.mistake(&Spot { path: "reads[0].key".into(), place }, "message");
        findings.into_mistakes().remove(0).0
    }

    #[test]
    fn the_excerpt_shows_the_place() {
        let shown = remark("a: 1\r\nkey: wrong\r\n", 2, 6, 5);
        assert_eq!((shown.excerpt.as_str(), shown.mark, shown.length), ("key: wrong", 5, 5));
        let marked = remark("\u{feff}a: 1", 1, 1, 1);
        assert_eq!((marked.excerpt.as_str(), marked.mark, marked.length), ("a: 1", 0, 1));
        let beyond = remark("a: 1", 7, 3, 900);
        assert_eq!((beyond.excerpt.as_str(), beyond.mark, beyond.length), ("", 2, 1));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}WRONG{}", "x".repeat(5_000), "y".repeat(5_000));
        let shown = remark(&line, 1, 5_001, 5);
        assert_eq!(shown.excerpt.chars().count(), EXCERPT_CHARS_MAX);
        assert_eq!(&shown.excerpt[shown.mark..shown.mark + shown.length], "WRONG");
    }

    #[test]
    fn a_thousand_mistakes_are_counted_and_a_hundred_told() {
        let mut findings = Findings::new("x");
        for _ in 0..1_000 {
            findings.mistake(&Spot::default(), "again");
        }
        let told = findings.into_mistakes();
        assert_eq!(told.len(), REMARKS_MAX + 1);
        assert_eq!(told[REMARKS_MAX].0.message, "900 more mistakes are not shown");
    }

    #[test]
    fn what_is_repeated_cannot_move_the_cursor() {
        assert_eq!(quoted("a\u{1b}[2J"), "`a\\u{1b}[2J`");
        assert_eq!(quoted(&"ä".repeat(61)), format!("`{}…`", "ä".repeat(60)));
    }
}
