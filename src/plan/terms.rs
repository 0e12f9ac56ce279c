//! On which terms is a cacheable read asked: which headers are sent upstream for it?
//!
//! Only what PostgREST answers by, in its effective form and a fixed order, and
//! what the rule declares. Nothing else of the request gets into the answer.

use std::sync::Arc;

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, COOKIE, RANGE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::agent::AGENT;
use crate::identity::{APIKEY, User, Verifier};
use crate::key::{Placeholder, Terms};
use crate::postgrest::{Accept, Preferences, is_row_range};
use crate::rules::ReadRule;

use super::Pass;
use super::sharing::{Sharing, sharing};

const ACCEPT_PROFILE: HeaderName = HeaderName::from_static("accept-profile");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Request headers that decide about an answer, whatever the rule says.
pub(super) const ANSWERED_BY: [HeaderName; 7] =
    [ACCEPT, ACCEPT_PROFILE, PREFER, RANGE, AUTHORIZATION, HeaderName::from_static(APIKEY), COOKIE];

/// Headers of which PostgREST reads one line and others another.
const SINGLE: [HeaderName; 5] =
    [ACCEPT, ACCEPT_PROFILE, RANGE, AUTHORIZATION, HeaderName::from_static(APIKEY)];

/// Terms, and until when they hold.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) terms: Arc<Terms>,
    /// When the caller's token ends, in seconds since 1970.
    pub(super) expires: Option<u64>,
    /// What the caller's token says where the rule's key names it, by path.
    pub(super) claims: Arc<[(String, String)]>,
}

impl Told {
    /// What is verified about the caller at this path.
    pub(super) fn claim(&self, path: &str) -> Option<&str> {
        self.claims.iter().find(|(known, _)| known == path).map(|(_, value)| value.as_str())
    }
}

/// Finds out on which terms somebody who sends these headers is answered under a
/// rule; below `/rest/v1` they are read as PostgREST reads them.
pub(super) fn terms(
    rule: &ReadRule,
    is_rest: bool,
    verifier: Option<&Verifier>,
    sent: &HeaderMap,
    now_unix: u64,
) -> Result<Told, Pass> {
    refuse_doubt(rule, sent)?;
    let Sharing { headers: identity, credentials, told_apart_by, user, expires } =
        sharing(&rule.scope, verifier, sent, now_unix)?;
    let claims = user.map(|user| claims(rule, &user)).unwrap_or_default();
    let mut headers = Vec::with_capacity(ANSWERED_BY.len() + 2 + rule.vary.len());
    for name in [ACCEPT, ACCEPT_PROFILE, PREFER, RANGE] {
        match effective(&name, sent).filter(|_| is_rest) {
            Some(Effective::Line(line)) => headers.push((name, line)),
            Some(Effective::Nothing) => {}
            None => headers.extend(verbatim(&name, sent)),
        }
    }
    headers.extend(identity);
    for name in &rule.vary {
        headers.extend(verbatim(name, sent));
    }
    // kept bodies are coded for each reader, so fills are asked for plain
    headers.push((ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    if !rule.vary.contains(&USER_AGENT) {
        headers.push((USER_AGENT, AGENT));
    }
    let terms = Terms::new(headers, credentials, told_apart_by, rule.vary.clone());
    Ok(Told { terms: Arc::new(terms), expires, claims })
}

/// The claims that the rule's key names, as people would write them.
fn claims(rule: &ReadRule, user: &User) -> Arc<[(String, String)]> {
    let claims = rule.key.placeholders().filter_map(|placeholder| match placeholder {
        Placeholder::Claim(path) => Some((path.clone(), user.claim(path)?.to_text()?.into_owned())),
        Placeholder::Column(_)
        | Placeholder::Query
        | Placeholder::Path(_)
        | Placeholder::Header(_)
        | Placeholder::Body(_)
        | Placeholder::Row(_) => None,
    });
    claims.collect()
}

/// When in doubt about a header, pass.
fn refuse_doubt(rule: &ReadRule, sent: &HeaderMap) -> Result<(), Pass> {
    if SINGLE.iter().any(|name| sent.get_all(name).iter().nth(1).is_some()) {
        return Err(Pass::DuplicateHeader);
    }
    if sent.contains_key(COOKIE) && !rule.vary.contains(&COOKIE) {
        return Err(Pass::Cookie);
    }
    let accept = sent.get(ACCEPT).and_then(|value| value.to_str().ok());
    if Accept::parse(accept).is_plan() { Err(Pass::QueryPlan) } else { Ok(()) }
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
