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

/// Room for the parameters of most queries.
const TYPICAL_PAIRS: usize = 8;

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
    role: Role,
    /// The name has a dot. One inside quotes only keeps a pair from moving.
    is_nested: bool,
}

/// A parameter whose end is not known yet.
#[derive(Debug)]
struct Piece {
    start: usize,
    /// Where its first `=` stands.
    equals: Option<usize>,
    /// It has something to decode.
    is_encoded: bool,
}

impl Piece {
    fn at(start: usize) -> Self {
        Self { start, equals: None, is_encoded: false }
    }
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
        let mut query = Self { raw, pairs: Vec::new(), shape: Shape::default() };
        if raw.is_empty() {
            return query;
        }
        query.pairs.reserve(TYPICAL_PAIRS);
        let mut piece = Piece::at(0);
        for (at, &byte) in raw.as_bytes().iter().enumerate() {
            match byte {
                b'&' | b';' => {
                    query.shape.has_semicolon |= byte == b';';
                    query.take(&piece, at);
                    piece = Piece::at(at + 1);
                }
                b'=' if piece.equals.is_none() => piece.equals = Some(at),
                b'%' | b'+' => piece.is_encoded = true,
                _ => {}
            }
        }
        query.take(&piece, raw.len());
        query
    }

    fn take(&mut self, piece: &Piece, end: usize) {
        let text = &self.raw[piece.start..end];
        if text.is_empty() {
            self.shape.has_empty_pair = true;
            return;
        }
        let name = self.decoded(&self.raw[piece.start..piece.equals.unwrap_or(end)], piece.is_encoded);
        let value = piece.equals.map(|equals| self.decoded(&self.raw[equals + 1..end], piece.is_encoded));
        let (role, is_nested) = (Role::of(&name), name.as_bytes().contains(&b'.'));
        self.pairs.push(Pair { raw: text, name, value, role, is_nested });
    }

    fn decoded(&mut self, text: &'a str, is_encoded: bool) -> Cow<'a, str> {
        if !is_encoded {
            return Cow::Borrowed(text);
        }
        decode_text(text, Plus::Blank).unwrap_or_else(|| {
            self.shape.is_not_utf8 = true;
            Cow::Borrowed(text)
        })
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
        let filtering = self.pairs.iter().filter(|pair| pair.role.restricts_rows());
        filtering.filter_map(|pair| pair.value.as_deref())
    }
}

impl Pair<'_> {
    /// Where the pair stands in a canonical query.
    fn place(&self) -> (bool, &str) {
        if self.is_nested { (true, "") } else { (false, &self.name) }
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn query(raw: &str) -> Query<'_> {
        Query::parse(Some(raw))
    }

    fn canonical(raw: &str) -> String {
        query(raw).canonical().into_owned()
    }

    #[test]
    fn splitting() {
        for (raw, expected) in [
            ("", vec![]),
            ("id=eq.5", vec![("id", Some("eq.5"))]),
            ("a=1&b", vec![("a", Some("1")), ("b", None)]),
            ("a=&a=b=c", vec![("a", Some("")), ("a", Some("b=c"))]),
            ("a+b=c%20d", vec![("a b", Some("c d"))]),
            ("%73elect=id", vec![("select", Some("id"))]),
            ("a=%zz", vec![("a", Some("%zz"))]),
            ("a%3Db=%26", vec![("a=b", Some("&"))]),
            ("&&a=1&", vec![("a", Some("1"))]),
            ("?a=1", vec![("?a", Some("1"))]),
        ] {
            assert_eq!(query(raw).parameters().collect::<Vec<_>>(), expected, "{raw:?}");
        }
        assert_eq!(Query::parse(None).parameters().count(), 0);
    }

    #[test]
    fn trap_17_a_raw_semicolon_separates_parameters() {
        let query = query("id=eq.1;select=secret");
        assert_eq!(query.select(), Some("secret"));
        assert_eq!(query.eq_value("id"), Some("1"));
        assert!(query.has_semicolon());
        assert!(!Query::parse(Some("id=eq.1%3Bselect=secret")).has_semicolon());
    }

    #[test]
    fn trap_18_a_plus_and_an_escaped_plus_stay_two_values() {
        assert_eq!(query("name=eq.a%2Bb").eq_value("name"), Some("a+b"));
        assert_eq!(query("name=eq.a+b").eq_value("name"), Some("a b"));
        assert_ne!(canonical("name=eq.a%2Bb"), canonical("name=eq.a+b"));
        assert_eq!(canonical("name=eq.a%2Bb"), "name=eq.a%2Bb");
    }

    #[test]
    fn the_first_select_counts() {
        for (raw, select) in [
            ("select=id&select=secret", Some("id")),
            ("select&select=id", None),
            ("select=", Some("")),
            ("id=eq.1", None),
            ("Select=id", None),
        ] {
            assert_eq!(query(raw).select(), select, "{raw:?}");
        }
    }

    #[test]
    fn single_eq_values() {
        for (raw, value) in [
            ("id=eq.5", Some("5")),
            ("id=eq.", Some("")),
            ("id=eq.\"5\"", Some("\"5\"")),
            ("id=eq.5&x=neq.1", Some("5")),
            ("id=eq.5&id", Some("5")),
            ("id=eq.5&id=eq.6", None),
            ("id=eq.5&id=lt.9", None),
            ("id=not.eq.5", None),
            ("id=in.(5)", None),
            ("id=eq(any).{5}", None),
            ("a.id=eq.5", None),
            ("ID=eq.5", None),
            ("id", None),
        ] {
            assert_eq!(query(raw).eq_value("id"), value, "{raw:?}");
        }
        assert_eq!(query("limit=eq.5").eq_value("limit"), None);
        assert_eq!(query("select=eq.5").eq_value("select"), None);
    }

    #[test]
    fn pinned_values() {
        for (raw, values) in [
            ("id=eq.5", Some(vec!["5"])),
            ("id=in.(1,2)", Some(vec!["1", "2"])),
            ("id=in.( 1 ,2 )", Some(vec!["1 ", "2 "])),
            ("id=in.(\"a,b\",\"c\\\"d\",e\"f)", Some(vec!["a,b", "c\"d", "e\"f"])),
            ("id=in.(\"a\"b,c)", Some(vec!["\"a\"b", "c"])),
            ("id=in.(1,2,3)&id=eq.2", Some(vec!["2"])),
            ("id=gt.1&id=eq.2", Some(vec!["2"])),
            ("id=eq.007", Some(vec!["007"])),
            ("id=in.()", None),
            ("id=in.(\"\")", None),
            ("id=in.(1)junk", None),
            ("id=in.(1,2", None),
            ("id=in.1,2", None),
            ("id=not.eq.5", None),
            ("id=not.in.(5)", None),
            ("id=gt.5", None),
            ("id->>a=eq.5", None),
            ("rel.id=eq.5", None),
            ("and=(id.eq.5)", None),
        ] {
            let expected = values.map(|values| values.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(query(&raw.replace(' ', "%20")).pinned("id"), expected, "{raw:?}");
        }
    }

    #[test]
    fn canonical_queries() {
        for (raw, expected) in [
            ("", ""),
            ("select=id&id=eq.1", "id=eq.1&select=id"),
            ("b=eq.1&%61=eq.2", "%61=eq.2&b=eq.1"),
            ("b=1&a=2&b=0", "a=2&b=1&b=0"),
            ("b=eq.2&a", "a&b=eq.2"),
            // parameters of embeds keep their own order, behind those of the root
            ("t.z=eq.1&o=eq.2&t.a=eq.3&select=t(*)", "o=eq.2&select=t(*)&t.z=eq.1&t.a=eq.3"),
            // verbatim
            ("b=1;a=2", "b=1;a=2"),
            ("b=1&&a=2", "b=1&&a=2"),
            ("b=1&a=2&", "b=1&a=2&"),
            ("b=%ff&a=2", "b=%ff&a=2"),
            ("select=id)junk&id=eq.1", "select=id)junk&id=eq.1"),
        ] {
            assert_eq!(canonical(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn trap_14_to_16_repeats_keep_their_order() {
        for (one, other) in [
            ("order=a&order=b", "order=b&order=a"),
            ("limit=1&limit=50", "limit=50&limit=1"),
            ("v=1&v=2", "v=2&v=1"),
            ("select=id&select=secret", "select=secret&select=id"),
        ] {
            assert_ne!(canonical(one), canonical(other));
        }
    }

    #[test]
    fn trap_21_no_parameter_is_dropped() {
        assert_ne!(canonical("select=*&utm=1"), canonical("select=*"));
        assert_ne!(canonical("a"), canonical("a="));
    }

    #[test]
    fn trap_25b_two_embeds_under_one_name_keep_the_query_verbatim() {
        let one = "select=a:tasks(*),tasks(*)&tasks.x=eq.1&a.y=eq.2&id=eq.1";
        let other = "a.y=eq.2&select=a:tasks(*),tasks(*)&tasks.x=eq.1&id=eq.1";
        assert_eq!(canonical(one), one);
        assert_ne!(canonical(one), canonical(other));
    }

    #[test]
    fn trap_26_a_select_with_a_rest_keeps_the_query_verbatim() {
        assert_ne!(canonical("select=id)junk&id=eq.1"), canonical("id=eq.1&select=id)junk"));
    }

    #[test]
    fn trap_45_moving_literals_are_found_in_any_filter() {
        for (raw, moves) in [
            ("expires_at=gte.now", true),
            ("or=(a.gte.today,b.is.null)", true),
            ("x.or=(a.gte.today)", true),
            ("since=now", true),
            ("day=in.(2026-01-01,t%6Fday)", true),
            ("select=now&order=today&limit=now", false),
            ("today=eq.1", false),
        ] {
            assert_eq!(query(raw).has_moving_time(), moves, "{raw:?}");
        }
    }

    #[test]
    fn nothing_is_copied_when_nothing_is_encoded() {
        let query = query("a=eq.1&b=eq.2&select=id");
        assert!(query.pairs.iter().all(|pair| matches!(pair.name, Cow::Borrowed(_))));
        assert!(matches!(query.canonical(), Cow::Borrowed(_)));
    }

    /// PostgREST's reading, written a second time and byte by byte.
    fn upstream_reading(raw: &str) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut rest = raw.as_bytes();
        let mut pairs = Vec::new();
        while !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'&' || *b == b';').unwrap_or(rest.len());
            let pair = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            let equals = pair.iter().position(|b| *b == b'=');
            let name = &pair[..equals.unwrap_or(pair.len())];
            pairs.push((upstream_text(name), equals.map(|at| upstream_text(&pair[at + 1..]))));
        }
        pairs
    }

    fn upstream_text(mut raw: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        while let [first, rest @ ..] = raw {
            let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
            match (first, digits) {
                (b'%', Some(digits)) => {
                    let digits = std::str::from_utf8(digits).unwrap();
                    text.push(u8::from_str_radix(digits, 16).unwrap());
                    raw = &rest[2..];
                }
                (b'+', _) => {
                    text.push(b' ');
                    raw = rest;
                }
                _ => {
                    text.push(*first);
                    raw = rest;
                }
            }
        }
        text
    }

    /// Values by name, in order: equal for two queries that differ only in how names stand to each other.
    fn by_name(raw: &str) -> BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>> {
        let mut values: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, value) in upstream_reading(raw) {
            values.entry(name).or_default().push(value);
        }
        values
    }

    fn any_query() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            8 => "[ab%+.]{0,2}(=[ab1%+=.]{0,3})?",
            4 => prop::sample::select(vec![
                "select=id", "select=a:t(*),t(*)", "select=t(*)", "select=)", "t.a=eq.1", "t.b=eq.2",
                "order=a", "order=b", "limit=1", "limit=2", "%61=1", "b=%ff", "a=%2B", "a=+", "a=%20",
            ]).prop_map(str::to_owned),
        ];
        (proptest::collection::vec(piece, 0..6), prop_oneof![9 => Just("&"), 1 => Just(";")])
            .prop_map(|(pieces, separator)| pieces.join(separator))
    }

    proptest! {
        #[test]
        fn a_canonical_query_is_read_alike(raw in any_query()) {
            let canonical = canonical(&raw);
            prop_assert_eq!(by_name(&canonical), by_name(&raw));
            prop_assert_eq!(super::Query::parse(Some(&canonical)).canonical(), canonical.as_str());
        }

        #[test]
        fn equal_canonical_queries_are_read_alike(one in any_query(), other in any_query()) {
            if canonical(&one) == canonical(&other) {
                prop_assert_eq!(by_name(&one), by_name(&other));
            }
        }

        #[test]
        fn reordered_pairs_share_a_canonical_query_only_if_read_alike(
            (one, other) in proptest::collection::vec("[abc]=[12]", 0..5)
                .prop_flat_map(|pieces| (Just(pieces.clone()), Just(pieces).prop_shuffle()))
        ) {
            let (one, other) = (one.join("&"), other.join("&"));
            prop_assert_eq!(canonical(&one) == canonical(&other), by_name(&one) == by_name(&other));
        }

        #[test]
        fn pairs_are_those_of_the_upstream(raw in any_query()) {
            let query = query(&raw);
            // what is not UTF-8 stays raw and is only ever keyed by its bytes
            let raw = if query.is_utf8() { raw.as_str() } else { "" };
            let query = Query::parse(Some(raw));
            let ours: Vec<_> = query.parameters()
                .map(|(name, value)| (name.as_bytes().to_vec(), value.map(|value| value.as_bytes().to_vec())))
                .collect();
            let mut theirs = upstream_reading(raw);
            // an empty pair has no name and no value, and means nothing
            theirs.retain(|(name, value)| !name.is_empty() || value.is_some());
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn any_text_is_a_query(raw in "\\PC{0,40}") {
            let query = query(&raw);
            let _pinned = query.pinned("id");
            let _moving = query.has_moving_time();
            let _canonical = query.canonical();
        }
    }
}
