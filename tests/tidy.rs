//! Is the house in order? Imports, sizes, headers, banned words, documented metrics and settings.
//!
//! One ordinary test each; every finding names its file and line.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Which folder or file of `src` may import which, from the ground up. The order
/// is a topological order: a row names only rows above it.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // A: ground
    ("clock", &[]),
    ("stripe", &[]),
    ("log", &["stripe"]),
    ("hit_counts", &["stripe"]),
    ("agent", &[]),
    ("causes", &[]),
    ("chance", &[]),
    ("lately", &["chance"]),
    ("trace", &[]),
    ("gauges", &[]),
    ("metrics", &["hit_counts", "lately", "gauges"]),
    ("units", &[]),
    ("sabotage", &[]),
    ("workers", &[]),
    ("redis", &["workers"]),
    ("consistency", &[]),
    // B: words
    ("postgrest", &[]),
    ("identity", &[]),
    ("key", &["sabotage"]),
    ("httpcache", &[]),
    // C: decision
    ("rules", &["chance", "units", "consistency", "postgrest", "identity", "key"]),
    ("plan", &["agent", "sabotage", "consistency", "postgrest", "identity", "key", "httpcache", "rules"]),
    ("explain", &["units", "postgrest", "identity", "key", "rules", "plan"]),
    ("doctor", &["redis"]),
    // D: means
    ("cache", &["chance", "clock", "sabotage", "redis", "consistency", "key", "httpcache"]),
    ("guard", &["redis", "clock", "key", "rules", "plan"]),
    ("upstream", &["workers"]),
    ("schema", &["key", "rules", "upstream"]),
    ("cdn", &["agent", "causes", "metrics", "key"]),
    ("canary", &["clock", "metrics", "postgrest", "identity", "key", "rules", "plan", "upstream"]),
    // E: consequence
    ("invalidation", &["lately", "metrics", "consistency", "key", "cache", "cdn"]),
    // F: entrances
    (
        "proxy",
        &[
            "causes",
            "clock",
            "log",
            "hit_counts",
            "chance",
            "lately",
            "trace",
            "metrics",
            "sabotage",
            "consistency",
            "postgrest",
            "identity",
            "key",
            "httpcache",
            "rules",
            "plan",
            "cache",
            "guard",
            "upstream",
            "invalidation",
        ],
    ),
    ("feed", &["metrics", "consistency", "postgrest", "key", "plan", "invalidation"]),
    (
        "admin",
        &[
            "feed",
            "clock",
            "units",
            "consistency",
            "explain",
            "doctor",
            "key",
            "rules",
            "lately",
            "metrics",
            "cache",
            "guard",
            "invalidation",
        ],
    ),
    // G: process
    (
        "server",
        &[
            "workers",
            "agent",
            "causes",
            "chance",
            "clock",
            "log",
            "lately",
            "trace",
            "metrics",
            "units",
            "redis",
            "consistency",
            "identity",
            "key",
            "rules",
            "plan",
            "explain",
            "doctor",
            "cache",
            "guard",
            "upstream",
            "schema",
            "cdn",
            "canary",
            "invalidation",
            "proxy",
            "feed",
            "admin",
        ],
    ),
    (
        "cli",
        &[
            "causes",
            "log",
            "units",
            "sabotage",
            "postgrest",
            "identity",
            "key",
            "rules",
            "plan",
            "explain",
            "doctor",
            "upstream",
            "schema",
            "clock",
            "workers",
            "metrics",
            "server",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Lines of code in a file, its inline tests not counted.
const CODE_LINES_MAX: usize = 400;
/// Lines of code in a file with its inline tests.
const ALL_LINES_MAX: usize = 600;
/// Lines of code in a `mod.rs`, which is a map and the folder's principal type.
const MOD_LINES_MAX: usize = 150;
/// Lines of one function, from signature to closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Words that do not belong on the main branch, with the reason.
const BANNED: &[(&str, &str)] = &[
    ("TODO", "finish it or leave it out"),
    ("FIXME", "mend it"),
    ("XXX", "say what is meant"),
    ("#[ignore", "a test that does not run proves nothing"),
    ("println!(\"{:?}", "use tracing"),
];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The folder or file of `src` that this belongs to: `cache`, `clock`.
    fn room(&self) -> String {
        let inside = self.path.strip_prefix("src").expect("a file of src");
        let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    }

    /// Lines with their numbers, inline tests cut off.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
    }

    fn is_test(&self) -> bool {
        self.path.components().any(|part| part.as_os_str() == "tests")
            || self.path.file_name().is_some_and(|name| name.to_string_lossy().contains("tests"))
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("readable source");
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "run from the package's root");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn report(findings: &[String]) {
    let mut all = String::new();
    for finding in findings {
        let _infallible = writeln!(all, "  {finding}");
    }
    assert!(findings.is_empty(), "\n{all}");
}

fn is_code(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with("//")
}

/// Every `crate::name` in a line.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").filter_map(|(at, found)| {
        let is_whole_word = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        let rest = &line[at + found.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        (is_whole_word && end > 0).then(|| &rest[..end])
    })
}

#[test]
fn imports_go_down_only() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    for (index, (room, may)) in MAY_IMPORT.iter().enumerate() {
        for below in *may {
            let is_above = MAY_IMPORT[..index].iter().any(|(name, _)| name == below);
            assert!(is_above || *room == "cli", "the table itself goes up: {room} -> {below}");
        }
    }
    let mut findings = Vec::new();
    for source in sources(&["src"]) {
        let room = source.room();
        let Some(may) = table.get(room.as_str()) else {
            findings.push(format!("{}: `{room}` is not in the table of rooms", source.path.display()));
            continue;
        };
        let lines: Vec<(usize, &str)> = if source.is_test() { Vec::new() } else { source.code().collect() };
        for (number, line) in lines.into_iter().filter(|(_, line)| is_code(line)) {
            for import in imports(line).filter(|import| *import != room && !may.contains(import)) {
                findings
                    .push(format!("{}:{number}: `{room}` may not import `{import}`", source.path.display()));
            }
        }
    }
    report(&findings);
}

#[test]
fn a_file_imports_each_room_in_one_line_and_never_its_own_map() {
    let mut findings = Vec::new();
    for source in sources(&["src"]) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let room = source.room();
        let is_map = source.path.ends_with("mod.rs") || source.path.ends_with("lib.rs");
        for (number, line) in source.code() {
            if line.starts_with("use crate::{") {
                findings
                    .push(format!("{}:{number}: name each room in a line of its own", source.path.display()));
            }
            if line.starts_with("use super::*") && !source.is_test() {
                findings.push(format!("{}:{number}: say what is used", source.path.display()));
            }
            let Some(import) = line.strip_prefix("use crate::") else { continue };
            let name = import.split(&[':', ';'][..]).next().unwrap_or_default().to_owned();
            if name == room && !is_map {
                findings
                    .push(format!("{}:{number}: reach a neighbour through `super`", source.path.display()));
            }
            if let Some(first) = seen.insert(name, number) {
                findings.push(format!("{}:{number}: joins line {first}", source.path.display()));
            }
        }
    }
    report(&findings);
}

#[test]
fn files_and_functions_are_small() {
    let mut findings = Vec::new();
    for source in sources(&["src", "tests", "bench"]) {
        let code = source.code().filter(|(_, line)| is_code(line)).count();
        let all = source.text.lines().filter(|line| is_code(line)).count();
        let is_map = source.path.ends_with("mod.rs") && !source.is_test();
        let limits = [
            (code, if source.is_test() { ALL_LINES_MAX } else { CODE_LINES_MAX }, "lines of code"),
            (all, ALL_LINES_MAX, "lines with tests"),
            (if is_map { code } else { 0 }, MOD_LINES_MAX, "lines in a map"),
        ];
        for (lines, limit, what) in limits {
            if lines > limit {
                findings.push(format!("{}: {lines} {what}, at most {limit}", source.path.display()));
            }
        }
        long_functions(&source, &mut findings);
    }
    report(&findings);
}

fn long_functions(source: &Source, findings: &mut Vec<String>) {
    let mut begun: Option<(usize, usize)> = None;
    for (index, line) in source.text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim_start();
        let is_function =
            ["fn ", "async fn ", "pub fn ", "pub async fn ", "pub(super) fn ", "pub(super) async fn "]
                .iter()
                .any(|start| words.starts_with(start));
        if begun.is_none() && is_function && !words.ends_with(';') {
            begun = Some((index, indent));
        }
        let Some((first, depth)) = begun else { continue };
        if indent == depth && (words == "}" || (index == first && words.ends_with('}'))) {
            let lines = index - first + 1;
            if lines > FUNCTION_LINES_MAX {
                findings.push(format!(
                    "{}:{}: a function of {lines} lines",
                    source.path.display(),
                    first + 1
                ));
            }
            begun = None;
        }
    }
}

#[test]
fn every_file_says_which_question_it_answers() {
    let sources = sources(&["src", "tests", "bench"]);
    let silent = sources.iter().filter(|source| !source.text.starts_with("//! "));
    report(&silent.map(|source| format!("{}: no `//!` header", source.path.display())).collect::<Vec<_>>());
}

#[test]
fn nothing_unfinished_stays() {
    let mut findings = Vec::new();
    for source in sources(&["src", "tests", "bench"]) {
        if source.path.ends_with("tests/tidy.rs") {
            continue; // it names what it bans
        }
        for (number, line) in source.text.lines().enumerate() {
            for (word, reason) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
                findings.push(format!("{}:{}: `{word}`: {reason}", source.path.display(), number + 1));
            }
        }
    }
    report(&findings);
}

#[test]
fn every_metric_is_documented() {
    let documented = fs::read_to_string("docs/metrics.md").expect("docs/metrics.md");
    let rendered = larder::metrics::Metrics::new().names();
    let missing = rendered.iter().filter(|name| !documented.contains(&format!("`{name}`")));
    report(&missing.map(|name| format!("docs/metrics.md: `{name}` is missing")).collect::<Vec<_>>());
    let told = documented.split('`').filter(|word| word.starts_with("larder_") && !word.contains('{'));
    let stale = told.filter(|word| !rendered.iter().any(|name| name == word));
    report(&stale.map(|name| format!("docs/metrics.md: `{name}` does not exist")).collect::<Vec<_>>());
}

#[test]
fn this_test_reads_what_it_claims_to_read() {
    assert!(Path::new("src/lib.rs").exists());
    assert_eq!(imports("use crate::key::{Key, Tag};").collect::<Vec<_>>(), ["key"]);
    assert_eq!(
        imports("let x = crate::clock::Clock::default(); $crate::no::x").collect::<Vec<_>>(),
        ["clock"]
    );
    assert_eq!(imports("pub(crate) fn x()").count(), 0);
}
