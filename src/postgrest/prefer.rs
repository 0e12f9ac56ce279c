//! What does a client prefer: the `Prefer` header as PostgREST reads it.
//!
//! All lines are one list, split at commas. Tokens are compared exactly; the
//! first valid one of each family counts, across lines. An unknown token is
//! ignored unless `handling=strict`, and then it is an error, so that nothing
//! unknown may be dropped or moved.

use std::fmt::Write;

/// The preferences of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preferences<'a> {
    /// What happens to rows that exist already.
    pub resolution: Option<Resolution>,
    /// What a write answers.
    pub returned: Option<Returned>,
    /// Whether and how rows are counted.
    pub count: Option<Count>,
    /// How the transaction should end. Most servers ignore it, so that nothing may be concluded from it.
    pub transaction: Option<Transaction>,
    /// What a key that a body lacks becomes.
    pub missing: Option<Missing>,
    /// Whether unknown preferences are an error.
    pub handling: Option<Handling>,
    /// The time zone of the answer, as written.
    pub timezone: Option<&'a str>,
    /// How many rows may be affected, as written: the first counts even if it is not a number.
    pub max_affected: Option<&'a str>,
    /// Tokens that PostgREST does not know, in order.
    pub unknown: Vec<&'a str>,
    lines: Vec<&'a str>,
}

/// What happens to rows that exist already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// They are updated.
    MergeDuplicates,
    /// They stay.
    IgnoreDuplicates,
}

/// What a write answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The rows.
    Representation,
    /// Nothing.
    Minimal,
    /// Where the row is.
    HeadersOnly,
}

/// How rows are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// By counting.
    Exact,
    /// By the planner's statistics.
    Planned,
    /// By either, depending on size.
    Estimated,
}

/// How the transaction should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// As usual.
    Commit,
    /// Undone, if the server allows it.
    Rollback,
}

/// What a key that a body lacks becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The column's default.
    Default,
    /// Null.
    Null,
}

/// Whether unknown preferences are an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// They are.
    Strict,
    /// They are ignored.
    Lenient,
}

/// The exact tokens of a family; parsing and printing read the same table.
type Tokens<T> = &'static [(&'static str, T)];

const RESOLUTION_TOKENS: Tokens<Resolution> = &[
    ("resolution=merge-duplicates", Resolution::MergeDuplicates),
    ("resolution=ignore-duplicates", Resolution::IgnoreDuplicates),
];
const RETURNED_TOKENS: Tokens<Returned> = &[
    ("return=representation", Returned::Representation),
    ("return=minimal", Returned::Minimal),
    ("return=headers-only", Returned::HeadersOnly),
];
const COUNT_TOKENS: Tokens<Count> = &[
    ("count=exact", Count::Exact),
    ("count=planned", Count::Planned),
    ("count=estimated", Count::Estimated),
];
const TRANSACTION_TOKENS: Tokens<Transaction> =
    &[("tx=commit", Transaction::Commit), ("tx=rollback", Transaction::Rollback)];
const MISSING_TOKENS: Tokens<Missing> =
    &[("missing=default", Missing::Default), ("missing=null", Missing::Null)];
const HANDLING_TOKENS: Tokens<Handling> =
    &[("handling=strict", Handling::Strict), ("handling=lenient", Handling::Lenient)];
const TIMEZONE_PREFIX: &str = "timezone=";
const MAX_AFFECTED_PREFIX: &str = "max-affected=";

impl<'a> Preferences<'a> {
    /// Reads the values of all `Prefer` lines, in order.
    pub fn parse(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut preferences = Self { lines: lines.into_iter().collect(), ..Self::default() };
        for index in 0..preferences.lines.len() {
            for token in preferences.lines[index].split(',') {
                preferences.take(token.trim_matches(is_blank));
            }
        }
        preferences
    }

    fn take(&mut self, token: &'a str) {
        let is_known = keep_first(&mut self.resolution, RESOLUTION_TOKENS, token)
            || keep_first(&mut self.returned, RETURNED_TOKENS, token)
            || keep_first(&mut self.count, COUNT_TOKENS, token)
            || keep_first(&mut self.transaction, TRANSACTION_TOKENS, token)
            || keep_first(&mut self.missing, MISSING_TOKENS, token)
            || keep_first(&mut self.handling, HANDLING_TOKENS, token);
        if is_known {
            return;
        }
        if let Some(timezone) = token.strip_prefix(TIMEZONE_PREFIX) {
            self.timezone.get_or_insert(timezone);
        } else if let Some(rows) = token.strip_prefix(MAX_AFFECTED_PREFIX) {
            self.max_affected.get_or_insert(rows);
        } else {
            self.unknown.push(token);
        }
    }

    /// Whether a write answers with the rows it changed.
    pub fn returns_representation(&self) -> bool {
        self.returned == Some(Returned::Representation)
    }

    /// Whether the client asks for the transaction to be undone; the server may not listen.
    pub fn asks_for_rollback(&self) -> bool {
        self.transaction == Some(Transaction::Rollback)
    }

    /// A header that PostgREST understands alike: the preferences that count, in a fixed order; the
    /// lines as written if one token is unknown. Empty if there is nothing to send.
    pub fn effective(&self) -> String {
        if !self.unknown.is_empty() {
            return self.lines.join(", ");
        }
        let tokens = [
            token_for(RESOLUTION_TOKENS, self.resolution),
            token_for(MISSING_TOKENS, self.missing),
            token_for(RETURNED_TOKENS, self.returned),
            token_for(COUNT_TOKENS, self.count),
            token_for(TRANSACTION_TOKENS, self.transaction),
            token_for(HANDLING_TOKENS, self.handling),
        ];
        let mut effective = tokens.into_iter().flatten().collect::<Vec<_>>().join(", ");
        for (prefix, value) in [(TIMEZONE_PREFIX, self.timezone), (MAX_AFFECTED_PREFIX, self.max_affected)] {
            if let Some(value) = value {
                let comma = if effective.is_empty() { "" } else { ", " };
                let _infallible = write!(effective, "{comma}{prefix}{value}");
            }
        }
        effective
    }
}

/// Whether the token belongs to the family; the first of a family is kept.
fn keep_first<T: Copy>(kept: &mut Option<T>, family: Tokens<T>, token: &str) -> bool {
    let found = family.iter().find(|(known, _)| *known == token);
    if let Some(&(_, meaning)) = found {
        kept.get_or_insert(meaning);
    }
    found.is_some()
}

fn token_for<T: Copy + PartialEq>(family: Tokens<T>, kept: Option<T>) -> Option<&'static str> {
    family.iter().find(|(_, meaning)| Some(*meaning) == kept).map(|&(token, _)| token)
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn effective_preferences() {
        for (lines, effective) in [
            (vec![], ""),
            (vec!["count=exact"], "count=exact"),
            (vec!["count=exact,count=planned"], "count=exact"),
            (vec!["count=planned", "count=exact"], "count=planned"),
            (vec!["tx=commit ,return=minimal,\tcount=exact"], "return=minimal, count=exact, tx=commit"),
            (vec!["timezone=UTC, handling=strict", "timezone=Asia/Tokyo"], "handling=strict, timezone=UTC"),
            (vec!["max-affected=x, max-affected=5"], "max-affected=x"),
            (vec!["count=none, count=exact"], "count=none, count=exact"),
            (vec!["Count=exact"], "Count=exact"),
            (vec!["count=exact; x=1"], "count=exact; x=1"),
            (vec!["count=exact,"], "count=exact,"),
            (vec!["foo", "count=exact"], "foo, count=exact"),
            (
                vec!["return=representation,resolution=merge-duplicates"],
                "resolution=merge-duplicates, return=representation",
            ),
        ] {
            assert_eq!(Preferences::parse(lines.clone()).effective(), effective, "{lines:?}");
        }
    }

    #[test]
    fn trap_06_and_07_a_count_is_another_answer() {
        let counted = Preferences::parse(["count=exact"]);
        assert_ne!(counted.effective(), Preferences::parse([]).effective());
        assert_eq!(counted.count, Some(Count::Exact));
    }

    #[test]
    fn trap_08_a_time_zone_is_another_answer() {
        let tokyo = Preferences::parse(["timezone=Asia/Tokyo"]);
        assert_eq!(tokyo.timezone, Some("Asia/Tokyo"));
        assert_ne!(tokyo.effective(), Preferences::parse(["timezone=UTC"]).effective());
    }

    #[test]
    fn trap_09_an_unknown_token_is_never_dropped() {
        let strict = Preferences::parse(["handling=strict, foo"]);
        assert_eq!(strict.unknown, ["foo"]);
        assert_eq!(strict.effective(), "handling=strict, foo");
    }

    #[test]
    fn the_first_of_a_family_counts() {
        let preferences =
            Preferences::parse(["tx=rollback, tx=commit", "return=minimal,return=representation"]);
        assert!(preferences.asks_for_rollback());
        assert!(!preferences.returns_representation());
    }

    fn any_token() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("count=exact".to_owned()),
            Just("count=planned".to_owned()),
            Just("return=minimal".to_owned()),
            Just("handling=strict".to_owned()),
            Just("tx=rollback".to_owned()),
            Just("missing=default".to_owned()),
            "timezone=[A-Z]{0,3}",
            "max-affected=[0-9]{0,2}",
            "[a-c=;]{0,4}",
        ]
    }

    proptest! {
        #[test]
        fn the_effective_header_means_the_same(
            lines in proptest::collection::vec(proptest::collection::vec(any_token(), 0..4), 0..3),
        ) {
            let lines: Vec<String> = lines.iter().map(|tokens| tokens.join(" , ")).collect();
            let original = Preferences::parse(lines.iter().map(String::as_str));
            let effective = original.effective();
            let sent = (!effective.is_empty()).then_some(effective.as_str());
            let understood = Preferences::parse(sent);
            prop_assert_eq!(understood.effective(), effective.clone());
            // an empty line is one unknown, empty token, which only `handling=strict` would mind
            if !effective.is_empty() {
                prop_assert_eq!(&understood.unknown, &original.unknown);
            }
            prop_assert_eq!(Preferences { lines: Vec::new(), unknown: Vec::new(), ..understood },
                            Preferences { lines: Vec::new(), unknown: Vec::new(), ..original });
        }

        #[test]
        fn any_text_is_a_preference(line in "\\PC{0,30}") {
            let _text = Preferences::parse([line.as_str()]).effective();
        }
    }
}
