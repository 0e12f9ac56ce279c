//! `larder lock`: who holds what, and freeing what nobody will free.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::exit::{Exit, print, say};
use super::running::{NoAnswer, RunningProxy};
use super::serve::chain;

/// What to do with locks.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the locks that are held, and the operations that are kept
    Ls(ListFlags),
    /// Free a lock whoever holds it, or forget an operation whose outcome is known to you
    Rm(RemoveFlags),
}

#[derive(Args, Debug)]
pub(super) struct ListFlags {
    #[command(flatten)]
    running: RunningProxy,
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct RemoveFlags {
    /// The lock, as in payment:5
    #[arg(required_unless_present = "idempotency", conflicts_with = "idempotency")]
    key: Option<String>,
    /// The idempotency key of an operation: a repeat is carried out again
    #[arg(long, value_name = "KEY")]
    idempotency: Option<String>,
    #[command(flatten)]
    running: RunningProxy,
}

/// Does it.
pub(super) fn run(command: &Command) -> Exit {
    let done = match command {
        Command::Ls(flags) => list(flags),
        Command::Rm(flags) => remove(flags),
    };
    match done {
        Ok(text) => {
            print(&text);
            Exit::Success
        }
        Err(error) => {
            say(&chain(&error));
            error.exit()
        }
    }
}

fn list(flags: &ListFlags) -> Result<String, NoAnswer> {
    let locks = flags.running.ask(&Method::GET, "/api/locks")?;
    let operations = flags.running.ask(&Method::GET, "/api/operations")?;
    let read = |text: &str, list: &str| -> Value {
        let told: Value = serde_json::from_str(text).unwrap_or_default();
        told[list].clone()
    };
    let (locks, operations) = (read(&locks, "locks"), read(&operations, "operations"));
    if flags.json {
        return Ok(format!("{:#}\n", serde_json::json!({ "locks": locks, "operations": operations })));
    }
    Ok(table(&locks, &operations))
}

fn table(locks: &Value, operations: &Value) -> String {
    let mut text = String::new();
    let none = Vec::new();
    let rows = locks.as_array().unwrap_or(&none);
    if rows.is_empty() {
        text.push_str("no lock is held\n");
    } else {
        let _infallible = writeln!(text, "{:<44} {:>10}  FENCE", "LOCK", "ENDS IN");
    }
    for lock in rows {
        let key = lock["key"].as_str().unwrap_or_default();
        let left = format!("{:.1}s", lock["expires_in"].as_f64().unwrap_or_default());
        let _infallible = writeln!(text, "{key:<44} {left:>10}  {}", lock["fence"]);
    }
    let rows = operations.as_array().unwrap_or(&none);
    if !rows.is_empty() {
        let _infallible = writeln!(text, "\n{:<44} {:>10}  OUTCOME", "OPERATION", "KEPT FOR");
    }
    for operation in rows {
        let key = operation["key"].as_str().unwrap_or_default();
        let left = format!("{:.0}s", operation["expires_in"].as_f64().unwrap_or_default());
        let outcome = match operation["status"].as_u64() {
            Some(status) => format!("answered {status}"),
            None => "under way, or unknown".to_owned(),
        };
        let _infallible = writeln!(text, "{key:<44} {left:>10}  {outcome}");
    }
    text
}

fn remove(flags: &RemoveFlags) -> Result<String, NoAnswer> {
    let encoded = |key: &str| utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
    if let Some(key) = &flags.idempotency {
        flags.running.ask(&Method::DELETE, &format!("/api/operations/{}", encoded(key)))?;
        return Ok(format!("forgot the operation {key}: a repeat is carried out again\n"));
    }
    let key = flags.key.as_deref().unwrap_or_default();
    flags.running.ask(&Method::DELETE, &format!("/api/locks/{}?force=true", encoded(key)))?;
    Ok(format!("freed {key}\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_sees_who_holds_what() {
        let locks = json!([{ "key": "payment:5", "fence": 17, "expires_in": 29.96 }]);
        let operations = json!([{ "key": "k-1", "status": null, "expires_in": 3600.0 }, { "key": "k-2", "status": 201, "expires_in": 10 }]);
        let text = table(&locks, &operations);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["payment:5", "30.0s", "17"]);
        assert_eq!(lines[4], ["k-1", "3600s", "under", "way,", "or", "unknown"]);
        assert_eq!(lines[5], ["k-2", "10s", "answered", "201"]);
        assert_eq!(table(&json!([]), &json!([])), "no lock is held\n");
    }
}
