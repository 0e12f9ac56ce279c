//! Where do spans go? To an OpenTelemetry collector, many at once, by OTLP over HTTP.
//!
//! A collector that is away or slow costs spans, which are counted, and nothing else: nothing is sent twice
//! and nobody waits.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::percent_decode_str;
use prometheus::IntCounter;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::causes::in_full;
use crate::trace::{Span, Tracer, request};
use crate::upstream::client_tls;

/// Spans of one request to the collector: some hundred kilobytes at most.
const SPANS_MAX: usize = 512;

/// How long spans wait for others to go with.
const LINGER: Duration = Duration::from_millis(500);

/// For one request to the collector, and for the last one when the process ends.
const SENT_WITHIN: Duration = Duration::from_secs(3);

/// A collector's answer is empty, or says which spans it did not like.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Of requests that bring no `traceparent`, so many are traced: enough to see, too few to notice.
const RATIO: &str = "0.05";

/// Whether and where requests are traced, as written.
#[derive(Args, Clone, Debug, Default)]
pub struct TraceFlags {
    /// OpenTelemetry collector, as in http://127.0.0.1:4318; OTEL_EXPORTER_OTLP_ENDPOINT is read where this is not given
    #[arg(long, env = "LARDER_OTLP", value_name = "URL", hide_env_values = true)]
    pub otlp: Option<String>,
    /// Share of requests to trace, of those that bring no traceparent; OTEL_TRACES_SAMPLER_ARG is read where this is
    /// not given [default: 0.05]
    #[arg(long, env = "LARDER_TRACE_RATIO", value_name = "RATIO")]
    pub trace_ratio: Option<String>,
}

/// Where spans go.
#[derive(Clone)]
pub struct TraceSettings {
    url: Uri,
    /// Credentials may be among them.
    headers: HeaderMap,
    ratio: f64,
}

impl std::fmt::Debug for TraceSettings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("TraceSettings").field("ratio", &self.ratio).finish_non_exhaustive()
    }
}

/// A setting, and what is wrong with it.
type Mistake = (&'static str, String);

/// Reads the flags and what OpenTelemetry's own variables say; nothing is traced where none names a collector.
pub(super) fn traces(
    flags: &TraceFlags,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<TraceSettings>, Mistake> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let given = flags.otlp.clone().filter(|url| !url.is_empty());
    let Some(base) = given.or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT")) else { return Ok(None) };
    let url: Option<Uri> = format!("{}/v1/traces", base.trim_end_matches('/')).parse().ok();
    let url =
        url.filter(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.authority().is_some());
    // it may hold a password, so it is not repeated
    let url = url.ok_or(("otlp", "not a URL, as in http://127.0.0.1:4318".to_owned()))?;
    let written = flags.trace_ratio.clone().or_else(|| variable("OTEL_TRACES_SAMPLER_ARG"));
    let written = written.unwrap_or_else(|| RATIO.to_owned());
    let ratio = written.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    let ratio = ratio.ok_or_else(|| ("trace-ratio", format!("`{written}` is not a number from 0 to 1")))?;
    let mut headers = HeaderMap::new();
    for pair in
        variable("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default().split(',').filter(|pair| !pair.is_empty())
    {
        let (name, value) = header(pair)
            .ok_or_else(|| ("otlp", "OTEL_EXPORTER_OTLP_HEADERS is not a list of name=value".to_owned()))?;
        headers.append(name, value);
    }
    Ok(Some(TraceSettings { url, headers, ratio }))
}

/// `name=value`, the value with escapes, as OpenTelemetry has it.
fn header(pair: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = pair.split_once('=')?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    let mut value = HeaderValue::from_str(&value).ok()?;
    value.set_sensitive(true);
    Some((HeaderName::try_from(name.trim()).ok()?, value))
}

/// Sends spans until the process ends, and then those that are left.
pub(super) struct Exporter {
    settings: TraceSettings,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    queue: Receiver<Span>,
    lost: IntCounter,
    is_away: bool,
}

impl Exporter {
    /// A tracer, and what sends its spans.
    pub(super) fn new(settings: TraceSettings, lost: IntCounter) -> (Tracer, Self) {
        let https = HttpsConnectorBuilder::new().with_tls_config(client_tls()).https_or_http();
        let https = https.enable_all_versions().build();
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(https);
        let (tracer, queue) = Tracer::new(settings.ratio, lost.clone());
        (tracer, Self { settings, client, queue, lost, is_away: false })
    }

    pub(super) async fn run(mut self, ending: CancellationToken) {
        let mut spans = Vec::with_capacity(SPANS_MAX);
        while ending.run_until_cancelled(self.queue.recv_many(&mut spans, SPANS_MAX)).await.is_some() {
            if spans.len() < SPANS_MAX
                && ending.run_until_cancelled(tokio::time::sleep(LINGER)).await.is_some()
            {
                while spans.len() < SPANS_MAX
                    && let Ok(span) = self.queue.try_recv()
                {
                    spans.push(span);
                }
            }
            self.send(&mut spans).await;
        }
        while let Ok(span) = self.queue.try_recv() {
            spans.push(span);
        }
        if !spans.is_empty() {
            self.send(&mut spans).await;
        }
    }

    async fn send(&mut self, spans: &mut Vec<Span>) {
        let sent = tokio::time::timeout(SENT_WITHIN, self.post(request(spans).into())).await;
        let problem = match sent {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(elapsed) => Some(elapsed.into()),
        };
        match problem {
            None if self.is_away => info!("the collector of traces takes spans again"),
            Some(error) => {
                self.lost.inc_by(spans.len() as u64);
                if !self.is_away {
                    warn!(
                        error = in_full(error.as_ref()),
                        "the collector of traces takes no spans: they are lost"
                    );
                }
                self.is_away = true;
                return spans.clear();
            }
            None => {}
        }
        self.is_away = false;
        spans.clear();
    }

    async fn post(&self, body: Bytes) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut post = Request::post(self.settings.url.clone()).body(Full::new(body))?;
        post.headers_mut().extend(self.settings.headers.clone());
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        post.headers_mut().insert(CONTENT_TYPE, protobuf);
        let answer = self.client.request(post).await?;
        let status = answer.status();
        // read to its end, so that the connection can be used again
        Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await?;
        if status.is_success() { Ok(()) } else { Err(format!("status {status}").into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(otlp: &str, ratio: &str, headers: &str) -> Result<Option<TraceSettings>, Mistake> {
        let flags = TraceFlags { otlp: Some(otlp.to_owned()), trace_ratio: Some(ratio.to_owned()) };
        let headers = headers.to_owned();
        traces(&flags, &|name| (name == "OTEL_EXPORTER_OTLP_HEADERS").then(|| headers.clone()))
    }

    #[test]
    fn a_collector_is_named_by_us_or_by_the_standard() {
        assert!(read("", "", "").unwrap().is_none(), "nothing is traced");
        let settings =
            read("http://collector:4318/", "1", "authorization=Bearer%20x,x-team=a").unwrap().unwrap();
        assert_eq!(settings.url, "http://collector:4318/v1/traces");
        assert_eq!(settings.headers["authorization"], "Bearer x");
        assert!(!format!("{settings:?}").contains("Bearer"), "{settings:?}");
        let standard = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "https://c".to_owned());
        let settings = traces(&TraceFlags::default(), &standard).unwrap().unwrap();
        assert_eq!((settings.url.to_string().as_str(), settings.ratio), ("https://c/v1/traces", 0.05));
    }

    #[test]
    fn what_cannot_be_used_is_a_mistake_that_repeats_no_secret() {
        for (otlp, ratio, headers) in [
            ("collector:4318", "1", ""),
            ("ftp://user:canary@c", "1", ""),
            ("http://c", "2", ""),
            ("http://c", "many", ""),
            ("http://c", "1", "canary"),
            ("http://c", "1", "bad name=canary"),
        ] {
            let (setting, problem) = read(otlp, ratio, headers).expect_err(otlp);
            assert!(!problem.contains("canary"), "{setting}: {problem}");
        }
    }
}
