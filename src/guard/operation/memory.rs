//! Operations remembered by this process alone, and only while it lives.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::key::OperationName;

use super::super::token::Token;
use super::super::{Doing, StoreDown};
use super::{Beginning, KeptOperation, OperationState, OperationStore, StoredAnswer};

/// Bytes of answers that are kept: some ten thousand payments. The oldest answers go first.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What one costs beside its answer.
const ONE_BYTES: usize = 512;

/// Operations in this process's memory.
pub struct MemoryOperations {
    /// A plain mutex: held for a few look-ups.
    kept: Mutex<Table>,
    clock: Clock,
}

#[derive(Default)]
struct Table {
    records: HashMap<OperationName, Record>,
    /// In the order of their beginnings; some may be gone, and some may be there twice.
    order: VecDeque<OperationName>,
    bytes: usize,
}

struct Record {
    token: Token,
    asked: [u8; 32],
    began: Instant,
    ends: Instant,
    is_doubtful: bool,
    answer: Option<StoredAnswer>,
}

impl MemoryOperations {
    /// Nothing was done.
    pub fn new(clock: Clock) -> Self {
        Self { kept: Mutex::default(), clock }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // nothing in here can panic half way
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, name: &OperationName, token: &Token, asked: &[u8; 32], keep: Duration) -> Beginning {
        let now = self.clock.now();
        let mut table = self.table();
        if let Some(record) = table.records.get(name).filter(|record| record.ends > now) {
            let state = match &record.answer {
                Some(answer) => OperationState::Answered(answer.clone()),
                None if record.is_doubtful => OperationState::Doubtful,
                None => OperationState::Begun(now.saturating_duration_since(record.began)),
            };
            return Beginning::Known { asked: record.asked, state };
        }
        table.forget(name);
        if !table.make_room(ONE_BYTES, now) {
            return Beginning::Unknown;
        }
        let record = Record {
            token: token.clone(),
            asked: *asked,
            began: now,
            ends: now + keep,
            is_doubtful: false,
            answer: None,
        };
        table.bytes += record.bytes();
        table.order.push_back(name.clone());
        table.records.insert(name.clone(), record);
        Beginning::First
    }

    fn end(&self, name: &OperationName, token: &Token, answer: &StoredAnswer) {
        let now = self.clock.now();
        let mut table = self.table();
        let Some(mut record) = table.records.remove(name) else { return };
        table.bytes -= record.bytes();
        if record.token == *token {
            record.answer = Some(answer.clone());
            if !table.make_room(record.bytes(), now) {
                record.answer = Some(StoredAnswer { body: None, ..answer.clone() });
            }
        }
        table.bytes += record.bytes();
        table.records.insert(name.clone(), record);
    }
}

impl Table {
    fn forget(&mut self, name: &OperationName) {
        if let Some(record) = self.records.remove(name) {
            self.bytes -= record.bytes();
        }
    }

    /// Forgets what has ended, then the oldest answers; never what has no outcome.
    fn make_room(&mut self, wanted: usize, now: Instant) -> bool {
        let mut looks = self.order.len();
        while self.bytes + wanted > KEPT_BYTES_MAX && looks > 0 {
            looks -= 1;
            let Some(oldest) = self.order.pop_front() else { break };
            match self.records.get(&oldest) {
                Some(record) if record.answer.is_none() && record.ends > now => self.order.push_back(oldest),
                Some(_) | None => self.forget(&oldest),
            }
        }
        self.bytes + wanted <= KEPT_BYTES_MAX
    }
}

impl Record {
    fn bytes(&self) -> usize {
        let answer = self.answer.as_ref().map_or(0, |answer| {
            let headers = answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64);
            headers.sum::<usize>() + answer.body.as_ref().map_or(0, bytes::Bytes::len)
        });
        ONE_BYTES + answer
    }
}

impl OperationStore for MemoryOperations {
    fn begin<'a>(
        &'a self,
        name: &'a OperationName,
        token: &'a Token,
        asked: &'a [u8; 32],
        keep: Duration,
    ) -> Doing<'a, Beginning> {
        Box::pin(ready(self.start(name, token, asked, keep)))
    }

    fn finish<'a>(
        &'a self,
        name: &'a OperationName,
        token: &'a Token,
        answer: &'a StoredAnswer,
    ) -> Doing<'a, Result<(), StoreDown>> {
        self.end(name, token, answer);
        Box::pin(ready(Ok(())))
    }

    fn doubt<'a>(&'a self, name: &'a OperationName, token: &'a Token) -> Doing<'a, Result<(), StoreDown>> {
        if let Some(record) = self.table().records.get_mut(name).filter(|record| record.token == *token) {
            record.is_doubtful = true;
        }
        Box::pin(ready(Ok(())))
    }

    fn withdraw<'a>(&'a self, name: &'a OperationName, token: &'a Token) -> Doing<'a, Result<(), StoreDown>> {
        let mut table = self.table();
        if table.records.get(name).is_some_and(|record| record.token == *token) {
            table.forget(name);
        }
        Box::pin(ready(Ok(())))
    }

    fn list(&self, max: usize) -> Doing<'_, Result<Vec<KeptOperation>, StoreDown>> {
        let now = self.clock.now();
        let table = self.table();
        let alive = table.records.iter().filter_map(|(name, record)| {
            let left = record.ends.checked_duration_since(now).filter(|left| !left.is_zero())?;
            let status = record.answer.as_ref().map(|answer| answer.status.as_u16());
            Some(KeptOperation { name: name.to_string(), status, left })
        });
        let mut shown: Vec<KeptOperation> = alive.collect();
        shown.sort_by(|one, other| (one.status, &one.name).cmp(&(other.status, &other.name)));
        shown.truncate(max);
        Box::pin(ready(Ok(shown)))
    }

    fn remove<'a>(&'a self, key: &'a str) -> Doing<'a, Result<usize, StoreDown>> {
        let mut table = self.table();
        let called: Vec<OperationName> =
            table.records.keys().filter(|name| name.is_called(key)).cloned().collect();
        called.iter().for_each(|name| table.forget(name));
        Box::pin(ready(Ok(called.len())))
    }
}

/// No names and no answers.
impl fmt::Debug for MemoryOperations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryOperations").field("kept", &self.table().records.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use http::StatusCode;

    use super::super::{Begun, Operations};
    use super::*;

    const KEEP: Duration = Duration::from_secs(3_600);

    fn operations() -> (Operations, Clock) {
        let clock = Clock::default();
        (Operations::new(Arc::new(MemoryOperations::new(clock.clone()))), clock)
    }

    fn name(key: &str) -> OperationName {
        OperationName::new(key, &[0; 32], "POST", "/pay").unwrap()
    }

    fn answer(body: impl Into<Bytes>) -> StoredAnswer {
        StoredAnswer { status: StatusCode::CREATED, headers: Vec::new(), body: Some(body.into()) }
    }

    async fn first(operations: &Operations, key: &str) -> super::super::Running {
        match operations.begin(&name(key), &[1; 32], KEEP).await {
            Begun::First(running) => running,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_repeat_gets_the_first_answer_until_it_is_forgotten() {
        let (operations, clock) = operations();
        let running = first(&operations, "k").await;
        assert!(matches!(operations.begin(&name("k"), &[1; 32], KEEP).await, Begun::InProgress));
        assert!(matches!(operations.begin(&name("k"), &[2; 32], KEEP).await, Begun::Other));
        running.finish(&answer("done")).await.unwrap();
        let repeat = operations.begin(&name("k"), &[1; 32], KEEP).await;
        assert!(matches!(repeat, Begun::Repeat(stored) if stored == answer("done")));
        clock.advance(KEEP);
        let _again = first(&operations, "k").await;
    }

    #[tokio::test]
    async fn what_nobody_finished_stays_in_doubt_until_an_operator_says_so() {
        let (operations, clock) = operations();
        drop(first(&operations, "k").await);
        clock.advance(super::super::DOUBT_AFTER);
        assert!(matches!(operations.begin(&name("k"), &[1; 32], KEEP).await, Begun::Doubtful));
        assert_eq!(operations.list(10).await.unwrap()[0].status, None);
        assert_eq!(operations.remove("k").await, Ok(1));
        first(&operations, "k").await.withdraw().await.unwrap();
        let _nothing_was_done = first(&operations, "k").await;
    }

    #[tokio::test]
    async fn the_oldest_answers_make_room_and_what_is_in_doubt_stays() {
        let (operations, _clock) = operations();
        drop(first(&operations, "doubtful").await);
        let large = vec![0; 1024 * 1024];
        for number in 0..70 {
            first(&operations, &number.to_string()).await.finish(&answer(large.clone())).await.unwrap();
        }
        let known =
            async |key: &str| !matches!(operations.begin(&name(key), &[2; 32], KEEP).await, Begun::First(_));
        assert!(known("doubtful").await, "never forgotten for room");
        assert!(known("69").await);
        assert!(!known("0").await, "the oldest");
    }
}
