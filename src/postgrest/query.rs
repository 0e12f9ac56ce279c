//! How does PostgREST split a query string, and what do its parts pin down?
//!
//! Separators are `&` and `;`; a pair parts at its first `=`; names and values
//! are percent-decoded, `+` is a blank. Names and values borrow from the request
//! unless something in them is encoded. The forwarded bytes are never rebuilt
//! from decoded ones: the canonical query only moves raw pairs about.

use std::borrow::Cow;

use super::cursor::Cursor;
use super::moving_time::names_a_moving_time;
use super::operator::read_list;
use super::parameter::Role;
use super::percent::{Plus, decode_text};
use super::select::Select;

/// A query string, split.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    raw: &'a str,
    pairs: Vec<Pair<'a>>,
    shape: Shape,
}

/// One parameter.
#[derive(Clone, Debug)]
struct Pair<'a> {
    /// As the client wrote it.
    raw: &'a str,
    /// Decoded; raw if it is not UTF-8.
    name: Cow<'a, str>,
    /// Decoded; `None` without a `=`: PostgREST drops such a parameter.
    value: Option<Cow<'a, str>>,
}

/// What keeps a query from being put in order.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    has_semicolon: bool,
    has_empty_pair: bool,
    is_not_utf8: bool,
}

impl<'a> Query<'a> {
    /// Splits what follows the `?`.
    pub fn parse(raw: Option<&'a str>) -> Self {
        let raw = raw.unwrap_or_default();
        let mut shape = Shape { has_semicolon: raw.contains(';'), ..Shape::default() };
        if raw.is_empty() {
            return Self { raw, pairs: Vec::new(), shape };
        }
        let separators = raw.bytes().filter(|&byte| is_separator(char::from(byte))).count();
        let mut pairs = Vec::with_capacity(separators + 1);
        for piece in raw.split(is_separator) {
            if piece.is_empty() {
                shape.has_empty_pair = true;
                continue;
            }
            let (name, value) = match piece.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (piece, None),
            };
            let mut decoded = |text| {
                decode_text(text, Plus::Blank).unwrap_or_else(|| {
                    shape.is_not_utf8 = true;
                    Cow::Borrowed(text)
                })
            };
            pairs.push(Pair { raw: piece, name: decoded(name), value: value.map(decoded) });
        }
        Self { raw, pairs, shape }
    }

    /// The query as the client wrote it, empty if there was none.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Whether a `;` parts two parameters: many parsers on the way do not know that it does.
    pub fn has_semicolon(&self) -> bool {
        self.shape.has_semicolon
    }

    /// Whether everything decodes to UTF-8.
    pub fn is_utf8(&self) -> bool {
        !self.shape.is_not_utf8
    }

    /// Names and values in order; the value is `None` without a `=`.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.pairs.iter().map(|pair| (pair.name.as_ref(), pair.value.as_deref()))
    }

    /// All values of a parameter, in order; `None` for one without a `=`.
    pub fn values(&self, name: &str) -> impl Iterator<Item = Option<&str>> {
        self.parameters().filter_map(move |(other, value)| (other == name).then_some(value))
    }

    /// The `select` that counts: the first. Without one, or without a `=`, it is `*`.
    pub fn select(&self) -> Option<&str> {
        self.values("select").next().flatten()
    }

    /// The `columns` that counts: the first.
    pub fn columns(&self) -> Option<&str> {
        self.values("columns").next().flatten()
    }

    /// The `on_conflict` that counts: the first.
    pub fn on_conflict(&self) -> Option<&str> {
        self.values("on_conflict").next().flatten()
    }

    /// Whether anything restricts the path's own rows: a filter or a logic tree, of whatever level.
    /// A write without one concerns every row.
    pub fn has_filters(&self) -> bool {
        self.filtering_values().next().is_some()
    }

    /// The value behind `eq.`, when that is the only filter on the column.
    pub fn eq_value(&self, column: &str) -> Option<&str> {
        let mut filters = self.root_filters(column);
        let only = filters.next().filter(|_| filters.next().is_none())?;
        only.strip_prefix("eq.")
    }

    /// The values of which the column must have one in every row, by an `eq` or `in` filter on it.
    ///
    /// Filters are ANDed, so that each of several would do; the shortest list is given. `None` if
    /// nothing pins the column, or nothing that is understood to its last character. The values are
    /// text as the client wrote it: `007` and `7` are two values here, whatever the column's type.
    pub fn pinned(&self, column: &str) -> Option<Vec<String>> {
        let lists = self.root_filters(column).filter_map(|value| match value.strip_prefix("eq.") {
            Some(value) => Some(vec![value.to_owned()]),
            None => value.strip_prefix("in.").and_then(listed_values),
        });
        lists.min_by_key(Vec::len)
    }

    /// Whether a filter or an argument may hold a date that means another one later, such as `now`.
    pub fn has_moving_time(&self) -> bool {
        self.filtering_values().any(names_a_moving_time)
    }

    /// A query that PostgREST answers alike, the same for as many queries as is proven.
    ///
    /// Parameters of the root move behind one another by decoded name, repeats in their order;
    /// parameters of embeds follow in their own order, because it can decide in which order embedded
    /// objects come out. Every pair keeps its bytes. The query stays verbatim if it holds a `;`, an
    /// empty pair, something that is not UTF-8, a `select` that is not understood, or two embeds
    /// under one name.
    pub fn canonical(&self) -> Cow<'a, str> {
        if self.pairs.is_sorted_by_key(Pair::place) || self.stays_verbatim() {
            return Cow::Borrowed(self.raw);
        }
        let mut ordered: Vec<&Pair<'_>> = self.pairs.iter().collect();
        ordered.sort_by_key(|pair| pair.place());
        let mut canonical = String::with_capacity(self.raw.len());
        for pair in ordered {
            if !canonical.is_empty() {
                canonical.push('&');
            }
            canonical.push_str(pair.raw);
        }
        Cow::Owned(canonical)
    }

    fn stays_verbatim(&self) -> bool {
        let Shape { has_semicolon, has_empty_pair, is_not_utf8 } = self.shape;
        let is_ambiguous = || match self.select().map(Select::parse) {
            None => false,
            Some(Ok(select)) => select.has_ambiguous_embeds(),
            Some(Err(_)) => true,
        };
        has_semicolon || has_empty_pair || is_not_utf8 || is_ambiguous()
    }

    fn root_filters(&self, column: &str) -> impl Iterator<Item = &str> {
        let is_filter = Role::of(column) == Role::Filter;
        self.values(column).flatten().filter(move |_| is_filter)
    }

    fn filtering_values(&self) -> impl Iterator<Item = &str> {
        let filtering = self.pairs.iter().filter(|pair| Role::of(&pair.name).restricts_rows());
        filtering.filter_map(|pair| pair.value.as_deref())
    }
}

impl Pair<'_> {
    /// Where the pair stands in a canonical query.
    fn place(&self) -> (bool, &str) {
        // a dot inside quotes only keeps a pair from moving
        if self.name.contains('.') { (true, "") } else { (false, &self.name) }
    }
}

fn is_separator(character: char) -> bool {
    matches!(character, '&' | ';')
}

/// The values of `(a,"b")`. PostgREST takes a list of one empty value for "no row at all"; nothing is
/// concluded from that here.
fn listed_values(list: &str) -> Option<Vec<String>> {
    let mut cursor = Cursor::new(list);
    let values = read_list(&mut cursor).filter(|_| cursor.is_at_end())?;
    if values == [""] {
        return None;
    }
    Some(values.into_iter().map(Cow::into_owned).collect())
}
