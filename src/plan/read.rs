//! A read: its rule, its names, what it depends on, how long it lives.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, COOKIE};
use http::{HeaderMap, HeaderName};

use crate::identity::{APIKEY, Claim, User, Verifier};
use crate::key::{Fingerprint, Key, Placeholder, Question, Tag};
use crate::postgrest::{Accept, Resource};
use crate::rules::{Caching, QueryView, ReadMatch, ReadRule, RuleSet};

use super::question::{SINGLE, question};
use super::sharing::sharing;
use super::{Framing, Pass, Request, tables};

/// A read that a rule wants kept.
#[derive(Debug)]
pub struct ReadPlan {
    /// The rule that matched first.
    pub rule: Arc<ReadRule>,
    /// Its name for people.
    pub key: Key,
    /// What keeps its answer apart.
    pub fingerprint: Fingerprint,
    /// Everything that is sent upstream.
    pub question: Question,
    /// Everything that its answer depends on.
    pub tags: Vec<Tag>,
    /// Embeds that no schema knows; because of them it depends on every table.
    pub unresolved: Vec<String>,
    /// How long its answer is kept at most.
    pub ttl: Duration,
    /// When the caller's token ends, in seconds since 1970; no answer outlives it.
    pub expires: Option<u64>,
}

impl ReadPlan {
    /// How long an answer that is complete now may be served.
    pub fn lifetime(&self, now_unix: u64) -> Duration {
        let left =
            self.expires.map_or(Duration::MAX, |end| Duration::from_secs(end.saturating_sub(now_unix)));
        self.ttl.min(left)
    }
}

/// Plans a GET, or says why it passes through.
pub(super) fn plan(
    rules: &RuleSet,
    verifier: Option<&Verifier>,
    request: &Request<'_>,
    framing: Framing,
    now_unix: u64,
) -> Result<ReadPlan, Pass> {
    let all_values = |name: &str| {
        request
            .query
            .values(name)
            .map(|value| Cow::Owned(value.unwrap_or_default().to_owned()))
            .collect::<Vec<_>>()
    };
    let matched = rules.read(request.path.decoded(), QueryView::new(&all_values)).ok_or(Pass::NoRule)?;
    let Caching::Keep { ttl } = matched.rule.caching else { return Err(Pass::Never) };
    refuse_doubt(request, framing, &matched)?;
    let sharing = sharing(&matched.rule.scope, verifier, &request.head.headers, now_unix)?;
    let expires = sharing.expires;
    let user = sharing.user.as_deref();
    let value = |placeholder: &Placeholder| value(placeholder, request, &matched, user);
    let rendered = matched.rule.key.render(value).ok_or(Pass::NoValue)?;
    let full_key = format!("{}:{rendered}", matched.rule.namespace);
    let key = Key::new(&matched.rule.namespace, &rendered);
    let (tags, unresolved) = depend(rules, request, &matched, &full_key, &key);
    let question = question(request, &matched, sharing);
    Ok(ReadPlan {
        rule: Arc::clone(matched.rule),
        fingerprint: question.fingerprint(rules.digest()),
        key,
        question,
        tags,
        unresolved,
        ttl,
        expires,
    })
}

/// When in doubt, pass.
fn refuse_doubt(request: &Request<'_>, framing: Framing, matched: &ReadMatch<'_>) -> Result<(), Pass> {
    let headers = &request.head.headers;
    let is_twice = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let asks_for_plan = Accept::parse(accept).is_plan();
    let is_rest = matches!(request.resource, Resource::Table(_) | Resource::Function(_));
    let doubts = [
        (framing.has_body, Pass::Body),
        (request.path.oddity().is_some(), Pass::OddPath),
        (request.query.has_semicolon(), Pass::Semicolon),
        (!request.query.is_utf8(), Pass::NotUtf8),
        (SINGLE.iter().any(is_twice), Pass::DuplicateHeader),
        (headers.contains_key(COOKIE) && !matched.rule.vary.contains(&COOKIE), Pass::Cookie),
        (asks_for_plan, Pass::QueryPlan),
        (is_rest && request.query.values("select").nth(1).is_some(), Pass::RepeatedSelect),
        (request.query.values(APIKEY).next().is_some(), Pass::ApikeyInQuery),
        (is_rest && request.query.has_moving_time(), Pass::MovingTime),
    ];
    match doubts.into_iter().find(|(doubtful, _)| *doubtful) {
        Some((_, pass)) => Err(pass),
        None => Ok(()),
    }
}

fn value<'v>(
    placeholder: &Placeholder,
    request: &'v Request<'_>,
    matched: &'v ReadMatch<'_>,
    user: Option<&'v User>,
) -> Option<Cow<'v, str>> {
    match placeholder {
        Placeholder::Column(column) => request.query.eq_value(column).map(Cow::Borrowed),
        Placeholder::Query => Some(request.query.canonical()),
        Placeholder::Path(index) => matched.captures.get(index - 1).map(|part| Cow::Borrowed(part.as_str())),
        Placeholder::Header(name) => {
            request.head.headers.get(name).and_then(|value| value.to_str().ok()).map(Cow::Borrowed)
        }
        Placeholder::Claim(path) => user?.claim(path).and_then(Claim::to_text),
        // the compiler of the rules lets none of these into a read's key
        Placeholder::Body(_) | Placeholder::Row(_) => None,
    }
}

/// Every tag that the answer depends on, and the embeds that made it depend on every table.
fn depend(
    rules: &RuleSet,
    request: &Request<'_>,
    matched: &ReadMatch<'_>,
    full_key: &str,
    key: &Key,
) -> (Vec<Tag>, Vec<String>) {
    let mut tags = vec![Tag::everything(), Tag::namespace(&matched.rule.namespace), Tag::key(key)];
    for pattern in &matched.rule.patterns {
        tags.extend(pattern.tags_of_key(full_key));
    }
    let named = tables::named(rules.schema(), request);
    if !named.unresolved.is_empty() {
        tags.push(Tag::any_table());
    }
    tags.extend(named.tags(rules.schema(), &request.query));
    (tags, named.unresolved)
}

/// The headers of a question as a map, to be sent.
impl From<&ReadPlan> for HeaderMap {
    fn from(plan: &ReadPlan) -> Self {
        plan.question.headers.iter().chain(&plan.question.credentials).cloned().fold(
            HeaderMap::new(),
            |mut map, (name, value)| {
                map.append(name, value);
                map
            },
        )
    }
}
