//! May it be kept, how old is it already, how long is it fresh, and how long is it of use after that?

use std::time::{Duration, UNIX_EPOCH};

use http::header::{AGE, DATE, EXPIRES, HeaderName, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Control, Lines, revival};

/// No answer is fresh for longer, as no rule may say so either.
pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// So long past its time an answer is kept to be asked about: what nobody asks for in a day is fetched anew.
pub const VALIDATED_FOR: Duration = Duration::from_secs(86_400);

/// What has not been changed for some time will not be changed for a tenth of that (RFC 9111 4.2.2).
const HEURISTIC_SHARE: u32 = 10;

/// But nothing is guessed for longer than a day.
const HEURISTIC_MAX: Duration = Duration::from_secs(86_400);

/// How an answer was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// With the credentials of one, for several.
    pub is_shared_with_others: bool,
    /// Whether the time of an answer may be guessed that does not say it.
    pub heuristic: bool,
    /// How long it took until the head was there.
    pub delay: Duration,
    /// The time of day then, in seconds since 1970.
    pub now_unix: u64,
}

/// How long an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// How old it was when it came.
    pub age: Duration,
    /// At which age its time is over; before it came, for some.
    pub fresh_for: Duration,
    /// How long past its time it may be of use: to be asked about, or to be served where that is allowed.
    pub useful_for: Duration,
}

/// Why an answer is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// It says `no-store`.
    NoStore,
    /// It says `private`, or was asked for with credentials and does not say that others may have it.
    Private,
    /// It does not say how long it is fresh.
    Unsaid,
    /// Its time is over, and it could not be asked about.
    Useless,
}

/// Says how long an answer is kept, by its head.
pub fn keep(status: StatusCode, headers: &HeaderMap, asked: Asked) -> Result<Keeping, NotKept> {
    let control = Control::of(headers);
    // 200 is a status that is understood here
    let understands = control.must_understand && status == StatusCode::OK;
    if control.no_store && !understands {
        return Err(NotKept::NoStore);
    }
    let is_released = control.public || control.s_maxage.is_some() || control.must_revalidate;
    if control.private || (asked.is_shared_with_others && !is_released) {
        return Err(NotKept::Private);
    }
    let fresh_for = fresh_for(&control, headers, asked).ok_or(NotKept::Unsaid)?.min(LONGEST);
    let age = age(headers, asked);
    let validated = if revival::has_validator(headers) { VALIDATED_FOR } else { Duration::ZERO };
    let stale =
        if control.allows_stale() { control.while_revalidate.max(control.if_error) } else { Duration::ZERO };
    let useful_for = stale.min(LONGEST).max(validated);
    if age >= fresh_for.saturating_add(useful_for) {
        return Err(NotKept::Useless);
    }
    Ok(Keeping { age, fresh_for, useful_for })
}

fn fresh_for(control: &Control, headers: &HeaderMap, asked: Asked) -> Option<Duration> {
    if control.no_cache {
        return Some(Duration::ZERO);
    }
    let said = control.s_maxage.or(control.max_age);
    if said.is_some() {
        return said;
    }
    let made = date(headers, &DATE).unwrap_or(asked.now_unix);
    if headers.contains_key(EXPIRES) && !control.is_targeted {
        // what cannot be read, or is said twice, is over
        let ends = only(headers, &EXPIRES).and_then(parsed);
        return Some(Duration::from_secs(ends.map_or(0, |ends| ends.saturating_sub(made))));
    }
    let changed = date(headers, &LAST_MODIFIED).filter(|_| asked.heuristic)?;
    Some((Duration::from_secs(made.saturating_sub(changed)) / HEURISTIC_SHARE).min(HEURISTIC_MAX))
}

/// How old it is, by its `Age` and by its `Date` (RFC 9111 4.2.3), whichever says more.
fn age(headers: &HeaderMap, asked: Asked) -> Duration {
    let said = headers.all(&AGE).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let said = said.filter_map(|age| age.trim().parse::<u32>().ok()).max().unwrap_or_default();
    let by_age = Duration::from_secs(u64::from(said)).saturating_add(asked.delay);
    let by_date = asked.now_unix.saturating_sub(date(headers, &DATE).unwrap_or(asked.now_unix));
    by_age.max(Duration::from_secs(by_date))
}

/// The moment under this name, if there is one and it can be read.
pub(super) fn date<L: Lines + ?Sized>(lines: &L, name: &HeaderName) -> Option<u64> {
    parsed(only(lines, name)?)
}

pub(super) fn only<'l, L: Lines + ?Sized>(lines: &'l L, name: &HeaderName) -> Option<&'l HeaderValue> {
    let mut all = lines.all(name);
    all.next().filter(|_| all.next().is_none())
}

/// A date in one of the three forms of RFC 9110 5.6.7, in seconds since 1970.
fn parsed(value: &HeaderValue) -> Option<u64> {
    let time = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}
