//! The upstream: as much of PostgREST as the clients speak, on a real PostgreSQL, as slow and as rude as told.
//!
//! It has an address for each proxy, so that it knows who asks, and tells the judge of every write: what it made,
//! when that was committed, and when the proxy could know.

mod answer;
mod asked;
mod database;
mod temper;

pub(crate) use asked::SINGULAR;
pub(crate) use database::Database;
pub(crate) use temper::Temper;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::judge::Judge;
use super::people::People;
use super::words::{Change, Op, Who};
use answer::{error, rows_answer, written_answer};
use asked::{Asked, Reading, Writing};
use database::Refused;
use temper::End;

/// Numbers a client's request, so that what it did can be found again.
pub(crate) const OP_HEADER: &str = "x-op";

/// The connection ends here, without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

/// Longer than most writes take to begin, shorter than they take to end when a gateway gives them up.
const GATEWAY_WAITS: Duration = Duration::from_millis(20);

type Answer = Result<Response<Full<Bytes>>, Cut>;

/// Whoever asked for a write still listens. Dropped when they are answered, or their connection breaks.
struct Asking {
    op: Op,
    judge: Arc<Judge>,
    is_gone: Arc<AtomicBool>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.is_gone.store(true, Ordering::Release);
        self.judge.finished(self.op);
    }
}

/// Everything that one request needs.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    database: Arc<Database>,
    people: Arc<People>,
    judge: Arc<Judge>,
    temper: Arc<Temper>,
}

impl Upstream {
    pub(crate) fn new(
        database: Arc<Database>,
        people: Arc<People>,
        judge: Arc<Judge>,
        temper: Arc<Temper>,
    ) -> Self {
        Self { database, people, judge, temper }
    }

    /// Listens for one proxy.
    pub(crate) async fn listen(
        &self,
        proxy: usize,
    ) -> std::io::Result<(SocketAddr, tokio::task::AbortHandle)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let upstream = self.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let upstream = upstream.clone();
                let _without_delay = stream.set_nodelay(true);
                tokio::spawn(async move {
                    let service = service_fn(|request| upstream.answer(proxy, request));
                    let _cut = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok((address, task.abort_handle()))
    }

    async fn answer(&self, proxy: usize, request: Request<Incoming>) -> Answer {
        if !request.uri().path().starts_with("/rest/v1/") {
            return Ok(Response::new(Full::from(r#"{"keys":[]}"#))); // where proxies look for keys
        }
        let who = request.headers().get(AUTHORIZATION).and_then(|sent| self.people.identify(sent));
        let Some(who) = who else {
            return Ok(error(StatusCode::UNAUTHORIZED, "PGRST301", "nobody known"));
        };
        let (head, body) = request.into_parts();
        let op = head.headers.get(OP_HEADER).and_then(|op| op.to_str().ok()?.parse::<Op>().ok());
        let body = body.collect().await.map_err(|_client_left| Cut)?;
        match (Asked::parse(&head, &body.to_bytes()), op) {
            (Some(Asked::Read(reading)), _) => Ok(self.read(&reading, who).await),
            (Some(Asked::Write(writing)), Some(op)) => self.write((proxy, op), writing, who).await,
            (Some(Asked::Write(_)) | None, _) => {
                Ok(error(StatusCode::NOT_FOUND, "PGRST205", "not understood here"))
            }
        }
    }

    async fn read(&self, reading: &Reading, who: Who) -> Response<Full<Bytes>> {
        tokio::time::sleep(self.temper.pause()).await;
        let rows = self.database.read(reading, who).await;
        tokio::time::sleep(self.temper.pause()).await;
        match rows {
            Ok(rows) => rows_answer(reading, &rows),
            Err(failure) => error(StatusCode::SERVICE_UNAVAILABLE, "PGRST001", &failure.to_string()),
        }
    }

    /// Carries a write out once, whether or not whoever asked still listens: a task of its own.
    async fn write(&self, name: (usize, Op), writing: Writing, who: Who) -> Answer {
        let (end, writing) = (self.temper.end(), Arc::new(writing));
        let asking = Asking { op: name.1, judge: Arc::clone(&self.judge), is_gone: Arc::default() };
        let (upstream, carried, is_gone) = (self.clone(), Arc::clone(&writing), Arc::clone(&asking.is_gone));
        let carried =
            tokio::spawn(async move { upstream.carry_out(name, &carried, (who, &is_gone), end).await });
        if end == End::GivesUp {
            // a gateway that has waited long enough; the write goes on
            tokio::time::sleep(GATEWAY_WAITS).await;
            return Ok(error(StatusCode::GATEWAY_TIMEOUT, "gateway", "the upstream did not answer in time"));
        }
        let outcome = carried.await.unwrap_or(Err(Refused::Lost));
        drop(asking); // told, or about to be
        match (end, outcome) {
            (End::Cut, _) => Err(Cut),
            (End::Answer | End::GivesUp, Ok(changes)) => Ok(written_answer(&writing, &changes)),
            (End::Answer | End::GivesUp, Err(refused)) => Ok(refused.answer()),
        }
    }

    async fn carry_out(
        &self,
        (proxy, op): (usize, Op),
        writing: &Writing,
        (who, is_gone): (Who, &AtomicBool),
        end: End,
    ) -> Result<Vec<Change>, Refused> {
        tokio::time::sleep(self.temper.pause()).await;
        let open = self.database.write(writing, who).await?;
        self.judge.executed(op, proxy, open.changes.clone());
        if end == End::GivesUp || is_gone.load(Ordering::Acquire) {
            self.judge.finished(op); // whoever asked has its answer before the commit, or left
        }
        tokio::time::sleep(self.temper.before_commit(end)).await;
        match open.commit().await {
            Ok(changes) => {
                self.judge.committed(op);
                tokio::time::sleep(self.temper.pause()).await;
                Ok(changes)
            }
            Err(refused) => {
                self.judge.rolled_back(op);
                Err(refused)
            }
        }
    }
}
