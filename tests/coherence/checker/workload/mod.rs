//! What the clients do all the time: read and write a few rows that all of them want, through any proxy.

mod answer;
mod connections;
mod request;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::chain;
use super::chance::Chance;
use super::judge::Judge;
use super::people::People;
use super::words::{Attempt, KEYS, Known, Op, Read, ReadKind, Who, Write, WriteKind};
use answer::{Understood, understand};
use connections::{Answered, Connections};

/// Longer than everything that may hold a request up; what takes longer hangs.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// So many of 100 writes are left by their client before they are answered.
const LEFT_PERCENT: u64 = 5;
/// A client leaves within this time: most writes are under way then.
const LEFT_MICROS_MAX: i64 = 12_000;
/// After a failure a client takes a breath, or dead proxies would get most requests.
const BREATH: Duration = Duration::from_millis(20);

/// A client that has waited so long goes on elsewhere, and takes the answer when it comes: or those that
/// ask a proxy which stands still would all stand still with it, and nothing would happen meanwhile.
const PATIENCE: Duration = Duration::from_millis(150);
/// So many requests a client leaves with one proxy before it asks the others only.
const LEFT_BEHIND_MAX: usize = 2;
/// After this it asks that proxy once more, as people do: somebody has to ask while it stands still.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a client is waiting for: one request, and those that take too long.
#[derive(Debug, Default)]
struct Waiting {
    operations: JoinSet<usize>,
    by_proxy: BTreeMap<usize, Owed>,
}

/// What one proxy owes a client.
#[derive(Clone, Copy, Debug)]
struct Owed {
    answers: usize,
    last_asked: Instant,
}

impl Owed {
    fn is_too_much(&self) -> bool {
        self.answers >= LEFT_BEHIND_MAX && self.last_asked.elapsed() < ASKED_AGAIN_AFTER
    }
}

impl Waiting {
    /// Any proxy that does not owe this client too much.
    fn choose(&self, proxies: usize, chance: &mut Chance) -> usize {
        let first = chance.index(proxies);
        let mut others = (0..proxies).map(|step| (first + step) % proxies);
        others.find(|proxy| !self.by_proxy.get(proxy).is_some_and(Owed::is_too_much)).unwrap_or(first)
    }

    /// Waits for an answer, but not for ever where there is somebody else to ask.
    async fn patiently(
        &mut self,
        proxy: usize,
        proxies: usize,
        operation: impl Future<Output = ()> + Send + 'static,
    ) {
        self.heard();
        let all_owe = self.by_proxy.len() == proxies && self.by_proxy.values().all(Owed::is_too_much);
        let wait = if all_owe { ANSWER_MAX } else { PATIENCE };
        let mut operation = Box::pin(operation);
        if tokio::time::timeout(wait, &mut operation).await.is_err() {
            self.operations.spawn(async move {
                operation.await;
                proxy
            });
            let owed = self.by_proxy.entry(proxy).or_insert(Owed { answers: 0, last_asked: Instant::now() });
            *owed = Owed { answers: owed.answers + 1, last_asked: Instant::now() };
        }
    }

    /// Takes the answers that have come meanwhile.
    fn heard(&mut self) {
        while let Some(ended) = self.operations.try_join_next() {
            let Ok(proxy) = ended else { continue };
            if let Some(owed) = self.by_proxy.get_mut(&proxy) {
                owed.answers = owed.answers.saturating_sub(1);
            }
        }
    }
}

/// How the clients behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) clients: usize,
    /// So many of 100 operations are writes.
    pub(crate) write_percent: u64,
}

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Crowd {
    proxies: Vec<Connections>,
    pub(crate) people: Arc<People>,
    pub(crate) judge: Arc<Judge>,
    pub(crate) habits: Habits,
    next_op: AtomicU64,
}

/// Why there is none.
enum Unanswered {
    /// The client left on purpose.
    Left,
    Broken(String),
}

impl Crowd {
    pub(crate) fn new(
        proxies: Vec<SocketAddr>,
        people: Arc<People>,
        judge: Arc<Judge>,
        habits: Habits,
    ) -> Arc<Self> {
        let proxies = proxies.into_iter().map(Connections::to).collect();
        Arc::new(Self { proxies, people, judge, habits, next_op: AtomicU64::new(1) })
    }

    /// One client, until it is told to stop.
    pub(crate) async fn run(self: Arc<Self>, client: usize, mut chance: Chance, stop: CancellationToken) {
        let mut waiting = Waiting::default();
        while !stop.is_cancelled() {
            let proxy = waiting.choose(self.proxies.len(), &mut chance);
            let who = Who::ALL[chance.index(Who::ALL.len())];
            let crowd = Arc::clone(&self);
            let mut chance = chance.branch();
            let operation = async move {
                let is_write = who != Who::ANYBODY && chance.percent(crowd.habits.write_percent * 5 / 4);
                let is_fine = if is_write {
                    crowd.write(client, proxy, who, &mut chance).await
                } else {
                    crowd.read(client, proxy, who, &mut chance).await
                };
                if !is_fine {
                    tokio::time::sleep(BREATH).await;
                }
            };
            waiting.patiently(proxy, self.proxies.len(), operation).await;
        }
    }

    async fn read(&self, client: usize, proxy: usize, who: Who, chance: &mut Chance) -> bool {
        let kind = match chance.between(0, 99) {
            0..44 => ReadKind::Row,
            44..58 => ReadKind::Single,
            58..70 => ReadKind::Embed,
            70..84 => ReadKind::Child,
            // any write to a row takes these away, so they are rarely hits and cost the most
            84..88 => ReadKind::Function,
            88..94 => ReadKind::List,
            94..97 => ReadKind::Count,
            _ => ReadKind::Range,
        };
        let key = key_of(who, chance);
        let request = request::read(self.proxies[proxy].address(), &self.people, who, kind, key);
        let start = self.judge.now();
        let answered = match self.ask(proxy, request, ANSWER_MAX).await {
            Ok(answered) => answered,
            Err(Unanswered::Left) => {
                self.judge.failed(Attempt { proxy, is_write: false, start }, "no answer in 20 s");
                return false;
            }
            Err(Unanswered::Broken(why)) => {
                self.judge.failed(Attempt { proxy, is_write: false, start }, &why);
                return false;
            }
        };
        let status: Arc<str> = answer::served(&answered.headers).into();
        match understand(&self.people, who, (kind, key), answered.status, &answered.body) {
            Understood::Rows(seen) => {
                self.judge.read_ended(&Read { client, proxy, who, kind, start, status, seen });
                true
            }
            Understood::Failure => {
                let why = format!("{} [{status}] {}", answered.status, text(&answered.body));
                self.judge.failed(Attempt { proxy, is_write: false, start }, &why);
                false
            }
            Understood::Wrong(violation) => {
                let asked = format!("{who} reads {} {key} [{status}]", kind.as_str());
                let shown = text(&answered.body);
                self.judge.violated(
                    violation,
                    &format!("client {client} through proxy {proxy}: {asked}\n  {shown}"),
                );
                false
            }
        }
    }

    async fn write(&self, client: usize, proxy: usize, who: Who, chance: &mut Chance) -> bool {
        let op: Op = self.next_op.fetch_add(1, Ordering::Relaxed);
        let (key, other) = (key_of(who, chance), key_of(who, chance));
        let kind = match chance.between(0, 999) {
            0..600 => WriteKind::Patch,
            600..680 => WriteKind::PatchTwo,
            680..830 => WriteKind::PatchChild,
            830..890 => WriteKind::Delete,
            890..980 => WriteKind::Insert,
            // these two take away every row: what was there before an upsert, and what a function does, is not known
            980..990 => WriteKind::Upsert,
            _ => WriteKind::Function,
        };
        let wants_rows = chance.percent(50);
        let request = request::write(
            self.proxies[proxy].address(),
            &self.people,
            (who, op),
            (kind, key, other),
            wants_rows,
        );
        let leaves = chance.percent(LEFT_PERCENT);
        let patience = Duration::from_micros(chance.between(200, LEFT_MICROS_MAX).unsigned_abs());
        let start = self.judge.now();
        let answered = self.ask(proxy, request, if leaves { patience } else { ANSWER_MAX }).await;
        let mut is_fine = true;
        let known = match answered {
            Ok(answered) if answered.status.is_success() => Known::Done,
            Ok(answered) if answered.status == StatusCode::CONFLICT => Known::Refused,
            Ok(answered) if is_closed(&answered) => {
                self.judge.closed(Attempt { proxy, is_write: true, start });
                Known::Refused
            }
            Ok(answered) => {
                is_fine = false;
                let why = format!("{} {}", answered.status, text(&answered.body));
                self.judge.failed(Attempt { proxy, is_write: true, start }, &why);
                Known::Nothing
            }
            Err(Unanswered::Left) => Known::Nothing,
            Err(Unanswered::Broken(why)) => {
                is_fine = false;
                self.judge.failed(Attempt { proxy, is_write: true, start }, &why);
                Known::Nothing
            }
        };
        self.judge.write_ended(&Write { op, client, proxy, who, kind, start, known });
        is_fine
    }

    /// Asks; a client that leaves breaks its connection.
    async fn ask(
        &self,
        proxy: usize,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Answered, Unanswered> {
        match tokio::time::timeout(patience, self.proxies[proxy].ask(request)).await {
            Ok(answered) => answered.map_err(|broken| Unanswered::Broken(chain(&broken))),
            Err(_elapsed) => Err(Unanswered::Left),
        }
    }
}

/// Larder's own word that it forwarded nothing, because it could not mark what the write would change.
fn is_closed(answered: &Answered) -> bool {
    answered.status == StatusCode::SERVICE_UNAVAILABLE && text(&answered.body).contains("LARDER503")
}

/// A key of one's own or of everybody; the first ones are wanted most.
fn key_of(who: Who, chance: &mut Chance) -> u8 {
    let u = chance.between(0, 9_999) as f64 / 10_000.0;
    let wanted = (f64::from(KEYS) * u * u) as u8;
    who.keys().min_by_key(|key| key.abs_diff(wanted)).unwrap_or_default()
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(400)]).into_owned()
}
