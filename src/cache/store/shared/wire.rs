//! An entry as the store holds it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::key::Fingerprint;

use super::super::super::generation::There;

/// What is stored.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) there: There,
    /// When it was fetched, in milliseconds since 1970.
    pub(super) stored: u64,
    /// From when on it is dead, likewise.
    pub(super) expires: u64,
    pub(super) status: StatusCode,
    pub(super) headers: Arc<[(HeaderName, HeaderValue)]>,
    pub(super) body: Bytes,
}

#[derive(Serialize, Deserialize)]
struct Head {
    of: [u8; 32],
    server: u64,
    generations: Vec<u64>,
    stored: u64,
    expires: u64,
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
}

pub(super) fn encode(record: &Record, fingerprint: &Fingerprint) -> Vec<u8> {
    let head = Head {
        of: *fingerprint.as_bytes(),
        server: record.there.server,
        generations: record.there.generations.to_vec(),
        stored: record.stored,
        expires: record.expires,
        status: record.status.as_u16(),
        headers: record.headers.iter().map(|(n, v)| (n.to_string(), v.as_bytes().to_vec())).collect(),
    };
    let mut bytes = serde_json::to_vec(&head).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend_from_slice(&record.body);
    bytes
}

pub(super) fn decode(bytes: &Bytes, fingerprint: &Fingerprint) -> Option<Record> {
    let end = memchr::memchr(b'\n', bytes)?;
    let head: Head = serde_json::from_slice(&bytes[..end]).ok()?;
    let headers = head.headers.iter().map(|(n, v)| Some((n.parse().ok()?, HeaderValue::from_bytes(v).ok()?)));
    (head.of == *fingerprint.as_bytes()).then_some(())?;
    Some(Record {
        there: There { server: head.server, generations: head.generations.into() },
        stored: head.stored,
        expires: head.expires,
        status: StatusCode::from_u16(head.status).ok()?,
        headers: headers.collect::<Option<Vec<_>>>()?.into(),
        body: bytes.slice(end + 1..),
    })
}
