//! From an entry or an upstream's answer to the client's response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AGE, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_LOCATION, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{Method, Response, StatusCode};

use crate::cache::{Answer, Entry, Form, Validator, is_text};
use crate::hit_counts::Unsent;
use crate::httpcache::CDN_CACHE_CONTROL;
use crate::key::Labels;
use crate::plan::ReadPlan;
use crate::rules::Told;
use crate::upstream::{self, clean_response};

use super::accept_encoding::Accepted;
use super::body::Body;
use super::conditional::{self, Held, held};
use super::ready;

/// What a browser may read of a cached answer: what PostgREST exposes, and ours.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, ETag, Location, Server, \
     Transfer-Encoding, Range-Unit, Age, Cache-Status, Preference-Applied, Content-Profile, \
     Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed",
);

/// What an answer says that is not kept and says nothing else.
const UNKEPT: HeaderValue = HeaderValue::from_static("private, no-cache");

/// By what networks call an answer to take it away.
const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");
const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");

/// Headers beside the stored ones: Age, Cache-Control, Cache-Status, Content-Encoding, ETag and Vary; browsers
/// and networks get two more.
const ADDED_HEADERS: usize = 6;

/// Who reads an answer that a rule keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'r> {
    /// What they sent.
    pub(super) request: &'r HeaderMap,
    /// Which codings they take of the rule's answers.
    pub(super) accepted: Accepted,
    /// What the rule says to them alone.
    pub(super) alone: &'r Told,
    /// What it says to a network on the way that may keep the answer for others, and what that may call it.
    pub(super) network: Option<(&'r Told, &'r Labels)>,
    /// The answer itself says to everybody how long it may be kept.
    pub(super) speaks_for_itself: bool,
}

/// An answer that is there, all of it.
#[derive(Clone, Copy, Debug)]
struct There<'a> {
    status: StatusCode,
    headers: &'a [(HeaderName, HeaderValue)],
    body: &'a Bytes,
    /// What is sent in the body's place.
    form: Option<&'a Form>,
    /// Whether others may be sent another form.
    has_forms: bool,
    /// For whoever may keep a copy.
    validator: Option<&'a Validator>,
    age: Duration,
}

/// Answers with an entry in this form, and says what of it was not sent. The body is shared with the cache,
/// not copied.
pub(super) fn from_entry(
    entry: &Entry,
    form: Option<&Form>,
    reader: Reader<'_>,
    now: Instant,
) -> (Response<Body>, Unsent) {
    There::of(entry, form, now).answer(reader, |there, reader| there.head(reader))
}

/// The same for a hit, whose head may be at hand.
pub(super) fn from_hit(
    entry: &Arc<Entry>,
    form: Option<&Form>,
    (plan, reader): (&ReadPlan, Reader<'_>),
    now: Instant,
) -> (Response<Body>, Unsent) {
    There::of(entry, form, now).answer(reader, |there, reader| {
        let make = || there.head(reader);
        if reader.network.is_some() {
            return make();
        }
        let coding = form.map(|form| form.coding);
        ready::head(ready::Hit { entry, plan, coding, is_cross_origin: reader.is_cross_origin(), now }, make)
    })
}

/// Answers with a shared fetch: as it comes, or, if it has come already, as with an entry.
pub(super) fn from_shared(answer: Answer, reader: Reader<'_>) -> (Response<Body>, Unsent) {
    let Answer { status, headers, .. } = &answer;
    if let Some(whole) = answer.whole() {
        let (status, body, has_forms, age) = (*status, &whole.body, whole.has_forms, answer.age);
        let validator = reader.keeps_copies().then(|| answer.validator()).flatten();
        let there = There { status, headers, body, form: None, has_forms, validator, age };
        return there.answer(reader, |there, reader| there.head(reader));
    }
    let has_forms = is_text(headers);
    let (status, age, mut headers) = (*status, answer.age, data_headers(headers));
    // the upstream's own is for asking the upstream; ours is not known before all of it has come
    headers.remove(ETAG);
    reader.add(&mut headers, age, has_forms);
    (made(status, headers, Body::Shared(answer.body)), Unsent::Nothing)
}

/// Tells a client to use what it has: with what RFC 9110 15.4.5 asks for, and nothing else about the
/// body, which the client knows already.
fn not_modified(there: &There<'_>, validator: &Validator, held: Held, reader: Reader<'_>) -> Response<Body> {
    let mut headers = HeaderMap::with_capacity(ADDED_HEADERS + 1);
    let said_again = [CONTENT_LOCATION, CACHE_CONTROL, CDN_CACHE_CONTROL, DATE, EXPIRES];
    for (name, value) in there.headers.iter().filter(|(name, _)| said_again.contains(name)) {
        headers.append(name.clone(), value.clone());
    }
    let etag = match held {
        Held::Form(coding) => validator.header_of(coding),
        Held::Any => there.etag(validator),
    };
    headers.insert(ETAG, etag);
    reader.add(&mut headers, there.age, there.has_forms);
    made(StatusCode::NOT_MODIFIED, headers, Body::empty())
}

impl<'a> There<'a> {
    fn of(entry: &'a Entry, form: Option<&'a Form>, now: Instant) -> Self {
        let Entry { status, headers, body, .. } = entry;
        let validator = Some(entry.validator());
        let (status, has_forms, age) = (*status, entry.forms.can_be_coded(), entry.lifetime.age(now));
        Self { status, headers, body, form, has_forms, validator, age }
    }

    /// Answers with it, under a head that is made if it is needed.
    fn answer(
        &self,
        reader: Reader<'_>,
        head: impl FnOnce(&Self, Reader<'_>) -> HeaderMap,
    ) -> (Response<Body>, Unsent) {
        // conditions are about answers that there are, and a network believes of nothing that it is not there
        let is_there = self.status.is_success();
        let reader = if is_there { reader } else { reader.in_doubt() };
        let takes = |form| reader.accepted.takes(form);
        if is_there
            && let Some(validator) = self.validator
            && let Some(held) = held(reader.request, validator, takes)
        {
            let unsent = Unsent::NotModified(self.body.len() as u64);
            return (not_modified(self, validator, held, reader), unsent);
        }
        let (body, unsent) = match self.form {
            Some(form) => (&form.body, Unsent::Coded((self.body.len() - form.body.len()) as u64)),
            None => (self.body, Unsent::Nothing),
        };
        (made(self.status, head(self, reader), Body::whole(body.clone())), unsent)
    }

    /// What is said of it when all of it is sent.
    fn head(&self, reader: Reader<'_>) -> HeaderMap {
        let mut headers = data_headers(self.headers);
        match self.validator {
            Some(validator) => headers.insert(ETAG, self.etag(validator)),
            None => headers.remove(ETAG), // the upstream's own is for asking the upstream
        };
        reader.add(&mut headers, self.age, self.has_forms);
        if let Some(form) = self.form {
            headers.insert(CONTENT_ENCODING, form.coding.header());
        }
        headers
    }

    /// What tells what would be sent from everything else.
    fn etag(&self, validator: &Validator) -> HeaderValue {
        self.form.map_or_else(|| validator.header(), |form| &form.etag).clone()
    }
}

fn made(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

impl Reader<'_> {
    /// Whether what they get is likely to be kept, so that they want to know what it is called: by browsers, which
    /// say where their script is from, by networks, by whoever asks for what they do not have yet, and where the
    /// answer says itself for how long. All others hear it with a hit.
    fn keeps_copies(self) -> bool {
        let asks = || self.is_cross_origin() || conditional::may_have_one(self.request);
        self.network.is_some() || self.speaks_for_itself || asks()
    }

    /// Whether a script of another origin asks, in a browser.
    fn is_cross_origin(self) -> bool {
        self.request.contains_key(ORIGIN)
    }

    /// Adds what every answer of the rule says.
    fn add(self, headers: &mut HeaderMap, age: Duration, has_forms: bool) {
        // what a network may keep is known to be what is so: its own time begins now
        let age = if self.network.is_some() { Duration::ZERO } else { age };
        headers.insert(AGE, HeaderValue::from(age.as_secs()));
        let told = match self.network {
            Some((told, labels)) => {
                headers.insert(CACHE_TAG, labels.cache_tag.clone());
                headers.insert(SURROGATE_KEY, labels.surrogate_key.clone());
                // what is kept for a reader without an origin is sent to one with an origin, too
                allow_any_origin(headers);
                told
            }
            None => {
                self.allow_origin(headers);
                self.alone
            }
        };
        if !self.speaks_for_itself {
            headers.insert(CACHE_CONTROL, told.cache_control.clone());
        }
        headers.insert(VARY, told.vary(has_forms).clone());
    }

    /// The same reader, to whom nothing is said that others may keep: it is not certain that what they are
    /// sent is still what is so.
    pub(super) fn in_doubt(self) -> Self {
        Self { network: None, ..self }
    }

    /// Adds to an answer that is not kept what a browser needs, as the gateway would: it was fetched
    /// without an Origin.
    pub(super) fn add_to_unkept(self, headers: &mut HeaderMap) {
        // such an answer may say something stricter
        headers.entry(CACHE_CONTROL).or_insert(UNKEPT);
        self.allow_origin(headers);
    }

    fn allow_origin(self, headers: &mut HeaderMap) {
        if self.is_cross_origin() {
            allow_any_origin(headers);
        }
    }
}

/// Answers with what the upstream said, word for word; only what belongs to its
/// connection goes.
pub(super) fn from_upstream(answer: upstream::Answer, method: &Method) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    clean_response(method, head.status, &mut head.headers);
    let mut response = Response::new(Body::streamed(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    response
}

/// Lets a browser's script read an answer, and of its headers what it may need.
pub(super) fn allow_any_origin(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

fn data_headers(kept: &[(HeaderName, HeaderValue)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(kept.len() + ADDED_HEADERS);
    for (index, (name, value)) in kept.iter().enumerate() {
        let comes_again = kept[..index].iter().any(|(earlier, _)| earlier == name);
        let (name, value) = (name.clone(), value.clone());
        if comes_again {
            headers.append(name, value);
        } else {
            // cheaper than appending
            headers.insert(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_LANGUAGE, CONTENT_TYPE};

    use super::*;

    #[test]
    fn a_header_that_comes_again_stays_in_order() {
        let kept = [
            (CONTENT_LANGUAGE, HeaderValue::from_static("fr")),
            (CONTENT_TYPE, HeaderValue::from_static("text/csv")),
            (CONTENT_LANGUAGE, HeaderValue::from_static("wo")),
            (CONTENT_LANGUAGE, HeaderValue::from_static("ff")),
        ];
        let headers = data_headers(&kept);
        assert_eq!(headers.get_all(CONTENT_LANGUAGE).iter().collect::<Vec<_>>(), ["fr", "wo", "ff"]);
        assert_eq!(headers[CONTENT_TYPE], "text/csv");
    }
}
