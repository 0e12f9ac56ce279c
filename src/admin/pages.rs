//! Which pages are there, and with which methods are they asked?

use http::Method;

/// Every page, for people who look for one. Below `/api/cache/entries`, `/api/locks` and `/api/operations`, a name
/// may follow.
pub(super) const ALL: [&str; 19] = [
    "/",
    "/api/live",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/health/redis",
    "/api/fleet",
    "/api/cache/stats",
    "/api/cache/clear",
    "/api/cache/entries",
    "/api/changes",
    "/api/explain",
    "/api/locks",
    "/api/operations",
    "/api/limits",
    "/api/rules",
    "/api/rules/reload",
    "/api/doctor",
    "/api/openapi.json",
];

/// Pages that are asked about one thing, by its name.
pub(super) const BELOW: [&str; 3] = ["/api/cache/entries/{key}", "/api/locks/{key}", "/api/operations/{key}"];

/// A page of the admin address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page<'p> {
    /// What a person sees at a glance.
    Dashboard,
    /// How it is going, second by second.
    Live,
    /// Is the process alive?
    Alive,
    /// Can clients be answered?
    Ready,
    /// Can the shared store be asked?
    Redis,
    /// Who shares the store?
    Fleet,
    /// Everything that is counted.
    Metrics,
    /// How much is answered from the cache?
    Stats,
    /// What should disappear.
    Clear,
    /// What has changed behind the proxy's back.
    Changes,
    /// What is remembered; what follows names one.
    Entries(&'p str),
    /// What would happen to a request?
    Explain,
    /// Locks; what follows names one.
    Locks(&'p str),
    /// Operations; what follows names one.
    Operations(&'p str),
    /// The rules in use.
    Rules,
    /// The rules on disk are to take their place.
    Reload,
    /// The limits of the rules in use.
    Limits,
    /// What works, and what does not?
    Doctor,
    /// What can be asked here, for programs.
    OpenApi,
}

impl<'p> Page<'p> {
    /// The page at a path.
    pub(super) fn at(path: &'p str) -> Option<Self> {
        let below =
            |folder: &str| path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match path {
            "/" => Some(Self::Dashboard),
            "/api/live" => Some(Self::Live),
            "/healthz" => Some(Self::Alive),
            "/readyz" => Some(Self::Ready),
            "/api/health/redis" => Some(Self::Redis),
            "/api/fleet" => Some(Self::Fleet),
            "/metrics" => Some(Self::Metrics),
            "/api/cache/stats" => Some(Self::Stats),
            "/api/cache/clear" => Some(Self::Clear),
            "/api/changes" => Some(Self::Changes),
            "/api/explain" => Some(Self::Explain),
            "/api/limits" => Some(Self::Limits),
            "/api/rules" => Some(Self::Rules),
            "/api/rules/reload" => Some(Self::Reload),
            "/api/doctor" => Some(Self::Doctor),
            "/api/openapi.json" => Some(Self::OpenApi),
            _ => below("/api/locks")
                .map(Self::Locks)
                .or_else(|| below("/api/cache/entries").map(Self::Entries))
                .or_else(|| below("/api/operations").map(Self::Operations)),
        }
    }

    /// The methods that it answers.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Live => "GET",
            Self::Dashboard
            | Self::Alive
            | Self::Ready
            | Self::Redis
            | Self::Fleet
            | Self::Stats
            | Self::Metrics
            | Self::Rules
            | Self::Limits
            | Self::Doctor
            | Self::OpenApi => "GET, HEAD",
            Self::Clear | Self::Changes | Self::Reload => "POST",
            Self::Explain => "GET, HEAD, POST",
            Self::Entries("" | "/") => "GET, HEAD",
            Self::Entries(_) => "GET, HEAD, DELETE",
            Self::Locks("" | "/") | Self::Operations("" | "/") => "GET, HEAD",
            Self::Locks(_) => "GET, HEAD, POST, PUT, DELETE",
            Self::Operations(_) => "DELETE",
        }
    }

    /// Whether it answers this one.
    pub(super) fn answers(self, method: &Method) -> bool {
        self.methods().split(", ").any(|known| method == known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pages that the curl lines of a text ask, with the method of each.
    fn asked(text: &str) -> Vec<(Method, &str)> {
        let lines = text.lines().filter(|line| line.trim_start().starts_with("curl "));
        let asked = lines.map(|line| {
            let path = line.split_once("$ADMIN").expect("a curl line asks $ADMIN").1;
            let end = path.find(['\'', '"', ' ', '?']).unwrap_or(path.len());
            let method = line.split_once("-X ").and_then(|(_, rest)| rest.split(' ').next());
            let method = method.unwrap_or(if line.contains(" -d ") { "POST" } else { "GET" });
            (method.parse().unwrap(), &path[..end])
        });
        asked.collect()
    }

    #[test]
    fn every_page_is_documented_and_every_documented_page_answers() {
        let text = include_str!("../../docs/admin.md");
        let asked = asked(text);
        for (method, path) in &asked {
            let page = Page::at(path).unwrap_or_else(|| panic!("docs/admin.md: {path} is no page"));
            assert!(page.answers(method), "docs/admin.md: {path} does not answer {method}");
        }
        for page in ALL {
            assert!(Page::at(page).is_some(), "{page} is no page");
            assert!(asked.iter().any(|(_, path)| *path == page), "docs/admin.md has no curl line for {page}");
        }
    }
}
