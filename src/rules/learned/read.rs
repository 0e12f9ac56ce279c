//! Reads schema.yaml. Wrong fields are told with their place, as in rules.yaml.

use std::collections::{BTreeMap, BTreeSet};

use super::super::fields::{At, Fields, did_you_mean, entries, items, join, text, texts};
use super::super::mistake::{Findings, Mistake, Spot, quoted};
use super::super::relationship::{Link, Relationship};
use super::super::table_name;
use super::super::yaml::{self, Entry, Node};
use super::{
    Caller, Kind, Learned, LearnedFunction, LearnedTable, Name, Part, SCHEMA_FILE_VERSION, Shown, Source,
    Visible,
};
use crate::key::Table;

pub(super) fn parse(text: &str) -> Result<Learned, Vec<Mistake>> {
    let mut findings = Findings::new(text);
    let Some(root) = yaml::read(text, &yaml::LEARNED, &mut findings) else {
        return Err(findings.into_mistakes());
    };
    let learned = learned(&root, &mut findings);
    match learned {
        Some(learned) if !findings.has_mistakes() => Ok(learned),
        Some(_) | None => Err(findings.into_mistakes()),
    }
}

fn learned(root: &Node, findings: &mut Findings<'_>) -> Option<Learned> {
    let mut fields = Fields::open(root, "", findings)?;
    let version = fields.text("version", findings);
    if version.as_ref().is_none_or(|version| version.value != SCHEMA_FILE_VERSION) {
        let spot = version.map_or_else(|| fields.spot.clone(), |version| version.spot);
        let hint = "write the file anew with `larder schema pull`";
        findings.mistake_with_hint(&spot, "not a version of this format", hint);
    }
    let mut line = |name| fields.text(name, findings).map(|text| text.value).unwrap_or_default();
    let source = Source { server: line("server"), pulled: line("pulled"), fingerprint: line("fingerprint") };
    let learned = Learned {
        source,
        schemas: section(&mut fields, "schemas", findings, words).unwrap_or_default(),
        tables: tables(&mut fields, "tables", findings, table),
        relations: tables(&mut fields, "relations", findings, relationships),
        views: tables(&mut fields, "views", findings, names),
        functions: tables(&mut fields, "functions", findings, function),
        fields: tables(&mut fields, "fields", findings, computed),
        policies: tables(&mut fields, "policies", findings, names),
        cascades: tables(&mut fields, "cascades", findings, names),
        rows: tables(&mut fields, "rows", findings, words),
        visibility: tables(&mut fields, "visibility", findings, visibility),
        pre_request: section(&mut fields, "pre_request", findings, name),
        unsure: section(&mut fields, "unsure", findings, unsure).unwrap_or_default(),
    };
    fields.close(findings);
    Some(learned)
}

fn section<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    findings: &mut Findings<'_>,
    read: impl Fn(&Node, &str, &mut Findings<'_>) -> Option<T>,
) -> Option<T> {
    let (node, path) = fields.node(name)?;
    read(node, &path, findings)
}

/// A map from tables.
fn tables<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    findings: &mut Findings<'_>,
    read: impl Fn(&Node, &str, &mut Findings<'_>) -> Option<T>,
) -> BTreeMap<Table, T> {
    let mut all = BTreeMap::new();
    let Some((node, path)) = fields.node(name) else { return all };
    for entry in entries(node, &path, findings).unwrap_or_default() {
        let path = join(&path, &entry.key);
        let spot = Spot { path: path.clone(), place: entry.key_place };
        let name = table_of(&At { value: entry.key.clone(), spot }, findings);
        if let (Some(name), Some(value)) = (name, read(&entry.value, &path, findings)) {
            all.insert(name, value);
        }
    }
    all
}

fn table_of(written: &At<String>, findings: &mut Findings<'_>) -> Option<Table> {
    let table = table_name::read(&written.value, "");
    if table.is_none() {
        findings.mistake(&written.spot, format!("{} is not `schema.name`", quoted(&written.value)));
    }
    table
}

fn name(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<Name> {
    let written = text(node, path, findings)?;
    table_of(&written, findings).map(Name)
}

fn names(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<Vec<Name>> {
    let written = texts(node, path, findings)?;
    Some(written.iter().filter_map(|name| table_of(name, findings)).map(Name).collect())
}

fn words(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<Vec<String>> {
    Some(texts(node, path, findings)?.into_iter().map(|word| word.value).collect())
}

/// A map from words, in the order of the file.
fn by_word<T>(
    node: &Node,
    path: &str,
    findings: &mut Findings<'_>,
    read: impl Fn(&Node, &str, &mut Findings<'_>) -> Option<T>,
) -> Option<Vec<(String, T)>> {
    let found = entries(node, path, findings)?;
    let pair = |entry: &Entry, findings: &mut Findings<'_>| {
        Some((entry.key.clone(), read(&entry.value, &join(path, &entry.key), findings)?))
    };
    Some(found.iter().filter_map(|entry| pair(entry, findings)).collect())
}

fn plain(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<String> {
    text(node, path, findings).map(|text| text.value)
}

fn table(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<LearnedTable> {
    let mut fields = Fields::open(node, path, findings)?;
    let word = fields.text("kind", findings);
    let kind = word.as_ref().and_then(|word| Kind::ALL.into_iter().find(|kind| kind.as_str() == word.value));
    if kind.is_none() {
        let known = Kind::ALL.map(Kind::as_str);
        let spot = word.as_ref().map_or_else(|| fields.spot.clone(), |word| word.spot.clone());
        let hint = word
            .and_then(|word| did_you_mean(&word.value, known.into_iter()))
            .unwrap_or_else(|| format!("one of {}", known.join(", ")));
        findings.mistake_with_hint(&spot, "not a kind of table", hint);
    }
    let columns = section(&mut fields, "columns", findings, |node, path, findings| {
        by_word(node, path, findings, plain)
    });
    fields.close(findings);
    Some(LearnedTable { kind: kind?, columns: columns.unwrap_or_default() })
}

fn relationships(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<Vec<Relationship>> {
    let found = items(node, path, findings)?;
    Some(found.into_iter().filter_map(|(item, path)| relationship(item, &path, findings)).collect())
}

fn relationship(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<Relationship> {
    let mut fields = Fields::open(node, path, findings)?;
    let to = section(&mut fields, "to", findings, name);
    let key = fields.text("key", findings);
    let columns = section(&mut fields, "columns", findings, words);
    let references = section(&mut fields, "references", findings, words);
    let junction = section(&mut fields, "junction", findings, name);
    let call = section(&mut fields, "call", findings, name);
    let by = match (key, junction, call) {
        (Some(key), None, None) => Some(Link::Key {
            name: key.value,
            columns: columns.unwrap_or_default(),
            references: references.unwrap_or_default(),
        }),
        (None, Some(Name(between)), None) => Some(Link::Junction(between)),
        (None, None, Some(Name(function))) => Some(Link::Call(function)),
        _ => {
            findings.mistake(&fields.spot, "has one of `key`, `junction` and `call`");
            None
        }
    };
    fields.close(findings);
    Some(Relationship { to: to?.0, by: by? })
}

fn function(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<LearnedFunction> {
    let mut fields = Fields::open(node, path, findings)?;
    let function = LearnedFunction {
        reads: section(&mut fields, "reads", findings, names).unwrap_or_default(),
        writes: section(&mut fields, "writes", findings, names),
        returns: section(&mut fields, "returns", findings, names).unwrap_or_default(),
    };
    fields.close(findings);
    Some(function)
}

fn computed(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<BTreeMap<String, Name>> {
    Some(by_word(node, path, findings, name)?.into_iter().collect())
}

fn visibility(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<Vec<Visible>> {
    let found = items(node, path, findings)?;
    Some(found.into_iter().filter_map(|(item, path)| visible(item, &path, findings)).collect())
}

fn visible(node: &Node, path: &str, findings: &mut Findings<'_>) -> Option<Visible> {
    let mut fields = Fields::open(node, path, findings)?;
    let policy = fields.text("policy", findings).map(|name| name.value);
    let on = section(&mut fields, "on", findings, name);
    let by = match (policy, on) {
        (Some(name), Some(Name(on))) => Some(Shown::Policy { name, on }),
        (None, None) => Some(Shown::Definition),
        _ => {
            findings.mistake(&fields.spot, "`policy` and `on` belong together");
            None
        }
    };
    let mut set = |name| -> BTreeSet<String> {
        section(&mut fields, name, findings, words).unwrap_or_default().into_iter().collect()
    };
    let (claims, headers) = (set("claims"), set("headers"));
    let anything = fields.flag("anything", findings);
    let open =
        section(&mut fields, "open", findings, |node, path, findings| by_word(node, path, findings, plain));
    let visible = Visible {
        by: by?,
        roles: section(&mut fields, "roles", findings, words).unwrap_or_default(),
        caller: Caller { claims, headers, anything },
        open: open.map(|open| open.into_iter().collect()),
        restrictive: fields.flag("restrictive", findings),
    };
    fields.close(findings);
    Some(visible)
}

fn unsure(
    node: &Node,
    path: &str,
    findings: &mut Findings<'_>,
) -> Option<BTreeMap<Part, BTreeMap<Name, String>>> {
    let mut fields = Fields::open(node, path, findings)?;
    let mut all = BTreeMap::new();
    for part in Part::ALL {
        let reasons = section(&mut fields, part.as_str(), findings, |node, path, findings| {
            by_word(node, path, findings, plain)
        });
        let mut named = BTreeMap::new();
        for (written, reason) in reasons.unwrap_or_default() {
            let written = At { value: written, spot: fields.spot.clone() };
            if let Some(table) = table_of(&written, findings) {
                named.insert(Name(table), reason);
            }
        }
        if !named.is_empty() {
            all.insert(part, named);
        }
    }
    fields.close(findings);
    Some(all)
}
