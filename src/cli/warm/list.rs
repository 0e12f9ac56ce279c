//! What is to be asked for: from a list, or from an access log?

use std::collections::{BTreeMap, HashMap};

use http::uri::PathAndQuery;
use serde::Deserialize;
use serde_json::Value;

/// Longest target, in bytes: what the proxy takes itself.
const TARGET_BYTES_MAX: usize = 64 * 1024;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) target: PathAndQuery,
    pub(super) headers: Vec<(String, String)>,
}

/// Why a list cannot be used. No header's value is repeated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mistake {
    #[error(
        "line {0} is no request target, as in /rest/v1/properties?select=id (hint: blanks and the like are escaped)"
    )]
    Target(usize),
    #[error(
        "line {line} is no such object, column {column} (hint: {{\"target\": \"/rest/v1/…\", \"headers\": {{…}}}})"
    )]
    Json { line: usize, column: usize },
    #[error("line {line} says {method}: only GET is asked, nothing is ever changed")]
    Method { line: usize, method: String },
    #[error("it names no request")]
    Empty,
    #[error(
        "it has no GET with a target (hint: an object a line, with `request_uri`, `uri`, `url` or `path`, or those below `request`)"
    )]
    NoTargets,
    #[error(
        "this is larder's own log, which holds no queries, so no request can be made from it (hint: the log of the server before larder)"
    )]
    OwnLog,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    method: Option<String>,
    target: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// Reads a list; what stands in it twice is asked once.
pub(super) fn from_list(text: &str) -> Result<Vec<Wanted>, Mistake> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let written = if line.starts_with('{') {
            serde_json::from_str(line)
                .map_err(|error| Mistake::Json { line: number, column: error.column() })?
        } else {
            Written { method: None, target: line.to_owned(), headers: BTreeMap::new() }
        };
        if let Some(method) = written.method.filter(|method| !method.eq_ignore_ascii_case("get")) {
            let method = method.chars().take(20).collect();
            return Err(Mistake::Method { line: number, method });
        }
        let target = target(&written.target).ok_or(Mistake::Target(number))?;
        let headers: Vec<_> = written.headers.into_iter().collect();
        if seen.insert((target.as_str().to_owned(), headers.clone())) {
            wanted.push(Wanted { target, headers });
        }
    }
    if wanted.is_empty() { Err(Mistake::Empty) } else { Ok(wanted) }
}

/// Reads an access log: the targets of its GETs, the most frequent first. Lines that say nothing of
/// the kind are passed over: a log has others.
pub(super) fn from_log(text: &str) -> Result<Vec<Wanted>, Mistake> {
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    let mut own_lines = 0_usize;
    for (index, line) in text.lines().enumerate() {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        if entry["target"] == "larder::request" {
            own_lines += 1;
            continue;
        }
        if let Some(target) = logged(&entry).or_else(|| logged(&entry["request"])) {
            // at the same number, the one that came first
            let count = counts.entry(target).or_insert((0, usize::MAX - index));
            count.0 += 1;
        }
    }
    if counts.is_empty() {
        return Err(if own_lines > 0 { Mistake::OwnLog } else { Mistake::NoTargets });
    }
    let mut counted: Vec<_> = counts.into_iter().collect();
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let wanted = counted.into_iter().filter_map(|(text, _)| target(&text));
    Ok(wanted.map(|target| Wanted { target, headers: Vec::new() }).collect())
}

/// The target of a GET, in the words of nginx, Caddy, Traefik, Envoy and others.
fn logged(entry: &Value) -> Option<String> {
    let said = |names: &[&str]| names.iter().find_map(|name| entry[*name].as_str());
    let method = said(&["method", "request_method", "RequestMethod"]).unwrap_or("GET");
    if !method.eq_ignore_ascii_case("get") {
        return None;
    }
    let text = said(&["request_uri", "target", "uri", "url", "RequestPath", "path"])?;
    // a whole URL, too
    let text = match text.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => text,
    };
    let query = said(&["query", "query_string", "search"]).unwrap_or_default();
    let query = query.trim_start_matches('?');
    let whole =
        if query.is_empty() || text.contains('?') { text.to_owned() } else { format!("{text}?{query}") };
    target(&whole).map(|target| target.as_str().to_owned())
}

fn target(text: &str) -> Option<PathAndQuery> {
    let is_one = text.starts_with('/') && !text.starts_with("//") && text.len() <= TARGET_BYTES_MAX;
    if is_one { PathAndQuery::try_from(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(wanted: &[Wanted]) -> Vec<&str> {
        wanted.iter().map(|wanted| wanted.target.as_str()).collect()
    }

    #[test]
    fn a_list_is_targets_and_objects() {
        let text = "# the front page\n/rest/v1/a?select=id\n\n  /rest/v1/b \n/rest/v1/a?select=id\n\
                    {\"target\":\"/rest/v1/a?select=id\",\"headers\":{\"accept\":\"text/csv\"}}\n\
                    {\"method\":\"get\",\"target\":\"/rest/v1/c\"}\n";
        let wanted = from_list(text).unwrap();
        assert_eq!(
            targets(&wanted),
            ["/rest/v1/a?select=id", "/rest/v1/b", "/rest/v1/a?select=id", "/rest/v1/c"]
        );
        assert_eq!(wanted[2].headers, [("accept".to_owned(), "text/csv".to_owned())]);
    }

    #[test]
    fn what_cannot_be_asked_for_is_told_with_its_line() {
        for (text, mistake) in [
            ("", Mistake::Empty),
            ("# nothing\n", Mistake::Empty),
            ("/a\nrest/v1/b", Mistake::Target(2)),
            ("//evil.example/a", Mistake::Target(1)),
            ("/a b", Mistake::Target(1)),
            ("{\"target\":5}", Mistake::Json { line: 1, column: 11 }),
            (
                "{\"method\":\"DELETE\",\"target\":\"/a\"}",
                Mistake::Method { line: 1, method: "DELETE".to_owned() },
            ),
        ] {
            assert_eq!(from_list(text), Err(mistake), "{text}");
        }
    }

    #[test]
    fn a_log_gives_its_gets_by_how_often_they_came() {
        let text = r#"{"request_uri":"/rest/v1/a?x=1","request_method":"GET"}
not json
{"request":{"uri":"/rest/v1/b","method":"GET"}}
{"request":{"uri":"/rest/v1/b","method":"GET"}}
{"method":"POST","path":"/rest/v1/c"}
{"method":"GET","path":"/rest/v1/d","query":"y=2"}
{"url":"https://project.supabase.co/rest/v1/e?z=3"}
{"target":"larder::request","path":"/rest/v1/f","method":"GET"}
"#;
        let wanted = from_log(text).unwrap();
        assert_eq!(targets(&wanted), ["/rest/v1/b", "/rest/v1/a?x=1", "/rest/v1/d?y=2", "/rest/v1/e?z=3"]);
        let own = r#"{"target":"larder::request","fields":{"path":"/rest/v1/f","method":"GET"}}"#;
        assert_eq!(from_log(own), Err(Mistake::OwnLog));
        assert_eq!(from_log("{}"), Err(Mistake::NoTargets));
    }
}
