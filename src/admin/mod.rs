//! What can an operator ask of a running proxy? On an address of its own, never on the clients'.
//!
//! `/healthz` is 200 while the process lives, `/readyz` while clients can be
//! answered, `/metrics` is Prometheus text, `/api/explain` tells what would
//! happen to a request, `/api/locks` shows, takes and frees locks, `/api/fleet` shows
//! who shares the store, `/` shows a person all of it; `pages` names them all. No cookies, no CORS.

mod access;
mod changes;
mod clear;
mod dashboard;
mod entries;
mod explain;
mod fleet;
mod health;
mod locks;
mod openapi;
mod pages;
mod reply;
mod rules;
mod sources;
mod spread;
mod stats;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, HeaderValue};
use http::request::Parts;
use http::{Request, StatusCode};
use http_body::Body;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use access::Denial;
use dashboard::Live;
use pages::Page;
use reply::{Answer, JSON, answer, denied, refused, told};

pub use access::{Token, TokenError, Tokens};
pub use clear::{NoPurge, Purge, Wanted};
pub use health::{Health, Phase};
pub use sources::{
    Bodies, Examine, Explain, Finding, Refresh, Reload, Reloaded, Resolve, ShowLimits, ShowRules, Sources,
};

const PROMETHEUS_TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Answers operators.
#[derive(Debug)]
pub struct Admin {
    tokens: Tokens,
    sources: Sources,
    examining: Semaphore,
    live: Arc<Live>,
}

impl Admin {
    /// Off loopback the token must be given: the settings see to that.
    pub fn new(tokens: Tokens, sources: Sources) -> Admin {
        let live = Arc::new(Live::new(sources.clock.now()));
        Admin { tokens, sources, examining: Semaphore::new(1), live }
    }

    /// Looks once a second how it goes, for the dashboard, until the process ends.
    pub async fn look(self: Arc<Self>, ending: CancellationToken) {
        self.live.look(&self.sources, &ending).await;
    }

    /// Answers one request. Nothing of it but its path is looked at before it is allowed.
    pub async fn handle<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let page = Page::at(head.uri.path());
        match self.check(&head, page) {
            Ok(()) => {}
            // it holds nothing, and asks for the token itself
            Err(Denial::Token) if page == Some(Page::Dashboard) => {}
            Err(denial) => return denied(denial),
        }
        let Some(page) = page else {
            return refused(StatusCode::NOT_FOUND, &format!("no such page: try {}", pages::ALL.join(", ")));
        };
        let allowed = page.methods();
        if !page.answers(&head.method) {
            let mut response =
                refused(StatusCode::METHOD_NOT_ALLOWED, &format!("this page answers {allowed}"));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            return response;
        }
        match page {
            Page::Dashboard => dashboard::page(),
            Page::Live => self.live.listen(&self.sources),
            Page::Alive => answer(StatusCode::OK, JSON, json!({"status": "alive"}).to_string()),
            Page::Ready => self.ready(),
            Page::Redis => self.redis(),
            Page::Fleet => self.fleet(),
            Page::Metrics => {
                let Sources { metrics, refresh, .. } = &self.sources;
                refresh(metrics);
                answer(StatusCode::OK, PROMETHEUS_TEXT, metrics.render())
            }
            Page::Stats => self.stats(),
            Page::Changes => changes::changes(&self.sources, &head, body).await,
            Page::Clear => clear::clear(&self.sources, &head, body).await,
            Page::Entries(rest) => entries::entries(&self.sources, rest, &head).await,
            Page::Explain => self.explain(&head, body).await,
            Page::Locks(rest) => locks::locks(&self.sources.guards, rest, &head, body).await,
            Page::Operations(rest) => locks::operations(&self.sources.guards, rest, &head).await,
            Page::Rules => self.rules(),
            Page::Reload => rules::reload(&self.sources).await,
            Page::OpenApi => answer(StatusCode::OK, JSON, openapi::text().to_owned()),
            Page::Doctor => self.doctor().await,
            Page::Limits => answer(StatusCode::OK, JSON, format!("{:#}\n", (self.sources.limits)())),
        }
    }

    /// The database has a token of its own, which opens one page and no other.
    fn check(&self, head: &Parts, page: Option<Page<'_>>) -> Result<(), Denial> {
        match page {
            Some(Page::Changes) => access::check_teller(head, self.tokens.changes.as_ref()),
            _ => access::check(head, self.tokens.operator.as_ref()),
        }
    }

    /// Examines, one operator at a time: each look asks the upstream and the store.
    async fn doctor(&self) -> Answer {
        let Ok(_only) = self.examining.try_acquire() else {
            return refused(StatusCode::TOO_MANY_REQUESTS, "an examination is under way: ask again");
        };
        let report = (self.sources.examine)().await;
        told(StatusCode::OK, &serde_json::to_value(&report).unwrap_or_default())
    }

    fn ready(&self) -> Answer {
        let Sources { health, cache, .. } = &self.sources;
        let (status, body) = fleet::ready(health, &cache.usage());
        answer(status, JSON, body.to_string())
    }

    fn redis(&self) -> Answer {
        let Sources { cache, clock, .. } = &self.sources;
        let (status, body) = fleet::redis(&cache.usage(), &clock.timestamp());
        told(status, &body)
    }

    fn fleet(&self) -> Answer {
        let Sources { cache, clock, .. } = &self.sources;
        told(StatusCode::OK, &fleet::fleet(&cache.usage(), cache.fleet(), &clock.timestamp()))
    }

    fn rules(&self) -> Answer {
        let Sources { rules, metrics, clock, .. } = &self.sources;
        told(StatusCode::OK, &rules::in_use(&rules(), &metrics.counted(), &clock.timestamp()))
    }

    fn stats(&self) -> Answer {
        let Sources { cache, metrics, clock, rules, .. } = &self.sources;
        let stats = stats::stats(cache, &metrics.counted(), &rules(), &clock.timestamp());
        told(StatusCode::OK, &stats)
    }

    async fn explain<B>(&self, head: &Parts, body: B) -> Answer
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let asked = match explain::asked(head, body).await {
            Ok(asked) => asked,
            Err(error) => return refused(error.status(), &error.to_string()),
        };
        match serde_json::to_string_pretty(&(self.sources.explain)(&asked)) {
            Ok(json) => answer(StatusCode::OK, JSON, json + "\n"),
            Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
}
