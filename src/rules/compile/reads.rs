//! The entries of `reads`.

use std::time::Duration;

use crate::consistency::Consistency;
use crate::key::{Scope, Template};

use super::super::condition;
use super::super::document::{Document, Named, ReadEntry, ScopeEntry};
use super::super::fields::{At, did_you_mean};
use super::super::mistake::{Findings, Spot, quoted};
use super::super::path_glob::PathGlob;
use super::super::rule::{Caching, Condition, Lasting, ReadRule};
use super::super::rule_set::Context;
use super::locks::time;
use super::presets::Presets;
use super::{canary, downstream, freshness, names, paths, placeholders, vary};

/// Most conditions in one file: each is a small machine of its own.
const CONDITIONS_MAX: usize = 2_000;

/// Longest time after a write in which nothing is kept: every change of that time is remembered.
const QUIET_MAX: Duration = Duration::from_secs(60);

/// Most claims in one scope.
const CLAIMS_MAX: usize = 8;

/// The key of a rule that gives none.
const KEY_DEFAULT: &str = "{query}";

/// Scopes that are one word.
const SCOPE_WORDS: [&str; 4] = ["public", "role", "user", "token"];

/// A read rule with what is needed to compare it with others.
#[derive(Debug)]
pub(super) struct CompiledRead {
    pub(super) path: PathGlob,
    pub(super) path_spot: Spot,
    pub(super) rule: ReadRule,
}

/// Compiles all entries; those without a usable `match` are left out.
pub(super) fn compile(
    document: &Document,
    context: &Context,
    findings: &mut Findings<'_>,
) -> Vec<CompiledRead> {
    let mut presets = Presets::compile(&document.ttls, findings);
    let conditions: usize = document.reads.iter().map(|rule| rule.conditions.len()).sum();
    if conditions > CONDITIONS_MAX {
        let spot = Spot { path: "reads".into(), ..Spot::default() };
        findings.mistake(&spot, format!("{conditions} conditions; at most {CONDITIONS_MAX} are possible"));
        return Vec::new();
    }
    let entries = document.reads.iter().enumerate();
    let mut read = |(index, entry)| read(index, entry, context, &mut presets, findings);
    let compiled = entries.filter_map(&mut read).collect();
    presets.tell_unused(findings);
    compiled
}

fn read<'d>(
    index: usize,
    entry: &'d ReadEntry,
    context: &Context,
    presets: &mut Presets<'d>,
    findings: &mut Findings<'_>,
) -> Option<CompiledRead> {
    let path = entry.path.as_ref().and_then(|path| paths::parse(path, findings));
    let conditions = conditions(&entry.conditions, findings);
    let vary = vary::compile(&entry.vary, findings);
    let caching = caching(entry, presets, findings);
    let freshness = freshness::compile(&entry.freshness, caching.as_ref(), findings);
    let negative = negative(entry, caching.as_ref(), presets, findings);
    let replica_quiet = replica_quiet(entry.replica_quiet.as_ref(), findings);
    let scope = scope(entry.scope.as_ref(), findings);
    let consistency = consistency(entry.consistency.as_ref(), context, findings);
    let key = key(entry.key.as_ref(), findings);
    if let (Some(template), Some(written)) = (&key, &entry.key) {
        let (path, scope) = (path.as_ref(), scope.as_ref());
        let ignored_claims = &context.ignored_claims;
        let given = placeholders::Given { conditions: &conditions, path, vary: &vary, scope, ignored_claims };
        for placeholder in template.placeholders() {
            placeholders::check_read(placeholder, &given, &written.spot, findings);
        }
    }
    let namespace = namespace(entry, path.as_ref(), findings);
    let downstream = downstream::compile(entry, &vary, scope.as_ref(), findings);
    let canaries = canary::compile(&entry.canaries, scope.as_ref(), findings);
    let (path, path_spot) = (path?, entry.path.as_ref()?.spot.clone());
    let name = entry.name.as_ref().map_or_else(|| format!("reads[{index}]"), |name| name.value.clone());
    let rule = ReadRule {
        name: name.into(),
        index,
        path: path.as_str().into(),
        namespace: namespace?.into(),
        key: key?,
        caching: caching?,
        scope: scope?,
        consistency: consistency?,
        negative,
        replica_quiet,
        downstream,
        canaries,
        vary,
        freshness,
        is_encrypted: entry.encrypt,
        conditions,
        debug: entry.debug,
        patterns: Vec::new(),
        soft_patterns: Vec::new(),
    };
    Some(CompiledRead { path, path_spot, rule })
}

/// Zero where nothing is written, or nothing of use.
fn replica_quiet(written: Option<&At<String>>, findings: &mut Findings<'_>) -> Duration {
    let Some(written) = written else { return Duration::ZERO };
    let quiet = time(written, findings).unwrap_or_default();
    if quiet > QUIET_MAX {
        let hint = "a replica that lags further behind is not one to read from";
        findings.mistake_with_hint(&written.spot, "more than a minute", hint);
    }
    quiet
}

fn conditions(written: &[Named<At<String>>], findings: &mut Findings<'_>) -> Vec<(String, Condition)> {
    let mut all = Vec::new();
    for entry in written {
        match condition::parse(&entry.value.value) {
            Ok(condition) => all.push((entry.name.value.clone(), condition)),
            Err(problem) => findings.mistake(&entry.value.spot, problem.to_string()),
        }
    }
    all
}

fn caching(entry: &ReadEntry, presets: &mut Presets<'_>, findings: &mut Findings<'_>) -> Option<Caching> {
    let Some(cache) = &entry.cache else {
        let ttl = presets.lasting(entry.ttl.as_ref()?, entry.heuristic, findings)?;
        tell_contradictions(entry, ttl, findings);
        return Some(Caching::Keep { ttl });
    };
    if cache.value != "never" {
        let message = format!("{} is not known here", quoted(&cache.value));
        findings.mistake_with_hint(&cache.spot, message, "write `cache: never`, or `ttl: 5m`");
        return None;
    }
    let meaningless = [
        entry.ttl.as_ref().map(|field| &field.spot),
        entry.key.as_ref().map(|field| &field.spot),
        entry.namespace.as_ref().map(|field| &field.spot),
        entry.scope.as_ref().map(|field| &field.spot),
        entry.vary.first().map(|field| &field.spot),
        entry.consistency.as_ref().map(|field| &field.spot),
        entry.downstream.as_ref().map(|field| &field.spot),
        entry.negative.as_ref().map(|field| &field.spot),
        entry.replica_quiet.as_ref().map(|field| &field.spot),
        entry.canaries.first().map(|field| &field.spot),
    ];
    for spot in meaningless.into_iter().flatten() {
        findings.mistake_with_hint(spot, "has no meaning beside `cache: never`", "keep one of them");
    }
    tell_heuristic(entry, findings);
    Some(Caching::Never)
}

/// What a rule may not say beside `ttl: origin`, because its answers say it, and what only such a rule may say.
fn tell_contradictions(entry: &ReadEntry, ttl: Lasting, findings: &mut Findings<'_>) {
    if ttl.given().is_some() {
        return tell_heuristic(entry, findings);
    }
    let said_by_answers = "the answers say it themselves: leave it out, or give the rule a `ttl` of its own";
    let one_by_one = [&entry.negative, &entry.downstream].into_iter().flatten();
    for written in entry.freshness.written().chain(one_by_one) {
        findings.mistake_with_hint(&written.spot, "has no meaning beside `ttl: origin`", said_by_answers);
    }
}

fn tell_heuristic(entry: &ReadEntry, findings: &mut Findings<'_>) {
    if entry.heuristic {
        let message = "`heuristic` has no meaning without `ttl: origin`";
        findings.mistake_with_hint(&entry.spot, message, "leave it out");
    }
}

/// How long answers are kept that say that there is nothing.
fn negative(
    entry: &ReadEntry,
    caching: Option<&Caching>,
    presets: &mut Presets<'_>,
    findings: &mut Findings<'_>,
) -> Option<Duration> {
    let written = entry.negative.as_ref()?;
    let negative = presets.resolve(written, findings)?;
    if let Some(Caching::Keep { ttl: Lasting::For(ttl) }) = caching
        && negative > *ttl
    {
        let message = "longer than `ttl`: what is not there would be believed for longer than what is";
        findings.mistake_with_hint(&written.spot, message, "some seconds do, as in `negative: 10s`");
    }
    Some(negative)
}

fn consistency(
    written: Option<&At<String>>,
    context: &Context,
    findings: &mut Findings<'_>,
) -> Option<Consistency> {
    let Some(At { value, spot }) = written else { return Some(context.consistency) };
    let known = Consistency::parse(value);
    if known.is_none() {
        let message = format!("{} is no consistency", quoted(value));
        findings.mistake_with_hint(spot, message, "`bounded`, `fresh` or `strict`");
    }
    known
}

fn scope(written: Option<&At<ScopeEntry>>, findings: &mut Findings<'_>) -> Option<Scope> {
    let Some(At { value, spot }) = written else { return Some(Scope::default()) };
    match value {
        ScopeEntry::Word(word) => match word.as_str() {
            "public" => Some(Scope::Public),
            "role" => Some(Scope::Role),
            "user" => Some(Scope::User),
            "token" => Some(Scope::Token),
            _ => {
                let hint = did_you_mean(word, SCOPE_WORDS.into_iter())
                    .unwrap_or_else(|| format!("one of {}, or `{{ claims: […] }}`", SCOPE_WORDS.join(", ")));
                findings.mistake_with_hint(spot, format!("unknown scope {}", quoted(word)), hint);
                None
            }
        },
        ScopeEntry::Claims(claims) => {
            if claims.is_empty() || claims.len() > CLAIMS_MAX {
                findings.mistake(spot, format!("a scope names 1 to {CLAIMS_MAX} claims"));
                return None;
            }
            let (good, bad): (Vec<_>, Vec<_>) = claims.iter().partition(|claim| is_claim(&claim.value));
            for claim in &bad {
                let message = format!("{} is not the path of a claim", quoted(&claim.value));
                findings.mistake_with_hint(&claim.spot, message, "write it as in `app_metadata.tenant_id`");
            }
            let paths = good.into_iter().map(|claim| claim.value.clone()).collect();
            bad.is_empty().then_some(Scope::Claims(paths))
        }
    }
}

fn is_claim(path: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    path.split('.').all(word)
}

fn key(written: Option<&At<String>>, findings: &mut Findings<'_>) -> Option<Template> {
    let (text, spot) = match written {
        Some(At { value, spot }) => (value.as_str(), spot.clone()),
        None => (KEY_DEFAULT, Spot::default()),
    };
    if text.is_empty() {
        findings.mistake_with_hint(&spot, "an empty key", "leave it out for `{query}`");
        return None;
    }
    if text.contains('*') {
        let message = "`*` cannot stand in a key: it would look like a pattern";
        findings.mistake_with_hint(&spot, message, "patterns belong in `invalidate`");
        return None;
    }
    if placeholders::tell_too_long(text, &spot, findings) {
        return None;
    }
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(problem) => {
            findings.mistake(&spot, problem.to_string());
            None
        }
    }
}

fn namespace(entry: &ReadEntry, path: Option<&PathGlob>, findings: &mut Findings<'_>) -> Option<String> {
    if let Some(written) = &entry.namespace {
        return names::namespace(written, findings);
    }
    let name = path?.default_namespace();
    if names::fits_as_namespace(&name) {
        return Some(name);
    }
    let message = format!("{} cannot be a namespace as it is", quoted(&name));
    let spot = entry.path.as_ref().map_or(&entry.spot, |path| &path.spot);
    findings.mistake_with_hint(spot, message, "add a `namespace`");
    None
}
