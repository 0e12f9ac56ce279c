//! What shape does a `select` give an answer, and which relations does it embed?

use std::borrow::Cow;
use std::fmt;

use super::cursor::{Cursor, Opaque};
use super::name::{Column, Name, Quoted, read_identifier, read_json_path, read_name};

/// Deepest nesting of embeds that is followed. PostgREST has no limit; people write three levels, and
/// the parser's stack is the proxy's.
const EMBED_DEPTH_MAX: usize = 32;

/// The items of a `select`, or of an embed's parentheses; none for `relation()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select<'a>(pub Vec<Item<'a>>);

/// One item of a `select`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// `*`
    Star,
    /// `alias:count()::cast`
    Count {
        /// The name in the answer.
        alias: Option<Cow<'a, str>>,
        /// The type it is given.
        cast: Option<Cow<'a, str>>,
    },
    /// A column or computed field.
    Field(Field<'a>),
    /// Rows of another relation.
    Relation(Relation<'a>),
}

/// `alias:column->path::cast.sum()::cast`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name in the answer, if another than the column's.
    pub alias: Option<Cow<'a, str>>,
    /// What is selected.
    pub column: Column<'a>,
    /// The type it is given before it is aggregated.
    pub cast: Option<Cow<'a, str>>,
    /// The aggregate and the type of its result.
    pub aggregate: Option<(Aggregate, Option<Cow<'a, str>>)>,
}

/// Functions over groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// `sum()`
    Sum,
    /// `avg()`
    Avg,
    /// `count()`
    Count,
    /// `max()`
    Max,
    /// `min()`
    Min,
}

impl Aggregate {
    const ALL: [Self; 5] = [Self::Sum, Self::Avg, Self::Count, Self::Max, Self::Min];

    fn call(self) -> &'static str {
        match self {
            Self::Sum => ".sum()",
            Self::Avg => ".avg()",
            Self::Count => ".count()",
            Self::Max => ".max()",
            Self::Min => ".min()",
        }
    }
}

/// `alias:target!hint!inner(…)` or `...target(…)`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation<'a> {
    /// Where its columns go.
    pub placement: Placement<'a>,
    /// A table, view, column, constraint or function: only the schema knows. Never `count` unless spread.
    pub target: Cow<'a, str>,
    /// At most two.
    pub parameters: Vec<EmbedParameter<'a>>,
    /// What is selected of it.
    pub select: Select<'a>,
}

/// Where the columns of an embed go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement<'a> {
    /// Into an object or array of their own, under the alias or else the target's name.
    Nested(Option<Cow<'a, str>>),
    /// `...`: among the parent's columns.
    Spread,
}

/// What stands behind a `!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbedParameter<'a> {
    /// `!left`: the default.
    Left,
    /// `!inner`: parents without a match are left out.
    Inner,
    /// Which of several relationships is meant. The first of two counts.
    Hint(Cow<'a, str>),
}

impl<'a> Select<'a> {
    /// Reads the decoded value of a `select`.
    pub fn parse(value: &'a str) -> Result<Self, Opaque> {
        let mut cursor = Cursor::new(value);
        let select = read_items(&mut cursor, 0).ok_or(Opaque)?;
        cursor.finish(select)
    }

    /// The embeds of this level.
    pub fn relations(&self) -> impl Iterator<Item = &Relation<'a>> {
        self.0.iter().filter_map(|item| match item {
            Item::Relation(relation) => Some(relation),
            Item::Star | Item::Count { .. } | Item::Field(_) => None,
        })
    }

    /// Whether, at any level, one name in a parameter's path may mean two embeds. PostgREST then
    /// chooses by the order of parameters.
    pub fn has_ambiguous_embeds(&self) -> bool {
        let relations: Vec<_> = self.relations().collect();
        let is_shared = |(index, one): (usize, &&Relation<'_>)| {
            relations.iter().skip(index + 1).any(|other| one.shares_a_name_with(other))
        };
        relations.iter().enumerate().any(is_shared)
            || relations.iter().any(|relation| relation.select.has_ambiguous_embeds())
    }

    /// Whether the field `column` of a returned row is that column's own value: selected as it is,
    /// and nothing else can come out under its name.
    pub fn returns_plainly(&self, column: &str) -> bool {
        let mut is_selected = false;
        for item in &self.0 {
            match item {
                Item::Star => is_selected = true,
                Item::Field(field) if field.is_plain(column) => is_selected = true,
                Item::Field(field) if field.may_output(column) => return false,
                Item::Count { alias, .. } if alias.as_deref().unwrap_or("count") == column => return false,
                Item::Relation(relation) if relation.may_output(column) => return false,
                Item::Field(_) | Item::Count { .. } | Item::Relation(_) => {}
            }
        }
        is_selected
    }
}

impl Field<'_> {
    fn is_plain(&self, column: &str) -> bool {
        let Self { alias, column: selected, cast, aggregate } = self;
        selected.name == column
            && selected.path.is_empty()
            && alias.as_deref().is_none_or(|alias| alias == column)
            && cast.is_none()
            && aggregate.is_none()
    }

    /// Whether the field may come out under that name. A JSON path or an aggregate without an alias is
    /// named by rules that changed over time.
    fn may_output(&self, column: &str) -> bool {
        match &self.alias {
            Some(alias) => alias == column,
            None => !self.column.path.is_empty() || self.aggregate.is_some() || self.column.name == column,
        }
    }
}

impl Relation<'_> {
    fn alias(&self) -> Option<&str> {
        match &self.placement {
            Placement::Nested(alias) => alias.as_deref(),
            Placement::Spread => None,
        }
    }

    fn shares_a_name_with(&self, other: &Self) -> bool {
        let names = [Some(self.target.as_ref()), self.alias()];
        let is_other = |name| Some(name) == other.alias() || name == other.target;
        names.into_iter().flatten().any(is_other)
    }

    fn may_output(&self, column: &str) -> bool {
        match &self.placement {
            Placement::Nested(alias) => alias.as_deref().unwrap_or(&self.target) == column,
            Placement::Spread => true,
        }
    }

    /// The hints as written.
    pub fn hints(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter_map(|parameter| match parameter {
            EmbedParameter::Hint(hint) => Some(hint.as_ref()),
            EmbedParameter::Left | EmbedParameter::Inner => None,
        })
    }
}

fn read_items<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Option<Select<'a>> {
    if depth > EMBED_DEPTH_MAX {
        return None;
    }
    let mut items = Vec::new();
    if cursor.is_at_end() || cursor.is_before(&[')']) {
        return Some(Select(items));
    }
    loop {
        items.push(read_item(cursor, depth)?);
        let mut ahead = *cursor;
        if ahead.expect_between_blanks(",").is_none() {
            return Some(Select(items));
        }
        *cursor = ahead;
    }
}

fn read_item<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Option<Item<'a>> {
    cursor.skip_blanks();
    if cursor.eat("...") {
        let target = read_name(cursor)?;
        return read_relation(cursor, Placement::Spread, target, depth).map(Item::Relation);
    }
    if cursor.eat("*") {
        return is_end_of_item(*cursor).then_some(Item::Star);
    }
    if let Some(cast) = read_count(cursor) {
        return Some(Item::Count { alias: None, cast });
    }
    // what is not an alias is the name itself, so that most names are read once
    let first = read_name(cursor)?;
    if !eat_alias_separator(cursor) {
        return read_named(cursor, None, first, depth);
    }
    if let Some(cast) = read_count(cursor) {
        return Some(Item::Count { alias: Some(first), cast });
    }
    if let Some(name) = read_name(cursor) {
        return read_named(cursor, Some(first), name, depth);
    }
    // only a field may have a tab, or a blank and then quotes, behind its alias
    cursor.skip_blanks();
    let name = read_name(cursor)?;
    read_field(cursor, Some(first), name).map(Item::Field)
}

/// A relation or a field, told apart by what follows its name.
fn read_named<'a>(
    cursor: &mut Cursor<'a>,
    alias: Option<Cow<'a, str>>,
    name: Cow<'a, str>,
    depth: usize,
) -> Option<Item<'a>> {
    if cursor.is_before(&['!', '(']) {
        if name == "count" {
            return None;
        }
        return read_relation(cursor, Placement::Nested(alias), name, depth).map(Item::Relation);
    }
    read_field(cursor, alias, name).map(Item::Field)
}

/// What follows the name of an embed.
fn read_relation<'a>(
    cursor: &mut Cursor<'a>,
    placement: Placement<'a>,
    target: Cow<'a, str>,
    depth: usize,
) -> Option<Relation<'a>> {
    let mut parameters = Vec::new();
    while parameters.len() < 2 && cursor.eat("!") {
        parameters.push(read_embed_parameter(cursor)?);
    }
    cursor.expect("(")?;
    let select = read_items(cursor, depth + 1)?;
    cursor.expect(")")?;
    Some(Relation { placement, target, parameters, select })
}

/// A hint that begins with `left` or `inner` must be quoted: PostgREST reads those words first.
fn read_embed_parameter<'a>(cursor: &mut Cursor<'a>) -> Option<EmbedParameter<'a>> {
    if cursor.eat("left") {
        return Some(EmbedParameter::Left);
    }
    if cursor.eat("inner") {
        return Some(EmbedParameter::Inner);
    }
    read_name(cursor).map(EmbedParameter::Hint)
}

/// A `:` that is not the first of a `::`.
fn eat_alias_separator(cursor: &mut Cursor<'_>) -> bool {
    !cursor.rest().starts_with("::") && cursor.eat(":")
}

/// `count()` and its cast; stays where it is if there is none.
fn read_count<'a>(cursor: &mut Cursor<'a>) -> Option<Option<Cow<'a, str>>> {
    let mut ahead = *cursor;
    ahead.expect("count()")?;
    let cast = read_cast(&mut ahead)?;
    if !is_end_of_item(ahead) {
        return None;
    }
    *cursor = ahead;
    Some(cast)
}

/// What follows the name of a field.
fn read_field<'a>(
    cursor: &mut Cursor<'a>,
    alias: Option<Cow<'a, str>>,
    name: Cow<'a, str>,
) -> Option<Field<'a>> {
    let column = Column { name, path: read_json_path(cursor)? };
    cursor.skip_blanks();
    let cast = read_cast(cursor)?;
    let aggregate = read_aggregate(cursor)?;
    is_end_of_item(*cursor).then_some(Field { alias, column, cast, aggregate })
}

/// The aggregate, if there is one; the outer `None` if its cast is broken.
fn read_aggregate<'a>(cursor: &mut Cursor<'a>) -> Option<Option<(Aggregate, Option<Cow<'a, str>>)>> {
    if !cursor.is_before(&['.']) {
        return Some(None);
    }
    let aggregate = Aggregate::ALL.into_iter().find(|aggregate| cursor.eat(aggregate.call()))?;
    Some(Some((aggregate, read_cast(cursor)?)))
}

/// The cast, if there is one; the outer `None` if it is broken.
fn read_cast<'a>(cursor: &mut Cursor<'a>) -> Option<Option<Cow<'a, str>>> {
    if !cursor.eat("::") {
        return Some(None);
    }
    read_identifier(cursor).map(Some)
}

fn is_end_of_item(cursor: Cursor<'_>) -> bool {
    cursor.is_at_end() || cursor.is_before(&[',', ')'])
}

impl fmt::Display for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Star => f.write_str("*"),
            Self::Count { alias, cast } => {
                write_alias(f, alias.as_deref())?;
                f.write_str("count()")?;
                write_cast(f, cast.as_deref())
            }
            Self::Field(field) => write!(f, "{field}"),
            Self::Relation(relation) => write!(f, "{relation}"),
        }
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_alias(f, self.alias.as_deref())?;
        write!(f, "{}", self.column)?;
        write_cast(f, self.cast.as_deref())?;
        let Some((aggregate, cast)) = &self.aggregate else {
            return Ok(());
        };
        f.write_str(aggregate.call())?;
        write_cast(f, cast.as_deref())
    }
}

impl fmt::Display for Relation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.placement {
            Placement::Nested(alias) => write_alias(f, alias.as_deref())?,
            Placement::Spread => f.write_str("...")?,
        }
        write!(f, "{}", Name(&self.target))?;
        for parameter in &self.parameters {
            match parameter {
                EmbedParameter::Left => f.write_str("!left")?,
                EmbedParameter::Inner => f.write_str("!inner")?,
                EmbedParameter::Hint(hint) if hint.starts_with("left") || hint.starts_with("inner") => {
                    write!(f, "!{}", Quoted(hint))?;
                }
                EmbedParameter::Hint(hint) => write!(f, "!{}", Name(hint))?,
            }
        }
        write!(f, "({})", self.select)
    }
}

fn write_alias(f: &mut fmt::Formatter<'_>, alias: Option<&str>) -> fmt::Result {
    alias.map_or(Ok(()), |alias| write!(f, "{}:", Name(alias)))
}

fn write_cast(f: &mut fmt::Formatter<'_>, cast: Option<&str>) -> fmt::Result {
    cast.map_or(Ok(()), |cast| write!(f, "::{cast}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::postgrest::name::strategies::{any_column, any_name};

    #[test]
    fn selects() {
        for (text, understood) in [
            ("", true),
            ("*", true),
            ("id,name", true),
            ("id , name", true),
            ("*,client(*,nested(*))", true),
            ("*,...client(*),other(*)", true),
            ("alias:rel(*)", true),
            ("alias:rel!inner!hint(id)", true),
            ("rel!hint!left(*)", true),
            ("rel!\"left_side\"(*)", true),
            ("rel()", true),
            ("rel (*)", true),
            ("name::text", true),
            ("alias:data->a->>b::int", true),
            ("data->0,other", true),
            ("rel(data->0)", true),
            ("amount.sum()", true),
            ("total:amount::numeric.sum()::text", true),
            ("count()", true),
            ("n:count()::text", true),
            ("count", true),
            ("\"odd, name\",\"q\\\"\"", true),
            ("at::timestamp with time zone", true),
            ("...count(*)", true),
            ("id)junk", false),
            ("id,", false),
            (",id", false),
            ("a:...rel(*)", false),
            ("rel!left_side(*)", false),
            ("rel!a!b!c(*)", false),
            ("rel->x(*)", false),
            ("count(*)", false),
            ("name!hint", false),
            ("*!hint", false),
            ("* ", false),
            ("name::", false),
            ("name.sum", false),
            ("name.median()", false),
            ("id,clients(name[])", false),
            ("rel(*", false),
            ("rel(*) ", false),
            ("rel( )", false),
            ("data->>-78xy", false),
            ("a:b:c", false),
            ("a: b", true),
            ("a: b(*)", true),
            ("a:\t\"b\"", true),
            ("a: \"b\"(*)", false),
            ("a:count(*)", false),
            ("count:count", true),
            ("\"count\"(*)", false),
            ("count()x", false),
            ("a:*", false),
        ] {
            assert_eq!(Select::parse(text).is_ok(), understood, "{text:?}");
        }
    }

    #[test]
    fn trap_25b_two_embeds_may_share_a_name() {
        for (text, ambiguous) in [
            ("tasks(*),users(*)", false),
            ("tasks(*,users(*)),users(*)", false),
            ("a:tasks(*),tasks(*)", true),
            ("a:tasks(*),b:tasks(*)", true),
            ("tasks:old_tasks(*),tasks(*)", true),
            ("...tasks(*),a:tasks(*)", true),
            ("x(a:tasks(*),tasks(*))", true),
            ("tasks,tasks(*)", false),
        ] {
            assert_eq!(Select::parse(text).unwrap().has_ambiguous_embeds(), ambiguous, "{text:?}");
        }
    }

    #[test]
    fn which_fields_of_a_returned_row_are_the_columns_own() {
        for (text, plain) in [
            ("*", true),
            ("id,city", true),
            ("city:city", true),
            ("x:city,*", true),
            ("*,count()", true),
            ("id", false),
            ("city::text", false),
            ("x:city", false),
            ("city:other", false),
            ("*,city:other", false),
            ("city->a", false),
            ("city.max()", false),
            ("*,city(*)", false),
            ("*,city:cities(*)", false),
            ("*,...cities(*)", false),
            ("*,city:count()", false),
            ("*,data->city", false),
        ] {
            assert_eq!(Select::parse(text).unwrap().returns_plainly("city"), plain, "{text:?}");
        }
    }

    #[test]
    fn embeds_deeper_than_the_stack_should_go_are_opaque() {
        let nested = |depth| format!("{}id{}", "a(".repeat(depth), ")".repeat(depth));
        assert!(Select::parse(&nested(EMBED_DEPTH_MAX)).is_ok());
        assert_eq!(Select::parse(&nested(EMBED_DEPTH_MAX + 1)), Err(Opaque));
        assert_eq!(Select::parse(&nested(100_000)), Err(Opaque));
    }

    fn any_cast() -> impl Strategy<Value = Option<Cow<'static, str>>> {
        proptest::option::of("[a-z_]{1,3}( [a-z0-9]{1,3})?".prop_map(Cow::Owned))
    }

    fn any_flat_item() -> impl Strategy<Value = Item<'static>> {
        let aggregate = proptest::option::of((select(&Aggregate::ALL[..]), any_cast()));
        let alias = || proptest::option::of(any_name());
        prop_oneof![
            Just(Item::Star),
            (alias(), any_cast()).prop_map(|(alias, cast)| Item::Count { alias, cast }),
            (alias(), any_column(), any_cast(), aggregate).prop_map(|(alias, column, cast, aggregate)| {
                Item::Field(Field { alias, column, cast, aggregate })
            }),
        ]
    }

    fn any_select() -> impl Strategy<Value = Select<'static>> {
        let items = |item| proptest::collection::vec(item, 0..4).prop_map(Select);
        items(any_flat_item().boxed()).prop_recursive(3, 12, 3, move |inner| {
            let placement = prop_oneof![
                3 => proptest::option::of(any_name()).prop_map(Placement::Nested),
                1 => Just(Placement::Spread),
            ];
            let parameter = prop_oneof![
                Just(EmbedParameter::Left),
                Just(EmbedParameter::Inner),
                any_name().prop_map(EmbedParameter::Hint),
            ];
            let target = any_name().prop_filter("a field", |name| name != "count");
            let relation = (placement, target, proptest::collection::vec(parameter, 0..3), inner).prop_map(
                |(placement, target, parameters, select)| Relation { placement, target, parameters, select },
            );
            items(prop_oneof![any_flat_item(), relation.prop_map(Item::Relation)].boxed())
        })
    }

    proptest! {
        #[test]
        fn a_printed_select_is_read_back(select in any_select()) {
            let text = select.to_string();
            prop_assert_eq!(Select::parse(&text), Ok(select.clone()));
        }

        #[test]
        fn any_text_is_a_select_or_opaque(text in "\\PC{0,30}|(count|[a-c.,()!:>*\" -]){0,16}") {
            if let Ok(select) = Select::parse(&text) {
                let printed = select.to_string();
                prop_assert_eq!(Select::parse(&printed), Ok(select.clone()));
            }
        }
    }
}
