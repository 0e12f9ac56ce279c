//! `lock` and `idempotency` of a write.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::key::{Placeholder, Template};

use super::super::duration;
use super::super::fields::{At, did_you_mean};
use super::super::guard_entries::{BusyEntry, IdempotencyEntry, LockEntry};
use super::super::guarding::{Busy, IdempotencyRule, LockRule, LockWithoutStore};
use super::super::mistake::{Findings, quoted};
use super::super::path_glob::PathGlob;
use super::placeholders;

/// What a second click is told where a rule says nothing else.
const BUSY_MESSAGE: &str = "operation already in progress";

/// Longest message, in characters: it stands in a dialog.
const MESSAGE_CHARS_MAX: usize = 200;

/// Shorter would end between two renewals when a machine is busy.
const HOLD_MIN: Duration = Duration::from_secs(1);
/// Longer keeps a row locked for most of a working day after a crash.
const HOLD_MAX: Duration = Duration::from_secs(60 * 60);
/// A payment is answered in seconds; half a minute later somebody tries again.
const HOLD_DEFAULT: Duration = Duration::from_secs(30);

/// More tries are a queue, which a lock is not.
const RETRIES_MAX: u32 = 100;
/// Longest wait for a lock, all tries together: browsers and gateways give up soon after.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Shorter than anybody's patience with a button.
const KEEP_MIN: Duration = Duration::from_secs(60);
/// What payment services keep.
const KEEP_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);

/// Header of operations where a rule says nothing else.
const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Headers that name somebody or the message, never an operation.
const NO_KEYS: [&str; 6] = ["authorization", "apikey", "cookie", "host", "content-type", "content-length"];

/// Compiles a lock; `path` is the rule's.
pub(super) fn lock(
    entry: &LockEntry,
    path: Option<&PathGlob>,
    findings: &mut Findings<'_>,
) -> Option<LockRule> {
    let key = entry.key.as_ref().and_then(|key| key_template(key, path, findings));
    let hold = bounded(entry.hold.as_ref(), HOLD_DEFAULT, (HOLD_MIN, HOLD_MAX), findings);
    let busy = entry.busy.as_ref().map_or(Some(Busy::Reject), |busy| compile_busy(busy, findings));
    let words = [("refuse", LockWithoutStore::Refuse), ("allow", LockWithoutStore::Allow)];
    let store_down = word(entry.store_down.as_ref(), LockWithoutStore::Refuse, &words, findings);
    let message = match &entry.message {
        None => Some(Arc::from(BUSY_MESSAGE)),
        Some(written) => message(written, findings),
    };
    Some(LockRule { key: key?, hold: hold?, busy: busy?, store_down: store_down?, message: message? })
}

/// Compiles `idempotency`.
pub(super) fn idempotency(entry: &IdempotencyEntry, findings: &mut Findings<'_>) -> Option<IdempotencyRule> {
    let header = match &entry.header {
        None => Some(KEY_HEADER),
        Some(written) => header(written, findings),
    };
    let month = Duration::from_secs(30 * 24 * 60 * 60);
    let keep = bounded(entry.keep.as_ref(), KEEP_DEFAULT, (KEEP_MIN, month), findings);
    Some(IdempotencyRule { header: header?, keep: keep?, required: entry.required })
}

fn key_template(
    written: &At<String>,
    path: Option<&PathGlob>,
    findings: &mut Findings<'_>,
) -> Option<Template> {
    let At { value: text, spot } = written;
    if placeholders::tell_too_long(text, spot, findings) {
        return None;
    }
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(problem) => {
            findings.mistake(spot, problem.to_string());
            return None;
        }
    };
    if text.contains('*') {
        let hint = "a lock is for one value; leave the placeholder out for one lock for all";
        findings.mistake_with_hint(spot, "`*` cannot stand in a lock's key", hint);
    }
    for placeholder in template.placeholders() {
        match placeholder {
            Placeholder::Row(column) => {
                let hint = format!("write `{{{column}}}` or `{{body.{column}}}`");
                let message = format!("`{placeholder}` has a value only after the write");
                findings.mistake_with_hint(spot, message, hint);
            }
            Placeholder::Query => {
                let hint = "name a column, as in `{lease_id}`";
                findings.mistake_with_hint(spot, "`{query}` does not name what is locked", hint);
            }
            Placeholder::Column(_)
            | Placeholder::Path(_)
            | Placeholder::Claim(_)
            | Placeholder::Header(_)
            | Placeholder::Body(_) => placeholders::check_write(placeholder, path, spot, findings),
        }
    }
    Some(template)
}

fn compile_busy(entry: &BusyEntry, findings: &mut Findings<'_>) -> Option<Busy> {
    let (retries, delay) = match entry {
        BusyEntry::Word(written) => {
            if written.value != "reject" {
                let hint = "write `reject`, or `{ retries: 3, delay: 100ms }`";
                findings.mistake_with_hint(
                    &written.spot,
                    format!("{} means nothing here", quoted(&written.value)),
                    hint,
                );
                return None;
            }
            return Some(Busy::Reject);
        }
        BusyEntry::Wait { retries, delay } => (retries.as_ref()?, delay.as_ref()?),
    };
    let count = number(retries, RETRIES_MAX, findings);
    let pause = time(delay, findings);
    let (count, pause) = (count?, pause?);
    if pause.saturating_mul(count) > WAIT_MAX {
        let message = format!("waits up to {}s in all; at most 30s", pause.saturating_mul(count).as_secs());
        findings.mistake_with_hint(&delay.spot, message, "clients give up before that");
        return None;
    }
    Some(Busy::Wait { retries: count, delay: pause })
}

fn message(written: &At<String>, findings: &mut Findings<'_>) -> Option<Arc<str>> {
    if written.value.chars().count() > MESSAGE_CHARS_MAX || written.value.chars().any(char::is_control) {
        findings
            .mistake(&written.spot, format!("a message is one line of up to {MESSAGE_CHARS_MAX} characters"));
        return None;
    }
    Some(written.value.as_str().into())
}

/// A request header that may name an operation or a budget.
pub(super) fn header(written: &At<String>, findings: &mut Findings<'_>) -> Option<HeaderName> {
    match HeaderName::try_from(written.value.as_str()) {
        Ok(name) if NO_KEYS.contains(&name.as_str()) => {
            findings.mistake(&written.spot, format!("`{name}` cannot be used here"));
            None
        }
        Ok(name) => Some(name),
        Err(_) => {
            findings
                .mistake(&written.spot, format!("{} is not the name of a header", quoted(&written.value)));
            None
        }
    }
}

/// A whole number from 1.
pub(super) fn number(written: &At<String>, max: u32, findings: &mut Findings<'_>) -> Option<u32> {
    match written.value.parse() {
        Ok(number @ 1..) if number <= max => Some(number),
        Ok(_) | Err(_) => {
            findings.mistake(&written.spot, format!("not a whole number from 1 to {max}"));
            None
        }
    }
}

pub(super) fn time(written: &At<String>, findings: &mut Findings<'_>) -> Option<Duration> {
    match duration::parse(&written.value) {
        Ok(duration) => Some(duration),
        Err(problem) => {
            findings.mistake_with_hint(
                &written.spot,
                problem.to_string(),
                "write a number and a unit, as in `30s`",
            );
            None
        }
    }
}

fn bounded(
    written: Option<&At<String>>,
    default: Duration,
    (min, max): (Duration, Duration),
    findings: &mut Findings<'_>,
) -> Option<Duration> {
    let Some(written) = written else { return Some(default) };
    let duration = time(written, findings)?;
    if duration < min || duration > max {
        let (min, max) = (crate::units::display_duration(min), crate::units::display_duration(max));
        findings.mistake(&written.spot, format!("not between {min} and {max}"));
        return None;
    }
    Some(duration)
}

/// One of a few words.
pub(super) fn word<T: Copy>(
    written: Option<&At<String>>,
    default: T,
    words: &[(&'static str, T)],
    findings: &mut Findings<'_>,
) -> Option<T> {
    let Some(written) = written else { return Some(default) };
    if let Some((_, meant)) = words.iter().find(|(word, _)| *word == written.value) {
        return Some(*meant);
    }
    let known = || words.iter().map(|(word, _)| *word);
    let hint = did_you_mean(&written.value, known())
        .unwrap_or_else(|| format!("known here: {}", known().collect::<Vec<_>>().join(", ")));
    findings.mistake_with_hint(&written.spot, format!("{} means nothing here", quoted(&written.value)), hint);
    None
}
