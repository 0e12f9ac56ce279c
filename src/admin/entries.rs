//! `/api/cache/entries`: what is remembered, and what is known of one key?
//!
//! Never the rows: a list and a key's page say how old, how large, until when, and what it depends
//! on. `?body=true` gives the stored answer where `--admin-bodies show` allows that.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::request::Parts;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::cache::{Inspected, Listed, NoPage, Page, Standing, Validity, Which};
use crate::key::{Key, KeyGlob, KeyGlobMistake};

use super::clear::{Wanted, read_key, take_away};
use super::reply::{Answer, refused_with, told};
use super::sources::{Bodies, Sources};

/// Entries of one page, unless another number is asked for.
const LIMIT: usize = 100;
/// Most entries of one page: as many as anybody reads, and as a scan finds in its time.
const LIMIT_MAX: usize = 1_000;
/// Most keys that one page is asked for by name.
const KEYS_MAX: usize = 100;

/// Where a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// This process.
    Memory,
    /// The store that others share.
    Store,
}

impl Place {
    fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Store => "store",
        }
    }
}

/// What a list is asked for.
#[derive(Debug)]
struct Asked {
    which: Which,
    place: Option<Place>,
    cursor: Option<(Place, String)>,
    limit: usize,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
enum NoList {
    #[error("the query is not UTF-8")]
    Query,
    #[error("`{0}` is no parameter of this page")]
    Parameter(String),
    #[error(transparent)]
    Pattern(#[from] KeyGlobMistake),
    #[error("`limit` is a number from 1 to {LIMIT_MAX}")]
    Limit,
    #[error("`in` is `memory` or `store`")]
    Place,
    #[error("at most {KEYS_MAX} keys at a time, and no `pattern` beside them")]
    Keys,
    #[error("that is no cursor of this list")]
    Cursor,
    #[error("nothing but this process's memory holds entries")]
    NoStore,
    #[error("the store does not say what it holds: {0}")]
    Silent(String),
}

impl NoList {
    fn answer(&self) -> Answer {
        let (status, hint) = match self {
            Self::Silent(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "?in=memory lists what this proxy holds itself")
            }
            Self::Cursor => {
                (StatusCode::BAD_REQUEST, "take it from the page before, and ask for the same pattern")
            }
            Self::NoStore => {
                (StatusCode::BAD_REQUEST, "leave out `in`: with --store redis://… there is another")
            }
            Self::Query | Self::Parameter(_) | Self::Pattern(_) | Self::Limit | Self::Place | Self::Keys => (
                StatusCode::BAD_REQUEST,
                "?pattern=properties:*&limit=100&cursor=…&in=memory, or ?key=…&key=…",
            ),
        };
        refused_with(status, &self.to_string(), Some(hint))
    }
}

impl From<NoPage> for NoList {
    fn from(no: NoPage) -> Self {
        match no {
            NoPage::Cursor => Self::Cursor,
            NoPage::Store(why) => Self::Silent(why),
        }
    }
}

/// Answers what is asked about entries; `rest` is what follows.
pub(super) async fn entries(sources: &Sources, rest: &str, head: &Parts) -> Answer {
    let Some(key) = rest.strip_prefix('/').filter(|key| !key.is_empty()) else {
        return match list(sources, head.uri.query().unwrap_or_default()).await {
            Ok(page) => told(StatusCode::OK, &page),
            Err(no) => no.answer(),
        };
    };
    let key = percent_decode_str(key).decode_utf8().map_err(|_| NoList::Query);
    let key = match key.map(|key| read_key(&key)) {
        Ok(Ok(key)) => key,
        Ok(Err(no)) => return refused_with(no.status(), &no.to_string(), Some(&no.hint())),
        Err(no) => return no.answer(),
    };
    if head.method == Method::DELETE {
        return take_away(sources, &Wanted::Keys(vec![key])).await;
    }
    let wants_body = match one_parameter(head.uri.query().unwrap_or_default()) {
        Ok(wants_body) => wants_body,
        Err(no) => return no.answer(),
    };
    if wants_body && sources.bodies == Bodies::Hidden {
        let hint = "--admin-bodies show (LARDER_ADMIN_BODIES=show) allows it";
        return refused_with(StatusCode::FORBIDDEN, "stored bodies are not shown here", Some(hint));
    }
    inspect(sources, &key, wants_body).await
}

async fn list(sources: &Sources, query: &str) -> Result<Value, NoList> {
    let Asked { which, place, cursor, limit } = Asked::parse(query)?;
    let has_store = sources.cache.usage().shared.is_some();
    let place = match (place, &which) {
        (Some(place), _) => place,
        // entries of a key by its name are looked for in memory: a store would be scanned for each
        (None, Which::Of(_)) => Place::Memory,
        (None, Which::Like(_)) => {
            if has_store {
                Place::Store
            } else {
                Place::Memory
            }
        }
    };
    let after = match cursor {
        None => None,
        Some((of, after)) if of == place => Some(after),
        Some(_) => return Err(NoList::Cursor),
    };
    let page = match (place, which) {
        (Place::Store, Which::Like(glob)) => {
            sources.cache.list_stored(&glob, after.as_deref(), limit).await.ok_or(NoList::NoStore)??
        }
        (Place::Store, Which::Of(_)) => return Err(NoList::Keys),
        (Place::Memory, which) => {
            let after = after.map(|after| standing(&after).ok_or(NoList::Cursor)).transpose()?;
            sources.cache.list_held(which, after, limit).await
        }
    };
    let Page { entries, next } = page;
    let next = next.map(|next| URL_SAFE_NO_PAD.encode(format!("{} {next}", place.as_str())));
    Ok(json!({
        "in": place.as_str(),
        "entries": entries.iter().map(|listed| Value::Object(shown(listed))).collect::<Vec<_>>(),
        "cursor": next,
        "timestamp": sources.clock.timestamp(),
    }))
}

impl Asked {
    fn parse(query: &str) -> Result<Self, NoList> {
        let (mut glob, mut keys, mut named) = (None, BTreeSet::new(), 0);
        let (mut place, mut cursor, mut limit) = (None, None, LIMIT);
        for (name, value) in parameters(query)? {
            match name.as_str() {
                "pattern" => glob = Some(KeyGlob::parse(&value)?),
                "key" if named < KEYS_MAX => {
                    named += 1;
                    keys.insert(Key::of(&value));
                }
                "key" => return Err(NoList::Keys),
                "limit" => {
                    let number = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    limit = number.ok_or(NoList::Limit)?;
                }
                "in" => {
                    let places = [Place::Memory, Place::Store].into_iter();
                    place = Some(places.clone().find(|place| place.as_str() == value).ok_or(NoList::Place)?);
                }
                "cursor" => cursor = Some(read_cursor(&value).ok_or(NoList::Cursor)?),
                _ => return Err(NoList::Parameter(name.chars().take(40).collect())),
            }
        }
        let which = match (glob, named) {
            (None, 1..) => Which::Of(keys),
            (Some(glob), 0) => Which::Like(glob),
            (None, 0) => Which::Like(KeyGlob::parse("*")?),
            (Some(_), 1..) => return Err(NoList::Keys),
        };
        Ok(Self { which, place, cursor, limit })
    }
}

/// Only `body=true` and `body=false` are asked of one key.
fn one_parameter(query: &str) -> Result<bool, NoList> {
    let mut wants_body = false;
    for (name, value) in parameters(query)? {
        match (name.as_str(), value.as_str()) {
            ("body", "true") => wants_body = true,
            ("body", "false") => wants_body = false,
            _ => return Err(NoList::Parameter(name.chars().take(40).collect())),
        }
    }
    Ok(wants_body)
}

fn parameters(query: &str) -> Result<Vec<(String, String)>, NoList> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().map(|text| text.into_owned()).map_err(|_| NoList::Query)
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| Ok((decoded(name)?, decoded(value)?))).collect()
}

fn read_cursor(text: &str) -> Option<(Place, String)> {
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (place, after) = decoded.split_once(' ')?;
    let place = [Place::Memory, Place::Store].into_iter().find(|known| known.as_str() == place)?;
    Some((place, after.to_owned()))
}

fn standing(text: &str) -> Option<Standing> {
    let (key, variant) = text.rsplit_once('#')?;
    Some(Standing { key: Key::of(key), variant: variant.to_owned() })
}

async fn inspect(sources: &Sources, key: &Key, wants_body: bool) -> Answer {
    let inspection = match sources.cache.inspect(key).await {
        Ok(inspection) => inspection,
        Err(no) => return NoList::from(no).answer(),
    };
    if inspection.entries.is_empty() {
        let hint = "a key is what Cache-Status shows; `larder keys` lists those that are remembered";
        return refused_with(StatusCode::NOT_FOUND, "nothing of this key is remembered", Some(hint));
    }
    if wants_body {
        tracing::warn!(%key, "an operator reads what is stored");
    }
    let entries = inspection.entries.iter().map(|entry| looked_into(entry, wants_body));
    told(
        StatusCode::OK,
        &json!({
            "key": key.as_str(),
            "entries": entries.collect::<Vec<_>>(),
            "complete": inspection.is_whole,
            "timestamp": sources.clock.timestamp(),
        }),
    )
}

fn shown(listed: &Listed) -> Map<String, Value> {
    let valid = match listed.validity {
        Validity::Valid => Value::Bool(true),
        Validity::Overtaken => Value::Bool(false),
        Validity::Unknown => Value::Null,
    };
    let pairs = [
        ("key", json!(listed.standing.key.as_str())),
        ("variant", json!(listed.standing.variant)),
        ("status", json!(listed.status)),
        ("age", json!(seconds(listed.age))),
        ("ttl", json!(seconds(listed.left))),
        ("bytes", json!(listed.body_bytes)),
        ("hits", json!(listed.hits)),
        ("valid", valid),
        ("sealed", json!(listed.is_sealed)),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn looked_into(entry: &Inspected, wants_body: bool) -> Value {
    let mut shown = shown(&entry.listed);
    let headers = entry.headers.iter().map(
        |(name, value)| json!({ "name": name.as_str(), "value": String::from_utf8_lossy(value.as_bytes()) }),
    );
    let tags = entry.tags.iter().map(|(tag, is_valid)| json!({ "tag": tag.as_str(), "valid": is_valid }));
    shown.insert("in".to_owned(), if entry.is_in_memory { "memory" } else { "store" }.into());
    shown.insert("headers".to_owned(), headers.collect());
    shown.insert("tags".to_owned(), tags.collect());
    if wants_body {
        match std::str::from_utf8(&entry.body) {
            Ok(text) => shown.insert("body".to_owned(), text.into()),
            Err(_) => shown.insert("body_base64".to_owned(), STANDARD.encode(&entry.body).into()),
        };
    }
    Value::Object(shown)
}

/// To the millisecond.
fn seconds(time: std::time::Duration) -> f64 {
    time.as_millis() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_is_refused() {
        for (query, expected) in [
            ("", Ok(LIMIT)),
            ("pattern=a%3A*&limit=1000", Ok(1_000)),
            ("key=a:b&key=a:c", Ok(LIMIT)),
            ("in=store", Ok(LIMIT)),
            ("limit=0", Err("from 1 to 1000")),
            ("limit=1001", Err("from 1 to 1000")),
            ("in=redis", Err("`memory` or `store`")),
            ("pattern=a&key=b", Err("no `pattern` beside")),
            ("cursor=bm9uZQ", Err("no cursor")),
            ("cursor=%ff", Err("not UTF-8")),
            ("rows=true", Err("`rows` is no parameter")),
        ] {
            let parsed = Asked::parse(query).map(|asked| asked.limit).map_err(|no| no.to_string());
            match (&parsed, expected) {
                (Ok(limit), Ok(expected)) => assert_eq!(*limit, expected, "{query}"),
                (Err(no), Err(part)) => assert!(no.contains(part), "{query}: {no}"),
                _ => panic!("{query}: {parsed:?}"),
            }
        }
        assert!(one_parameter("body=true").unwrap() && !one_parameter("").unwrap());
        assert!(one_parameter("body=1").is_err());
    }
}
