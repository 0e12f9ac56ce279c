//! What do two answers say about a rule? Decided without asking anybody.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;

use crate::key::Scope;
use crate::plan::{Pass, ReadPlan};
use crate::postgrest::{are_the_same_rows, holds_no_rows, is_error_object, says_nothing_there};

/// What two callers were told says this about their rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Each has an answer of their own, and needs it.
    Apart,
    /// They share an answer, and may.
    Shared,
    /// They would share an answer, and are told different things.
    Leak,
    /// Each has an answer of their own, and both are told the very same.
    Open,
    /// It is not known.
    Unjudged(Doubt),
}

/// Why a canary says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Nobody is there to ask for it.
    NoTokens,
    /// The tokens cannot be read any more.
    Unreadable(String),
    /// One of the tokens is nobody's.
    SignedOut,
    /// Both tokens are one user's.
    OneUser,
    /// The request would pass through.
    Passes(Pass),
    /// It is no read, so that nothing of it is kept.
    NoRead,
    /// The upstream cannot be asked.
    Away,
    /// It takes too long.
    Slow,
    /// It answers with something else than rows.
    Status(StatusCode),
    /// The answer is too large to be kept.
    TooLarge,
    /// There are no rows for either of them.
    NoRows,
    /// One and the same caller is told something else a moment later.
    Moving,
}

impl Verdict {
    /// For labels.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Shared => "shared",
            Self::Leak => "leak",
            Self::Open => "open",
            Self::Unjudged(_) => "unjudged",
        }
    }

    /// What was found, in one sentence.
    pub fn sentence(&self) -> Cow<'static, str> {
        match self {
            Self::Apart => "two callers each have an answer of their own".into(),
            Self::Shared => "two callers share an answer, and both are told the same".into(),
            Self::Leak => {
                "two callers would share an answer, and the upstream tells each of them something else".into()
            }
            Self::Open => {
                "two callers have answers of their own, and the upstream tells both the very same".into()
            }
            Self::Unjudged(doubt) => format!("not judged: {}", doubt.sentence()).into(),
        }
    }

    /// What would change it, where something should.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Apart | Self::Shared => "nothing: it is as it should be",
            Self::Leak => {
                "`scope: user` gives every caller an answer of their own, `scope: { claims: […] }` all who differ \
                 in a claim"
            }
            Self::Open => {
                "row-level security is off for what is asked, or a policy lets everybody in; if everybody may see \
                 it, write `scope: role` or `scope: public`"
            }
            Self::Unjudged(doubt) => doubt.hint(),
        }
    }
}

impl Doubt {
    fn sentence(&self) -> Cow<'static, str> {
        match self {
            Self::NoTokens => "there are no tokens of two callers to ask with".into(),
            Self::Unreadable(why) => format!("the tokens of the two callers cannot be used: {why}").into(),
            Self::SignedOut => "one of the two tokens is no user's".into(),
            Self::OneUser => "the two tokens are one user's".into(),
            Self::Passes(pass) => format!("the request passes through: {}", pass.sentence()).into(),
            Self::NoRead => "the request is no read that is kept".into(),
            Self::Away => "the upstream gave no answer".into(),
            Self::Slow => "the upstream took too long".into(),
            Self::Status(status) => format!("the upstream answered with {}", status.as_u16()).into(),
            Self::TooLarge => "the answer is larger than what is kept".into(),
            Self::NoRows => "the upstream has no rows for either of the two callers".into(),
            Self::Moving => "the answer changes from one moment to the next".into(),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::NoTokens => {
                "--canary-tokens-file names a file with the tokens of two users, LARDER_CANARY_TOKENS holds them"
            }
            Self::Unreadable(_) => "the file holds two tokens of two users, one a line",
            Self::SignedOut | Self::OneUser => "give the tokens of two users who have rows of their own",
            Self::Passes(Pass::ExpiredToken) | Self::Status(StatusCode::UNAUTHORIZED) => {
                "write new tokens of the two callers into the file, and have the rules read again"
            }
            Self::Passes(pass) => pass.hint(),
            Self::NoRead => "ask for what a read rule keeps",
            Self::Away | Self::Slow => "have the rules read again when it answers",
            Self::Status(_) => "ask for it as one of the two callers, and see what it says",
            Self::TooLarge => "add `limit=5`",
            Self::NoRows => "ask for something of which each of the two callers has rows",
            Self::Moving => "add `order=id`, and ask for columns that do not change by themselves",
        }
    }
}

/// How a rule keeps the answers of two callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// As one, which either is served.
    Together,
    /// As two, because rows may be one caller's alone.
    Apart,
    /// As two, because roles differ, which makes nothing one caller's alone.
    ByRole,
}

impl Kept {
    pub(super) fn of(one: &ReadPlan, other: &ReadPlan) -> Self {
        match one.rule.scope {
            _ if one.fingerprint == other.fingerprint => Self::Together,
            Scope::Public | Scope::Role => Self::ByRole,
            Scope::User | Scope::Claims(_) | Scope::Token => Self::Apart,
        }
    }
}

/// What one caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Something.
    Rows(Bytes),
    /// That there is nothing, or nothing for them.
    Nothing,
    /// Something from which nothing follows.
    Unclear(Doubt),
}

impl Told {
    pub(super) fn by(status: StatusCode, body: Bytes) -> Self {
        if status == StatusCode::FORBIDDEN || says_nothing_there(status, &body) {
            return Self::Nothing;
        }
        if !status.is_success() || is_error_object(&body) {
            return Self::Unclear(Doubt::Status(status));
        }
        if holds_no_rows(&body) { Self::Nothing } else { Self::Rows(body) }
    }

    fn is_the_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rows(one), Self::Rows(other)) => are_the_same_rows(one, other),
            (Self::Nothing, Self::Nothing) => true,
            (Self::Rows(_) | Self::Nothing | Self::Unclear(_), _) => false,
        }
    }
}

/// Judges what the two were told.
pub(super) fn judge(kept: Kept, [one, other]: &[Told; 2]) -> Verdict {
    match (one, other) {
        (Told::Unclear(doubt), _) | (_, Told::Unclear(doubt)) => return Verdict::Unjudged(doubt.clone()),
        (Told::Nothing, Told::Nothing) => return Verdict::Unjudged(Doubt::NoRows),
        (Told::Rows(_), _) | (_, Told::Rows(_)) => {}
    }
    match (kept, one.is_the_same_as(other)) {
        (Kept::Together, true) => Verdict::Shared,
        (Kept::Together, false) => Verdict::Leak,
        (Kept::Apart, true) => Verdict::Open,
        (Kept::Apart, false) | (Kept::ByRole, _) => Verdict::Apart,
    }
}

/// Judges what the two were told when both were asked a second time: rows that change by themselves would
/// look like rows of somebody else.
pub(super) fn judge_again(kept: Kept, before: &[Told; 2], again: &[Told; 2]) -> Verdict {
    let is_steady = before.iter().zip(again).all(|(before, again)| before.is_the_same_as(again));
    match judge(kept, again) {
        Verdict::Leak if !is_steady => Verdict::Unjudged(Doubt::Moving),
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNS: &str = r#"[{"id":1},{"id":2}]"#;
    const ANNS_TURNED: &str = r#"[{"id":2},{"id":1}]"#;
    const BOS: &str = r#"[{"id":7}]"#;
    const NOT_ONE: &str = r#"{"code":"PGRST116","details":null,"hint":null,"message":"0 rows"}"#;
    const KEPT: [Kept; 3] = [Kept::Together, Kept::Apart, Kept::ByRole];

    fn told(status: u16, body: &'static str) -> Told {
        Told::by(StatusCode::from_u16(status).unwrap(), Bytes::from_static(body.as_bytes()))
    }

    fn judged(one: &Told, other: &Told) -> [&'static str; 3] {
        let of = |kept, one: &Told, other: &Told| judge(kept, &[one.clone(), other.clone()]);
        KEPT.map(|kept| {
            let verdict = of(kept, one, other);
            assert_eq!(verdict, of(kept, other, one), "who is asked first makes no difference");
            verdict.as_str()
        })
    }

    #[test]
    fn what_is_shared_must_be_equal_and_what_is_private_must_not() {
        for (one, other, expected) in [
            ((200, ANNS), (200, BOS), ["leak", "apart", "apart"]),
            ((200, ANNS), (200, ANNS), ["shared", "open", "apart"]),
            ((200, ANNS), (200, ANNS_TURNED), ["shared", "open", "apart"]),
            ((206, ANNS), (200, ANNS), ["shared", "open", "apart"]),
            ((200, ANNS), (200, "[]"), ["leak", "apart", "apart"]),
            ((200, ANNS), (403, NOT_ONE), ["leak", "apart", "apart"]),
            ((200, ANNS), (404, ""), ["leak", "apart", "apart"]),
            ((200, r#"{"id":1}"#), (406, NOT_ONE), ["leak", "apart", "apart"]),
            ((200, "5"), (200, "5"), ["shared", "open", "apart"]),
            ((200, "[]"), (200, "[]"), ["unjudged"; 3]),
            ((200, ""), (204, ""), ["unjudged"; 3]),
            ((200, "[]"), (404, ""), ["unjudged"; 3]),
            ((200, ANNS), (401, NOT_ONE), ["unjudged"; 3]),
            ((200, ANNS), (406, ""), ["unjudged"; 3]),
            ((200, ANNS), (429, ""), ["unjudged"; 3]),
            ((200, ANNS), (200, NOT_ONE), ["unjudged"; 3]),
            ((302, ANNS), (302, ANNS), ["unjudged"; 3]),
            ((503, ""), (503, ""), ["unjudged"; 3]),
        ] {
            assert_eq!(judged(&told(one.0, one.1), &told(other.0, other.1)), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn an_answer_that_moves_is_no_leak() {
        let (anns, bos, newer) = (told(200, ANNS), told(200, BOS), told(200, "[{\"id\":8}]"));
        let away = Told::Unclear(Doubt::Away);
        let first = [anns.clone(), bos.clone()];
        for (again, expected) in [
            ([told(200, ANNS_TURNED), bos.clone()], Verdict::Leak),
            ([anns.clone(), newer.clone()], Verdict::Unjudged(Doubt::Moving)),
            ([newer.clone(), bos.clone()], Verdict::Unjudged(Doubt::Moving)),
            ([bos.clone(), bos.clone()], Verdict::Shared),
            ([anns.clone(), away], Verdict::Unjudged(Doubt::Away)),
        ] {
            assert_eq!(judge_again(Kept::Together, &first, &again), expected, "{again:?}");
        }
    }

    #[test]
    fn no_word_repeats_a_row() {
        let secret = told(200, r#"[{"iban":"hunter2"}]"#);
        for verdict in [
            judge(Kept::Together, &[secret.clone(), told(200, ANNS)]),
            judge(Kept::Apart, &[secret.clone(), secret.clone()]),
            judge(Kept::Apart, &[secret, told(401, "hunter2")]),
        ] {
            let words = format!("{} {} {}", verdict.as_str(), verdict.sentence(), verdict.hint());
            assert!(!words.contains("hunter2") && !verdict.hint().is_empty(), "{words}");
        }
    }
}
