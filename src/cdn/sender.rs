//! Who tells the network, and what if it does not listen?

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::causes::in_full;
use crate::key::Label;

use super::pending::Pending;
use super::service::Service;

/// What changes within so long is told together.
const GATHER: Duration = Duration::from_millis(100);

/// For one call.
const CALL_WAIT: Duration = Duration::from_secs(10);

/// The first pause after a call that failed; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// The longest pause, whatever the network asks for.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// For what still waits when the process ends.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Tells the network what to forget, for as long as the process runs.
pub struct Sender {
    service: Service,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    pending: Arc<Pending>,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    /// It took too long.
    #[error("no answer within {CALL_WAIT:?}")]
    Timeout,
    /// It could not be reached.
    #[error("it cannot be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    /// It refused.
    #[error("it answered {status}")]
    Refused { status: StatusCode, pause: Option<Duration> },
}

impl Sender {
    pub(super) fn new(service: Service, tls: rustls::ClientConfig, pending: Arc<Pending>) -> Self {
        let https =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().build();
        Self { service, client: Client::builder(TokioExecutor::new()).build(https), pending }
    }

    /// Runs until the process ends, and then tells what still waits, if that is possible at once.
    pub async fn run(self, draining: CancellationToken) {
        let telling = async {
            loop {
                self.pending.came().await;
                sleep(GATHER).await;
                self.tell_all().await;
            }
        };
        let _ended = draining.run_until_cancelled(telling).await;
        if timeout(LAST_WAIT, self.tell_all()).await.is_err() {
            warn!(network = self.service.host(), "not everything that changed could be told before the end");
        }
    }

    /// Tells everything that waits, however long it takes.
    async fn tell_all(&self) {
        let mut pause = PAUSE;
        loop {
            let batch = Batch::take(&self.pending, self.service.labels_max());
            if batch.labels.is_empty() {
                return;
            }
            match self.tell(&batch.labels).await {
                Ok(()) => {
                    if pause > PAUSE {
                        info!(network = self.service.host(), "the network in front hears again");
                    }
                    self.pending.metrics.call("ok");
                    info!(network = self.service.host(), labels = batch.labels.len(), "PURGE");
                    batch.heard();
                    pause = PAUSE;
                }
                Err(unheard) => {
                    self.pending.metrics.call("failed");
                    drop(batch);
                    if pause == PAUSE {
                        warn!(
                            network = self.service.host(),
                            error = in_full(&unheard),
                            "the network in front was not told; again soon"
                        );
                    }
                    sleep(unheard.pause().unwrap_or(pause)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn tell(&self, labels: &[Label]) -> Result<(), Unheard> {
        let call = async {
            let answer =
                self.client.request(self.service.request(labels)).await.map_err(Unheard::Unreachable)?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            if self.service.has_heard(head.status, &body) {
                Ok(())
            } else {
                Err(Unheard::Refused { status: head.status, pause: asked_pause(&head.headers) })
            }
        };
        timeout(CALL_WAIT, call).await.unwrap_or(Err(Unheard::Timeout))
    }
}

impl Unheard {
    /// The pause that the network asked for.
    fn pause(&self) -> Option<Duration> {
        match self {
            Self::Refused { pause, .. } => *pause,
            Self::Timeout | Self::Unreachable(_) => None,
        }
    }
}

fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(PAUSE, PAUSE_MAX))
}

/// Labels that are being told; they wait again unless it is said that they were heard.
struct Batch<'p> {
    labels: Vec<Label>,
    pending: &'p Pending,
}

impl<'p> Batch<'p> {
    fn take(pending: &'p Pending, labels_max: usize) -> Self {
        Self { labels: pending.take(labels_max), pending }
    }

    fn heard(mut self) {
        self.labels.clear();
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.pending.put_back(std::mem::take(&mut self.labels));
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("service", &self.service).finish_non_exhaustive()
    }
}
