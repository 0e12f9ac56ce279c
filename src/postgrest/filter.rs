//! Which rows does a parameter keep: filters and logic trees.

use std::borrow::Cow;
use std::fmt;

use super::cursor::{Cursor, Opaque};
use super::name::{Column, Name, read_dotted_names};
use super::operator::{Expression, InTree, Place};

/// Deepest logic tree that is followed. PostgREST has no limit; people write three levels, and the
/// parser's stack is the proxy's.
const TREE_DEPTH_MAX: usize = 32;

/// `embed.column->path=operator.value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter<'a> {
    /// Aliases or relations from the root to where the filter applies; empty at the root.
    pub embed: Vec<Cow<'a, str>>,
    /// What is compared.
    pub column: Column<'a>,
    /// How it is compared.
    pub expression: Expression<'a>,
}

/// `embed.or=(…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logic<'a> {
    /// As in [`Filter::embed`].
    pub embed: Vec<Cow<'a, str>>,
    /// Always a branch at the top.
    pub tree: Tree<'a>,
}

/// A tree of conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree<'a> {
    /// `column.operator.value`.
    Leaf(Column<'a>, Expression<'a>),
    /// `and(…)`, `not.or(…)`.
    Branch(Branch<'a>),
}

/// Conditions joined by one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch<'a> {
    /// `not.` stands before it.
    pub negated: bool,
    /// The word.
    pub joined_by: LogicOperator,
    /// At least one.
    pub children: Vec<Tree<'a>>,
}

/// How conditions are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogicOperator {
    /// All must hold.
    And,
    /// One must hold.
    Or,
}

impl LogicOperator {
    fn as_str(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
        }
    }

    fn named(word: &str) -> Option<Self> {
        [Self::And, Self::Or].into_iter().find(|operator| operator.as_str() == word)
    }
}

impl<'a> Filter<'a> {
    /// Reads a decoded parameter whose role is a filter.
    pub fn parse(name: &'a str, value: &'a str) -> Result<Self, Opaque> {
        let (embed, column) = parse_tree_path(name)?;
        Ok(Self { embed, column, expression: Expression::parse(value)? })
    }

    /// The name of the parameter, decoded.
    pub fn parameter_name(&self) -> String {
        format!("{}{}", EmbedPath(&self.embed), self.column)
    }
}

/// The names from the root to a column, and the column with its JSON path.
pub(super) fn parse_tree_path(name: &str) -> Result<(Vec<Cow<'_, str>>, Column<'_>), Opaque> {
    let mut cursor = Cursor::new(name);
    let mut names = Vec::new();
    loop {
        let column = Column::read_unpadded(&mut cursor).ok_or(Opaque)?;
        if !column.path.is_empty() || !cursor.eat(".") {
            return cursor.finish((names, column));
        }
        names.push(column.name);
    }
}

impl<'a> Logic<'a> {
    /// Reads a decoded parameter whose role is logic.
    pub fn parse(name: &'a str, value: &'a str) -> Result<Self, Opaque> {
        let mut cursor = Cursor::new(name);
        let mut embed = cursor_names(&mut cursor)?;
        let joined_by = embed.pop().and_then(|word| LogicOperator::named(&word)).ok_or(Opaque)?;
        // the word `not` negates wherever it stands, and is never the name of an embed
        let negated = embed.iter().any(|name| name == "not");
        embed.retain(|name| name != "not");
        let mut cursor = Cursor::new(value);
        let children = read_children(&mut cursor, 0).ok_or(Opaque)?;
        cursor.finish(Self { embed, tree: Tree::Branch(Branch { negated, joined_by, children }) })
    }
}

fn cursor_names<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<Cow<'a, str>>, Opaque> {
    let names = read_dotted_names(cursor).ok_or(Opaque)?;
    cursor.finish(names)
}

fn read_tree<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Option<Tree<'a>> {
    let mut ahead = *cursor;
    if let Some(leaf) = read_leaf(&mut ahead) {
        *cursor = ahead;
        return Some(leaf);
    }
    let negated = cursor.eat("not.");
    let joined_by = LogicOperator::named(cursor.take_while(|c| c.is_ascii_lowercase()))?;
    let children = read_children(cursor, depth + 1)?;
    Some(Tree::Branch(Branch { negated, joined_by, children }))
}

fn read_leaf<'a>(cursor: &mut Cursor<'a>) -> Option<Tree<'a>> {
    let column = Column::read(cursor)?;
    cursor.expect(".")?;
    let expression = Expression::read(cursor, Place::Tree)?;
    Some(Tree::Leaf(column, expression))
}

fn read_children<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Option<Vec<Tree<'a>>> {
    if depth > TREE_DEPTH_MAX {
        return None;
    }
    cursor.expect_between_blanks("(")?;
    let mut children = vec![read_tree(cursor, depth)?];
    while cursor.expect_between_blanks(",").is_some() {
        children.push(read_tree(cursor, depth)?);
    }
    cursor.expect_between_blanks(")")?;
    Some(children)
}

impl fmt::Display for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(column, expression) => write!(f, "{column}.{}", InTree(expression)),
            Self::Branch(branch) => {
                let not = if branch.negated { "not." } else { "" };
                write!(f, "{not}{}{}", branch.joined_by.as_str(), Children(&branch.children))
            }
        }
    }
}

/// The conditions of a branch in their parentheses: the value of a logic parameter.
struct Children<'c, 'a>(&'c [Tree<'a>]);

impl fmt::Display for Children<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, child) in self.0.iter().enumerate() {
            write!(f, "{}{child}", if index == 0 { "(" } else { "," })?;
        }
        f.write_str(")")
    }
}

/// Prints `a.b.` before a name.
struct EmbedPath<'e, 'a>(&'e [Cow<'a, str>]);

impl fmt::Display for EmbedPath<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|name| write!(f, "{}.", Name(name)))
    }
}
