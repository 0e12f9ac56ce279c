//! How are names, quoted values and JSON paths written?
//!
//! Names are borrowed from the request wherever they stand there as they are;
//! only escapes inside quotes, and blanks around a dash, need a copy.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::cursor::Cursor;

/// A column as filters, `order` and `select` name it: a name and perhaps a way into its JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// The column, computed field or embed, quotes removed.
    pub name: Cow<'a, str>,
    /// `->a->>b`, outermost first.
    pub path: Vec<Step<'a>>,
}

/// One arrow of a JSON path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// `->>` rather than `->`.
    pub as_text: bool,
    /// What the arrow points at.
    pub operand: Operand<'a>,
}

/// What an arrow points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand<'a> {
    /// A position in an array, with its sign. PostgREST takes one that stands right before `)` for a
    /// key; nothing here follows paths, so the two are not told apart.
    Index(Cow<'a, str>),
    /// A key of an object.
    Key(Cow<'a, str>),
}

impl<'a> Column<'a> {
    /// A column without a JSON path.
    pub fn plain(name: impl Into<Cow<'a, str>>) -> Self {
        Self { name: name.into(), path: Vec::new() }
    }

    /// A name and its JSON path, blanks allowed around the two.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        cursor.skip_blanks();
        let column = Self::read_unpadded(cursor)?;
        cursor.skip_blanks();
        Some(column)
    }

    /// As [`Column::read`], for places where PostgREST allows no blanks.
    pub(super) fn read_unpadded(cursor: &mut Cursor<'a>) -> Option<Self> {
        Some(Self { name: read_name(cursor)?, path: read_json_path(cursor)? })
    }
}

impl fmt::Display for Column<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Name(&self.name))?;
        self.path.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.as_text { "->>" } else { "->" })?;
        match &self.operand {
            Operand::Index(index) => f.write_str(index),
            Operand::Key(key) if is_plain_key(key) => f.write_str(key),
            Operand::Key(key) => write!(f, "{}", Quoted(key)),
        }
    }
}

/// `a.b.c`: names parted by dots.
pub(super) fn read_dotted_names<'a>(cursor: &mut Cursor<'a>) -> Option<Vec<Cow<'a, str>>> {
    let mut names = vec![read_name(cursor)?];
    while cursor.eat(".") {
        names.push(read_name(cursor)?);
    }
    Some(names)
}

/// A quoted name, or identifiers joined by dashes (a dash before `>` belongs to an arrow).
pub(super) fn read_name<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    if cursor.is_before(&['"']) {
        return read_quoted(cursor);
    }
    // most names are one plain word, which this finds in a fraction of the time
    let bytes = cursor.rest().as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let end = bytes.iter().position(|byte| !is_plain(byte)).unwrap_or(bytes.len());
    let is_whole = bytes.get(end).is_none_or(|next| next.is_ascii_punctuation() && !b"-$".contains(next));
    if end > 0 && is_whole {
        return Some(Cow::Borrowed(cursor.take(end)));
    }
    read_dashed(cursor, is_identifier_character)
}

/// Letters, digits, `_`, `$` and inner blanks.
pub(super) fn read_identifier<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    let name = cursor.take_while(is_identifier_character).trim();
    (!name.is_empty()).then_some(Cow::Borrowed(name))
}

/// `"…"`, in which a backslash takes the meaning from the next character.
pub(super) fn read_quoted<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    let mut inside = *cursor;
    inside.expect("\"")?;
    let plain = inside.take_while(|c| c != '"' && c != '\\');
    if inside.eat("\"") {
        *cursor = inside;
        return Some(Cow::Borrowed(plain));
    }
    let mut text = plain.to_owned();
    loop {
        let next = inside.peek()?;
        inside.take(next.len_utf8());
        match next {
            '"' => break,
            '\\' => {
                let escaped = inside.peek()?;
                inside.take(escaped.len_utf8());
                text.push(escaped);
            }
            _ => text.push(next),
        }
    }
    *cursor = inside;
    Some(Cow::Owned(text))
}

/// `->a->>b`, perhaps nothing.
pub(super) fn read_json_path<'a>(cursor: &mut Cursor<'a>) -> Option<Vec<Step<'a>>> {
    let mut path = Vec::new();
    loop {
        let as_text = cursor.eat("->>");
        if !as_text && !cursor.eat("->") {
            return Some(path);
        }
        path.push(Step { as_text, operand: read_operand(cursor)? });
    }
}

fn read_operand<'a>(cursor: &mut Cursor<'a>) -> Option<Operand<'a>> {
    if cursor.is_before(&['"']) {
        return read_quoted(cursor).map(Operand::Key);
    }
    let mut ahead = *cursor;
    ahead.eat("-");
    let digits = ahead.take_while(|c| c.is_ascii_digit());
    let ends_here =
        ahead.is_at_end() || ahead.is_before(&['.', ',', ')', ':']) || ahead.rest().starts_with("->");
    if !digits.is_empty() && ends_here {
        let length = cursor.rest().len() - ahead.rest().len();
        return Some(Operand::Index(Cow::Borrowed(cursor.take(length))));
    }
    read_dashed(cursor, is_key_character).map(Operand::Key)
}

/// Words joined by dashes, blanks around each word removed, as PostgREST does.
fn read_dashed<'a>(cursor: &mut Cursor<'a>, accepts: impl Fn(char) -> bool + Copy) -> Option<Cow<'a, str>> {
    let start = cursor.rest();
    let mut needs_copy = false;
    let mut words = 0;
    loop {
        let word = cursor.take_while(accepts);
        if word.trim().is_empty() {
            return None;
        }
        words += 1;
        let is_last = cursor.rest().starts_with("->") || !cursor.eat("-");
        // blanks at the two ends of the whole can be cut off without a copy
        needs_copy |= !is_last && word.ends_with(char::is_whitespace);
        needs_copy |= words > 1 && word.starts_with(char::is_whitespace);
        if is_last {
            break;
        }
    }
    let whole = &start[..start.len() - cursor.rest().len()];
    if needs_copy {
        return Some(Cow::Owned(whole.split('-').map(str::trim).collect::<Vec<_>>().join("-")));
    }
    Some(Cow::Borrowed(whole.trim()))
}

fn is_identifier_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '$') || (!c.is_ascii() && c.is_alphabetic())
}

fn is_key_character(c: char) -> bool {
    !matches!(c, '(' | '-' | ':' | '.' | ',' | '>' | ')')
}

fn is_plain_key(key: &str) -> bool {
    let is_index = key.strip_prefix('-').unwrap_or(key).bytes().all(|b| b.is_ascii_digit());
    !is_index && !key.starts_with('"') && is_dashed(key, is_key_character)
}

fn is_dashed(text: &str, accepts: fn(char) -> bool) -> bool {
    text.split('-').all(|word| !word.is_empty() && word.trim() == word && word.chars().all(accepts))
}

/// Prints a name so that it is read back as it is: bare if it can be, else quoted.
pub(super) struct Name<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dashed(self.0, is_identifier_character) {
            return f.write_str(self.0);
        }
        write!(f, "{}", Quoted(self.0))
    }
}

/// Prints a value between quotes.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
pub(super) mod strategies {
    use proptest::prelude::*;

    use super::*;

    /// Names of every kind: plain, dashed, accented, and some that need quotes.
    pub(in crate::postgrest) fn any_name() -> impl Strategy<Value = Cow<'static, str>> {
        prop_oneof![
            "[a-z_$][a-z0-9_$]{0,6}",
            "[a-z]{1,3}-[a-z]{1,3}",
            "[a-zé]{1,3} [a-z]{1,3}",
            "[ -~é\\t]{0,6}",
            Just("order".to_owned()),
            Just("not".to_owned()),
            Just("left_side".to_owned()),
        ]
        .prop_map(Cow::Owned)
    }

    pub(in crate::postgrest) fn any_column() -> impl Strategy<Value = Column<'static>> {
        let operand = prop_oneof![
            "-?[0-9]{1,3}".prop_map(|index| Operand::Index(Cow::Owned(index))),
            "[ -~é]{0,6}".prop_map(|key| Operand::Key(Cow::Owned(key))),
        ];
        let step = (any::<bool>(), operand).prop_map(|(as_text, operand)| Step { as_text, operand });
        (any_name(), proptest::collection::vec(step, 0..3)).prop_map(|(name, path)| Column { name, path })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        for (text, name, rest) in [
            ("id", Some("id"), ""),
            ("id.eq", Some("id"), ".eq"),
            ("identifier with spaces", Some("identifier with spaces"), ""),
            ("identifier-with-dashes", Some("identifier-with-dashes"), ""),
            (" a - b ->>c", Some("a-b"), "->>c"),
            ("a->b", Some("a"), "->b"),
            ("123", Some("123"), ""),
            ("$", Some("$"), ""),
            ("größe", Some("größe"), ""),
            ("\":\"", Some(":"), ""),
            ("\" kept \"x", Some(" kept "), "x"),
            (r#""a\"b\\c","#, Some(r#"a"b\c"#), ","),
            ("\"open", None, ""),
            ("\"open\\", None, ""),
            ("a-", None, ""),
            ("a--b", None, ""),
            (":", None, ""),
            ("", None, ""),
            ("   ", None, ""),
        ] {
            let mut cursor = Cursor::new(text);
            let read = read_name(&mut cursor);
            assert_eq!(read.as_deref(), name, "{text:?}");
            if name.is_some() {
                assert_eq!(cursor.rest(), rest, "{text:?}");
            }
        }
    }

    #[test]
    fn json_paths() {
        for (text, operands) in [
            ("d->text", Some(vec!["text"])),
            ("d->!@#$%^&*_a", Some(vec!["!@#$%^&*_a"])),
            ("d->1->>-2->x", Some(vec!["#1", "#-2", "x"])),
            ("d->>5xy", Some(vec!["5xy"])),
            ("d->a-b->c", Some(vec!["a-b", "c"])),
            ("d->\"a.b\"", Some(vec!["a.b"])),
            ("d->0.desc", Some(vec!["#0"])),
            ("d->>-78xy", None),
            ("d->>--34", None),
            ("d->", None),
            ("d->>", None),
        ] {
            let read = Column::read(&mut Cursor::new(text));
            let shown = read.as_ref().map(|column| {
                let show = |step: &Step<'_>| match &step.operand {
                    Operand::Index(index) => format!("#{index}"),
                    Operand::Key(key) => key.to_string(),
                };
                column.path.iter().map(show).collect::<Vec<_>>()
            });
            assert_eq!(shown, operands.map(|o| o.into_iter().map(str::to_owned).collect()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_column_is_read_back(column in strategies::any_column()) {
            let text = column.to_string();
            let mut cursor = Cursor::new(&text);
            prop_assert_eq!(Column::read(&mut cursor), Some(column.clone()));
            prop_assert!(cursor.is_at_end());
        }
    }
}
