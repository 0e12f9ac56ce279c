//! Does every head get the time that RFC 9111 gives it, or less?

use std::time::Duration;

use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::*;

/// Sun, 06 Nov 1994 08:49:37 GMT, the moment of the RFC's own examples.
const NOW: u64 = 784_111_777;
const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
const DAY: u64 = 86_400;

const PLAIN: Asked =
    Asked { is_shared_with_others: false, heuristic: false, delay: Duration::ZERO, now_unix: NOW };

fn head(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    lines.iter().map(line).collect()
}

/// Age when it came, time when fresh, time of use after that; all in seconds.
fn kept(lines: &[(&str, &str)], asked: Asked) -> Result<(u64, u64, u64), NotKept> {
    keep(StatusCode::OK, &head(lines), asked)
        .map(|kept| (kept.age.as_secs(), kept.fresh_for.as_secs(), kept.useful_for.as_secs()))
}

fn by_control(control: &str) -> Result<(u64, u64, u64), NotKept> {
    kept(&[DATE, ("cache-control", control)], PLAIN)
}

#[test]
fn what_cache_control_says() {
    use NotKept::{NoStore, Private, Unsaid, Useless};
    for (control, expected) in [
        ("max-age=60", Ok((0, 60, 0))),
        ("MAX-AGE=60", Ok((0, 60, 0))),
        ("max-age=\"60\"", Ok((0, 60, 0))),
        ("public, max-age=60, immutable", Ok((0, 60, 0))),
        ("max-age=60, s-maxage=10", Ok((0, 10, 0))),
        ("s-maxage=600, max-age=10", Ok((0, 600, 0))),
        ("max-age=99999999999999999999999", Ok((0, 30 * DAY, 0))),
        // said twice: the stricter
        ("max-age=60, max-age=10", Ok((0, 10, 0))),
        ("max-age=10, max-age=60", Ok((0, 10, 0))),
        ("max-age=60, max-age=", Err(Useless)),
        ("stale-if-error=9, max-age=60, stale-if-error=5", Ok((0, 60, 5))),
        // unreadable: none at all
        ("max-age", Err(Useless)),
        ("max-age=-1", Err(Useless)),
        ("max-age=1.5", Err(Useless)),
        ("max-age=60s", Err(Useless)),
        ("s-maxage=x, max-age=60", Err(Useless)),
        ("max-age=60, \"", Err(NoStore)),
        ("max-age=\"60", Err(NoStore)),
        ("max-age=60 public", Err(NoStore)),
        ("max-age=60 \u{e9}", Err(NoStore)),
        // not to be kept
        ("no-store", Err(NoStore)),
        ("max-age=60, No-Store", Err(NoStore)),
        ("private, max-age=60", Err(Private)),
        ("private=\"x-a, x-b\", max-age=60", Err(Private)),
        ("must-understand, no-store, max-age=60", Ok((0, 60, 0))),
        // names and quotes that only look like it
        ("max-age=60, ext=\"a, no-store, private\"", Ok((0, 60, 0))),
        ("max-age=60, ext=\"a\\\", no-store\"", Ok((0, 60, 0))),
        ("max-age=60, community=\"UCI\", x-no-store", Ok((0, 60, 0))),
        (" ,, max-age = 60 ,", Ok((0, 60, 0))),
        // no time at all
        ("", Err(Unsaid)),
        ("public", Err(Unsaid)),
        ("immutable", Err(Unsaid)),
        ("no-cache", Err(Useless)),
        ("max-age=0", Err(Useless)),
        // past its time
        ("max-age=60, stale-while-revalidate=30", Ok((0, 60, 30))),
        ("max-age=60, stale-while-revalidate=30, stale-if-error=600", Ok((0, 60, 600))),
        ("max-age=0, stale-while-revalidate=30", Ok((0, 0, 30))),
        ("max-age=60, stale-while-revalidate=30, must-revalidate", Ok((0, 60, 0))),
        ("max-age=60, stale-while-revalidate=30, proxy-revalidate", Ok((0, 60, 0))),
        ("s-maxage=60, stale-while-revalidate=30", Ok((0, 60, 0))),
        ("no-cache, max-age=60, stale-while-revalidate=30", Err(Useless)),
    ] {
        assert_eq!(by_control(control), expected, "{control}");
    }
    let lines = [DATE, ("cache-control", "max-age=60"), ("cache-control", "no-store")];
    assert_eq!(kept(&lines, PLAIN), Err(NoStore), "all lines count");
    let must =
        keep(StatusCode::PARTIAL_CONTENT, &head(&[("cache-control", "must-understand, no-store")]), PLAIN);
    assert_eq!(must, Err(NoStore), "a status that is not understood");
}

#[test]
fn what_is_said_to_networks_counts_before_what_is_said_to_all() {
    for (targeted, control, expected) in [
        ("max-age=60", "no-store", Ok((0, 60, 0))),
        ("max-age=60;x=1, stale-while-revalidate=5", "private", Ok((0, 60, 5))),
        ("no-store", "max-age=60", Err(NotKept::NoStore)),
        ("no-store=?0, max-age=60", "no-store", Ok((0, 60, 0))),
        ("private=(a b), max-age=60", "max-age=60", Err(NotKept::Private)),
        // another kind of value than a time has
        ("max-age=\"60\"", "max-age=60", Err(NotKept::Useless)),
        ("max-age=-5", "max-age=60", Err(NotKept::Useless)),
        // nothing that can be read: as if it were not there
        ("", "max-age=7", Ok((0, 7, 0))),
        ("max-age=60,", "max-age=7", Ok((0, 7, 0))),
        ("MAX-AGE=60", "max-age=7", Ok((0, 7, 0))),
        ("max-age==60", "no-store", Err(NotKept::NoStore)),
    ] {
        let lines = [DATE, ("cdn-cache-control", targeted), ("cache-control", control)];
        assert_eq!(kept(&lines, PLAIN), expected, "{targeted} | {control}");
    }
    let expires = [DATE, ("cdn-cache-control", "public"), ("expires", "Sun, 06 Nov 1994 08:50:37 GMT")];
    assert_eq!(kept(&expires, PLAIN), Err(NotKept::Unsaid));
}

#[test]
fn when_it_ends_and_how_old_it_is() {
    let expires = |ends| kept(&[DATE, ("expires", ends)], PLAIN);
    for (ends, expected) in [
        ("Sun, 06 Nov 1994 08:50:37 GMT", Ok((0, 60, 0))),
        ("Sunday, 06-Nov-94 08:50:37 GMT", Ok((0, 60, 0))),
        ("Sun Nov  6 08:50:37 1994", Ok((0, 60, 0))),
        ("Sun, 06 Nov 1994 08:49:36 GMT", Err(NotKept::Useless)),
        ("0", Err(NotKept::Useless)),
        ("-1", Err(NotKept::Useless)),
        ("", Err(NotKept::Useless)),
        ("Sun, 06 Nov 1994 08:50:37 +0100", Err(NotKept::Useless)),
        ("tomorrow", Err(NotKept::Useless)),
    ] {
        assert_eq!(expires(ends), expected, "{ends}");
    }
    let twice =
        [DATE, ("expires", "Sun, 06 Nov 1994 08:50:37 GMT"), ("expires", "Sun, 06 Nov 1994 08:50:37 GMT")];
    assert_eq!(kept(&twice, PLAIN), Err(NotKept::Useless));
    let beside = [DATE, ("expires", "0"), ("cache-control", "max-age=60")];
    assert_eq!(kept(&beside, PLAIN), Ok((0, 60, 0)));

    let aged = |lines: &[(&str, &str)], asked| {
        let all = [&[("cache-control", "max-age=60")], lines].concat();
        kept(&all, asked)
    };
    assert_eq!(aged(&[], PLAIN), Ok((0, 60, 0)));
    assert_eq!(aged(&[DATE, ("age", "20")], PLAIN), Ok((20, 60, 0)));
    assert_eq!(aged(&[DATE, ("age", "20, 30"), ("age", "x")], PLAIN), Ok((30, 60, 0)));
    assert_eq!(aged(&[DATE, ("age", "60")], PLAIN), Err(NotKept::Useless));
    let slow = Asked { delay: Duration::from_secs(5), ..PLAIN };
    assert_eq!(aged(&[DATE, ("age", "20")], slow), Ok((25, 60, 0)));
    let late = Asked { now_unix: NOW + 40, ..PLAIN };
    assert_eq!(aged(&[DATE, ("age", "20")], late), Ok((40, 60, 0)), "the older of the two");
    let early = Asked { now_unix: NOW - 40, ..PLAIN };
    assert_eq!(aged(&[DATE], early), Ok((0, 60, 0)), "a clock ahead of ours makes nothing younger");
}

#[test]
fn a_time_is_guessed_only_where_that_was_asked_for() {
    let guessing = Asked { heuristic: true, ..PLAIN };
    let changed = ("last-modified", "Sun, 06 Nov 1994 08:33:07 GMT"); // 990 s before
    assert_eq!(kept(&[DATE, changed], PLAIN), Err(NotKept::Unsaid));
    assert_eq!(kept(&[DATE, changed], guessing), Ok((0, 99, DAY)));
    let long_ago = ("last-modified", "Fri, 06 Nov 1970 08:33:07 GMT");
    assert_eq!(kept(&[DATE, long_ago], guessing), Ok((0, DAY, DAY)));
    assert_eq!(kept(&[DATE], guessing), Err(NotKept::Unsaid));
    let said = [DATE, changed, ("cache-control", "max-age=0")];
    assert_eq!(kept(&said, guessing), Ok((0, 0, DAY)), "what is said is not guessed");
}

#[test]
fn what_was_asked_for_with_credentials_is_shared_where_it_says_so() {
    let shared = Asked { is_shared_with_others: true, ..PLAIN };
    for (control, expected) in [
        ("max-age=60", Err(NotKept::Private)),
        ("max-age=60, proxy-revalidate", Err(NotKept::Private)),
        ("max-age=60, public", Ok((0, 60, 0))),
        ("max-age=60, must-revalidate", Ok((0, 60, 0))),
        ("s-maxage=60", Ok((0, 60, 0))),
        ("s-maxage=60, private", Err(NotKept::Private)),
    ] {
        assert_eq!(kept(&[DATE, ("cache-control", control)], shared), expected, "{control}");
    }
}

#[test]
fn what_can_be_asked_about_is_kept_past_its_time() {
    let etag = ("etag", "\"a\"");
    for (lines, expected) in [
        (&[("cache-control", "no-cache"), etag][..], Ok((0, 0, DAY))),
        (&[("cache-control", "max-age=60, must-revalidate"), etag], Ok((0, 60, DAY))),
        (&[("cache-control", "max-age=60"), ("age", "90"), etag], Ok((90, 60, DAY))),
        (&[("cache-control", "no-cache"), ("etag", "a")], Err(NotKept::Useless)),
        (&[("cache-control", "no-cache"), etag, ("etag", "\"b\"")], Err(NotKept::Useless)),
        (&[etag], Err(NotKept::Unsaid)),
    ] {
        assert_eq!(kept(&[&[DATE], lines].concat(), PLAIN), expected, "{lines:?}");
    }
}

#[test]
fn the_upstream_is_asked_with_what_it_can_know_an_answer_by() {
    let (settled, fresh) = ("Sun, 06 Nov 1994 08:48:37 GMT", "Sun, 06 Nov 1994 08:48:38 GMT");
    for (lines, expected) in [
        (&[DATE, ("etag", "W/\"a\""), ("last-modified", settled)][..], Some((IF_NONE_MATCH, "W/\"a\""))),
        (&[DATE, ("last-modified", settled)], Some((IF_MODIFIED_SINCE, settled))),
        (&[DATE, ("last-modified", fresh)], None),
        (&[("last-modified", settled)], None),
        (&[DATE, ("etag", "\"a\"b\"")], None),
        (&[DATE], None),
    ] {
        let expected = expected.map(|(name, value)| (name, HeaderValue::from_static(value)));
        assert_eq!(condition(&head(lines)), expected, "{lines:?}");
    }
}

#[test]
fn a_304_renews_the_head_and_not_the_body() {
    let kept: Vec<_> = head(&[
        ("content-type", "text/plain"),
        ("etag", "\"a\""),
        ("cache-control", "max-age=60"),
        ("content-language", "fr"),
        DATE,
    ])
    .into_iter()
    .map(|(name, value)| (name.unwrap(), value))
    .collect();
    let said = |lines: &[(&str, &str)]| renewed(&kept, &head(lines));
    let new = said(&[
        ("etag", "W/\"a\""),
        ("cache-control", "max-age=5"),
        ("cache-control", "public"),
        ("content-type", "image/png"),
        ("content-length", "0"),
    ]);
    let expected = head(&[
        ("content-type", "text/plain"),
        ("content-language", "fr"),
        ("etag", "W/\"a\""),
        ("cache-control", "max-age=5"),
        ("cache-control", "public"),
    ]);
    assert_eq!(new, Some(expected));
    assert_eq!(said(&[("etag", "\"b\"")]), None, "another answer");
    assert_eq!(said(&[("last-modified", "Sun, 06 Nov 1994 08:48:37 GMT")]), None, "nor is this one known");
}

proptest::proptest! {
    /// Any bytes are read, and none make an answer fresh for longer than any may be.
    #[test]
    fn any_line_is_read(line in proptest::collection::vec(proptest::sample::select(b"max-ge=019, \"\\\xffprivte;?()".to_vec()), 0..48)) {
        for name in ["cache-control", "cdn-cache-control", "expires", "age", "date", "etag", "last-modified"] {
            let Ok(value) = HeaderValue::from_bytes(&line) else { continue };
            let lines = HeaderMap::from_iter([(name.parse::<HeaderName>().unwrap(), value)]);
            if let Ok(kept) = keep(StatusCode::OK, &lines, Asked { heuristic: true, ..PLAIN }) {
                proptest::prop_assert!(kept.fresh_for <= LONGEST && kept.useful_for <= LONGEST);
            }
        }
    }
}
