//! What do the rules mean? A document becomes a rule set, or a list of mistakes.
//!
//! Every part is compiled even if another one is broken, so that one run tells
//! all there is to tell.

mod audit;
mod canary;
mod digest;
mod downstream;
mod freshness;
mod include;
mod known;
mod limits;
mod locks;
mod names;
mod overlap;
mod paths;
mod patterns;
mod placeholders;
mod presets;
mod reads;
mod schema;
mod scopes;
mod unknown;
mod unknown_writes;
mod vary;
mod writes;

use std::sync::Arc;

use crate::chance::Share;

use super::document::Document;
use super::learned::Learned;
use super::matcher::Matcher;
use super::mistake::{Findings, Mistake, Spot, Warning};
use super::path_glob::PathGlob;
use super::rule_set::{Context, Included, PREFIX_DEFAULT, RuleSet};
use super::schema::Schema;
use super::unknown_writes::UnknownWrites;
use super::yaml;

/// Most rules, reads and writes together. A set is asked on every request, and
/// a table rarely has more than five rules.
const RULES_MAX: usize = 1_000;

/// The file that a text includes, if it can be read that far.
pub(super) fn included(text: &str) -> Option<String> {
    let mut unheard = Findings::new(text);
    let root = yaml::read(text, &yaml::RULES, &mut unheard)?;
    Document::read(&root, &mut unheard).schema.include.map(|file| file.value)
}

/// Compiles a text.
pub(super) fn parse(
    text: &str,
    included: Option<&Included>,
    context: &Context,
) -> Result<(RuleSet, Vec<Warning>), Vec<Mistake>> {
    let mut findings = Findings::new(text);
    let Some(root) = yaml::read(text, &yaml::RULES, &mut findings) else {
        return Err(findings.into_mistakes());
    };
    let document = Document::read(&root, &mut findings);
    let learned = include::read(&document.schema, included, &mut findings);
    match compile(&document, learned.as_ref(), context, &mut findings) {
        Some(rules) if !findings.has_mistakes() => Ok((rules, findings.into_warnings())),
        Some(_) | None => Err(findings.into_mistakes()),
    }
}

/// The rule set of a file that says nothing.
pub(super) fn empty(context: &Context) -> RuleSet {
    RuleSet {
        prefix: PREFIX_DEFAULT.into(),
        reads: Vec::new(),
        writes: Vec::new(),
        limits: Vec::new(),
        limit_matcher: Matcher::default(),
        read_matcher: Matcher::default(),
        write_matcher: Matcher::default(),
        writes_by_reading: false,
        refills: false,
        audited_share: Share::NONE,
        schema: Schema { default_schema: context.default_schema.as_str().into(), ..Schema::default() },
        unknown_writes: UnknownWrites::default(),
        digest: digest::of(&Document::default(), None, context),
        strictest: context.consistency,
    }
}

fn compile(
    document: &Document,
    learned: Option<&Learned>,
    context: &Context,
    findings: &mut Findings<'_>,
) -> Option<RuleSet> {
    let rules = document.reads.len() + document.writes.len();
    if rules > RULES_MAX {
        let hint = "let one rule with a glob stand for many";
        let message = format!("{rules} rules; at most {RULES_MAX} are possible");
        findings.mistake_with_hint(&Spot::default(), message, hint);
        return None;
    }
    let prefix = match &document.namespace {
        Some(name) => names::namespace(name, findings),
        None => Some(PREFIX_DEFAULT.into()),
    };
    names::unique_rule_names(document, findings);
    let schema = schema::compile(&document.schema, learned, &context.default_schema, findings);
    let unknown_writes = unknown_writes::compile(&document.unknown_writes, findings);
    let mut reads = reads::compile(document, context, findings);
    let mut writes = writes::compile(&document.writes, findings);
    let limits = limits::compile(&document.limits, findings);
    overlap::tell_shadowed(&reads, findings);
    canary::tell_unreached(&reads, &document.reads, findings);
    patterns::connect(&mut reads, &mut writes, findings);
    if let Some(learned) = learned {
        known::tell_unknown(document, learned, findings);
        scopes::tell_too_wide(document, &reads, learned, &context.ignored_claims, findings);
        known::tell_unsure(document, &schema, learned, findings);
    } else {
        unknown::tell_unknown(&reads, &document.reads, &schema, findings);
    }
    if findings.has_mistakes() {
        return None;
    }
    let (read_paths, reads): (Vec<_>, Vec<_>) =
        reads.into_iter().map(|read| (read.path, Arc::new(read.rule))).unzip();
    let (write_paths, writes): (Vec<_>, Vec<_>) =
        writes.into_iter().map(|write| (write.path, Arc::new(write.rule))).unzip();
    let (limit_paths, limits): (Vec<_>, Vec<_>) =
        limits.into_iter().map(|(path, limit)| (path, Arc::new(limit))).unzip();
    let strictest = reads.iter().map(|rule| rule.consistency).max().unwrap_or(context.consistency);
    let writes_by_reading = writes.iter().flat_map(|rule| &rule.methods).any(http::Method::is_safe);
    let refills = writes.iter().any(|rule| rule.refresh);
    Some(RuleSet {
        prefix: prefix?,
        reads,
        writes,
        read_matcher: matcher(&read_paths, "reads", findings)?,
        write_matcher: matcher(&write_paths, "writes", findings)?,
        limits,
        limit_matcher: matcher(&limit_paths, "limits", findings)?,
        writes_by_reading,
        refills,
        audited_share: audit::compile(document.audit.as_ref(), findings),
        schema,
        unknown_writes,
        digest: digest::of(document, learned, context),
        strictest,
    })
}

fn matcher(paths: &[PathGlob], list: &str, findings: &mut Findings<'_>) -> Option<Matcher> {
    match Matcher::new(paths) {
        Ok(matcher) => Some(matcher),
        Err(_) => {
            let spot = Spot { path: list.into(), ..Spot::default() };
            findings.mistake(&spot, "the globs of all `match` together are too large");
            None
        }
    }
}
