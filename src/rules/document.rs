//! What does the file say, field by field, before anything is made of it?
//!
//! A [`Document`] mirrors the YAML: names are still names and globs still text.
//! What is known here is only which fields there are and of what kind; what
//! they mean together is `compile`'s part. Wrong fields are told and left out,
//! so that the rest can still be checked.

use serde::Serialize;

use super::fields::{At, Fields, entries, items, join, text, texts};
use super::freshness::FreshnessEntry;
use super::guard_entries::{self, IdempotencyEntry, LimitEntry, LockEntry};
use super::mistake::{Findings, Spot};
use super::yaml::{Node, Value};

/// The one version of the format.
const VERSION: &str = "1";

/// A name with what it stands for.
#[derive(Debug, Serialize)]
pub(super) struct Named<T> {
    pub(super) name: At<String>,
    pub(super) value: T,
}

/// The whole file.
#[derive(Debug, Default, Serialize)]
pub(super) struct Document {
    pub(super) namespace: Option<At<String>>,
    pub(super) ttls: Vec<Named<At<String>>>,
    pub(super) reads: Vec<ReadEntry>,
    pub(super) writes: Vec<WriteEntry>,
    /// Guards change no answer, so a digest of the document does not contain them.
    #[serde(skip)]
    pub(super) limits: Vec<LimitEntry>,
    pub(super) schema: SchemaSection,
    pub(super) unknown_writes: UnknownWritesSection,
    /// Changes no answer.
    #[serde(skip)]
    pub(super) audit: Option<At<String>>,
}

/// An entry of `reads`.
#[derive(Debug, Serialize)]
pub(super) struct ReadEntry {
    #[serde(skip)]
    pub(super) spot: Spot,
    pub(super) name: Option<At<String>>,
    pub(super) path: Option<At<String>>,
    pub(super) conditions: Vec<Named<At<String>>>,
    pub(super) namespace: Option<At<String>>,
    pub(super) key: Option<At<String>>,
    pub(super) ttl: Option<At<String>>,
    pub(super) heuristic: bool,
    pub(super) scope: Option<At<ScopeEntry>>,
    pub(super) vary: Vec<At<String>>,
    pub(super) cache: Option<At<String>>,
    /// Changes no answer either.
    #[serde(skip)]
    pub(super) consistency: Option<At<String>>,
    /// Where it is not, what was kept before is not read: a digest of the document contains it.
    pub(super) encrypt: bool,
    pub(super) negative: Option<At<String>>,
    /// Of when an answer is kept, not of the answer.
    #[serde(skip)]
    pub(super) replica_quiet: Option<At<String>>,
    /// How long an answer is kept, not which one.
    #[serde(skip)]
    pub(super) freshness: FreshnessEntry,
    /// Of how an answer is sent, not of the answer.
    #[serde(skip)]
    pub(super) compress: bool,
    #[serde(skip)]
    pub(super) downstream: Option<At<String>>,
    #[serde(skip)]
    pub(super) canaries: Vec<At<String>>,
    /// Changes no answer, so a digest of the document does not contain it.
    #[serde(skip)]
    pub(super) debug: bool,
}

/// The value of `scope`.
#[derive(Debug, Serialize)]
pub(super) enum ScopeEntry {
    /// `scope: public`
    Word(String),
    /// `scope: { claims: [app_metadata.tenant_id] }`
    Claims(Vec<At<String>>),
}

/// An entry of `writes`.
#[derive(Debug, Serialize)]
pub(super) struct WriteEntry {
    pub(super) name: Option<At<String>>,
    pub(super) path: Option<At<String>>,
    pub(super) methods: Option<At<Vec<At<String>>>>,
    pub(super) invalidate: Option<InvalidateEntry>,
    /// Changes no answer.
    #[serde(skip)]
    pub(super) refresh: bool,
    #[serde(skip)]
    pub(super) lock: Option<LockEntry>,
    #[serde(skip)]
    pub(super) idempotency: Option<IdempotencyEntry>,
    #[serde(skip)]
    pub(super) debug: bool,
}

/// The value of `invalidate`.
#[derive(Debug, Default, Serialize)]
pub(super) struct InvalidateEntry {
    pub(super) hard: Vec<At<String>>,
    pub(super) soft: Vec<At<String>>,
}

/// A name with the tables it leads to.
pub(super) type Lists = Vec<Named<Vec<At<String>>>>;

/// The value of `schema`.
#[derive(Debug, Default, Serialize)]
pub(super) struct SchemaSection {
    /// What the file says is part of a digest, its name is not.
    #[serde(skip)]
    pub(super) include: Option<At<String>>,
    pub(super) views: Lists,
    pub(super) policies: Lists,
    pub(super) cascades: Lists,
    pub(super) rows: Lists,
    pub(super) functions: Vec<Named<FunctionEntry>>,
    pub(super) relations: Vec<Named<Lists>>,
}

/// An entry of `schema.functions`.
#[derive(Debug, Serialize)]
pub(super) struct FunctionEntry {
    pub(super) reads: Option<Vec<At<String>>>,
    pub(super) writes: Option<Vec<At<String>>>,
}

/// The value of `unknown_writes`.
#[derive(Debug, Default, Serialize)]
pub(super) struct UnknownWritesSection {
    pub(super) functions: Option<At<String>>,
    pub(super) auth: Option<At<String>>,
    pub(super) storage: Option<At<String>>,
}

impl Document {
    /// Reads the whole tree.
    pub(super) fn read(root: &Node, findings: &mut Findings<'_>) -> Self {
        let mut document = Self::default();
        if let Value::Scalar { text, plain: true } = &root.value
            && text.is_empty()
        {
            let spot = Spot { path: String::new(), place: root.place };
            findings.mistake_with_hint(&spot, "the file is empty", "begin with `version: 1`");
            return document;
        }
        let Some(mut fields) = Fields::open(root, "", findings) else { return document };
        read_version(&mut fields, findings);
        document.namespace = fields.text("namespace", findings);
        document.audit = fields.text("audit", findings);
        if let Some((node, path)) = fields.node("ttls") {
            document.ttls = named(node, &path, findings, text);
        }
        if let Some((node, path)) = fields.node("reads") {
            let rules = items(node, &path, findings).unwrap_or_default();
            document.reads =
                rules.into_iter().filter_map(|(node, path)| read_entry(node, &path, findings)).collect();
        }
        if let Some((node, path)) = fields.node("writes") {
            let rules = items(node, &path, findings).unwrap_or_default();
            document.writes =
                rules.into_iter().filter_map(|(node, path)| write_entry(node, &path, findings)).collect();
        }
        if let Some((node, path)) = fields.node("limits") {
            let limits = items(node, &path, findings).unwrap_or_default();
            let limit = |(node, path): (&Node, String)| guard_entries::limit(node, &path, findings);
            document.limits = limits.into_iter().filter_map(limit).collect();
        }
        if let Some((node, path)) = fields.node("schema") {
            document.schema = schema_section(node, &path, findings);
        }
        if let Some((node, path)) = fields.node("unknown_writes") {
            document.unknown_writes = unknown_writes(node, &path, findings);
        }
        fields.close(findings);
        document
    }
}

fn read_version(fields: &mut Fields<'_>, findings: &mut Findings<'_>) {
    if !fields.has("version") {
        findings.mistake_with_hint(&fields.spot, "`version` is missing", "begin with `version: 1`");
    }
    if let Some(version) = fields.text("version", findings)
        && version.value != VERSION
    {
        findings.mistake_with_hint(&version.spot, "not a version of this format", "write `version: 1`");
    }
}

fn read_entry(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<ReadEntry> {
    let mut fields = Fields::open(node, path, findings)?;
    if !fields.has("match") {
        findings.mistake_with_hint(&fields.spot, "`match` is missing", "add `match: /rest/v1/<table>`");
    }
    if !fields.has("ttl") && !fields.has("cache") {
        findings.mistake_with_hint(
            &fields.spot,
            "`ttl` is missing: nothing is kept without an end",
            "add `ttl: 5m`, or `cache: never`",
        );
    }
    let entry = ReadEntry {
        spot: fields.spot.clone(),
        name: fields.text("name", findings),
        path: fields.text("match", findings),
        conditions: match fields.node("where") {
            Some((node, path)) => named(node, &path, findings, text),
            None => Vec::new(),
        },
        namespace: fields.text("namespace", findings),
        key: fields.text("key", findings),
        ttl: fields.text("ttl", findings),
        heuristic: fields.flag("heuristic", findings),
        scope: fields.node("scope").and_then(|(node, path)| scope(node, &path, findings)),
        vary: match fields.node("vary") {
            Some((node, path)) => texts(node, &path, findings).unwrap_or_default(),
            None => Vec::new(),
        },
        cache: fields.text("cache", findings),
        consistency: fields.text("consistency", findings),
        encrypt: fields.flag("encrypt", findings),
        negative: fields.text("negative", findings),
        replica_quiet: fields.text("replica_quiet", findings),
        downstream: fields.text("downstream", findings),
        canaries: match fields.node("canary") {
            Some((node, path)) => one_or_more(node, &path, findings),
            None => Vec::new(),
        },
        freshness: FreshnessEntry::read(&mut fields, findings),
        compress: fields.flag_or("compress", true, findings),
        debug: fields.flag("debug", findings),
    };
    fields.close(findings);
    Some(entry)
}

/// `a`, or `[a, b]`.
fn one_or_more(node: &Node, path: &str, findings: &mut Findings<'_>) -> Vec<At<String>> {
    match &node.value {
        Value::List(_) => texts(node, path, findings).unwrap_or_default(),
        Value::Scalar { .. } | Value::Map(_) => text(node, path, findings).into_iter().collect(),
    }
}

fn scope(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<At<ScopeEntry>> {
    let spot = Spot { path: path.into(), place: node.place };
    match &node.value {
        Value::Scalar { .. } => {
            text(node, path, findings).map(|word| At { value: ScopeEntry::Word(word.value), spot })
        }
        Value::List(_) | Value::Map(_) => {
            let mut fields = Fields::open(node, path, findings)?;
            let claims = fields.node("claims");
            if claims.is_none() {
                findings.mistake(&spot, "a scope is a word or `{ claims: […] }`");
            }
            fields.close(findings);
            let (node, path) = claims?;
            let claims = texts(node, &path, findings)?;
            Some(At { value: ScopeEntry::Claims(claims), spot })
        }
    }
}

fn write_entry(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<WriteEntry> {
    let mut fields = Fields::open(node, path, findings)?;
    if !fields.has("match") {
        findings.mistake_with_hint(&fields.spot, "`match` is missing", "add `match: /rest/v1/<table>`");
    }
    let entry = WriteEntry {
        name: fields.text("name", findings),
        path: fields.text("match", findings),
        methods: fields.node("methods").and_then(|(node, path)| {
            let value = texts(node, &path, findings)?;
            Some(At { value, spot: Spot { path, place: node.place } })
        }),
        invalidate: fields.node("invalidate").and_then(|(node, path)| invalidate(node, &path, findings)),
        refresh: fields.flag("refresh", findings),
        lock: fields.node("lock").and_then(|(node, path)| guard_entries::lock(node, &path, findings)),
        idempotency: fields
            .node("idempotency")
            .and_then(|(node, path)| guard_entries::idempotency(node, &path, findings)),
        debug: fields.flag("debug", findings),
    };
    fields.close(findings);
    Some(entry)
}

/// `[…]`, or `{ hard: […], soft: […] }`.
fn invalidate(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<InvalidateEntry> {
    let Value::Map(_) = &node.value else {
        let hard = texts(node, path, findings)?;
        return Some(InvalidateEntry { hard, soft: Vec::new() });
    };
    let mut fields = Fields::open(node, path, findings)?;
    let mut list = |name| {
        let (node, path) = fields.node(name)?;
        texts(node, &path, findings)
    };
    let (hard, soft) = (list("hard"), list("soft"));
    let spot = fields.spot.clone();
    fields.close(findings);
    if soft.is_none() {
        let hint = "write a list, or `{ soft: [\"properties:list:*\"] }`";
        findings.mistake_with_hint(&spot, "says of nothing that it goes softly", hint);
    }
    Some(InvalidateEntry { hard: hard.unwrap_or_default(), soft: soft.unwrap_or_default() })
}

fn schema_section(node: &Node, path: &str, findings: &mut Findings<'_>) -> SchemaSection {
    let mut section = SchemaSection::default();
    let Some(mut fields) = Fields::open(node, path, findings) else { return section };
    section.include = fields.text("include", findings);
    if let Some((node, path)) = fields.node("views") {
        section.views = named(node, &path, findings, texts);
    }
    if let Some((node, path)) = fields.node("policies") {
        section.policies = named(node, &path, findings, texts);
    }
    if let Some((node, path)) = fields.node("cascades") {
        section.cascades = named(node, &path, findings, texts);
    }
    if let Some((node, path)) = fields.node("rows") {
        section.rows = named(node, &path, findings, texts);
    }
    if let Some((node, path)) = fields.node("functions") {
        section.functions = named(node, &path, findings, function);
    }
    if let Some((node, path)) = fields.node("relations") {
        section.relations =
            named(node, &path, findings, |node, path, findings| Some(named(node, path, findings, texts)));
    }
    fields.close(findings);
    section
}

fn function(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<FunctionEntry> {
    let mut fields = Fields::open(node, path, findings)?;
    let mut list = |name| {
        let (node, path) = fields.node(name)?;
        texts(node, &path, findings)
    };
    let (reads, writes) = (list("reads"), list("writes"));
    if !fields.has("reads") && !fields.has("writes") {
        let hint = "add `reads: […]` or `writes: […]`; an empty list means none";
        findings.mistake_with_hint(&fields.spot, "says neither what it reads nor what it writes", hint);
    }
    fields.close(findings);
    Some(FunctionEntry { reads, writes })
}

fn unknown_writes(node: &Node, path: &str, findings: &mut Findings<'_>) -> UnknownWritesSection {
    let Some(mut fields) = Fields::open(node, path, findings) else {
        return UnknownWritesSection::default();
    };
    let section = UnknownWritesSection {
        functions: fields.text("functions", findings),
        auth: fields.text("auth", findings),
        storage: fields.text("storage", findings),
    };
    fields.close(findings);
    section
}

/// The entries of a map whose keys are names of the author's choice, in the
/// order of those names: their order in the file means nothing.
fn named<T>(
    node: &Node,
    path: &str,
    findings: &mut Findings<'_>,
    read: impl Fn(&Node, &str, &mut Findings<'_>) -> Option<T>,
) -> Vec<Named<T>> {
    let mut all = Vec::new();
    for entry in entries(node, path, findings).unwrap_or_default() {
        let path = join(path, &entry.key);
        if let Some(value) = read(&entry.value, &path, findings) {
            let spot = Spot { path, place: entry.key_place };
            all.push(Named { name: At { value: entry.key.clone(), spot }, value });
        }
    }
    all.sort_by(|a, b| a.name.value.cmp(&b.name.value));
    all
}
