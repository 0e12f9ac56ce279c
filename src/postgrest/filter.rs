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
    /// What the parameter's name and value say together.
    pub tree: Branch<'a>,
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
        cursor.finish(Self { embed, tree: Branch { negated, joined_by, children } })
    }

    /// The name of the parameter, decoded.
    pub fn parameter_name(&self) -> String {
        let not = if self.tree.negated { "not." } else { "" };
        format!("{}{not}{}", EmbedPath(&self.embed), self.tree.joined_by.as_str())
    }

    /// The value of the parameter, decoded.
    pub fn parameter_value(&self) -> String {
        Children(&self.tree.children).to_string()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::postgrest::name::strategies::{any_column, any_name};
    use crate::postgrest::operator::strategies::any_expression;

    #[test]
    fn filters() {
        for (name, value, understood) in [
            ("id", "eq.1", true),
            ("a.b", "eq.0", true),
            ("a.b.c->>d", "is.null", true),
            ("data->a->>0", "gt.5", true),
            ("\"odd.name\"", "eq.1", true),
            ("with space", "eq.1", true),
            ("with-dash", "eq.1", true),
            ("a..b", "eq.1", false),
            ("a.", "eq.1", false),
            ("data->a.b", "eq.1", false),
            ("id)", "eq.1", false),
            ("", "eq.1", false),
            ("id", "val", false),
            ("id", "eq", false),
        ] {
            assert_eq!(Filter::parse(name, value).is_ok(), understood, "{name:?}={value:?}");
        }
    }

    #[test]
    fn a_filter_knows_its_embed() {
        let filter = Filter::parse("orders.items.\"a.b\"->x", "eq.1").unwrap();
        assert_eq!(filter.embed, ["orders", "items"]);
        assert_eq!(filter.column.to_string(), "\"a.b\"->x");
    }

    #[test]
    fn logic_trees() {
        for (name, value, understood) in [
            ("or", "(id.eq.1,id.eq.3)", true),
            ("and", "(a.eq.1)", true),
            ("not.or", "(a.eq.1,b.not.is.null)", true),
            ("orders.not.and", "(a.eq.1)", true),
            ("or", "(a.in.(1,2),not.and(b.gt.1,c.like.*x*))", true),
            ("or", "( a.eq.1 , b.eq.2 )", true),
            ("or", "(a.eq.\"x,y)\",b.cs.{1,2},c->>d.eq.z)", true),
            ("or", "(a.eq.,b.eq.1)", true),
            ("or", "(not.eq.1)", true),
            ("or", "(a.eq.1)junk", false),
            ("or", "(a.eq.1", false),
            ("or", "a.eq.1", false),
            ("or", "(a.is.nullx)", false),
            ("or", "(id.in.1,2,id.eq.3)", false),
            ("or", "(ord(id.eq.1,id.eq.1),id.eq.2)", false),
            ("or", "(id.eq.1,not.xor(id.eq.2,id.eq.3))", false),
            ("or", "()", false),
            ("or", ")(", false),
            ("or", "", false),
            ("a..or", "(id.eq.1)", false),
        ] {
            assert_eq!(Logic::parse(name, value).is_ok(), understood, "{name:?}={value:?}");
        }
    }

    #[test]
    fn the_word_not_negates_wherever_it_stands() {
        for (name, negated, embed) in
            [("a.not.or", true, vec!["a"]), ("not.a.or", true, vec!["a"]), ("a.or", false, vec!["a"])]
        {
            let logic = Logic::parse(name, "(id.eq.1)").unwrap();
            assert_eq!(logic.embed, embed);
            assert_eq!(logic.tree.negated, negated, "{name:?}");
        }
    }

    #[test]
    fn trees_deeper_than_the_stack_should_go_are_opaque() {
        let nested = |depth| format!("{}(a.eq.1){}", "(and".repeat(depth), ")".repeat(depth));
        assert!(Logic::parse("or", &nested(TREE_DEPTH_MAX)).is_ok());
        assert_eq!(Logic::parse("or", &nested(TREE_DEPTH_MAX + 1)), Err(Opaque));
        assert_eq!(Logic::parse("or", &nested(100_000)), Err(Opaque));
    }

    fn any_branch() -> impl Strategy<Value = Branch<'static>> {
        let leaf =
            (any_column(), any_expression()).prop_map(|(column, expression)| Tree::Leaf(column, expression));
        let tree = leaf.prop_recursive(3, 12, 3, |tree| branch_of(tree).prop_map(Tree::Branch));
        branch_of(tree)
    }

    fn branch_of(tree: impl Strategy<Value = Tree<'static>>) -> impl Strategy<Value = Branch<'static>> {
        let operator = prop_oneof![Just(LogicOperator::And), Just(LogicOperator::Or)];
        (any::<bool>(), operator, proptest::collection::vec(tree, 1..4))
            .prop_map(|(negated, joined_by, children)| Branch { negated, joined_by, children })
    }

    fn any_embed() -> impl Strategy<Value = Vec<Cow<'static, str>>> {
        proptest::collection::vec(any_name().prop_filter("`not` negates", |name| name != "not"), 0..3)
    }

    proptest! {
        #[test]
        fn a_printed_filter_is_read_back(embed in any_embed(), column in any_column(), expression in any_expression()) {
            let filter = Filter { embed, column, expression };
            let (name, value) = (filter.parameter_name(), filter.expression.to_string());
            prop_assert_eq!(Filter::parse(&name, &value), Ok(filter.clone()));
        }

        #[test]
        fn a_printed_tree_is_read_back(embed in any_embed(), branch in any_branch()) {
            let logic = Logic { embed, tree: branch };
            let (name, value) = (logic.parameter_name(), logic.parameter_value());
            prop_assert_eq!(Logic::parse(&name, &value), Ok(logic.clone()));
        }

        #[test]
        fn any_text_is_a_filter_or_opaque(name in "\\PC{0,20}", value in "\\PC{0,30}|(not|and|or|eq|in|is|[a-c.,()\"{}\\\\]){0,14}") {
            let _filter = Filter::parse(&name, &value);
            let _filter = Filter::parse("a", &value);
            let _logic = Logic::parse(&name, &value);
            let _logic = Logic::parse("or", &value);
        }
    }
}
