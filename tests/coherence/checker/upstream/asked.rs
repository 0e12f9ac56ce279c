//! What does a request ask for? The part of PostgREST's language that the clients speak; nothing else is understood.

use http::header::{ACCEPT, RANGE};
use http::request::Parts;
use http::{HeaderMap, Method};
use serde::Deserialize;

/// What PostgREST calls one object instead of a list.
pub(crate) const SINGULAR: &str = "application/vnd.pgrst.object+json";

/// A request that is understood.
#[derive(Debug)]
pub(super) enum Asked {
    Read(Reading),
    Write(Writing),
}

/// Rows to be shown.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) source: Source,
    /// Of these keys only.
    pub(super) keys: Option<Vec<i32>>,
    /// First and last place.
    pub(super) range: Option<(usize, usize)>,
    pub(super) is_counted: bool,
    pub(super) is_singular: bool,
}

/// Where rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Rows,
    RowsWithChildren,
    Children,
}

/// Rows to be changed.
#[derive(Debug)]
pub(super) struct Writing {
    /// The table that is written.
    pub(super) source: Source,
    /// The function that does it.
    pub(super) function: &'static str,
    pub(super) keys: Vec<i32>,
    pub(super) wants_rows: bool,
}

#[derive(Deserialize)]
struct Key {
    k: i32,
}

impl Asked {
    pub(super) fn parse(head: &Parts, body: &[u8]) -> Option<Self> {
        let table = head.uri.path().strip_prefix("/rest/v1/")?;
        let query = head.uri.query().unwrap_or_default();
        let prefer = text(&head.headers, "prefer");
        let in_body = || serde_json::from_slice::<Key>(body).ok().map(|key| vec![key.k]);
        let write = |function, keys| {
            let wants_rows = prefer.contains("return=representation");
            let source = if table == "child" { Source::Children } else { Source::Rows };
            Some(Self::Write(Writing { source, function, keys, wants_rows }))
        };
        match (&head.method, table) {
            (&Method::GET, _) => reading(head, table, query).map(Self::Read),
            (&Method::PATCH, "kv") => write("write_patch", keys(query)?),
            (&Method::PATCH, "child") => write("write_child", keys(query)?),
            (&Method::DELETE, "kv") => write("write_delete", keys(query)?),
            (&Method::POST, "kv") if prefer.contains("resolution=merge-duplicates") => {
                write("write_upsert", in_body()?)
            }
            (&Method::POST, "kv") => write("write_insert", in_body()?),
            (&Method::POST, "rpc/touch") => write("write_patch", in_body()?),
            _ => None,
        }
    }
}

fn reading(head: &Parts, table: &str, query: &str) -> Option<Reading> {
    let is_embed = query.contains("child(*)");
    let (source, keys) = match table {
        "kv" => (if is_embed { Source::RowsWithChildren } else { Source::Rows }, keys(query)),
        "child" => (Source::Children, keys(query)),
        "rpc/peek" => (Source::Rows, Some(vec![query.strip_prefix("k=")?.parse().ok()?])),
        _ => return None,
    };
    let range = text(&head.headers, RANGE.as_str()).split_once('-');
    Some(Reading {
        source,
        keys,
        range: range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?))),
        is_counted: text(&head.headers, "prefer").contains("count=exact"),
        is_singular: text(&head.headers, ACCEPT.as_str()).starts_with(SINGULAR),
    })
}

/// The keys of `k=eq.5` and `k=in.(5,6)`.
fn keys(query: &str) -> Option<Vec<i32>> {
    let filter = query.split('&').find_map(|pair| pair.strip_prefix("k="))?;
    let listed = filter.strip_prefix("eq.").or_else(|| filter.strip_prefix("in.(")?.strip_suffix(')'))?;
    listed.split(',').map(|key| key.parse().ok()).collect()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
