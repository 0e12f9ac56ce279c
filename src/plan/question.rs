//! What is sent upstream for a cacheable read?
//!
//! Only what PostgREST answers by, in its effective form and a fixed order, and
//! what the rule declares. Nothing else of the request gets into the answer.

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, RANGE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::identity::APIKEY;
use crate::key::Question;
use crate::postgrest::{Accept, Preferences, Resource, is_row_range};
use crate::rules::ReadMatch;

use super::Request;
use super::sharing::Sharing;

/// The name under which fills go upstream: one for all, so that no answer depends on a browser's.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("larder/", env!("CARGO_PKG_VERSION")));

const ACCEPT_PROFILE: HeaderName = HeaderName::from_static("accept-profile");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Request headers that PostgREST answers by, in the order in which they are sent upstream.
pub(super) const ANSWERED_BY: [HeaderName; 6] =
    [ACCEPT, ACCEPT_PROFILE, PREFER, RANGE, AUTHORIZATION, HeaderName::from_static(APIKEY)];

/// Headers of which PostgREST reads one line and others another.
pub(super) const SINGLE: [HeaderName; 5] =
    [ACCEPT, ACCEPT_PROFILE, RANGE, AUTHORIZATION, HeaderName::from_static(APIKEY)];

/// Puts the question that a read asks.
pub(super) fn question(request: &Request<'_>, matched: &ReadMatch<'_>, sharing: Sharing) -> Question {
    let sent = &request.head.headers;
    let is_rest = matches!(request.resource, Resource::Table(_) | Resource::Function(_));
    let mut headers = Vec::with_capacity(ANSWERED_BY.len() + 2 + matched.rule.vary.len());
    for name in [ACCEPT, ACCEPT_PROFILE, PREFER, RANGE] {
        match effective(&name, sent).filter(|_| is_rest) {
            Some(Effective::Line(line)) => headers.push((name, line)),
            Some(Effective::Nothing) => {}
            None => headers.extend(verbatim(&name, sent)),
        }
    }
    headers.extend(sharing.headers);
    for name in &matched.rule.vary {
        headers.extend(verbatim(name, sent));
    }
    // kept bodies are coded for each reader, so fills are asked for plain
    headers.push((ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    if !matched.rule.vary.contains(&USER_AGENT) {
        headers.push((USER_AGENT, AGENT));
    }
    let target = match request.raw_query {
        Some(_) => format!("{}?{}", request.path.raw(), request.query.canonical()),
        None => request.path.raw().to_owned(),
    };
    Question {
        method: Method::GET,
        target,
        headers,
        credentials: sharing.credentials,
        sharing: sharing.told_apart_by,
        vary: matched.rule.vary.clone(),
    }
}

/// What PostgREST makes of the lines of a header; `None` if it takes them as they are.
fn effective(name: &HeaderName, sent: &HeaderMap) -> Option<Effective> {
    let lines: Result<Vec<&str>, _> = sent.get_all(name).iter().map(HeaderValue::to_str).collect();
    let lines = lines.ok()?;
    let text = if *name == ACCEPT {
        Accept::parse(lines.first().copied()).canonical()?.into_owned()
    } else if *name == PREFER {
        Preferences::parse(lines).effective()
    } else if *name == RANGE {
        // every other form is ignored, bytes included
        lines.first().filter(|range| is_row_range(range)).map(ToString::to_string).unwrap_or_default()
    } else {
        return None;
    };
    if text.is_empty() {
        Some(Effective::Nothing)
    } else {
        HeaderValue::try_from(text).ok().map(Effective::Line)
    }
}

/// A header as PostgREST understands it.
enum Effective {
    /// This line says it all.
    Line(HeaderValue),
    /// It says nothing.
    Nothing,
}

/// The lines as they came, copied: they are slices of the client's read buffer,
/// which a remembered plan must not keep alive.
pub(super) fn verbatim(
    name: &HeaderName,
    sent: &HeaderMap,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    sent.get_all(name).iter().map(move |value| {
        let own = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
        (name.clone(), own)
    })
}
