//! How is a column compared: operators and their values.
//!
//! In a plain parameter a value is everything to the end, quotes included; in a
//! logic tree and in lists it ends at `,` or `)` and may be quoted.

use std::borrow::Cow;
use std::fmt;

use super::cursor::{Cursor, Opaque};
use super::name::{Quoted, read_identifier, read_quoted};

/// `[not.]operator.value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression<'a> {
    /// `not.` stands before it.
    pub negated: bool,
    /// The comparison.
    pub operation: Operation<'a>,
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// `in.(a,b)`; the one empty value means no row at all.
    In(Vec<Cow<'a, str>>),
    /// `is.null` and its like.
    Is(IsValue),
    /// `isdistinct.value`.
    IsDistinct(Cow<'a, str>),
    /// `fts(language).words`.
    Fts(FtsOperator, Option<Cow<'a, str>>, Cow<'a, str>),
    /// Operators without quantifiers.
    Simple(SimpleOperator, Cow<'a, str>),
    /// Operators that may stand before `(any)` and `(all)`.
    Quantified(QuantOperator, Option<Quantifier>, Cow<'a, str>),
}

/// What `is.` compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsValue {
    /// `null`
    Null,
    /// `not_null`, from PostgREST 13 on
    NotNull,
    /// `true`
    True,
    /// `false`
    False,
    /// `unknown`
    Unknown,
}

/// The full-text operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FtsOperator {
    /// `fts`: to_tsquery
    Plain,
    /// `plfts`: plainto_tsquery
    Words,
    /// `phfts`: phraseto_tsquery
    Phrase,
    /// `wfts`: websearch_to_tsquery
    Websearch,
}

/// Operators without quantifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimpleOperator {
    /// `neq`: `<>`
    NotEqual,
    /// `cs`: `@>`
    Contains,
    /// `cd`: `<@`
    Contained,
    /// `ov`: `&&`
    Overlaps,
    /// `sl`: `<<`
    StrictlyLeft,
    /// `sr`: `>>`
    StrictlyRight,
    /// `nxr`: `&<`
    NotExtendsRight,
    /// `nxl`: `&>`
    NotExtendsLeft,
    /// `adj`: `-|-`
    Adjacent,
}

/// Operators that may be quantified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantOperator {
    /// `eq`
    Equal,
    /// `gte`
    GreaterOrEqual,
    /// `gt`
    Greater,
    /// `lte`
    LessOrEqual,
    /// `lt`
    Less,
    /// `like`, `*` standing for `%`
    Like,
    /// `ilike`, `*` standing for `%`
    ILike,
    /// `match`: `~`
    Match,
    /// `imatch`: `~*`
    IMatch,
}

/// `(any)` or `(all)`: the value is an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// One element suffices.
    Any,
    /// Every element must do.
    All,
}

/// The words for one kind of operator; parsing and printing read the same table.
type Words<T> = &'static [(&'static str, T)];

const IS_WORDS: Words<IsValue> = &[
    ("null", IsValue::Null),
    ("not_null", IsValue::NotNull),
    ("true", IsValue::True),
    ("false", IsValue::False),
    ("unknown", IsValue::Unknown),
];

const FTS_WORDS: Words<FtsOperator> = &[
    ("fts", FtsOperator::Plain),
    ("plfts", FtsOperator::Words),
    ("phfts", FtsOperator::Phrase),
    ("wfts", FtsOperator::Websearch),
];

const SIMPLE_WORDS: Words<SimpleOperator> = &[
    ("neq", SimpleOperator::NotEqual),
    ("cs", SimpleOperator::Contains),
    ("cd", SimpleOperator::Contained),
    ("ov", SimpleOperator::Overlaps),
    ("sl", SimpleOperator::StrictlyLeft),
    ("sr", SimpleOperator::StrictlyRight),
    ("nxr", SimpleOperator::NotExtendsRight),
    ("nxl", SimpleOperator::NotExtendsLeft),
    ("adj", SimpleOperator::Adjacent),
];

const QUANT_WORDS: Words<QuantOperator> = &[
    ("eq", QuantOperator::Equal),
    ("gte", QuantOperator::GreaterOrEqual),
    ("gt", QuantOperator::Greater),
    ("lte", QuantOperator::LessOrEqual),
    ("lt", QuantOperator::Less),
    ("like", QuantOperator::Like),
    ("ilike", QuantOperator::ILike),
    ("match", QuantOperator::Match),
    ("imatch", QuantOperator::IMatch),
];

const QUANTIFIER_WORDS: Words<Quantifier> = &[("(any)", Quantifier::Any), ("(all)", Quantifier::All)];

fn operator_named<T: Copy>(words: Words<T>, word: &str) -> Option<T> {
    words.iter().find(|(known, _)| *known == word).map(|&(_, operator)| operator)
}

fn word_for<T: Copy + PartialEq>(words: Words<T>, operator: T) -> &'static str {
    words.iter().find(|(_, known)| *known == operator).map_or("", |&(word, _)| word)
}

/// Where an expression stands, which decides where its value ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A parameter of its own: to the end.
    Parameter,
    /// In a logic tree: to the next `,` or `)`.
    Tree,
}

impl<'a> Expression<'a> {
    /// Reads the value of a filter parameter.
    pub fn parse(value: &'a str) -> Result<Self, Opaque> {
        let mut cursor = Cursor::new(value);
        let expression = Self::read(&mut cursor, Place::Parameter).ok_or(Opaque)?;
        cursor.finish(expression)
    }

    pub(super) fn read(cursor: &mut Cursor<'a>, place: Place) -> Option<Self> {
        let negated = cursor.eat("not.");
        Some(Self { negated, operation: Operation::read(cursor, place)? })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, place: Place) -> fmt::Result {
        f.write_str(if self.negated { "not." } else { "" })?;
        self.operation.write(f, place)
    }
}

impl fmt::Display for Expression<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Place::Parameter)
    }
}

/// Prints an expression as it stands in a logic tree.
pub(super) struct InTree<'e, 'a>(pub(super) &'e Expression<'a>);

impl fmt::Display for InTree<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, Place::Tree)
    }
}

impl<'a> Operation<'a> {
    fn read(cursor: &mut Cursor<'a>, place: Place) -> Option<Self> {
        let word = cursor.take_while(|c| c.is_ascii_lowercase());
        if let Some(operator) = operator_named(FTS_WORDS, word) {
            let language = read_language(cursor)?;
            cursor.expect(".")?;
            return Some(Self::Fts(operator, language, read_value(cursor, place)));
        }
        if let Some(operator) = operator_named(QUANT_WORDS, word) {
            let quantifier = QUANTIFIER_WORDS.iter().find(|(word, _)| cursor.eat(word));
            cursor.expect(".")?;
            return Some(Self::Quantified(operator, quantifier.map(|&(_, q)| q), read_value(cursor, place)));
        }
        cursor.expect(".")?;
        match word {
            "in" => read_list(cursor).map(Self::In),
            "is" => read_is_value(cursor).map(Self::Is),
            "isdistinct" => Some(Self::IsDistinct(read_value(cursor, place))),
            _ => {
                let operator = operator_named(SIMPLE_WORDS, word)?;
                Some(Self::Simple(operator, read_value(cursor, place)))
            }
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, place: Place) -> fmt::Result {
        match self {
            Self::In(values) => return write_list(f, values),
            Self::Is(value) => return write!(f, "is.{}", word_for(IS_WORDS, *value)),
            Self::IsDistinct(_) => f.write_str("isdistinct.")?,
            Self::Fts(operator, None, _) => write!(f, "{}.", word_for(FTS_WORDS, *operator))?,
            Self::Fts(operator, Some(language), _) => {
                write!(f, "{}({language}).", word_for(FTS_WORDS, *operator))?;
            }
            Self::Simple(operator, _) => write!(f, "{}.", word_for(SIMPLE_WORDS, *operator))?,
            Self::Quantified(operator, quantifier, _) => {
                let quantifier = quantifier.map_or("", |quantifier| word_for(QUANTIFIER_WORDS, quantifier));
                write!(f, "{}{quantifier}.", word_for(QUANT_WORDS, *operator))?;
            }
        }
        match self.value() {
            Some(value) if place == Place::Tree && !is_plain_in_tree(value) => write!(f, "{}", Quoted(value)),
            value => f.write_str(value.unwrap_or_default()),
        }
    }

    /// The one value of operations that have one.
    fn value(&self) -> Option<&str> {
        match self {
            Self::In(_) | Self::Is(_) => None,
            Self::IsDistinct(value)
            | Self::Fts(_, _, value)
            | Self::Simple(_, value)
            | Self::Quantified(_, _, value) => Some(value),
        }
    }
}

fn read_language<'a>(cursor: &mut Cursor<'a>) -> Option<Option<Cow<'a, str>>> {
    if !cursor.eat("(") {
        return Some(None);
    }
    let language = read_identifier(cursor)?;
    cursor.expect(")")?;
    Some(Some(language))
}

fn read_is_value(cursor: &mut Cursor<'_>) -> Option<IsValue> {
    let word = cursor.take_while(|c| c.is_ascii_alphabetic() || c == '_');
    IS_WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|&(_, value)| value)
}

fn read_value<'a>(cursor: &mut Cursor<'a>, place: Place) -> Cow<'a, str> {
    match place {
        Place::Parameter => Cow::Borrowed(cursor.take_while(|_| true)),
        Place::Tree => match read_quoted_to_end(cursor) {
            Some(value) => value,
            None => Cow::Borrowed(read_array(cursor).unwrap_or_else(|| cursor.take_while(is_inside_list))),
        },
    }
}

/// `(a,"b",c)`, with blanks around the parentheses.
pub(super) fn read_list<'a>(cursor: &mut Cursor<'a>) -> Option<Vec<Cow<'a, str>>> {
    cursor.expect_between_blanks("(")?;
    let mut values = Vec::new();
    loop {
        let quoted = read_quoted_to_end(cursor);
        values.push(quoted.unwrap_or_else(|| Cow::Borrowed(cursor.take_while(is_inside_list))));
        if !cursor.eat(",") {
            break;
        }
    }
    cursor.expect_between_blanks(")")?;
    Some(values)
}

/// A quoted value, if its list or tree goes on or ends right behind it; else the quotes are literal.
fn read_quoted_to_end<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    let mut ahead = *cursor;
    let value = read_quoted(&mut ahead)?;
    if !ahead.is_at_end() && !ahead.is_before(&[',', ')']) {
        return None;
    }
    *cursor = ahead;
    Some(value)
}

/// `{a,b}`: an array literal, in which commas and parentheses are its own.
fn read_array<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    let mut ahead = *cursor;
    ahead.expect("{")?;
    ahead.take_while(|c| !matches!(c, '{' | '}'));
    ahead.expect("}")?;
    Some(cursor.take(cursor.rest().len() - ahead.rest().len()))
}

fn is_inside_list(character: char) -> bool {
    !matches!(character, ',' | ')')
}

fn is_plain_in_tree(value: &str) -> bool {
    match value.as_bytes().first() {
        Some(b'"') => false,
        Some(b'{') => read_array(&mut Cursor::new(value)) == Some(value),
        _ => value.chars().all(is_inside_list),
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, values: &[Cow<'_, str>]) -> fmt::Result {
    f.write_str("in.(")?;
    for (index, value) in values.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { "," })?;
        if value.starts_with(['"', ' ', '\t']) || !value.chars().all(is_inside_list) {
            write!(f, "{}", Quoted(value))?;
        } else {
            f.write_str(value)?;
        }
    }
    f.write_str(")")
}

#[cfg(test)]
pub(super) mod strategies {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn any_value() -> impl Strategy<Value = Cow<'static, str>> {
        prop_oneof!["[a-z0-9*. ]{0,5}", "[ -~é]{0,6}", "\\{[a-z,()\"]{0,4}\\}?", "[\"\\\\,() \t]{0,4}"]
            .prop_map(Cow::Owned)
    }

    fn any_of<T: Copy + fmt::Debug + 'static>(words: Words<T>) -> impl Strategy<Value = T> {
        select(words).prop_map(|(_, operator)| operator)
    }

    fn any_operation() -> impl Strategy<Value = Operation<'static>> {
        let language = proptest::option::of("[a-z]{1,3}( [a-z]{1,3})?".prop_map(Cow::Owned));
        let quantifier = proptest::option::of(any_of(QUANTIFIER_WORDS));
        prop_oneof![
            proptest::collection::vec(any_value(), 1..4).prop_map(Operation::In),
            any_of(IS_WORDS).prop_map(Operation::Is),
            any_value().prop_map(Operation::IsDistinct),
            (any_of(FTS_WORDS), language, any_value()).prop_map(|(o, l, v)| Operation::Fts(o, l, v)),
            (any_of(SIMPLE_WORDS), any_value()).prop_map(|(o, v)| Operation::Simple(o, v)),
            (any_of(QUANT_WORDS), quantifier, any_value())
                .prop_map(|(o, q, v)| Operation::Quantified(o, q, v)),
        ]
    }

    pub(in crate::postgrest) fn any_expression() -> impl Strategy<Value = Expression<'static>> {
        (any::<bool>(), any_operation()).prop_map(|(negated, operation)| Expression { negated, operation })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expressions() {
        for (text, understood) in [
            ("eq.5", true),
            ("eq.", true),
            ("eq.\"x\"", true),
            ("not.eq.5", true),
            ("not.not.eq.5", false),
            ("eq(any).{1,2}", true),
            ("like(all).{a*,*b}", true),
            ("eq(some).1", false),
            ("eq().1", false),
            ("neq(any).1", false),
            ("in.(1,2)", true),
            ("in.()", true),
            ("in.(1,2)junk", false),
            ("in.1", false),
            ("in().1", false),
            ("is.null", true),
            ("is.NULL", true),
            ("is.Not_Null", true),
            ("is.unknown", true),
            ("is.nullxyz", false),
            ("is().null", false),
            ("isdistinct.5", true),
            ("fts.cat", true),
            ("wfts(english).cat dog", true),
            ("fts().cat", false),
            ("fts(english)cat", false),
            ("cs.{a}", true),
            ("ov.[1,2)", true),
            ("adj.x", true),
            ("noop.0", false),
            ("val", false),
            ("EQ.5", false),
            ("eq", false),
            ("", false),
        ] {
            assert_eq!(Expression::parse(text).is_ok(), understood, "{text:?}");
        }
    }

    #[test]
    fn quotes_mean_something_in_lists_only() {
        let value = |text| Expression::parse(text).unwrap().operation;
        let eq = |text: &'static str| Operation::Quantified(QuantOperator::Equal, None, Cow::Borrowed(text));
        assert_eq!(value("eq.\"a\""), eq("\"a\""));
        assert_eq!(value("in.(\"a\")"), Operation::In(vec![Cow::Borrowed("a")]));
    }

    proptest! {
        #[test]
        fn a_printed_expression_is_read_back(expression in strategies::any_expression()) {
            let text = expression.to_string();
            prop_assert_eq!(Expression::parse(&text), Ok(expression.clone()));
        }
    }
}
