//! Does a value mean another moment each time it is read?
//!
//! PostgreSQL reads `now`, `today`, `tomorrow` and `yesterday` as dates, in any
//! letter case, inside lists, arrays and ranges. Which column is a date cannot
//! be seen from outside, so every such word counts.

const MOVING_WORDS: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

/// Bytes of such a word.
const LENGTHS: std::ops::RangeInclusive<usize> = "now".len()..="yesterday".len();

/// Whether one of the words stands in the value, with no letter beside it.
pub(super) fn names_a_moving_time(value: &str) -> bool {
    if value.contains('\\') {
        // lists, arrays and ranges drop backslashes: `n\ow` is a date as well
        return names_one_literally(&value.replace('\\', ""));
    }
    names_one_literally(value)
}

fn names_one_literally(value: &str) -> bool {
    let words = value.as_bytes().split(|byte| !byte.is_ascii_alphabetic());
    words
        .filter(|word| LENGTHS.contains(&word.len()))
        .any(|word| MOVING_WORDS.iter().any(|moving| word.eq_ignore_ascii_case(moving.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_45_literals_that_move_with_time() {
        for (value, moves) in [
            ("gte.now", true),
            ("eq.today", true),
            ("lt.Tomorrow", true),
            ("gt.YESTERDAY", true),
            ("gte.now()", true),
            ("in.(\"2026-01-01\",now)", true),
            ("(a.gte.now,b.eq.1)", true),
            ("ov.[today,tomorrow)", true),
            ("cs.{now}", true),
            ("eq. now ", true),
            ("eq.today 10:00", true),
            ("eq.today10:00", true),
            ("in.(\"n\\ow\")", true),
            ("eq.know", false),
            ("eq.nowhere", false),
            ("eq.2026-01-01", false),
            ("eq.infinity", false),
            ("", false),
        ] {
            assert_eq!(names_a_moving_time(value), moves, "{value:?}");
        }
    }
}
