//! `larder keys`, `larder get`: what does a running proxy remember, and what does it say of one key?

use std::fmt::Write as _;

use clap::Args;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::exit::{Exit, print, say};
use super::running::RunningProxy;
use super::serve::chain;
use super::stats::bytes;

/// Entries that are asked for at a time.
const PAGE: usize = 1_000;

/// Which entries to list.
#[derive(Args, Debug)]
#[command(
    after_help = "With a shared store the list is of what that holds, in no order, and an entry may come twice; \
    with --memory, and with the embedded store, it is of what this proxy holds, by key."
)]
pub(super) struct KeysFlags {
    /// Keys as Cache-Status shows them, `*` for anything, as in 'properties:city:*'
    #[arg(default_value = "*")]
    pattern: String,
    /// What this proxy holds itself, beside a shared store
    #[arg(long)]
    memory: bool,
    /// Most entries to list
    #[arg(long, default_value_t = 1_000, value_name = "COUNT")]
    limit: usize,
    /// For machines, an object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    running: RunningProxy,
}

/// Which key to look into.
#[derive(Args, Debug)]
pub(super) struct GetFlags {
    /// The key as Cache-Status shows it, as in properties:detail:5
    key: String,
    /// The stored answers, too, where --admin-bodies show lets operators see them
    #[arg(long)]
    body: bool,
    /// For machines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    running: RunningProxy,
}

/// Lists, page by page.
pub(super) fn keys(flags: &KeysFlags) -> Exit {
    let mut cursor: Option<String> = None;
    let (mut listed, mut is_first) = (0, true);
    loop {
        let mut path = format!("/api/cache/entries?pattern={}", encoded(&flags.pattern));
        let _infallible = write!(path, "&limit={}", PAGE.min(flags.limit.saturating_sub(listed)).max(1));
        if flags.memory {
            path.push_str("&in=memory");
        }
        if let Some(cursor) = &cursor {
            let _infallible = write!(path, "&cursor={cursor}");
        }
        let told: Value = match flags.running.ask(&Method::GET, &path) {
            Ok(text) => serde_json::from_str(&text).unwrap_or_default(),
            Err(error) => {
                say(&chain(&error));
                return error.exit();
            }
        };
        let entries = told["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let shown = entries.len().min(flags.limit.saturating_sub(listed));
        let (entries, cut) = entries.split_at(shown);
        listed += entries.len();
        if flags.json {
            print(&entries.iter().map(|entry| format!("{entry}\n")).collect::<String>());
        } else {
            print(&table(entries, is_first));
        }
        is_first &= entries.is_empty();
        cursor = told["cursor"].as_str().map(str::to_owned);
        if listed >= flags.limit && (cursor.is_some() || !cut.is_empty()) {
            say(&format!("there are more: --limit is {}\n", flags.limit));
            break;
        }
        if cursor.is_none() {
            break;
        }
    }
    if listed == 0 {
        say("nothing like this is remembered\n");
    }
    Exit::Success
}

/// Shows what is known of a key.
pub(super) fn get(flags: &GetFlags) -> Exit {
    let query = if flags.body { "?body=true" } else { "" };
    let path = format!("/api/cache/entries/{}{query}", encoded(&flags.key));
    match flags.running.ask(&Method::GET, &path) {
        Ok(text) if flags.json => print(&text),
        Ok(text) => print(&page(&serde_json::from_str(&text).unwrap_or_default())),
        Err(error) => {
            say(&chain(&error));
            return error.exit();
        }
    }
    Exit::Success
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn table(entries: &[Value], with_head: bool) -> String {
    let mut text = String::new();
    if with_head && !entries.is_empty() {
        let _infallible =
            writeln!(text, "{:<52} {:>9} {:>9} {:>10} {:>9}  VALID", "KEY", "AGE", "LEFT", "SIZE", "HITS");
    }
    for entry in entries {
        let key = entry["key"].as_str().unwrap_or_default();
        let (age, left) = (time(&entry["age"]), time(&entry["ttl"]));
        let size = bytes(entry["bytes"].as_u64().unwrap_or_default());
        let (hits, valid) = (hits(&entry["hits"]), validity(&entry["valid"]));
        let _infallible = writeln!(text, "{key:<52} {age:>9} {left:>9} {size:>10} {hits:>9}  {valid}");
    }
    text
}

/// Only who holds an entry counts its hits.
fn hits(told: &Value) -> String {
    told.as_u64().map_or_else(|| "-".to_owned(), |hits| hits.to_string())
}

fn page(told: &Value) -> String {
    let mut text = String::new();
    for entry in told["entries"].as_array().into_iter().flatten() {
        let said = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let lines = [
            ("key", said("key")),
            ("variant", said("variant")),
            ("in", said("in")),
            ("status", entry["status"].to_string()),
            ("age", time(&entry["age"])),
            ("time left", time(&entry["ttl"])),
            ("size", bytes(entry["bytes"].as_u64().unwrap_or_default())),
            ("hits", hits(&entry["hits"])),
            ("valid", validity(&entry["valid"]).to_owned()),
        ];
        for (name, value) in lines {
            let _infallible = writeln!(text, "{name:<10} {value}");
        }
        for header in entry["headers"].as_array().into_iter().flatten() {
            let (name, value) = (header["name"].as_str(), header["value"].as_str());
            let _infallible =
                writeln!(text, "header     {}: {}", name.unwrap_or_default(), value.unwrap_or_default());
        }
        for tag in entry["tags"].as_array().into_iter().flatten() {
            let state = if tag["valid"] == true { "as it was" } else { "CHANGED" };
            let _infallible =
                writeln!(text, "tag        {} ({state})", tag["tag"].as_str().unwrap_or_default());
        }
        if let Some(body) = entry["body"].as_str().or(entry["body_base64"].as_str()) {
            let _infallible = writeln!(text, "\n{body}");
        }
        text.push('\n');
    }
    if told["complete"] == false {
        text.push_str("there may be more: the store could not be searched to its end in time\n");
    }
    text
}

fn time(seconds: &Value) -> String {
    match seconds.as_f64().unwrap_or_default() {
        seconds if seconds < 60.0 => format!("{seconds:.1}s"),
        seconds if seconds < 3_600.0 => format!("{:.1}m", seconds / 60.0),
        seconds => format!("{:.1}h", seconds / 3_600.0),
    }
}

fn validity(valid: &Value) -> &'static str {
    match valid.as_bool() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_sees_what_is_remembered() {
        let entry = json!({ "key": "todos:detail:5", "variant": "0f", "status": 200, "age": 90.0, "ttl": 7_200.0,
            "bytes": 1536, "hits": 7, "valid": null, "sealed": false, "in": "memory",
            "headers": [{ "name": "content-type", "value": "application/json" }],
            "tags": [{ "tag": "everything", "valid": true }, { "tag": "namespace:todos", "valid": false }] });
        let text = table(std::slice::from_ref(&entry), true);
        let words: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(words, ["todos:detail:5", "1.5m", "2.0h", "1.5", "KiB", "7", "unknown"]);
        let text = page(&json!({ "entries": [entry], "complete": false }));
        for part in [
            "tag        namespace:todos (CHANGED)",
            "everything (as it was)",
            "header     content-type: ",
            "may be more",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
