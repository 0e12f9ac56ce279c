//! What do the rules mean? A document becomes a rule set, or a list of mistakes.
//!
//! Every part is compiled even if another one is broken, so that one run tells
//! all there is to tell.

mod names;
mod overlap;
mod paths;
mod patterns;
mod placeholders;
mod presets;
mod reads;
mod schema;
mod unknown;
mod vary;
mod writes;

use std::sync::Arc;

use super::document::{Document, UnknownWritesSection};
use super::fields::{At, did_you_mean};
use super::matcher::Matcher;
use super::mistake::{Findings, Mistake, Spot, Warning, quoted};
use super::path_glob::PathGlob;
use super::rule_set::{Context, PREFIX_DEFAULT, RuleSet};
use super::schema::Schema;
use super::unknown_writes::{UnknownWrites, Unmapped};
use super::yaml;

/// Most rules, reads and writes together. A set is asked on every request, and
/// a table rarely has more than five rules.
const RULES_MAX: usize = 1_000;

/// Changes whenever the same file gets another meaning.
const DIGEST_DOMAIN: &str = "larder rules 1";

/// Compiles a text.
pub(super) fn parse(text: &str, context: &Context) -> Result<(RuleSet, Vec<Warning>), Vec<Mistake>> {
    let mut findings = Findings::new(text);
    let Some(root) = yaml::read(text, &mut findings) else {
        return Err(findings.into_mistakes());
    };
    let document = Document::read(&root, &mut findings);
    match compile(&document, context, &mut findings) {
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
        read_matcher: Matcher::default(),
        write_matcher: Matcher::default(),
        writes_by_reading: false,
        schema: Schema { default_schema: context.default_schema.as_str().into(), ..Schema::default() },
        unknown_writes: UnknownWrites::default(),
        digest: digest(&Document::default(), context),
    }
}

fn compile(document: &Document, context: &Context, findings: &mut Findings<'_>) -> Option<RuleSet> {
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
    let schema = schema::compile(&document.schema, &context.default_schema, findings);
    let unknown_writes = unknown_writes(&document.unknown_writes, findings);
    let mut reads = reads::compile(document, &context.ignored_claims, findings);
    let writes = writes::compile(&document.writes, findings);
    overlap::tell_shadowed(&reads, findings);
    patterns::connect(&mut reads, &writes, findings);
    unknown::tell_unknown(&reads, &document.reads, &schema, findings);
    if findings.has_mistakes() {
        return None;
    }
    let (read_paths, reads): (Vec<_>, Vec<_>) =
        reads.into_iter().map(|read| (read.path, Arc::new(read.rule))).unzip();
    let (write_paths, writes): (Vec<_>, Vec<_>) =
        writes.into_iter().map(|write| (write.path, Arc::new(write.rule))).unzip();
    let writes_by_reading = writes.iter().flat_map(|rule| &rule.methods).any(http::Method::is_safe);
    Some(RuleSet {
        prefix: prefix?,
        reads,
        writes,
        read_matcher: matcher(&read_paths, "reads", findings)?,
        write_matcher: matcher(&write_paths, "writes", findings)?,
        writes_by_reading,
        schema,
        unknown_writes,
        digest: digest(document, context),
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

fn unknown_writes(section: &UnknownWritesSection, findings: &mut Findings<'_>) -> UnknownWrites {
    let mut read = |field: &Option<At<String>>| match field {
        None => Unmapped::default(),
        Some(word) => Unmapped::parse(&word.value).unwrap_or_else(|| {
            let known = [Unmapped::Nothing.as_str(), Unmapped::Everything.as_str()];
            let hint = did_you_mean(&word.value, known.into_iter())
                .unwrap_or_else(|| "write `nothing` or `everything`".into());
            findings.mistake_with_hint(
                &word.spot,
                format!("{} is not known here", quoted(&word.value)),
                hint,
            );
            Unmapped::default()
        }),
    };
    UnknownWrites {
        functions: read(&section.functions),
        auth: read(&section.auth),
        storage: read(&section.storage),
    }
}

/// Digests the meaning of a document: places and comments are no part of it.
fn digest(document: &Document, context: &Context) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in [DIGEST_DOMAIN, &context.upstream, &context.default_schema] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    // A document holds nothing but texts and lists, which JSON can always tell;
    // should it ever fail, the failure must not make two documents equal.
    if serde_json::to_writer(&mut hasher, document).is_err() {
        hasher.update(format!("{document:?}").as_bytes());
    }
    *hasher.finalize().as_bytes()
}
