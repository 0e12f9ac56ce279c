//! In which order do rows come: the `order` parameter.

use std::borrow::Cow;
use std::fmt;

use super::cursor::{Cursor, Opaque};
use super::name::{Column, Name, read_name};

/// The terms of an `order`, the most significant first; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order<'a>(pub Vec<OrderTerm<'a>>);

/// `column.desc.nullslast`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTerm<'a> {
    /// The embed whose column it is: `relation(column)`.
    pub relation: Option<Cow<'a, str>>,
    /// What is compared.
    pub column: Column<'a>,
    /// Which way, if said.
    pub direction: Option<Direction>,
    /// Where nulls go, if said.
    pub nulls: Option<Nulls>,
}

/// Which way rows are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Where nulls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Before everything else.
    First,
    /// Behind everything else.
    Last,
}

impl<'a> Order<'a> {
    /// Reads the decoded value of an `order`.
    pub fn parse(value: &'a str) -> Result<Self, Opaque> {
        let mut cursor = Cursor::new(value);
        let mut terms = Vec::new();
        loop {
            cursor.skip_blanks();
            terms.push(read_term(&mut cursor).ok_or(Opaque)?);
            if !cursor.eat(",") {
                return cursor.finish(Self(terms));
            }
        }
    }
}

fn read_term<'a>(cursor: &mut Cursor<'a>) -> Option<OrderTerm<'a>> {
    let mut ahead = *cursor;
    let (relation, column) = match read_relation_column(&mut ahead) {
        Some((relation, column)) => {
            *cursor = ahead;
            (Some(relation), column)
        }
        None => (None, Column::read(cursor)?),
    };
    let direction = read_word(cursor, [(".asc", Direction::Ascending), (".desc", Direction::Descending)]);
    let nulls = read_word(cursor, [(".nullsfirst", Nulls::First), (".nullslast", Nulls::Last)]);
    (cursor.is_at_end() || cursor.is_before(&[','])).then_some(OrderTerm {
        relation,
        column,
        direction,
        nulls,
    })
}

fn read_relation_column<'a>(cursor: &mut Cursor<'a>) -> Option<(Cow<'a, str>, Column<'a>)> {
    let relation = read_name(cursor)?;
    cursor.expect("(")?;
    let column = Column::read(cursor)?;
    cursor.expect(")")?;
    Some((relation, column))
}

fn read_word<T>(cursor: &mut Cursor<'_>, words: [(&str, T); 2]) -> Option<T> {
    words.into_iter().find(|(word, _)| cursor.eat(word)).map(|(_, meaning)| meaning)
}

impl fmt::Display for Order<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.0.iter().enumerate() {
            write!(f, "{}{term}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for OrderTerm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.relation {
            Some(relation) => write!(f, "{}({})", Name(relation), self.column)?,
            None => write!(f, "{}", self.column)?,
        }
        f.write_str(match self.direction {
            None => "",
            Some(Direction::Ascending) => ".asc",
            Some(Direction::Descending) => ".desc",
        })?;
        f.write_str(match self.nulls {
            None => "",
            Some(Nulls::First) => ".nullsfirst",
            Some(Nulls::Last) => ".nullslast",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::postgrest::name::strategies::{any_column, any_name};

    #[test]
    fn orders() {
        for (text, understood) in [
            ("name.desc.nullsfirst", true),
            ("name.nullslast", true),
            ("json_col->key.asc.nullslast", true),
            ("d->0.desc", true),
            ("clients(json_col->key).desc.nullsfirst", true),
            ("name,clients(name),id", true),
            ("a, b.desc", true),
            ("a ,b", true),
            ("\"odd name\".desc", true),
            ("clients(name,id)", false),
            ("id.ac", false),
            ("id.descc", false),
            ("id.nullslasttt", false),
            ("id.asc.smth34", false),
            ("id.asc.desc", false),
            ("id)junk", false),
            ("id,", false),
            ("", false),
        ] {
            assert_eq!(Order::parse(text).is_ok(), understood, "{text:?}");
        }
    }

    fn any_term() -> impl Strategy<Value = OrderTerm<'static>> {
        let direction =
            proptest::option::of(prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)]);
        let nulls = proptest::option::of(prop_oneof![Just(Nulls::First), Just(Nulls::Last)]);
        (proptest::option::of(any_name()), any_column(), direction, nulls)
            .prop_map(|(relation, column, direction, nulls)| OrderTerm { relation, column, direction, nulls })
    }

    proptest! {
        #[test]
        fn a_printed_order_is_read_back(terms in proptest::collection::vec(any_term(), 1..4)) {
            let order = Order(terms);
            let text = order.to_string();
            prop_assert_eq!(Order::parse(&text), Ok(order.clone()));
        }

        #[test]
        fn any_text_is_an_order_or_opaque(text in "\\PC{0,30}|([a-c.,()\">-]|desc){0,12}") {
            let _either = Order::parse(&text);
        }
    }
}
