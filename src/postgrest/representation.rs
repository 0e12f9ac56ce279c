//! Which form of an answer does a client ask for: `Accept`, and `Range` as rows.
//!
//! PostgREST reads the first `Accept` line, splits it at commas, removes every
//! blank, cuts at `;q=` and sorts by quality and then by specificity. The first
//! type that the resource can produce wins, so that the sorted list is all that
//! an answer depends on.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};

/// What parts a type from its quality.
const QUALITY: &str = ";q=";

/// The media types a client accepts, as PostgREST negotiates them.
#[derive(Clone, Debug)]
pub struct Accept<'a> {
    line: Option<&'a str>,
}

impl<'a> Accept<'a> {
    /// Takes the first `Accept` line, if there is one. PostgREST ignores further ones.
    pub fn parse(first_line: Option<&'a str>) -> Self {
        Self { line: first_line }
    }

    /// Whether a query plan may be the answer. Plans are never kept: they tell about the schema, and
    /// making one may run the query.
    pub fn is_plan(&self) -> bool {
        self.line.is_some_and(|line| {
            let plain: String = line.chars().filter(|c| *c != ' ').collect();
            plain.to_ascii_lowercase().contains("vnd.pgrst.plan")
        })
    }

    /// A line that PostgREST negotiates alike: the sorted list without its qualities.
    ///
    /// The line stays verbatim where a quality is not a plain number, or where the list without
    /// qualities would be sorted differently. `None` without a line, which PostgREST takes for `*/*`.
    pub fn canonical(&self) -> Option<Cow<'a, str>> {
        let line = self.line?;
        if !line.contains([',', ' ', ';']) {
            return Some(Cow::Borrowed(line));
        }
        let Some(sorted) = negotiated(line) else {
            return Some(Cow::Borrowed(line));
        };
        let keeps_its_order = sorted.is_sorted_by_key(|media_type| Reverse(specificity(media_type)));
        Some(if keeps_its_order { Cow::Owned(sorted.join(",")) } else { Cow::Borrowed(line) })
    }
}

/// The types in the order in which PostgREST tries them; `None` if a quality is not a plain number.
fn negotiated(line: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut ranked = Vec::with_capacity(line.matches(',').count() + 1);
    for element in line.split(',') {
        let element = without_blanks(element);
        let Some(cut) = element.find(QUALITY) else {
            ranked.push((1.0, element));
            continue;
        };
        let quality = element[cut + QUALITY.len()..].split(';').next()?;
        ranked.push((read_quality(quality)?, Cow::Owned(element[..cut].to_owned())));
    }
    // a stable sort, as PostgREST's: equals keep the client's order
    ranked.sort_by(|(quality, media_type), (other_quality, other_type)| {
        let by_quality = other_quality.partial_cmp(quality).unwrap_or(Ordering::Equal);
        by_quality.then_with(|| specificity(other_type).cmp(&specificity(media_type)))
    });
    Some(ranked.into_iter().map(|(_, media_type)| media_type).collect())
}

fn without_blanks(element: &str) -> Cow<'_, str> {
    let trimmed = element.trim_matches(' ');
    if trimmed.contains(' ') { Cow::Owned(trimmed.replace(' ', "")) } else { Cow::Borrowed(trimmed) }
}

/// How precise PostgREST thinks a type is: a point for each parameter, one off for each star.
fn specificity(media_type: &str) -> isize {
    let count = |character| media_type.matches(character).count().cast_signed();
    count(';') - count('*')
}

/// `0`, `1`, `0.5`. Haskell reads more than that as a number; we do not follow it there.
fn read_quality(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits(whole) && is_digits(fraction) { text.parse().ok() } else { None }
}

/// Whether a `Range` asks for rows: `0-9` or `10-`. PostgREST ignores every other form, `bytes=0-9`
/// and `items=0-9` among them.
pub fn is_row_range(range: &str) -> bool {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match range.split_once('-') {
        Some((first, last)) => !first.is_empty() && is_number(first) && is_number(last),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_lines() {
        for (line, canonical) in [
            ("*/*", "*/*"),
            ("application/json", "application/json"),
            ("text/csv;q=0.5, application/json", "application/json,text/csv"),
            ("application/json, text/plain, */*", "application/json,text/plain,*/*"),
            ("*/*, application/json", "application/json,*/*"),
            ("a/b;q=1, c/d", "a/b,c/d"),
            (
                "application/vnd.pgrst.array+json; nulls=stripped",
                "application/vnd.pgrst.array+json;nulls=stripped",
            ),
            ("a/b;q=0.5;x=1,c/d", "c/d,a/b"),
            // without its quality the more specific one would move to the front
            ("a/b;x=1;q=0.1, c/d", "a/b;x=1;q=0.1, c/d"),
            ("*/*, a/b;q=0.5", "*/*, a/b;q=0.5"),
            ("a/b;q=1e3, c/d", "a/b;q=1e3, c/d"),
            ("a/b;q=, c/d", "a/b;q=, c/d"),
            ("Application/JSON", "Application/JSON"),
            ("", ""),
        ] {
            assert_eq!(Accept::parse(Some(line)).canonical().as_deref(), Some(canonical), "{line:?}");
        }
        assert_eq!(Accept::parse(None).canonical(), None);
    }

    #[test]
    fn trap_10_and_11_another_form_is_another_answer() {
        let canonical = |line| Accept::parse(Some(line)).canonical();
        assert_ne!(canonical("application/vnd.pgrst.object+json"), canonical("*/*"));
        assert_ne!(
            canonical("application/vnd.pgrst.array+json;nulls=stripped"),
            canonical("application/json")
        );
    }

    #[test]
    fn trap_12_plans_are_recognised_anywhere() {
        for (line, is_plan) in [
            ("application/vnd.pgrst.plan+json", true),
            ("Application/Vnd.PGRST.plan+text; for=\"application/json\"", true),
            ("application/json, application/vnd.pgrst.plan;q=0.1", true),
            ("application/vnd. pgrst.plan", true),
            ("application/json", false),
        ] {
            assert_eq!(Accept::parse(Some(line)).is_plan(), is_plan, "{line:?}");
        }
    }

    #[test]
    fn trap_03_and_04_only_bare_ranges_are_rows() {
        for (range, is_rows) in [
            ("0-9", true),
            ("10-", true),
            ("9-0", true),
            ("bytes=0-9", false),
            ("items=0-9", false),
            ("-5", false),
            ("0-9,20-29", false),
            (" 0-9", false),
            ("0", false),
            ("", false),
        ] {
            assert_eq!(is_row_range(range), is_rows, "{range:?}");
        }
    }

    proptest! {
        #[test]
        fn a_canonical_line_is_negotiated_alike(
            line in "((a/b|\\*/\\*|c/\\*|d/e;x=1)( ?;q=(0|1|0\\.[0-9]))?,? ?){1,5}"
        ) {
            let accept = Accept::parse(Some(&line));
            let canonical = accept.canonical().unwrap();
            prop_assert_eq!(negotiated(&canonical), negotiated(&line));
            let canonical_again = Accept::parse(Some(&canonical)).canonical();
            prop_assert_eq!(canonical_again.as_deref(), Some(canonical.as_ref()));
        }

        #[test]
        fn any_text_is_negotiated(line in "\\PC{0,30}") {
            let accept = Accept::parse(Some(&line));
            let _plan = accept.is_plan();
            prop_assert!(accept.canonical().is_some());
        }
    }
}
