//! What does an answer depend on?
//!
//! A tag has one text form, in which every part that came from data is escaped,
//! so that two tags are equal exactly when they mean the same.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::Key;
use super::escape::escape;
use super::fold::fold;

/// A table or view as PostgREST names it: the schema is part of the name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table {
    /// The schema, as sent in a profile header or configured as the default.
    pub schema: Arc<str>,
    /// The name within that schema.
    pub name: Arc<str>,
}

impl Table {
    /// Names a table.
    pub fn new(schema: &str, name: &str) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// What stands before the text of a soft tag; no other begins with it.
const SOFT: &str = "soft:";

/// Something that entries depend on and that an invalidation names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// Every entry there is.
    pub fn everything() -> Self {
        Self("everything".into())
    }

    /// Every entry that reads some table we cannot name: any write to any table changes it.
    pub fn any_table() -> Self {
        Self("any-table".into())
    }

    /// Every entry that reads this table.
    pub fn table(table: &Table) -> Self {
        let (schema, name) = (part(&table.schema), part(&table.name));
        Self(["table:", &schema, ".", &name].concat().into())
    }

    /// Every entry that reads rows of this table without naming any of them.
    pub fn unpinned(table: &Table) -> Self {
        Self([Self::table(table).as_str(), "#unpinned"].concat().into())
    }

    /// Every entry that reads the rows of this table that have one value or
    /// another in this column.
    pub fn column(table: &Table, column: &str) -> Self {
        let column = part(column).replace('=', "%3D");
        Self([Self::table(table).as_str(), ".", &column].concat().into())
    }

    /// Every entry that reads the rows of this table that have this value in this column.
    pub fn row(table: &Table, column: &str, value: &str) -> Self {
        Self(format!("{}={}", Self::column(table, column), fold(&escape(value))).into())
    }

    /// Every entry of this namespace.
    pub fn namespace(namespace: &str) -> Self {
        Self(["namespace:", &*escape(namespace)].concat().into())
    }

    /// Every entry of this key, whatever its fingerprint.
    pub fn key(key: &Key) -> Self {
        Self(["key:", key.as_str()].concat().into())
    }

    /// Every entry that is kept of this address, whoever asked for it.
    pub fn target(target: &str) -> Self {
        Self(["target:", &*escape(target)].concat().into())
    }

    /// Every entry whose key falls under a rule's pattern, with these values
    /// captured for its placeholders; `None` stands for any value.
    pub(super) fn pattern(pattern: &str, captured: &[Option<&str>]) -> Self {
        let mut text = format!("pattern:{pattern}");
        for value in captured {
            text.push('#');
            match value {
                Some(value) => {
                    text.push('=');
                    text.push_str(value);
                }
                None => text.push('*'),
            }
        }
        Self(text.into())
    }

    /// The tag of this text form, as an operator saw it; nothing where no tag looks like that.
    pub fn parse(text: &str) -> Option<Self> {
        let kinds = ["table:", "namespace:", "key:", "target:", "pattern:"];
        let is_whole = ["everything", "any-table"].contains(&text);
        let is_of_a_kind = kinds.iter().any(|kind| text.len() > kind.len() && text.starts_with(kind));
        (is_whole || is_of_a_kind).then(|| Self::of_text(text))
    }

    /// The same tag for whoever may be served once more what was true before it changed.
    pub fn softly(&self) -> Self {
        Self([SOFT, &*self.0].concat().into())
    }

    /// Whether a change to it leaves an answer to be served once more.
    pub fn is_soft(&self) -> bool {
        self.0.starts_with(SOFT)
    }

    /// The tag whose change leaves nothing.
    #[must_use]
    pub fn hardly(self) -> Self {
        self.0.strip_prefix(SOFT).map(Self::of_text).unwrap_or(self)
    }

    /// The tag that has this text form, as another process wrote it.
    pub fn of_text(text: &str) -> Self {
        Self(text.into())
    }

    /// The tag's one text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A part of a tag that ends at a dot: it holds none of its own.
fn part(text: &str) -> Cow<'_, str> {
    let escaped = escape(text);
    if escaped.contains('.') { Cow::Owned(escaped.replace('.', "%2E")) } else { escaped }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soft_tag_is_another_one() {
        let tag = Tag::namespace("soft:a");
        assert!(!tag.is_soft() && tag.softly().is_soft() && tag.softly() != tag);
        assert_eq!(tag.softly().hardly(), tag);
        assert_eq!(tag.clone().hardly(), tag);
    }

    #[test]
    fn trap_90_names_that_join_alike_are_different_tags() {
        let tags = [
            Tag::table(&Table::new("x", "a.b")),
            Tag::table(&Table::new("x.a", "b")),
            Tag::table(&Table::new("public", "todos")),
            Tag::table(&Table::new("public", "Todos")),
            Tag::column(&Table::new("public", "todos"), "a=b"),
            Tag::row(&Table::new("public", "todos"), "a", "b"),
            Tag::row(&Table::new("public", "todos.a"), "b", "b"),
            Tag::unpinned(&Table::new("public", "todos")),
            Tag::table(&Table::new("public", "todos#unpinned")),
            Tag::table(&Table::new("public", "todos")).softly(),
        ];
        for (index, one) in tags.iter().enumerate() {
            assert!(tags[index + 1..].iter().all(|other| other != one), "{one}");
        }
    }
}
