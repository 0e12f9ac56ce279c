//! Is this request well-formed enough to be served?
//!
//! hyper has already refused what is not HTTP. What it lets through and two
//! servers could read in two ways is refused here: framing, hosts, targets,
//! `Connection` lists, and headers that must not come twice. Whoever passes may
//! be planned, keyed and forwarded without asking any of this again.
//!
//! Pure, one pass over the headers, and no allocation.

mod authority;
mod fault;
mod lines;
#[cfg(test)]
mod tests;

use http::header::UPGRADE;
use http::request::Parts;
use http::{HeaderMap, Method, Uri, Version};

pub(super) use fault::Fault;

/// The value of `Allow` on a 405, before `--extra-methods`.
pub(super) const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What later steps need to know about a request that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vetted<'a> {
    /// The host that the client meant, without userinfo; empty only on HTTP/1.0.
    pub(super) authority: &'a str,
    /// The head announces a body. An HTTP/2 body may also come unannounced: ask the body itself as well.
    pub(super) has_body: bool,
    /// It asks to switch protocols, as websockets do.
    pub(super) wants_upgrade: bool,
    /// Cleaning it takes away more than what belongs to every connection.
    pub(super) takes_away: bool,
}

/// Looks at the head of a request and says whether it may be served.
///
/// `is_tls` is what the connection speaks: an absolute target must agree with it. On HTTP/2 the scheme may
/// be either, because whoever ends TLS in front of us often passes the original one on.
pub(super) fn vet<'a>(head: &'a Parts, extra_methods: &[Method], is_tls: bool) -> Result<Vetted<'a>, Fault> {
    vet_method(&head.method, extra_methods)?;
    let seen = lines::read_lines(&head.headers)?;
    let authority = match head.version {
        Version::HTTP_2 | Version::HTTP_3 => authority::multiplexed(&head.uri, seen.host)?,
        Version::HTTP_09 | Version::HTTP_10 => authority::plain(&head.uri, seen.host.or(Some("")), is_tls)?,
        _ => authority::plain(&head.uri, seen.host, is_tls)?,
    };
    vet_target(&head.uri)?;

    let upgradable = head.version == Version::HTTP_11 && head.method == Method::GET && !seen.has_body;
    let wants_upgrade = upgradable && seen.offers_upgrade && asks_for_upgrade(&head.headers);
    Ok(Vetted { authority, has_body: seen.has_body, wants_upgrade, takes_away: seen.takes_away })
}

fn vet_method(method: &Method, extra_methods: &[Method]) -> Result<(), Fault> {
    const SERVED: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(Fault::MethodForbidden);
    }
    if SERVED.contains(method) || extra_methods.contains(method) {
        return Ok(());
    }
    Err(Fault::MethodUnknown)
}

fn vet_target(uri: &Uri) -> Result<(), Fault> {
    let target = uri.path_and_query().ok_or(Fault::TargetNotPath)?;
    if !target.as_str().starts_with('/') {
        return Err(Fault::TargetNotPath);
    }
    Ok(())
}

/// One protocol, and not HTTP/2: who wants that says so with its first bytes.
fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    let mut offers = headers.get_all(UPGRADE).iter();
    let offer = offers.next().is_some_and(|value| {
        let value = value.as_bytes();
        !value.contains(&b',') && !value.eq_ignore_ascii_case(b"h2c")
    });
    offer && offers.next().is_none()
}
