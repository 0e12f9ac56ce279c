//! `where: { id: eq.* }`: is the query what the rule asks for?

use std::borrow::Cow;
use std::fmt;

use globset::GlobBuilder;

use super::path_glob::word_covers;
use super::rule::Condition;

/// Longest glob on a value, in bytes.
const GLOB_BYTES_MAX: usize = 512;

/// The parameters of a query, as far as rules look at them.
#[derive(Clone, Copy)]
pub struct QueryView<'q> {
    values: &'q dyn Fn(&str) -> Vec<Cow<'q, str>>,
}

impl<'q> QueryView<'q> {
    /// Wraps a look-up that returns every decoded value of a parameter, in order.
    pub fn new(values: &'q dyn Fn(&str) -> Vec<Cow<'q, str>>) -> Self {
        Self { values }
    }
}

impl fmt::Debug for QueryView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueryView")
    }
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConditionMistake {
    /// More than any filter needs.
    #[error("longer than {GLOB_BYTES_MAX} bytes")]
    TooLong,
    /// What the glob library found.
    #[error("not a glob: {}", .0.kind())]
    Glob(#[from] globset::Error),
}

/// Parses `present`, `absent` or a glob on the decoded value. A value has no
/// segments, so `*` stands for any text, `/` included.
pub(super) fn parse(text: &str) -> Result<Condition, ConditionMistake> {
    match text {
        "present" => Ok(Condition::Present),
        "absent" => Ok(Condition::Absent),
        _ if text.len() > GLOB_BYTES_MAX => Err(ConditionMistake::TooLong),
        _ => {
            let glob = GlobBuilder::new(text).literal_separator(false).backslash_escape(true).build()?;
            Ok(Condition::Matches(glob.compile_matcher()))
        }
    }
}

/// Does the query fulfil all conditions?
pub(super) fn all_hold(conditions: &[(String, Condition)], query: QueryView<'_>) -> bool {
    conditions.iter().all(|(parameter, condition)| {
        let values = (query.values)(parameter);
        match condition {
            Condition::Present => !values.is_empty(),
            Condition::Absent => values.is_empty(),
            Condition::Matches(glob) => match values.as_slice() {
                [value] => glob.is_match(&**value),
                [] | [_, _, ..] => false,
            },
        }
    })
}

/// Does every query that fulfils `narrow` certainly fulfil `broad` too?
pub(super) fn covers(broad: &[(String, Condition)], narrow: &[(String, Condition)]) -> bool {
    broad.iter().all(|(parameter, condition)| {
        let given = narrow.iter().find(|(other, _)| other == parameter);
        given.is_some_and(|(_, other)| implies(other, condition))
    })
}

fn implies(narrow: &Condition, broad: &Condition) -> bool {
    match (narrow, broad) {
        (Condition::Absent, Condition::Absent)
        | (Condition::Present | Condition::Matches(_), Condition::Present) => true,
        (Condition::Matches(narrow), Condition::Matches(broad)) => {
            word_covers(broad.glob().glob(), narrow.glob().glob(), |word| broad.is_match(word))
        }
        (Condition::Absent, Condition::Present | Condition::Matches(_))
        | (Condition::Present, Condition::Absent | Condition::Matches(_))
        | (Condition::Matches(_), Condition::Absent) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(all: &[(&str, &str)]) -> Vec<(String, Condition)> {
        all.iter().map(|(name, text)| ((*name).to_owned(), parse(text).unwrap())).collect()
    }

    fn holds(all: &[(&str, &str)], query: &[(&str, &str)]) -> bool {
        let values = |name: &str| {
            query.iter().filter(|(other, _)| *other == name).map(|(_, value)| (*value).into()).collect()
        };
        all_hold(&conditions(all), QueryView::new(&values))
    }

    #[test]
    fn a_glob_wants_exactly_one_value() {
        for (condition, query, held) in [
            (("id", "eq.*"), vec![("id", "eq.5")], true),
            (("id", "eq.*"), vec![("id", "eq.a/b\nc")], true),
            (("id", "eq.*"), vec![("id", "eq.")], true),
            (("id", "eq.*"), vec![("id", "in.(5,6)")], false),
            (("id", "eq.*"), vec![("id", "not.eq.5")], false),
            (("id", "eq.*"), vec![("ID", "eq.5")], false),
            (("id", "eq.*"), vec![("id", "eq.5"), ("id", "eq.5")], false),
            (("id", "eq.*"), vec![], false),
            (("status", "{eq,in}.*"), vec![("status", "in.(a)")], true),
            (("tags", "cs.\\{*\\}"), vec![("tags", "cs.{a}")], true),
            (("id", "present"), vec![("id", ""), ("id", "x")], true),
            (("id", "present"), vec![("x", "present")], false),
            (("id", "absent"), vec![("x", "1")], true),
            (("id", "absent"), vec![("id", "absent")], false),
        ] {
            assert_eq!(holds(&[condition], &query), held, "{condition:?} {query:?}");
        }
    }

    #[test]
    fn covering_is_told_only_when_it_is_certain() {
        for (broad, narrow, covered) in [
            (vec![], vec![], true),
            (vec![], vec![("id", "eq.*")], true),
            (vec![("id", "eq.*")], vec![], false),
            (vec![("id", "eq.*")], vec![("id", "eq.5")], true),
            (vec![("id", "eq.*")], vec![("id", "eq.5*")], true),
            (vec![("id", "eq.5*")], vec![("id", "eq.*")], false),
            (vec![("id", "eq.*")], vec![("id", "in.*")], false),
            (vec![("id", "present")], vec![("id", "eq.*")], true),
            (vec![("id", "eq.*")], vec![("id", "present")], false),
            (vec![("id", "absent")], vec![("id", "absent")], true),
            (vec![("id", "absent")], vec![("id", "eq.*")], false),
            (vec![("id", "eq.*")], vec![("id", "eq.*"), ("x", "absent")], true),
            (vec![("id", "eq.*"), ("x", "absent")], vec![("id", "eq.*")], false),
        ] {
            assert_eq!(covers(&conditions(&broad), &conditions(&narrow)), covered, "{broad:?} {narrow:?}");
        }
    }
}
