//! How is it asked? As supabase-js would.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, RANGE};
use http::{Method, Request};
use http_body_util::Full;

use super::super::people::{PUBLISHABLE_KEY, People};
use super::super::upstream::{OP_HEADER, SINGULAR};
use super::super::words::{Op, ReadKind, Who, WriteKind};

/// The last place of a `Range` read: fewer rows than anybody may see.
pub(super) const RANGE_LAST: usize = 2;

fn request(proxy: SocketAddr, people: &People, who: Who, target: &str) -> http::request::Builder {
    Request::builder()
        .uri(format!("/rest/v1/{target}"))
        .header(HOST, proxy.to_string())
        .header("apikey", PUBLISHABLE_KEY)
        .header(AUTHORIZATION, people.bearer(who))
}

pub(super) fn read(
    proxy: SocketAddr,
    people: &People,
    who: Who,
    kind: ReadKind,
    key: u8,
) -> Request<Full<Bytes>> {
    let target = match kind {
        ReadKind::Row => format!("kv?k=eq.{key}"),
        ReadKind::Single => format!("kv?select=*&k=eq.{key}"),
        ReadKind::List => "kv?order=k".to_owned(),
        ReadKind::Count => "kv?select=*&order=k".to_owned(),
        ReadKind::Range => "kv?order=k.asc".to_owned(),
        ReadKind::Embed => format!("kv?select=*,child(*)&k=eq.{key}"),
        ReadKind::Child => format!("child?k=eq.{key}"),
        ReadKind::Function => format!("rpc/peek?k={key}"),
    };
    let request = request(proxy, people, who, &target);
    let request = match kind {
        ReadKind::Single => request.header(ACCEPT, SINGULAR),
        ReadKind::Count => request.header("prefer", "count=exact"),
        ReadKind::Range => request.header(RANGE, format!("0-{RANGE_LAST}")).header("range-unit", "items"),
        ReadKind::Row | ReadKind::List | ReadKind::Embed | ReadKind::Child | ReadKind::Function => request,
    };
    request.body(Full::default()).expect("plain ASCII")
}

pub(super) fn write(
    proxy: SocketAddr,
    people: &People,
    (who, op): (Who, Op),
    (kind, key, other): (WriteKind, u8, u8),
    wants_rows: bool,
) -> Request<Full<Bytes>> {
    let (method, target, body) = match kind {
        WriteKind::Patch => (Method::PATCH, format!("kv?k=eq.{key}"), "{}".to_owned()),
        WriteKind::PatchTwo => (Method::PATCH, format!("kv?k=in.({key},{other})"), "{}".to_owned()),
        WriteKind::PatchChild => (Method::PATCH, format!("child?k=eq.{key}"), "{}".to_owned()),
        WriteKind::Delete => (Method::DELETE, format!("kv?k=eq.{key}"), String::new()),
        WriteKind::Upsert | WriteKind::Insert => (Method::POST, "kv".to_owned(), format!("{{\"k\":{key}}}")),
        WriteKind::Function => (Method::POST, "rpc/touch".to_owned(), format!("{{\"k\":{key}}}")),
    };
    let mut prefer = if wants_rows { "return=representation" } else { "return=minimal" }.to_owned();
    if kind == WriteKind::Upsert {
        prefer += ",resolution=merge-duplicates";
    }
    request(proxy, people, who, &target)
        .method(method)
        .header("prefer", prefer)
        .header(CONTENT_TYPE, "application/json")
        .header(OP_HEADER, op)
        .body(Full::from(body))
        .expect("plain ASCII")
}
