//! Which answers does a write take away because it was sent to their address, or because its answer names
//! their address? RFC 9111 4.4, for rules with `ttl: origin`.

use http::header::{CONTENT_LOCATION, HOST, LOCATION};
use http::response::Parts as Head;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Uri};

use crate::key::Tag;
use crate::plan::asked_as;

use super::Proxy;

/// Under which name the client knows this server, as the upstream is told it.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Where a write goes, and the names of the server that it goes to.
#[derive(Debug)]
pub(super) struct Addressed {
    target: Uri,
    names: Vec<Authority>,
    /// What is kept about this very address, where a rule keeps something.
    itself: Option<Tag>,
}

impl Proxy {
    /// `None` where no rule leaves it to its answers how long they are kept.
    pub(super) fn addressed(&self, target: &Uri, headers: &HeaderMap) -> Option<Addressed> {
        let rules = self.rules.load();
        if !rules.planner.keeps_by_answers() {
            return None;
        }
        let sent = [HOST, FORWARDED_HOST].into_iter().filter_map(|name| headers.get(name));
        let sent = sent.filter_map(|name| Authority::try_from(name.as_bytes()).ok());
        let names = sent.chain([self.upstream.origin().authority().clone()]).collect();
        let is_kept = rules.planner.keeps_by_answer(target);
        let itself = is_kept.then(|| Tag::target(&asked_as(target)));
        Some(Addressed { target: target.clone(), names, itself })
    }
}

impl Addressed {
    /// What is known before the write is answered.
    pub(super) fn itself(&self) -> Option<Tag> {
        self.itself.clone()
    }

    /// What an answer adds to that: addresses of the same server alone, or anybody could take anything away.
    pub(super) fn named(&self, head: &Head) -> Vec<Tag> {
        let is_error = head.status.is_client_error() || head.status.is_server_error();
        let lines = [LOCATION, CONTENT_LOCATION].into_iter().filter_map(|name| head.headers.get(name));
        let named = lines.filter(|_| !is_error).filter_map(|line| self.resolved(line.to_str().ok()?));
        named.map(|uri| Tag::target(&asked_as(&uri))).collect()
    }

    fn resolved(&self, reference: &str) -> Option<Uri> {
        let uri = match reference.split_once("://") {
            None if !reference.starts_with('/') => {
                let (folder, _) = self.target.path().rsplit_once('/')?;
                format!("{folder}/{reference}").parse().ok()?
            }
            _ => reference.parse::<Uri>().ok()?,
        };
        let is_here = |there: &Authority| self.names.iter().any(|name| name == there);
        uri.authority().is_none_or(is_here).then_some(uri)
    }
}
