//! From a plan to what can be said about it: the same for people and for machines.

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Uri};
use serde::{Deserialize, Serialize};

use crate::identity::APIKEY;
use crate::plan::{Derived, Evidence, Plan, Planner, ReadPlan, WriteAction, WritePlan};
use crate::postgrest::{Embed, Path, Payload, Query, Reads, Resource};
use crate::rules::{Freshness, RuleSet, Schema};
use crate::units::display_duration;

use super::asked::Asked;
use super::guards;
use super::tags::{what_goes, why_carried};

/// Headers that say how an answer is to look, not who asks: their values may be shown.
const SHOWN_HEADERS: [&str; 7] =
    ["accept", "accept-profile", "prefer", "range", "range-unit", "accept-encoding", "user-agent"];

/// Letters of a credential's digest: enough to see that two are the same.
const DIGEST_LETTERS: usize = 8;

/// Letters shown of who shares an answer: a word and enough of a digest to tell two apart.
const SHARING_LETTERS: usize = 48;

/// What would happen to one request.
#[derive(Debug, Deserialize, Serialize)]
pub struct Explanation {
    pub method: String,
    pub target: String,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The limits that count it.
    #[serde(default)]
    pub limits: Vec<Noted>,
}

/// As in [`Plan`].
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// A rule wants it kept.
    Read(Box<Read>),
    /// It may change something.
    Write(Write),
    /// It passes through untouched.
    Pass(Reason),
    /// It is not forwarded.
    Refused(Reason),
}

/// A rule and its place in the file.
#[derive(Debug, Deserialize, Serialize)]
pub struct RuleName {
    pub name: String,
    pub index: usize,
    #[serde(rename = "match")]
    pub path: String,
}

/// A name and what there is to say about it.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Noted {
    pub name: String,
    pub note: String,
}

/// A read that a rule wants kept.
#[derive(Debug, Deserialize, Serialize)]
pub struct Read {
    pub rule: RuleName,
    pub scope: String,
    /// Who shares the answer, where that is not told by the headers alone.
    pub shared_by: String,
    pub namespace: String,
    pub key: String,
    pub fingerprint: String,
    pub upstream_target: String,
    pub upstream_headers: Vec<Noted>,
    /// Sent as well, but the answer is shared with whoever is verified to be alike.
    pub credentials: Vec<Noted>,
    pub ttl: String,
    /// At most the ttl: no answer outlives its caller's token.
    pub lifetime: String,
    pub ends_with_token: bool,
    /// What may be served past that time, and what is fetched before it is over.
    #[serde(default)]
    pub freshness: Vec<Noted>,
    pub tags: Vec<Noted>,
    pub unresolved: Vec<Noted>,
}

/// What a write takes away.
#[derive(Debug, Deserialize, Serialize)]
pub struct Write {
    pub rules: Vec<RuleName>,
    pub action: String,
    pub derived: String,
    pub guards: Vec<Noted>,
    pub tags: Vec<Noted>,
    pub unknown_values: Vec<Noted>,
}

/// Why not.
#[derive(Debug, Deserialize, Serialize)]
pub struct Reason {
    pub reason: String,
    pub sentence: String,
    pub hint: String,
}

impl Explanation {
    /// Explains one request as it would be planned now.
    pub fn of(planner: &Planner, asked: &Asked, now_unix: u64) -> Self {
        let planned = planner.plan(&asked.head, asked.framing, now_unix);
        let limits = guards::limits(&planner.limits(&planned, &asked.head));
        let outcome = match planned {
            Plan::Read(plan) => Outcome::Read(Box::new(read(&plan, planner.rules(), asked, now_unix))),
            Plan::Write(plan) => Outcome::Write(write(&plan, asked)),
            Plan::Pass(pass) => Outcome::Pass(Reason {
                reason: pass.as_str().to_owned(),
                sentence: pass.sentence().to_owned(),
                hint: pass.hint().to_owned(),
            }),
            Plan::Refuse(path) => Outcome::Refused(Reason {
                reason: path.as_str().to_owned(),
                sentence: path.sentence().to_owned(),
                hint: path.hint().to_owned(),
            }),
        };
        Self { method: asked.head.method.to_string(), target: shown_target(&asked.head.uri), outcome, limits }
    }
}

/// The time of an answer under a rule with `ttl: origin`.
const AS_IT_SAYS: &str = "as long as the answer itself says (ttl: origin)";

fn read(plan: &ReadPlan, rules: &RuleSet, asked: &Asked, now_unix: u64) -> Read {
    let lifetime = plan.lifetime(now_unix);
    let header = |(name, value): &(HeaderName, HeaderValue)| Noted {
        name: name.to_string(),
        note: header_value(name, value),
    };
    Read {
        rule: RuleName {
            name: plan.rule.name.to_string(),
            index: plan.rule.index,
            path: plan.rule.path.to_string(),
        },
        scope: plan.rule.scope.as_str().to_owned(),
        shared_by: match plan.question.terms.sharing() {
            "" => "requests with the same credentials".to_owned(),
            sharing => sharing.chars().take(SHARING_LETTERS).collect(),
        },
        namespace: plan.rule.namespace.to_string(),
        key: plan.key.to_string(),
        fingerprint: plan.fingerprint.to_string(),
        upstream_target: plan.question.target.clone(),
        upstream_headers: plan.question.terms.headers().iter().map(header).collect(),
        credentials: plan.question.terms.credentials().iter().map(header).collect(),
        ttl: plan.ttl.given().map_or_else(|| AS_IT_SAYS.to_owned(), display_duration),
        lifetime: lifetime.map_or_else(|| AS_IT_SAYS.to_owned(), display_duration),
        ends_with_token: lifetime < plan.ttl.given(),
        freshness: freshness(plan.rule.freshness),
        tags: plan
            .tags()
            .iter()
            .map(|tag| Noted { name: tag.to_string(), note: why_carried(tag, rules) })
            .collect(),
        unresolved: plan.unresolved().iter().map(|word| unresolved(word, asked, rules.schema())).collect(),
    }
}

fn freshness(freshness: Freshness) -> Vec<Noted> {
    let Freshness { while_revalidate, if_error, jitter_percent, refresh_ahead } = freshness;
    let times = [
        (while_revalidate, "served past its time", "while it is fetched again"),
        (if_error, "served past its time", "where the upstream has no answer"),
        (refresh_ahead, "fetched before its end", "when it is asked for then"),
    ];
    let times = times.into_iter().filter(|(time, ..)| !time.is_zero());
    let times = times.map(|(time, what, when)| Noted {
        name: what.to_owned(),
        note: format!("{}, {when}", display_duration(time)),
    });
    let jitter = (jitter_percent > 0).then(|| Noted {
        name: "shortened".to_owned(),
        note: format!("by up to {jitter_percent}%, by chance"),
    });
    times.chain(jitter).collect()
}

/// The target without an API key that somebody put into it.
fn shown_target(uri: &Uri) -> String {
    let Some(query) = uri.query() else { return uri.path().to_owned() };
    let is_key = |pair: &str| Query::parse(Some(pair)).values(APIKEY).next().is_some();
    let pairs = query.split('&').map(|pair| if is_key(pair) { "apikey=…" } else { pair });
    format!("{}?{}", uri.path(), pairs.collect::<Vec<_>>().join("&"))
}

/// Credentials, and whatever else a rule declares, are shown as a digest.
fn header_value(name: &HeaderName, value: &HeaderValue) -> String {
    match value.to_str() {
        Ok(text) if SHOWN_HEADERS.contains(&name.as_str()) => text.to_owned(),
        Ok(_) | Err(_) => {
            let digest = blake3::hash(value.as_bytes()).to_hex();
            format!("digest {}", &digest[..DIGEST_LETTERS])
        }
    }
}

/// What would make an unknown part of the answer known.
fn unresolved(word: &str, asked: &Asked, schema: &Schema) -> Noted {
    let note = match (word.strip_prefix("rpc/"), word) {
        (None, table) if schema.is_doubtful(table) => {
            "unsure in the learned schema: `larder check` says how to confirm it".to_owned()
        }
        (None, table) if Resource::Table(table.to_owned()) == resource(asked) => {
            "newer than the learned schema: `larder schema pull`".to_owned()
        }
        (Some(function), _) => {
            format!("schema: {{ functions: {{ {function}: {{ reads: [the tables it reads] }} }} }}")
        }
        (None, "select") => "the query is not understood, so no schema can help".to_owned(),
        (None, embed) => {
            format!(
                "schema: {{ relations: {{ {}: {{ {embed}: [the tables it reads] }} }} }}",
                parent(embed, asked)
            )
        }
    };
    Noted { name: word.to_owned(), note }
}

fn resource(asked: &Asked) -> Resource {
    Resource::of(&Path::parse(asked.head.uri.path()))
}

/// What an embed stands in: another embed, or the table of the path.
fn parent(written: &str, asked: &Asked) -> String {
    let resource = resource(asked);
    let query = Query::parse(asked.head.uri.query());
    let embed = match Reads::of(&resource, &query) {
        Reads::Known(embeds) => embeds.into_iter().find(|embed| embed.written() == written),
        Reads::Opaque => None,
    };
    match (embed.as_ref().and_then(Embed::parent), &resource) {
        (Some(parent), _) => parent.to_owned(),
        (None, Resource::Table(name) | Resource::Function(name)) => name.to_string(),
        (None, _) => "the table that it stands in".to_owned(),
    }
}

fn write(plan: &WritePlan, asked: &Asked) -> Write {
    let media = asked.head.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let body = asked.body.as_ref().map(|body| Payload::parse(media, body.as_bytes(), plan.columns()));
    let guards = guards::of_write(plan, body.as_ref(), asked.body.is_some());
    let reach = plan.reach(&Evidence { body, rows: None });
    let rules = plan.rules.iter().map(|rule| RuleName {
        name: rule.name.to_string(),
        index: rule.index,
        path: rule.path.to_string(),
    });
    let derived = match &plan.derived {
        Derived::Nothing if plan.rules.is_empty() => "nothing that is kept depends on it".to_owned(),
        Derived::Nothing => "nothing: the rules list all there is".to_owned(),
        Derived::Everything => "everything: nobody can say what it changes".to_owned(),
        Derived::Tables(tables) => tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let tags = reach.tags.iter().map(|tag| Noted { name: tag.to_string(), note: what_goes(tag) });
    let unknown = reach.any.into_iter().map(|name| {
        let note = why_unknown(plan, &name, asked.body.is_some());
        Noted { name, note: note.to_owned() }
    });
    Write {
        rules: rules.collect(),
        action: action(plan.action).to_owned(),
        derived,
        guards,
        tags: tags.collect(),
        unknown_values: unknown.collect(),
    }
}

fn action(action: WriteAction) -> &'static str {
    match action {
        WriteAction::Insert => "insert",
        WriteAction::Upsert => "upsert",
        WriteAction::Update => "update",
        WriteAction::Replace => "replace",
        WriteAction::Delete => "delete",
        WriteAction::Other => "other",
    }
}

/// Why a placeholder stands for any value, and what would tell its value.
fn why_unknown(plan: &WritePlan, placeholder: &str, has_body: bool) -> &'static str {
    if placeholder.starts_with("{row.") {
        return "only returned rows tell it: Prefer: return=representation";
    }
    if placeholder.starts_with("{body.") {
        return if has_body { "the body has no plain value there" } else { "no --body was given" };
    }
    if placeholder.starts_with("{claims.") {
        return "the caller is not verified as a user, or its token does not say that";
    }
    if plan.needs_rows() {
        return "not told so far; the proxy also looks at the returned rows";
    }
    match plan.action {
        WriteAction::Insert if has_body => "the body does not give it a plain value",
        WriteAction::Insert => "no --body was given",
        WriteAction::Upsert | WriteAction::Replace => "the row may have been there with another value",
        WriteAction::Update if has_body => "the old value is not known: filter by it, or return the rows",
        WriteAction::Update => "no --body was given: it may be assigned",
        WriteAction::Delete => "the old value is not known: filter by it, or return the rows",
        WriteAction::Other => "no write to a table's rows: use {body.…}",
    }
}
