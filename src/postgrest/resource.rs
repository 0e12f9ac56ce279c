//! What does a path address?
//!
//! Matching is on the decoded path and case-sensitive, as it is behind every
//! gateway. A path about which gateways may disagree is never taken for a table:
//! if any reading of it leads below `/rest/v1` or `/graphql/v1`, a write there
//! is of unknown reach.

use super::path::Path;
use super::percent::{Plus, decode};

/// How often an odd path is decoded in search of what a gateway might make of it. Nobody is known to
/// decode more than twice.
const DECODINGS_MAX: usize = 3;

/// What a path addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `/rest/v1/<name>`: a table or a view.
    Table(String),
    /// `/rest/v1/rpc/<name>`: a function.
    Function(String),
    /// `/rest/v1/`: the description of the schema.
    Root,
    /// `/graphql/v1`.
    GraphQl,
    /// `/auth/v1`.
    Auth,
    /// `/storage/v1`.
    Storage,
    /// `/functions/v1`.
    Functions,
    /// `/realtime/v1`.
    Realtime,
    /// Any other path.
    Elsewhere,
    /// Below `/rest/v1` in someone's reading, but not plainly a table or a function.
    OddRest,
}

impl Resource {
    /// Finds out what `path` addresses.
    pub fn of(path: &Path<'_>) -> Self {
        let decoded = path.decoded();
        if path.oddity().is_some() && decoded != "/rest/v1/" {
            return Self::of_odd(path);
        }
        match below(decoded, "/rest/v1") {
            Some(below_rest) => Self::of_rest(below_rest),
            None => Self::of_service(decoded),
        }
    }

    fn of_rest(below_rest: &str) -> Self {
        let mut segments = below_rest.split('/').skip(1);
        match (segments.next(), segments.next(), segments.next()) {
            (Some(""), None, None) => Self::Root,
            (Some(table), None, None) => Self::Table(table.to_owned()),
            (Some("rpc"), Some(function), None) => Self::Function(function.to_owned()),
            _ => Self::OddRest,
        }
    }

    fn of_service(decoded: &str) -> Self {
        let services = [
            ("/graphql/v1", Self::GraphQl),
            ("/auth/v1", Self::Auth),
            ("/storage/v1", Self::Storage),
            ("/functions/v1", Self::Functions),
            ("/realtime/v1", Self::Realtime),
        ];
        let found = services.into_iter().find(|(prefix, _)| below(decoded, prefix).is_some());
        found.map_or(Self::Elsewhere, |(_, service)| service)
    }

    fn of_odd(path: &Path<'_>) -> Self {
        let leads_to =
            |prefix: &str| below(path.decoded(), prefix).is_some() || wildest_readings(path, prefix);
        if leads_to("/rest/v1") || leads_to("/graphql/v1") {
            return Self::OddRest;
        }
        Self::of_service(path.decoded())
    }
}

/// What stands below `prefix` in `path`, if anything: the rest begins with a slash or is empty.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a gateway that decodes again, merges slashes, turns backslashes round,
/// cuts at semicolons and walks along dots might arrive below `prefix`.
fn wildest_readings(path: &Path<'_>, prefix: &str) -> bool {
    let mut reading = path.decoded().to_owned();
    for _ in 0..DECODINGS_MAX {
        if below(&walked(&reading, true), prefix).is_some()
            || below(&walked(&reading, false), prefix).is_some()
        {
            return true;
        }
        // replacement characters stand for what is not UTF-8: they are part of no prefix
        reading = String::from_utf8_lossy(&decode(&reading, Plus::Itself)).into_owned();
    }
    false
}

fn walked(reading: &str, cuts_at_semicolons: bool) -> String {
    let mut segments = Vec::new();
    for segment in reading.split(['/', '\\']) {
        let name = if cuts_at_semicolons { segment.split(';').next().unwrap_or(segment) } else { segment };
        match name {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(raw: &str) -> Resource {
        Resource::of(&Path::parse(raw))
    }

    fn table(name: &str) -> Resource {
        Resource::Table(name.to_owned())
    }

    #[test]
    fn what_paths_address() {
        for (raw, expected) in [
            ("/rest/v1/todos", table("todos")),
            ("/rest/v1/%74odos", table("todos")),
            ("/%72est/v1/todos", table("todos")),
            ("/rest/v1/a%20b", table("a b")),
            ("/rest/v1/rpc", table("rpc")),
            ("/rest/v1/rpc/search", Resource::Function("search".to_owned())),
            ("/rest/v1/rpc/search/x", Resource::OddRest),
            ("/rest/v1/a/b", Resource::OddRest),
            ("/rest/v1/", Resource::Root),
            ("/rest/v1", Resource::OddRest),
            ("/rest/v10/todos", Resource::Elsewhere),
            ("/rest/v1x", Resource::Elsewhere),
            ("/REST/v1/todos", Resource::Elsewhere),
            ("/graphql/v1", Resource::GraphQl),
            ("/graphql/v1/x", Resource::GraphQl),
            ("/auth/v1/token", Resource::Auth),
            ("/storage/v1/object/public/b/a.png", Resource::Storage),
            ("/storage/v1/object/b/a%2Fb;c%25.png", Resource::Storage),
            ("/functions/v1/hello", Resource::Functions),
            ("/realtime/v1/websocket", Resource::Realtime),
            ("/", Resource::Elsewhere),
            ("*", Resource::Elsewhere),
            ("", Resource::Elsewhere),
        ] {
            assert_eq!(resource(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn trap_20_no_odd_path_is_a_table() {
        for raw in [
            "/rest/v1/todos/",
            "/rest/v1/todos//",
            "//rest/v1/todos",
            "/rest//v1/todos",
            "/x/../rest/v1/todos",
            "/auth/v1/../../rest/v1/todos",
            "/auth/v1/%2e%2e/%2e%2e/rest/v1/todos",
            "/auth/v1/..%2f..%2frest/v1/todos",
            "/auth/v1/..\\..\\rest\\v1\\todos",
            "/auth/v1/..;a/..;b/rest/v1/todos",
            "/%252e/rest/v1/todos",
            "/auth/v1/%252e%252e/%252e%252e/rest/v1/todos",
            "/rest;x/v1/todos",
            "/rest/v1/t;x=1",
            "/rest/v1/t%00",
            "/rest/v1/t\\",
            "/rest/v1/../../auth/v1/token",
            "/rest/v1/café",
            "/%72est/v1/%ff",
            "/x/../graphql/v1",
        ] {
            assert_eq!(resource(raw), Resource::OddRest, "{raw:?}");
        }
    }
}
