//! Which server is the upstream, and what is the URL of a target there?

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    authority: Authority,
}

/// Why a text names no upstream.
#[derive(Debug, thiserror::Error)]
pub enum OriginMistake {
    /// Not a URL at all.
    #[error("not a URL")]
    Url(#[from] http::uri::InvalidUri),
    /// Neither http nor https.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// A user, a path or a query, which could not be honoured.
    #[error("must name a host and nothing else, as in https://<project>.supabase.co")]
    More,
}

impl Origin {
    /// Parses `https://<project>.supabase.co`.
    pub fn parse(text: &str) -> Result<Self, OriginMistake> {
        let parts = text.parse::<Uri>()?.into_parts();
        let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let (Some(scheme), Some(authority)) = (scheme, parts.authority) else {
            return Err(OriginMistake::Scheme);
        };
        let is_bare = parts.path_and_query.is_none_or(|path| path == "/");
        if !is_bare || authority.as_str().contains('@') {
            return Err(OriginMistake::More);
        }
        Ok(Self { scheme, authority })
    }

    /// Host and port, as sent in `Host`.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Does it speak TLS?
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Its name, or its address without the brackets of IPv6.
    pub fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// Its port, that of the scheme where none is written.
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.is_secure() { 443 } else { 80 })
    }

    /// The URL of a target here. The target's bytes are kept as they are: nothing is joined or resolved.
    pub(super) fn url(&self, target: PathAndQuery) -> Result<Uri, http::uri::InvalidUriParts> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        Uri::from_parts(parts)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_host_and_nothing_else() {
        for (text, good) in [
            ("https://abc.supabase.co", true),
            ("http://127.0.0.1:54321/", true),
            ("http://[::1]:3000", true),
            ("ftp://abc", false),
            ("abc.supabase.co", false),
            ("https://user:secret@abc.supabase.co", false),
            ("https://abc.supabase.co/rest/v1", false),
            ("https://abc.supabase.co/?apikey=x", false),
            ("", false),
        ] {
            assert_eq!(Origin::parse(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn an_upstream_is_found_by_its_host_and_port() {
        for (text, host, port, is_secure) in [
            ("https://abc.supabase.co", "abc.supabase.co", 443, true),
            ("http://up", "up", 80, false),
            ("http://[::1]:3000", "::1", 3000, false),
        ] {
            let origin = Origin::parse(text).unwrap();
            assert_eq!((origin.host(), origin.port(), origin.is_secure()), (host, port, is_secure));
        }
    }

    #[test]
    fn targets_are_never_joined_or_resolved() {
        let origin = Origin::parse("http://up:3000").unwrap();
        for target in ["//evil/a", "/http://evil/", "/a/../b", "/%zz?x=%0d", "/a?b=c;d"] {
            let url = origin.url(PathAndQuery::try_from(target).unwrap()).unwrap();
            assert_eq!(url.authority().unwrap(), "up:3000");
            assert_eq!(url.path_and_query().unwrap().as_str(), target);
        }
    }
}
