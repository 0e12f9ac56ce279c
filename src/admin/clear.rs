//! `POST /api/cache/clear`: what does an operator want gone, and which tags is that?
//!
//! One of a key, several keys, tags, a namespace, a table, a pattern that a write rule names, or everything.
//! Nothing is scanned: whatever can be cleared has a tag, and what has none is refused with a hint.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::json;

use crate::consistency::Consistency;
use crate::key::{Key, Tag};
use crate::rules::RuleSet;

use super::reply::{Answer, is_object, refused, refused_with, told};
use super::sources::Sources;

/// Largest order, in bytes: as many keys as one order may name, of the longest that there are, take less than twice that.
const ORDER_BYTES_MAX: usize = 1024 * 1024;

/// Time for an order to arrive. It is sent by a program, whole.
const ORDER_MAX: Duration = Duration::from_secs(10);

/// Most keys of one order: as many as one write names rows.
const KEYS_MAX: usize = 10_000;

/// What an operator wants, in their own words: exactly one of these.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    key: Option<String>,
    keys: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    table: Option<String>,
    namespace: Option<String>,
    pattern: Option<String>,
    all: Option<bool>,
}

/// What an operator wants gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The entries of these keys, whoever they are for.
    Keys(Vec<Key>),
    /// Whatever depends on these.
    Tags(Vec<Tag>),
    /// Whatever reads this table.
    Table(String),
    /// Every entry of this namespace.
    Namespace(String),
    /// Every entry that falls under this pattern of a write rule.
    Pattern(String),
    /// Every entry there is.
    All,
}

/// What will be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// Everything that depends on these.
    pub tags: Vec<Tag>,
    /// What the rules promise to those who read it.
    pub consistency: Consistency,
    /// What the operator may have meant otherwise.
    pub warnings: Vec<String>,
}

/// Why nothing is cleared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPurge {
    /// A web page may send other types anywhere.
    #[error("the order is sent as application/json")]
    MediaType,
    /// Not JSON, or other fields; serde's words could repeat a value.
    #[error("the order is no such object: line {line}, column {column}")]
    Json {
        /// Where it stops making sense.
        line: usize,
        /// And where in that line.
        column: usize,
    },
    /// None of the fields, or several.
    #[error("the order names {0} things to clear")]
    NotOne(usize),
    /// `all: false`.
    #[error("`all` is true or not there")]
    NotAll,
    /// No keys or tags, or too many.
    #[error("the order names {0} keys or tags")]
    Count(usize),
    /// Not what a tag looks like.
    #[error("`{0}` is no tag")]
    NoTag(String),
    /// Not what a key looks like.
    #[error("`{0}` is no key")]
    NoKey(String),
    /// Not what a table's name looks like.
    #[error("`{0}` is no table")]
    NoTable(String),
    /// Not what a namespace looks like.
    #[error("`{0}` is no namespace")]
    NoNamespace(String),
    /// No tag stands for it.
    #[error("no write rule names the pattern `{pattern}`, and entries are not scanned")]
    Unnamed {
        /// As the operator wrote it.
        pattern: String,
        /// Those in the same namespace that are named, as many as anybody reads.
        named: Vec<String>,
    },
    /// Larger than any order.
    #[error("the order is larger than 1 MiB")]
    Large,
    /// It did not arrive.
    #[error("the order did not arrive")]
    Broken,
}

impl NoPurge {
    /// What an operator is answered.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Large => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken => StatusCode::REQUEST_TIMEOUT,
            Self::Json { .. }
            | Self::NotOne(_)
            | Self::NotAll
            | Self::Count(_)
            | Self::NoTag(_)
            | Self::NoKey(_)
            | Self::NoTable(_)
            | Self::NoNamespace(_)
            | Self::Unnamed { .. } => StatusCode::BAD_REQUEST,
        }
    }

    /// What to do instead.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::MediaType => "content-type: application/json".to_owned(),
            Self::Json { .. } | Self::NotOne(_) | Self::NotAll => {
                r#"send one of {"key": "properties:detail:5"}, {"keys": [..]}, {"tags": [..]}, {"table": "properties"}, {"namespace": "properties"}, {"pattern": "properties:*"}, {"all": true}"#.to_owned()
            }
            Self::Count(_) => format!("1 to {KEYS_MAX} of them; a namespace or a table takes more"),
            Self::NoTag(_) => {
                "a tag is what `larder get KEY` and /api/cache/entries/KEY show, as in table:public.properties.id=5".to_owned()
            }
            Self::NoKey(_) => {
                "a key is what `Cache-Status` shows, as in properties:detail:5: no `*`, and nothing from `#` on"
                    .to_owned()
            }
            Self::NoTable(_) => r#"as in properties, public.properties or public."a.b""#.to_owned(),
            Self::NoNamespace(_) => "what stands before the first `:` of a key".to_owned(),
            Self::Unnamed { named, .. } if named.is_empty() => {
                "a whole namespace is cleared by `namespace:*`, everything by `*`".to_owned()
            }
            Self::Unnamed { named, .. } => {
                format!("named are {}; a whole namespace is cleared by `namespace:*`", named.join(", "))
            }
            Self::Large | Self::Broken => "clear a namespace, a table or everything".to_owned(),
        }
    }
}

/// Most patterns that a hint lists.
const NAMED_MAX: usize = 10;

/// Reads what an operator wants.
pub(super) async fn wanted<B>(head: &Parts, body: B) -> Result<Wanted, NoPurge>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let media = head.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(NoPurge::MediaType);
    }
    let whole = tokio::time::timeout(ORDER_MAX, Limited::new(body, ORDER_BYTES_MAX).collect());
    let whole = whole
        .await
        .map_err(|_| NoPurge::Broken)?
        .map_err(|error| if error.is::<LengthLimitError>() { NoPurge::Large } else { NoPurge::Broken })?;
    Wanted::parse(&whole.to_bytes())
}

/// Takes away what an operator wants gone, and returns when no later read can see it.
pub(super) async fn clear<B>(sources: &Sources, head: &Parts, body: B) -> Answer
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    match wanted(head, body).await {
        Ok(wanted) => take_away(sources, &wanted).await,
        Err(no) => refused_with(no.status(), &no.to_string(), Some(&no.hint())),
    }
}

/// Takes this away, and returns when no later read can see it.
pub(super) async fn take_away(sources: &Sources, wanted: &Wanted) -> Answer {
    let purge = match (sources.resolve)(wanted) {
        Ok(purge) => purge,
        Err(no) => return refused_with(no.status(), &no.to_string(), Some(&no.hint())),
    };
    let Purge { tags, consistency, mut warnings } = purge;
    let cleared = tags.len();
    let first = tags.first().map_or("", Tag::as_str).to_owned();
    tracing::warn!(tags = cleared, first, "an operator clears entries");
    let invalidator = sources.invalidator.clone();
    // not cancelled with who asked: half of it would be neither done nor owed
    let carrying = sources.tasks.spawn(async move { invalidator.changed(&tags, consistency).await });
    if carrying.await.is_err() {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "nobody knows whether it was cleared: ask again");
    }
    let owed = sources.cache.usage().shared.map_or(0, |shared| shared.owed);
    if owed > 0 {
        warnings.push(format!(
            "the shared store is owed {owed} changes: other proxies that reach it hear of them when this one does"
        ));
    }
    let mut body = json!({ "cleared": { "tags": cleared }, "timestamp": sources.clock.timestamp() });
    if !warnings.is_empty() {
        body["warnings"] = warnings.into();
    }
    told(StatusCode::OK, &body)
}

impl Wanted {
    fn parse(json: &[u8]) -> Result<Self, NoPurge> {
        if !is_object(json) {
            return Err(NoPurge::Json { line: 1, column: 1 });
        }
        let written: Written = serde_json::from_slice(json)
            .map_err(|error| NoPurge::Json { line: error.line(), column: error.column() })?;
        let Written { key, keys, tags, table, namespace, pattern, all } = written;
        let key = key.map(|key| Ok(Self::Keys(vec![read_key(&key)?])));
        let keys = keys.map(|keys| {
            counted(&keys)?.iter().map(|key| read_key(key)).collect::<Result<_, _>>().map(Self::Keys)
        });
        let tags = tags.map(|tags| {
            let read = |tag: &String| Tag::parse(tag).ok_or_else(|| NoPurge::NoTag(shown(tag)));
            counted(&tags)?.iter().map(read).collect::<Result<_, _>>().map(Self::Tags)
        });
        let table = table.map(|table| Ok(Self::Table(table)));
        let namespace = namespace.map(read_namespace);
        let pattern = pattern.map(|pattern| read_pattern(&pattern));
        let all = all.map(|all| if all { Ok(Self::All) } else { Err(NoPurge::NotAll) });
        let mut named: Vec<_> =
            [key, keys, tags, table, namespace, pattern, all].into_iter().flatten().collect();
        match (named.pop(), named.len()) {
            (Some(wanted), 0) => wanted,
            (None, _) => Err(NoPurge::NotOne(0)),
            (Some(_), others) => Err(NoPurge::NotOne(others + 1)),
        }
    }

    /// The tags of it under these rules.
    pub fn resolve(&self, rules: &RuleSet) -> Result<Purge, NoPurge> {
        let mut warnings = Vec::new();
        let tags = match self {
            Self::All => vec![Tag::everything()],
            Self::Tags(tags) => tags.clone(),
            Self::Keys(keys) => {
                let namespaces: BTreeSet<_> =
                    keys.iter().filter_map(|key| key.as_str().split(':').next()).collect();
                warnings.extend(namespaces.into_iter().filter_map(|name| unknown_namespace(rules, name)));
                keys.iter().map(Tag::key).collect()
            }
            Self::Namespace(name) => {
                warnings.extend(unknown_namespace(rules, name));
                vec![Tag::namespace(name)]
            }
            Self::Table(written) => {
                let schema = rules.schema();
                let table = schema.named(written).ok_or_else(|| NoPurge::NoTable(written.clone()))?;
                if schema.is_newer(&table) {
                    warnings.push(format!("schema.yaml does not know {table}: is it spelled like that?"));
                }
                // what nobody could name may read this table, too
                let mut tags = vec![Tag::any_table()];
                tags.extend(schema.changed_by([table]).iter().map(Tag::table));
                tags
            }
            Self::Pattern(pattern) => pattern_tags(rules, pattern)?,
        };
        Ok(Purge { tags, consistency: rules.strictest(), warnings })
    }
}

/// As many names as one order may have.
fn counted(names: &[String]) -> Result<&[String], NoPurge> {
    if (1..=KEYS_MAX).contains(&names.len()) { Ok(names) } else { Err(NoPurge::Count(names.len())) }
}

/// What `*`, `namespace:*`, a whole key and everything else mean.
fn read_pattern(pattern: &str) -> Result<Wanted, NoPurge> {
    if pattern == "*" {
        return Ok(Wanted::All);
    }
    if let Some(namespace) = pattern.strip_suffix(":*")
        && !namespace.contains([':', '*', '{'])
    {
        return read_namespace(namespace.to_owned());
    }
    if pattern.contains(['*', '{']) {
        return Ok(Wanted::Pattern(pattern.to_owned()));
    }
    read_key(pattern).map(|key| Wanted::Keys(vec![key]))
}

pub(super) fn read_key(written: &str) -> Result<Key, NoPurge> {
    let is_key = written.split_once(':').is_some_and(|(namespace, _)| !namespace.is_empty())
        && written.bytes().all(|byte| byte.is_ascii_graphic() && !b"*#{}".contains(&byte));
    if is_key { Ok(Key::of(written)) } else { Err(NoPurge::NoKey(shown(written))) }
}

fn read_namespace(written: String) -> Result<Wanted, NoPurge> {
    let is_one = !written.is_empty() && !written.contains([':', '*', '#', '{', '}']);
    if is_one { Ok(Wanted::Namespace(written)) } else { Err(NoPurge::NoNamespace(shown(&written))) }
}

/// As much of a name as a message repeats.
fn shown(written: &str) -> String {
    written[..written.floor_char_boundary(200)].to_owned()
}

fn pattern_tags(rules: &RuleSet, written: &str) -> Result<Vec<Tag>, NoPurge> {
    let patterns =
        || rules.write_rules().iter().flat_map(|rule| rule.invalidation.all()).map(|(pattern, _)| pattern);
    let tags: BTreeSet<Tag> = patterns().filter_map(|pattern| pattern.tag_of_written(written)).collect();
    if !tags.is_empty() {
        return Ok(tags.into_iter().collect());
    }
    let namespace = written.split(':').next().unwrap_or_default();
    let near = patterns().map(|pattern| pattern.as_str());
    let near: BTreeSet<&str> = near.filter(|text| text.split(':').next() == Some(namespace)).collect();
    let named = near.into_iter().take(NAMED_MAX).map(str::to_owned).collect();
    Err(NoPurge::Unnamed { pattern: shown(written), named })
}

/// Another proxy may have other rules, so this is no mistake.
fn unknown_namespace(rules: &RuleSet, name: &str) -> Option<String> {
    if rules.read_rules().iter().any(|rule| &*rule.namespace == name) {
        return None;
    }
    let prefix = rules.prefix();
    let remark = format!("no read rule in use has the namespace `{}`", shown(name));
    Some(if name == prefix {
        format!("{remark}: leave out the prefix `{prefix}:` of the store")
    } else {
        remark
    })
}

#[cfg(test)]
mod tests {
    use crate::key::Table;
    use crate::rules::Context;

    use super::*;

    const RULES: &str = r#"
version: 1
namespace: dousell
reads:
- { name: detail, match: /rest/v1/properties, where: { id: eq.* }, namespace: properties, key: "detail:{id}", ttl: 1m, consistency: strict }
- { name: list, match: /rest/v1/properties, namespace: properties, key: "list:{query}", ttl: 1m }
writes:
- { match: /rest/v1/properties, invalidate: ["properties:list:*", "properties:detail:{id}"] }
schema: { cascades: { users: [posts] } }
"#;

    fn resolved(json: &str) -> Result<Purge, NoPurge> {
        let rules = RuleSet::parse(RULES, &Context::default()).unwrap().0;
        Wanted::parse(json.as_bytes())?.resolve(&rules)
    }

    fn tags(json: &str) -> Vec<String> {
        let purge = resolved(json).unwrap_or_else(|no| panic!("{json}: {no}"));
        assert_eq!(purge.consistency, Consistency::Strict, "the strictest of the rules");
        purge.tags.iter().map(|tag| tag.as_str().to_owned()).collect()
    }

    #[test]
    fn whatever_has_a_tag_can_be_cleared() {
        for (json, expected) in [
            (r#"{"key":"properties:detail:5"}"#, vec!["key:properties:detail:5"]),
            (r#"{"pattern":"properties:detail:5"}"#, vec!["key:properties:detail:5"]),
            (r#"{"keys":["properties:a","properties:b"]}"#, vec!["key:properties:a", "key:properties:b"]),
            (
                r#"{"tags":["table:public.properties.id=5","any-table"]}"#,
                vec!["table:public.properties.id=5", "any-table"],
            ),
            (r#"{"namespace":"properties"}"#, vec!["namespace:properties"]),
            (r#"{"pattern":"properties:*"}"#, vec!["namespace:properties"]),
            (r#"{"all":true}"#, vec!["everything"]),
            (r#"{"pattern":"*"}"#, vec!["everything"]),
            (r#"{"pattern":"properties:list:*"}"#, vec!["pattern:properties:list:*"]),
            (r#"{"pattern":"properties:detail:{id}"}"#, vec!["pattern:properties:detail:{id}#*"]),
        ] {
            assert_eq!(tags(json), expected, "{json}");
        }
        for (json, table) in [
            (r#"{"table":"properties"}"#, "properties"),
            (r#"{"table":"public.properties"}"#, "properties"),
            (r#"{"table":"users"}"#, "posts"),
        ] {
            let (cleared, table) = (tags(json), Tag::table(&Table::new("public", table)));
            assert!(cleared.contains(&table.as_str().to_owned()), "{json}: {cleared:?}");
            assert!(cleared.contains(&"any-table".to_owned()), "{json}: {cleared:?}");
        }
    }

    #[test]
    fn what_has_none_is_refused_with_a_hint() {
        for (json, message, hint) in [
            ("{}", "names 0 things", "send one of"),
            (r#"{"key":"a:b","all":true}"#, "names 2 things", "send one of"),
            (r#"{"all":false}"#, "`all` is true", "send one of"),
            (r#"{"secret":"canary"}"#, "line 1", "send one of"),
            (r#"{"keys":[]}"#, "0 keys", "1 to 10000"),
            (r#"{"tags":["properties"]}"#, "is no tag", "table:public.properties.id=5"),
            (r#"{"tags":["table:"]}"#, "is no tag", "larder get KEY"),
            (r#"{"key":"properties"}"#, "is no key", "Cache-Status"),
            (r#"{"key":"properties:list:*"}"#, "is no key", "no `*`"),
            (r#"{"key":"properties:detail:5#0f"}"#, "is no key", "nothing from `#` on"),
            (r#"{"namespace":"a:b"}"#, "is no namespace", "before the first `:`"),
            (r#"{"table":"a.b.c"}"#, "is no table", "public.properties"),
            (r#"{"pattern":"properties:li*"}"#, "no write rule", "properties:detail:{id}, properties:list:*"),
            (r#"{"pattern":"other:li*"}"#, "no write rule", "`namespace:*`"),
        ] {
            let no = resolved(json).expect_err(json);
            assert!(no.to_string().contains(message), "{json}: {no}");
            assert!(no.hint().contains(hint) && !no.to_string().contains("canary"), "{json}: {}", no.hint());
        }
    }

    #[test]
    fn a_name_that_nothing_has_is_remarked_on() {
        let warned = |json: &str| resolved(json).unwrap().warnings;
        assert_eq!(warned(r#"{"key":"properties:detail:5"}"#), Vec::<String>::new());
        assert!(warned(r#"{"namespace":"propertys"}"#)[0].contains("`propertys`"));
        assert!(
            warned(r#"{"key":"dousell:properties:detail:5"}"#)[0].contains("leave out the prefix `dousell:`")
        );
    }
}
