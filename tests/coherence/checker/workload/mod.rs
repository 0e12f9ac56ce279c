//! What the clients do all the time: read and write a few rows that all of them want, through any proxy.

mod answer;
mod request;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::chain;
use super::chance::Chance;
use super::judge::Judge;
use super::people::People;
use super::words::{Attempt, KEYS, Known, Op, Read, ReadKind, Who, Write, WriteKind};
use answer::{Understood, understand};

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

/// What a client is waiting for: one request, and those that take too long.
#[derive(Debug, Default)]
struct Waiting {
    operations: JoinSet<usize>,
    by_proxy: BTreeMap<usize, usize>,
}

impl Waiting {
    /// Any proxy that does not owe this client too much.
    fn choose(&self, proxies: usize, chance: &mut Chance) -> usize {
        let owes = |proxy: usize| self.by_proxy.get(&proxy).copied().unwrap_or_default();
        let first = chance.index(proxies);
        let others = (0..proxies).map(|step| (first + step) % proxies);
        others.into_iter().find(|proxy| owes(*proxy) < LEFT_BEHIND_MAX).unwrap_or(first)
    }

    fn began(&mut self, proxy: usize) {
        *self.by_proxy.entry(proxy).or_default() += 1;
    }

    /// Waits for an answer, but not for ever where there is somebody else to ask.
    async fn patiently(&mut self) {
        let all_owe = self.by_proxy.values().all(|owed| *owed >= LEFT_BEHIND_MAX);
        let wait = if all_owe { ANSWER_MAX } else { PATIENCE };
        if let Ok(Some(Ok(proxy))) = tokio::time::timeout(wait, self.operations.join_next()).await {
            self.by_proxy.entry(proxy).and_modify(|owed| *owed -= 1);
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
    pub(crate) proxies: Vec<SocketAddr>,
    pub(crate) people: Arc<People>,
    pub(crate) judge: Arc<Judge>,
    pub(crate) habits: Habits,
    http: Client<HttpConnector, Full<Bytes>>,
    next_op: AtomicU64,
}

/// One answer.
struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
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
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Arc::new(Self { proxies, people, judge, habits, http, next_op: AtomicU64::new(1) })
    }

    /// One client, until it is told to stop.
    pub(crate) async fn run(self: Arc<Self>, client: usize, mut chance: Chance, stop: CancellationToken) {
        let mut waiting = Waiting::default();
        while !stop.is_cancelled() {
            let proxy = waiting.choose(self.proxies.len(), &mut chance);
            let who = Who::ALL[chance.index(Who::ALL.len())];
            let crowd = Arc::clone(&self);
            let mut chance = chance.branch();
            waiting.operations.spawn(async move {
                let is_write = who != Who::ANYBODY && chance.percent(crowd.habits.write_percent * 5 / 4);
                let is_fine = if is_write {
                    crowd.write(client, proxy, who, &mut chance).await
                } else {
                    crowd.read(client, proxy, who, &mut chance).await
                };
                if !is_fine {
                    tokio::time::sleep(BREATH).await;
                }
                proxy
            });
            waiting.began(proxy);
            waiting.patiently().await;
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
        let request = request::read(self.proxies[proxy], &self.people, who, kind, key);
        let start = self.judge.now();
        let answered = match self.ask(request, ANSWER_MAX).await {
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
        let status = answer::served(&answered.headers);
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
        let request =
            request::write(self.proxies[proxy], &self.people, (who, op), (kind, key, other), wants_rows);
        let leaves = chance.percent(LEFT_PERCENT);
        let patience = Duration::from_micros(chance.between(200, LEFT_MICROS_MAX).unsigned_abs());
        let start = self.judge.now();
        let answered = self.ask(request, if leaves { patience } else { ANSWER_MAX }).await;
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
    async fn ask(&self, request: Request<Full<Bytes>>, patience: Duration) -> Result<Answered, Unanswered> {
        let broken = |error: &dyn std::error::Error| Unanswered::Broken(chain(error));
        let asked = async {
            let response = self.http.request(request).await.map_err(|error| broken(&error))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| broken(&error))?.to_bytes();
            Ok(Answered { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(patience, asked).await.unwrap_or(Err(Unanswered::Left))
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
