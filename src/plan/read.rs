//! A read: its rule, its names, what it depends on, how long it lives.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{AUTHORIZATION, RANGE};
use http::{HeaderMap, Method, Uri};

use crate::httpcache::is_of_bytes;
use crate::identity::APIKEY;
use crate::key::{Fingerprint, Key, Labels, Placeholder, Question, Scope, Tag};
use crate::postgrest::{Path, Query, Resource};
use crate::rules::{Caching, Lasting, LimitRule, QueryView, ReadMatch, ReadRule, RuleSet};

use super::by_answers::is_outside_rest;
use super::memo::Manner;
use super::sharing::EVERYBODY;
use super::terms::{Told, terms};
use super::{Framing, Pass, Planner, Request, tables};

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
    /// How long its answer is kept at most.
    pub ttl: Lasting,
    /// When the caller's token ends, in seconds since 1970; no answer outlives it.
    pub expires: Option<u64>,
    /// The patterns of write rules that its key falls under.
    patterns: Box<[Tag]>,
    /// Those of them that leave an answer to be served once more.
    soft: Box<[Tag]>,
    /// Found out when it is first needed, which for a hit is never.
    dependence: OnceLock<Dependence>,
    /// Found out when it is first needed, and only where networks may keep the answer.
    labels: OnceLock<Option<Labels>>,
    rules: Arc<RuleSet>,
    /// The limits that count it.
    pub(super) limits: Box<[Arc<LimitRule>]>,
}

/// What an answer depends on.
#[derive(Debug)]
struct Dependence {
    tags: Vec<Tag>,
    unresolved: Vec<String>,
}

impl ReadPlan {
    /// How long an answer that is complete now may be served. `None` where that is for the answer to say.
    pub fn lifetime(&self, now_unix: u64) -> Option<Duration> {
        Some(self.ttl.given()?.min(self.token_left(now_unix)))
    }

    /// The same of an answer whose time is this, with the rule's jitter, and how long after that it may be of
    /// use: never past the token.
    pub fn keeping(&self, ttl: Duration, now_unix: u64, chance: u64) -> (Duration, Duration) {
        let (freshness, left) = (&self.rule.freshness, self.token_left(now_unix));
        let ttl = freshness.shorten(ttl, chance).min(left);
        (ttl, freshness.useful_for().min(left.saturating_sub(ttl)))
    }

    /// How long an answer is kept that says that there is nothing, where the rule keeps those.
    pub fn negative(&self, now_unix: u64) -> Option<Duration> {
        Some(self.rule.negative?.min(self.token_left(now_unix)))
    }

    /// How long the caller's token still holds.
    pub fn token_left(&self, now_unix: u64) -> Duration {
        self.expires.map_or(Duration::MAX, |end| Duration::from_secs(end.saturating_sub(now_unix)))
    }

    /// Whether chance picks this hit to be compared with the upstream. What says itself how long it may be
    /// kept may be older than what the upstream says now.
    pub fn is_audited(&self) -> bool {
        matches!(self.ttl, Lasting::For(_)) && self.rules.audited_share().picks()
    }

    /// Whether its answer, asked for with the credentials of one caller, goes to others, too. The key that
    /// everybody has who asks for what anybody may see is nobody's.
    pub fn is_shared_with_others(&self) -> bool {
        let terms = &self.question.terms;
        let mut sent = terms.headers().iter().chain(terms.credentials());
        let is_one_callers = matches!(self.rule.scope, Scope::User | Scope::Token);
        !is_one_callers && terms.sharing() != EVERYBODY && sent.any(|(name, _)| name == AUTHORIZATION)
    }

    /// Whether some write may have its answer fetched again at once.
    pub fn is_refilled(&self) -> bool {
        self.rules.refills()
    }

    /// Whether its terms still hold: a plan may be remembered for longer than a token lives.
    pub fn is_alive(&self, now_unix: u64) -> bool {
        self.expires.is_none_or(|end| end > now_unix)
    }

    /// Everything that its answer depends on.
    pub fn tags(&self) -> &[Tag] {
        &self.dependence().tags
    }

    /// Embeds that no schema knows; because of them it depends on every table.
    pub fn unresolved(&self) -> &[String] {
        &self.dependence().unresolved
    }

    /// What a network that may keep the answer for others is told to call it by. `None` where it may not: the
    /// rule does not say so, the answer is not fetched for everybody alike, or it has more names than fit.
    pub fn labels(&self) -> Option<&Labels> {
        let is_shared = self.rule.downstream.to_networks.is_some();
        if !is_shared || self.question.terms.sharing() != EVERYBODY {
            return None;
        }
        self.labels.get_or_init(|| Labels::of(self.tags())).as_ref()
    }

    fn dependence(&self) -> &Dependence {
        self.dependence.get_or_init(|| self.depend())
    }

    /// A function of the question alone, so that it says what the upstream is asked, however the client put it.
    fn depend(&self) -> Dependence {
        let mut tags = Vec::with_capacity(8 + self.patterns.len());
        tags.extend([Tag::everything(), Tag::namespace(&self.rule.namespace), Tag::key(&self.key)]);
        tags.extend_from_slice(&self.patterns);
        let (path, query) = match self.question.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.question.target.as_str(), None),
        };
        let (resource, query) = (Resource::of(&Path::parse(path)), Query::parse(query));
        let profile = self.question.terms.headers().iter().find(|(name, _)| name == "accept-profile");
        let profile = profile.and_then(|(_, value)| value.to_str().ok());
        let schema = self.rules.schema();
        let named = tables::named(schema, &resource, &query, profile);
        if !named.unresolved.is_empty() {
            tags.push(Tag::any_table());
        }
        tags.extend(named.tags(schema, &query));
        if self.ttl.given().is_none() {
            tags.push(Tag::target(&self.question.target));
        }
        // whoever looks whether an answer still stands takes the soft ones off the end
        tags.extend_from_slice(&self.soft);
        Dependence { tags, unresolved: named.unresolved }
    }
}

impl Planner {
    /// Plans a GET, or says why it passes through.
    pub(super) fn read(
        &self,
        request: &Request<'_>,
        framing: Framing,
        manner: Option<Manner>,
        now_unix: u64,
    ) -> Result<ReadPlan, Pass> {
        let all_values = |name: &str| {
            request
                .query
                .values(name)
                .map(|value| Cow::Owned(value.unwrap_or_default().to_owned()))
                .collect::<Vec<_>>()
        };
        let rules = &self.rules;
        let matched = rules.read(request.path.decoded(), QueryView::new(&all_values)).ok_or(Pass::NoRule)?;
        let Caching::Keep { ttl } = matched.rule.caching else { return Err(Pass::Never) };
        let range = request.head.headers.get(RANGE).filter(|_| is_outside_rest(&request.resource));
        let range = range.filter(|_| ttl.given().is_none());
        if range.is_some_and(|range| is_of_bytes(range.as_bytes())) {
            return Err(Pass::ByteRange);
        }
        refuse_doubt(request, framing)?;
        let told = self.terms(request, matched.rule, manner, now_unix)?;
        let canonical = request.query.canonical();
        let rule = matched.rule;
        let value = |placeholder: &_| value(placeholder, request, &matched, (&canonical, &told));
        // the whole key, not the one that is cut for people
        let full_key = rule.key.render(&rule.namespace, value).ok_or(Pass::NoValue)?;
        let question = Question {
            method: Method::GET,
            target: target(request, &canonical),
            terms: Arc::clone(&told.terms),
        };
        Ok(ReadPlan {
            rule: Arc::clone(rule),
            fingerprint: question.fingerprint(rules.digest()),
            key: Key::of(&full_key),
            question,
            ttl,
            expires: told.expires,
            soft: softly(rule, &full_key),
            patterns: rule.patterns.iter().flat_map(|pattern| pattern.tags_of_key(&full_key)).collect(),
            dependence: OnceLock::new(),
            labels: OnceLock::new(),
            limits: rules.limits(&Method::GET, request.path.decoded()).into(),
            rules: Arc::clone(rules),
        })
    }

    fn terms(
        &self,
        request: &Request<'_>,
        rule: &ReadRule,
        manner: Option<Manner>,
        now_unix: u64,
    ) -> Result<Told, Pass> {
        let is_rest = request.is_rest();
        let remembered = manner.and_then(|manner| self.memo.terms(manner, rule.index, is_rest));
        if let Some(told) = remembered.filter(|told| told.expires.is_none_or(|end| end > now_unix)) {
            return Ok(told);
        }
        let told = terms(rule, is_rest, self.verifier.as_deref(), &request.head.headers, now_unix)?;
        if let Some(manner) = manner {
            self.memo.remember_terms(manner, rule.index, is_rest, &told);
        }
        Ok(told)
    }
}

/// When in doubt about what is asked, pass.
fn refuse_doubt(request: &Request<'_>, framing: Framing) -> Result<(), Pass> {
    let is_rest = request.is_rest();
    let query = &request.query;
    if framing.has_body {
        Err(Pass::Body)
    } else if request.path.oddity().is_some() {
        Err(Pass::OddPath)
    } else if query.has_semicolon() {
        Err(Pass::Semicolon)
    } else if !query.is_utf8() {
        Err(Pass::NotUtf8)
    } else if is_rest && query.values("select").nth(1).is_some() {
        Err(Pass::RepeatedSelect)
    } else if query.values(APIKEY).next().is_some() {
        Err(Pass::ApikeyInQuery)
    } else if is_rest && query.has_moving_time() {
        Err(Pass::MovingTime)
    } else {
        Ok(())
    }
}

/// As which target an answer to a GET of this address would be kept.
pub fn asked_as(uri: &Uri) -> String {
    match uri.query() {
        Some(query) => [uri.path(), "?", &*Query::parse(Some(query)).canonical()].concat(),
        None => uri.path().to_owned(),
    }
}

fn softly(rule: &ReadRule, full_key: &str) -> Box<[Tag]> {
    let tags = rule.soft_patterns.iter().flat_map(|pattern| pattern.tags_of_key(full_key));
    tags.map(|tag| tag.softly()).collect()
}

/// Path and canonical query.
fn target(request: &Request<'_>, canonical: &str) -> String {
    let path = request.path.raw();
    match request.raw_query {
        Some(_) => [path, "?", canonical].concat(),
        None => path.to_owned(),
    }
}

fn value<'v>(
    placeholder: &Placeholder,
    request: &'v Request<'_>,
    matched: &'v ReadMatch<'_>,
    (canonical, told): (&'v str, &'v Told),
) -> Option<Cow<'v, str>> {
    match placeholder {
        Placeholder::Column(column) => request.query.eq_value(column).map(Cow::Borrowed),
        Placeholder::Query => Some(Cow::Borrowed(canonical)),
        Placeholder::Path(index) => matched.captures.get(index - 1).map(|part| Cow::Borrowed(part.as_str())),
        Placeholder::Header(name) => {
            request.head.headers.get(name).and_then(|value| value.to_str().ok()).map(Cow::Borrowed)
        }
        Placeholder::Claim(path) => told.claim(path).map(Cow::Borrowed),
        // the compiler of the rules lets none of these into a read's key
        Placeholder::Body(_) | Placeholder::Row(_) => None,
    }
}

/// The headers of a question as a map, to be sent.
impl From<&ReadPlan> for HeaderMap {
    fn from(plan: &ReadPlan) -> Self {
        let terms = &plan.question.terms;
        let mut map = HeaderMap::with_capacity(terms.headers().len() + terms.credentials().len());
        for (name, value) in terms.headers().iter().chain(terms.credentials()) {
            map.append(name, value.clone());
        }
        map
    }
}
