//! What is in a store that others share, for operators who look?
//!
//! A page scans for a bounded time and may be empty before the end: the cursor says where to go on.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use crate::key::{Key, KeyGlob, Tag};
use crate::redis::{Cmd, Refusal, ScanCursor, ServerId, Silence, Value, cmd};

use super::super::super::listing::Standing;
use super::super::record::{OUTLINE_BYTES, Outline, Record};
use super::super::{NoPage, Stored, StoredPage};
use super::SharedStore;
use super::look_up::number;

/// Names that one step of a scan looks at: a server takes a fifth of a millisecond for them.
const SCAN_COUNT: usize = 1_000;

/// Time that one page scans for.
const PAGE_TIME: Duration = Duration::from_millis(250);

/// Time that the search for all entries of a key scans for.
const SEARCH_TIME: Duration = Duration::from_secs(2);

/// Generations that are asked for at a time: a server takes a fifth of a millisecond for them.
const GENERATIONS_AT_ONCE: usize = 1_000;

/// Entries that are asked after at a time.
const ASKED_AT_ONCE: usize = 32;

impl SharedStore {
    pub(super) async fn list(
        &self,
        glob: &KeyGlob,
        after: Option<&str>,
        limit: usize,
    ) -> Result<StoredPage, NoPage> {
        let cursor = after.map(str::parse::<ScanCursor>).transpose().map_err(|_| NoPage::Cursor)?;
        let (names, next) = self.scan(glob, cursor.unwrap_or_default(), PAGE_TIME, limit).await?;
        let asked = names.into_iter().map(|(name, standing)| self.outline(name, standing));
        let found: Vec<Result<Option<Found>, Silence>> =
            stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await;
        let found = found.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        let current = self.current(found.iter().map(|found| &found.outline)).await?;
        let entries = found.into_iter().map(|found| found.stored(&current)).collect();
        Ok(StoredPage { entries, next: next.map(|next| next.to_string()) })
    }

    /// The records of a key, and whether these are all.
    pub(super) async fn find_records(
        &self,
        key: &Key,
        limit: usize,
    ) -> Result<(Vec<(Stored, Record)>, bool), NoPage> {
        // a key has no star, so this means itself
        let glob = KeyGlob::parse(key.as_str()).map_err(|_| NoPage::Cursor)?;
        let (mut names, mut next) = (Vec::new(), Some(ScanCursor::default()));
        let began = self.clock.now();
        while let Some(cursor) = next.take_if(|_| names.len() < limit) {
            let left = SEARCH_TIME.saturating_sub(self.clock.now().saturating_duration_since(began));
            if left.is_zero() {
                next = Some(cursor);
                break;
            }
            let (more, after) = self.scan(&glob, cursor, left, limit).await?;
            names.extend(more);
            next = after;
        }
        names.sort();
        names.dedup();
        let is_whole = next.is_none() && names.len() <= limit;
        names.truncate(limit);
        let asked = join_all(names.into_iter().map(|(name, standing)| self.record(name, standing))).await;
        let found = asked.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        let current = self.current(found.iter().map(|(found, _)| &found.outline)).await?;
        let records = found.into_iter().map(|(found, record)| (found.stored(&current), record));
        Ok((records.collect(), is_whole))
    }

    /// Names of entries, until there are enough or time is up; and where to go on.
    async fn scan(
        &self,
        glob: &KeyGlob,
        mut cursor: ScanCursor,
        time: Duration,
        limit: usize,
    ) -> Result<(Vec<(String, Standing)>, Option<ScanCursor>), Silence> {
        let like = self.names.entries_like(glob);
        let began = self.clock.now();
        let mut found = Vec::new();
        loop {
            let (names, next) = self.redis.scan(cursor, &like, SCAN_COUNT).await?;
            found.extend(names.into_iter().filter_map(|name| {
                let name = String::from_utf8(name).ok()?;
                let standing =
                    self.names.standing(&name).filter(|standing| glob.matches(standing.key.as_str()))?;
                Some((name, standing))
            }));
            let is_over = self.clock.now().saturating_duration_since(began) >= time;
            match next {
                None => return Ok((found, None)),
                Some(next) if is_over || found.len() >= limit => return Ok((found, Some(next))),
                Some(next) => cursor = next,
            }
        }
    }

    /// What the beginning of a record says; nothing where it is gone, or none of ours.
    async fn outline(&self, name: String, standing: Standing) -> Result<Option<Found>, Silence> {
        let mut bytes_asked = OUTLINE_BYTES;
        loop {
            let mut get = cmd("GETRANGE");
            get.arg(&name).arg(0).arg(bytes_asked - 1);
            let Some((server, bytes)) = self.bytes(&get).await? else { return Ok(None) };
            match Outline::read(&bytes) {
                // it depends on much: once more, to the end of that
                Some(outline) if outline.bytes > bytes_asked => bytes_asked = outline.bytes,
                outline => return Ok(outline.map(|outline| Found { standing, outline, server })),
            }
        }
    }

    /// The generations, now, of everything that these depend on.
    async fn current<'o>(
        &self,
        outlines: impl Iterator<Item = &'o Outline>,
    ) -> Result<HashMap<Tag, u64>, Silence> {
        let tags: HashSet<&Tag> = outlines.flat_map(|outline| &outline.tags).map(|(tag, _)| tag).collect();
        let tags: Vec<&Tag> = tags.into_iter().collect();
        let mut current = HashMap::new();
        for some in tags.chunks(GENERATIONS_AT_ONCE) {
            let mut get = cmd("MGET");
            some.iter().for_each(|tag| {
                get.arg(self.names.generation(tag));
            });
            let (_, Value::Array(said)) = self.redis.one(&get).await? else { return Err(Silence::Broken) };
            let known =
                some.iter().zip(&said).filter_map(|(tag, said)| Some(((*tag).clone(), number(said)?)));
            current.extend(known);
        }
        Ok(current)
    }

    async fn record(&self, name: String, standing: Standing) -> Result<Option<(Found, Record)>, Silence> {
        let mut get = cmd("GET");
        get.arg(name);
        let Some((server, bytes)) = self.bytes(&get).await? else { return Ok(None) };
        let Some(outline) = Outline::read(&bytes) else { return Ok(None) };
        let codec = if outline.is_sealed { self.sealing.as_ref() } else { Some(&self.codec) };
        let record = codec.and_then(|codec| codec.look(bytes).ok());
        Ok(record.map(|record| (Found { standing, outline, server }, record)))
    }

    /// Bytes, and the run of the server that gave them; nothing where they are gone, or where what is
    /// called like an entry is something else, as an operation is.
    async fn bytes(&self, get: &Cmd) -> Result<Option<(u64, Bytes)>, Silence> {
        match self.redis.one(get).await {
            Ok((ServerId(server), Value::BulkString(bytes))) => Ok(Some((server, bytes.into()))),
            Ok(_) | Err(Silence::Refused(Refusal::Other)) => Ok(None),
            Err(silence) => Err(silence),
        }
    }
}

/// What the beginning of a record said, and which run of which server had it.
struct Found {
    standing: Standing,
    outline: Outline,
    server: u64,
}

impl Found {
    /// What a list says of it, where these are the generations that count now.
    fn stored(self, current: &HashMap<Tag, u64>) -> Stored {
        let Self { standing, outline, server } = self;
        let tags = outline.tags.into_iter();
        let is_as_it_was = |tag, saw| {
            let is_current = current.get(&tag) == Some(&saw);
            (tag, is_current)
        };
        Stored {
            standing,
            status: outline.status,
            stored_at: outline.stored_at,
            expires_at: outline.expires_at,
            body_bytes: outline.body_bytes,
            is_sealed: outline.is_sealed,
            tags: tags.map(|(tag, saw)| is_as_it_was(tag, saw)).collect(),
            is_of_this_run: outline.server == server,
        }
    }
}

impl From<Silence> for NoPage {
    fn from(silence: Silence) -> Self {
        Self::Store(silence.to_string())
    }
}
