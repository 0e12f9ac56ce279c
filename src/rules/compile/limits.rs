//! The entries of `limits`.

use std::time::Duration;

use http::Method;

use super::super::duration;
use super::super::fields::{At, did_you_mean};
use super::super::guard_entries::{ByEntry, LimitEntry};
use super::super::guarding::{By, Counts, LimitRule, LimitWithoutStore, Quota, Window};
use super::super::mistake::{Findings, Spot, quoted};
use super::super::path_glob::PathGlob;
use super::locks::{header, number, word};
use super::{names, paths};

/// Most limits: a request is compared with all of them.
const LIMITS_MAX: usize = 100;

/// Most requests in a window.
const RATE_MAX: u32 = 1_000_000;

/// A shorter window is not told apart from the latency of the store.
const WINDOW_MIN: Duration = Duration::from_secs(1);
/// What is counted over a longer time is a plan's quota, which belongs into a database.
const WINDOW_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Methods of a limit that names none: a preflight asks for nothing.
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::PUT, Method::DELETE];

/// Compiles all entries; those that are not usable are left out.
pub(super) fn compile(entries: &[LimitEntry], findings: &mut Findings<'_>) -> Vec<(PathGlob, LimitRule)> {
    if entries.len() > LIMITS_MAX {
        let spot = Spot { path: "limits".into(), ..Spot::default() };
        findings.mistake(&spot, format!("{} limits; at most {LIMITS_MAX} are possible", entries.len()));
        return Vec::new();
    }
    let mut compiled: Vec<(PathGlob, LimitRule)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let limit = limit(index, entry, findings);
        if let (Some(name), Some((_, limit))) = (&entry.name, &limit)
            && compiled.iter().any(|(_, other)| other.name == limit.name)
        {
            let hint = "they would share their budgets";
            findings.mistake_with_hint(
                &name.spot,
                format!("another limit is called `{}` too", limit.name),
                hint,
            );
        }
        compiled.extend(limit);
    }
    compiled
}

fn limit(index: usize, entry: &LimitEntry, findings: &mut Findings<'_>) -> Option<(PathGlob, LimitRule)> {
    let name = entry.name.as_ref().filter(|name| names::word(name, "a limit's name", findings));
    let path = entry.path.as_ref().and_then(|path| paths::parse(path, findings));
    let methods = methods(entry.methods.as_ref(), findings);
    let by = entry.by.as_ref().and_then(|by| compile_by(by, findings));
    let rate = entry.rate.as_ref().and_then(|rate| rate_of(rate, findings));
    let burst =
        entry.burst.as_ref().map(|burst| number(burst, rate.map_or(RATE_MAX, |(rate, _)| rate), findings));
    let windows = [("fixed", Window::Fixed), ("sliding", Window::Sliding)];
    let kind = word(entry.window.as_ref(), Window::Sliding, &windows, findings);
    let counted = [("all", Counts::All), ("misses", Counts::Misses)];
    let counts = word(entry.count.as_ref(), Counts::All, &counted, findings);
    let without = [
        ("local", LimitWithoutStore::Local),
        ("allow", LimitWithoutStore::Allow),
        ("refuse", LimitWithoutStore::Refuse),
    ];
    let store_down = word(entry.store_down.as_ref(), LimitWithoutStore::Local, &without, findings);
    let burst = match burst {
        None => None,
        Some(burst) => Some(burst?),
    };
    let (path, (rate, window)) = (path?, rate?);
    let rule = LimitRule {
        name: name?.value.as_str().into(),
        index,
        path: path.as_str().into(),
        methods: methods?,
        by: by?,
        quota: Quota { rate, window, burst, kind: kind? },
        counts: counts?,
        store_down: store_down?,
    };
    Some((path, rule))
}

/// `100/1m`
fn rate_of(written: &At<String>, findings: &mut Findings<'_>) -> Option<(u32, Duration)> {
    let parts = written.value.split_once('/');
    let rate = parts.and_then(|(rate, _)| rate.parse().ok()).filter(|rate| (1..=RATE_MAX).contains(rate));
    let window = parts.and_then(|(_, window)| duration::parse(window).ok());
    let (Some(rate), Some(window)) = (rate, window) else {
        let hint = format!("write `100/1m`: from 1 to {RATE_MAX} requests, in a time with a unit");
        findings.mistake_with_hint(&written.spot, format!("{} is not a rate", quoted(&written.value)), hint);
        return None;
    };
    if window < WINDOW_MIN || window > WINDOW_MAX || window.subsec_nanos() != 0 {
        findings.mistake(&written.spot, "a window is a number of whole seconds, from 1s to 24h");
        return None;
    }
    Some((rate, window))
}

fn compile_by(entry: &ByEntry, findings: &mut Findings<'_>) -> Option<By> {
    match entry {
        ByEntry::Claim(path) => Some(By::Claim(path.value.clone())),
        ByEntry::Header(name) => header(name, findings).map(By::Header),
        ByEntry::Word(written) => match written.value.as_str() {
            "ip" => Some(By::Ip),
            "caller" => Some(By::Caller),
            "apikey" => Some(By::ApiKey),
            "role" => Some(By::Role),
            "claim" | "header" => {
                let hint = format!("write `by: {{ {}: … }}`", written.value);
                findings.mistake_with_hint(&written.spot, "which one?", hint);
                None
            }
            other => {
                let known = ["ip", "caller", "apikey", "role", "claim", "header"];
                let hint = did_you_mean(other, known.into_iter())
                    .unwrap_or_else(|| format!("known here: {}", known.join(", ")));
                findings.mistake_with_hint(
                    &written.spot,
                    format!("{} means nothing here", quoted(other)),
                    hint,
                );
                None
            }
        },
    }
}

fn methods(written: Option<&At<Vec<At<String>>>>, findings: &mut Findings<'_>) -> Option<Vec<Method>> {
    let Some(written) = written else { return Some(METHODS.into()) };
    if written.value.is_empty() {
        findings.mistake_with_hint(&written.spot, "can never match", "leave it out for all methods");
        return None;
    }
    let all = METHODS.into_iter().chain([Method::OPTIONS]);
    let words: Vec<(&'static str, Method)> =
        all.filter_map(|method| Some((name_of(&method)?, method))).collect();
    let mut methods = Vec::new();
    for word in &written.value {
        match words.iter().find(|(name, _)| *name == word.value) {
            Some((_, method)) => methods.push(method.clone()),
            None => {
                let hint =
                    format!("one of {}", words.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "));
                findings.mistake_with_hint(&word.spot, format!("{} is no method", quoted(&word.value)), hint);
            }
        }
    }
    Some(methods)
}

fn name_of(method: &Method) -> Option<&'static str> {
    ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"].into_iter().find(|name| method == *name)
}
