//! `downstream: "public, s-maxage=60"`: what may a `Cache-Control` for others say?

use http::HeaderValue;

use super::fields::did_you_mean;
use super::mistake::quoted;

/// Directives with a number of seconds.
const TIMED: [&str; 4] = ["s-maxage", "max-age", "stale-while-revalidate", "stale-if-error"];

/// Directives that stand alone.
const BARE: [&str; 6] =
    ["public", "no-cache", "must-revalidate", "proxy-revalidate", "no-transform", "must-understand"];

/// Longest time that is told to anybody: a year, as RFC 9111 has it for older clients.
const SECONDS_MAX: u64 = 365 * 24 * 60 * 60;

/// What is written under `downstream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directives {
    /// As it is sent.
    pub(super) header: HeaderValue,
    /// For how long browsers keep an answer without asking, where that is said: no purge reaches them.
    pub(super) unasked_seconds: Option<u64>,
}

/// What is wrong with it, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadDirective {
    pub(super) problem: String,
    pub(super) hint: String,
}

impl BadDirective {
    fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }
}

/// Parses a list of directives.
pub(super) fn parse(text: &str) -> Result<Directives, BadDirective> {
    let (mut seen, mut times): (Vec<String>, [Option<u64>; TIMED.len()]) = Default::default();
    for written in text.split(',').map(str::trim) {
        let (name, value) = match written.split_once('=') {
            Some((name, value)) => (name.trim().to_ascii_lowercase(), Some(value.trim())),
            None => (written.to_ascii_lowercase(), None),
        };
        if seen.contains(&name) {
            return Err(BadDirective::new(
                format!("{} stands there twice", quoted(&name)),
                "keep one of them",
            ));
        }
        match TIMED.iter().position(|timed| *timed == name) {
            Some(at) => times[at] = Some(seconds(&name, value)?),
            None => bare(&name, value)?,
        }
        seen.push(name);
    }
    let has = |name: &str| seen.iter().any(|seen| seen == name);
    if !has("public") {
        return Err(BadDirective::new(
            "does not say `public`",
            "without it others keep nothing: leave the field out",
        ));
    }
    if times[0].or(times[1]).is_none() && !has("no-cache") {
        return Err(BadDirective::new("says no time", "add `s-maxage=60`"));
    }
    let written = seen.iter().map(|name| match TIMED.iter().position(|timed| timed == name) {
        Some(at) => format!("{name}={}", times[at].unwrap_or_default()),
        None => name.clone(),
    });
    let header = HeaderValue::try_from(written.collect::<Vec<_>>().join(", "))
        .map_err(|_| BadDirective::new("is no header", "write it as in `public, s-maxage=60`"))?;
    let unasked_seconds = times[1].filter(|seconds| *seconds > 0 && !has("no-cache"));
    Ok(Directives { header, unasked_seconds })
}

fn seconds(name: &str, value: Option<&str>) -> Result<u64, BadDirective> {
    let number = value.filter(|value| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = number.and_then(|number| number.parse().ok()).filter(|seconds| *seconds <= SECONDS_MAX);
    seconds.ok_or_else(|| {
        let hint = format!("a whole number of seconds, {SECONDS_MAX} at most, as in `{name}=60`");
        BadDirective::new(format!("`{name}` has no such time"), hint)
    })
}

fn bare(name: &str, value: Option<&str>) -> Result<(), BadDirective> {
    if matches!(name, "private" | "no-store") {
        let hint = "leave the field out: that is what is sent without it";
        return Err(BadDirective::new(format!("`{name}` forbids what the field is for"), hint));
    }
    if name == "immutable" {
        let hint = "an answer that a write can change is never immutable";
        return Err(BadDirective::new("`immutable` is not true", hint));
    }
    if !BARE.contains(&name) {
        let known = TIMED.into_iter().chain(BARE);
        let hint = did_you_mean(name, known.clone())
            .unwrap_or_else(|| format!("known here: {}", known.collect::<Vec<_>>().join(", ")));
        return Err(BadDirective::new(format!("{} is no directive", quoted(name)), hint));
    }
    match value {
        Some(_) => Err(BadDirective::new(format!("`{name}` has no value"), format!("write `{name}`"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent() {
        for (text, header, unasked) in [
            ("public, s-maxage=60", "public, s-maxage=60", None),
            ("Public ,S-MaxAge = 060", "public, s-maxage=60", None),
            ("public, max-age=10, s-maxage=60", "public, max-age=10, s-maxage=60", Some(10)),
            ("public, max-age=0, s-maxage=60", "public, max-age=0, s-maxage=60", None),
            ("public, no-cache, max-age=9", "public, no-cache, max-age=9", None),
            (
                "public, s-maxage=0, stale-while-revalidate=5",
                "public, s-maxage=0, stale-while-revalidate=5",
                None,
            ),
        ] {
            let parsed = parse(text).unwrap();
            assert_eq!(
                (parsed.header.to_str().unwrap(), parsed.unasked_seconds),
                (header, unasked),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, problem) in [
            ("", "`` is no directive"),
            ("public", "says no time"),
            ("s-maxage=60", "does not say `public`"),
            ("public, s-maxage", "`s-maxage` has no such time"),
            ("public, s-maxage=1m", "`s-maxage` has no such time"),
            ("public, s-maxage=-1", "`s-maxage` has no such time"),
            ("public, s-maxage=31536001", "`s-maxage` has no such time"),
            ("public, s-maxage=99999999999999999999", "`s-maxage` has no such time"),
            ("public, s-maxage=60, s-maxage=90", "`s-maxage` stands there twice"),
            ("public, private, s-maxage=60", "`private` forbids what the field is for"),
            ("no-store", "`no-store` forbids what the field is for"),
            ("public, s-maxage=60, immutable", "`immutable` is not true"),
            ("public=x, s-maxage=60", "`public` has no value"),
            ("public, smaxage=60", "`smaxage` is no directive"),
            ("public,, s-maxage=60", "`` is no directive"),
            ("public, s-maxage=60\r\nX-Evil: 1", "`s-maxage` has no such time"),
        ] {
            assert_eq!(parse(text).unwrap_err().problem, problem, "{text:?}");
        }
        assert_eq!(parse("public, smaxage=60").unwrap_err().hint, "did you mean `s-maxage`?");
    }
}
