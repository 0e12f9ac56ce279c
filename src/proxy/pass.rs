//! Everything else: streamed untouched in both directions, upgrades included.

use std::sync::Arc;

use http::header::UPGRADE;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tracing::debug;

use crate::plan::Pass;
use crate::upstream::{self, Outgoing, clean_response, put_back_upgrade};

use super::body::{Body, of_client};
use super::outcome::Outcome;
use super::reject::Rejection;
use super::{Done, Proxy, respond};

impl Proxy {
    /// Forwards a request and streams its answer.
    ///
    /// Cancel safe: a client that leaves takes the upstream's connection along.
    pub(super) async fn pass(self: &Arc<Self>, pass: Pass, head: Parts, body: Incoming) -> Done {
        let Parts { method, uri, headers, mut extensions, .. } = head;
        let tunnel = extensions.remove::<OnUpgrade>().filter(|_| pass == Pass::Upgrade);
        let body = Some(of_client(body, uri.path()));
        let outgoing = Outgoing::new(method.clone(), uri, headers, body);
        let outgoing = if tunnel.is_some() { outgoing.upgrading() } else { outgoing };
        let began = self.clock.now();
        let sent = self.upstream.send(outgoing).await;
        self.report_upstream(began, sent.as_ref().map(Response::status));
        let answer = sent.map_err(Rejection::Upstream)?;
        let response = match tunnel {
            Some(client) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => self.switch(client, answer),
            Some(_) | None => respond::from_upstream(answer, &method),
        };
        Ok((response, Outcome::Passed(pass)))
    }

    /// Answers 101 and, once both sides have switched, copies bytes both ways.
    /// Bytes that the client sent early wait in its connection until then.
    fn switch(&self, client: OnUpgrade, mut answer: upstream::Answer) -> Response<Body> {
        let upstream = hyper::upgrade::on(&mut answer);
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            let (client, upstream) = match tokio::try_join!(client, upstream) {
                Ok(both) => both,
                Err(error) => return debug!(%error, "upgrade"),
            };
            let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
            tokio::select! {
                // how a tunnel ends is between its ends
                _ended = tokio::io::copy_bidirectional(&mut client, &mut upstream) => {}
                () = stopping.cancelled() => {}
            }
        });
        let (mut head, _) = answer.into_parts();
        let protocol = head.headers.get(UPGRADE).cloned();
        clean_response(&Method::GET, head.status, &mut head.headers);
        if let Some(protocol) = protocol {
            put_back_upgrade(&mut head.headers, protocol);
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}
