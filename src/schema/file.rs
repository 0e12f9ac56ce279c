//! schema.yaml, written: the same facts always give the same lines, one for each thing.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::key::Table;
use crate::rules::{
    Learned, LearnedFunction, Link, Name, Part, Relationship, SCHEMA_FILE_VERSION, Shown, Visible,
    written as name,
};

/// Writes everything. Only the lines about the source change when nothing in the database does.
pub fn written(learned: &Learned) -> String {
    let mut text = String::new();
    head(&mut text, learned);
    section(
        &mut text,
        "tables",
        "What requests can name, with types as PostgreSQL writes them.",
        &learned.tables,
        |table| {
            let columns =
                table.columns.iter().map(|(column, kind)| format!("{}: {}", scalar(column), scalar(kind)));
            format!("{{ kind: {}, columns: {} }}", table.kind.as_str(), map(columns))
        },
    );
    relations(&mut text, learned);
    section(
        &mut text,
        "views",
        "What views show, and what lies under partitioned tables and parents.",
        &learned.views,
        |tables| names(tables),
    );
    section(
        &mut text,
        "functions",
        "What functions read and write. `writes: []`: nothing. Without `writes`: nobody can say.",
        &learned.functions,
        function,
    );
    section(
        &mut text,
        "fields",
        "Functions that a select may name as if they were columns.",
        &learned.fields,
        |fields| {
            map(fields
                .iter()
                .map(|(field, Name(function))| format!("{}: {}", scalar(field), scalar(&name(function)))))
        },
    );
    section(
        &mut text,
        "policies",
        "What row-level security, types and media types of a table read.",
        &learned.policies,
        |tables| names(tables),
    );
    section(
        &mut text,
        "cascades",
        "What a write also changes: by foreign keys, triggers, rules and defaults.",
        &learned.cascades,
        |tables| names(tables),
    );
    section(
        &mut text,
        "rows",
        "Columns by which one changed row is told from others.",
        &learned.rows,
        |columns| list(columns.iter().map(|column| scalar(column))),
    );
    visibility(&mut text, learned);
    if let Some(Name(before)) = &learned.pre_request {
        let before = scalar(&name(before));
        let _infallible =
            write!(text, "\n# The function that runs before every request.\npre_request: {before}\n");
    }
    unsure(&mut text, learned);
    text
}

fn head(text: &mut String, learned: &Learned) {
    let source = &learned.source;
    let _infallible = write!(
        text,
        "# What Larder learned from the database. Written by `larder schema pull`: read it, commit it, and let\n\
         # rules.yaml include it: `schema: {{ include: schema.yaml }}`. What rules.yaml says under `schema` wins.\n\
         # `larder schema diff` says whether the database has moved on since. docs/schema.md explains every section.\n\
         version: {SCHEMA_FILE_VERSION}\n\
         server: {}\n\
         pulled: {}\n\
         fingerprint: {}\n\
         schemas: {}\n",
        scalar(&source.server),
        scalar(&source.pulled),
        scalar(&source.fingerprint),
        list(learned.schemas.iter().map(|schema| scalar(schema))),
    );
}

/// A section with one line for each entry; left out where there is none.
fn section<T>(
    text: &mut String,
    title: &str,
    comment: &str,
    entries: &BTreeMap<Table, T>,
    line: impl Fn(&T) -> String,
) {
    if entries.is_empty() {
        return;
    }
    let _infallible = write!(text, "\n# {comment}\n{title}:\n");
    for (table, entry) in entries {
        let _infallible = writeln!(text, "  {}: {}", scalar(&name(table)), line(entry));
    }
}

/// A section whose entries are lists with a line for each item.
fn listed<T>(
    text: &mut String,
    title: &str,
    comment: &str,
    entries: &BTreeMap<Table, Vec<T>>,
    line: impl Fn(&T) -> String,
) {
    if entries.is_empty() {
        return;
    }
    let _infallible = write!(text, "\n# {comment}\n{title}:\n");
    for (table, items) in entries {
        let _infallible = writeln!(text, "  {}:", scalar(&name(table)));
        for item in items {
            let _infallible = writeln!(text, "    - {}", line(item));
        }
    }
}

fn relations(text: &mut String, learned: &Learned) {
    let comment =
        "Where embeds may lead. Each has the name of its target, its constraint, its column or its function.";
    listed(text, "relations", comment, &learned.relations, relationship);
}

fn relationship(Relationship { to, by }: &Relationship) -> String {
    let to = scalar(&name(to));
    match by {
        Link::Key { name, columns, references } => {
            let words = |words: &[String]| list(words.iter().map(|word| scalar(word)));
            let (columns, references) = (words(columns), words(references));
            format!("{{ to: {to}, key: {}, columns: {columns}, references: {references} }}", scalar(name))
        }
        Link::Junction(between) => format!("{{ to: {to}, junction: {} }}", scalar(&name(between))),
        Link::Call(function) => format!("{{ to: {to}, call: {} }}", scalar(&name(function))),
    }
}

fn function(function: &LearnedFunction) -> String {
    let mut fields = vec![format!("reads: {}", names(&function.reads))];
    fields.extend(function.writes.as_ref().map(|writes| format!("writes: {}", names(writes))));
    if !function.returns.is_empty() {
        fields.push(format!("returns: {}", names(&function.returns)));
    }
    map(fields.into_iter())
}

fn visibility(text: &mut String, learned: &Learned) {
    let comment = "What of a caller decides which rows are shown. `open`: rows that everybody is shown.";
    listed(text, "visibility", comment, &learned.visibility, |visible: &Visible| {
        let mut fields = Vec::new();
        if let Shown::Policy { name: policy, on } = &visible.by {
            fields.push(format!("policy: {}", scalar(policy)));
            fields.push(format!("on: {}", scalar(&name(on))));
        }
        let mut words = |field: &str, words: Vec<String>| {
            if !words.is_empty() {
                fields.push(format!("{field}: {}", list(words.into_iter())));
            }
        };
        words("roles", visible.roles.iter().map(|role| scalar(role)).collect());
        words("claims", visible.caller.claims.iter().map(|claim| scalar(claim)).collect());
        words("headers", visible.caller.headers.iter().map(|header| scalar(header)).collect());
        if visible.caller.anything {
            fields.push("anything: true".to_owned());
        }
        if let Some(open) = &visible.open {
            let pairs = open.iter().map(|(column, value)| format!("{}: {}", scalar(column), scalar(value)));
            fields.push(format!("open: {}", map(pairs)));
        }
        if visible.restrictive {
            fields.push("restrictive: true".to_owned());
        }
        map(fields.into_iter())
    });
}

fn unsure(text: &mut String, learned: &Learned) {
    if learned.unsure.is_empty() {
        return;
    }
    text.push_str(
        "\n# What could not be made out for certain. Until rules.yaml has an entry of the same name in the same\n\
         # section, each of these may read, or change, anything.\nunsure:\n",
    );
    for part in Part::ALL {
        let Some(reasons) = learned.unsure.get(&part).filter(|reasons| !reasons.is_empty()) else { continue };
        let _infallible = writeln!(text, "  {}:", part.as_str());
        for (Name(table), reason) in reasons {
            let _infallible = writeln!(text, "    {}: {}", scalar(&name(table)), scalar(reason));
        }
    }
}

fn names(tables: &[Name]) -> String {
    list(tables.iter().map(|Name(table)| scalar(&name(table))))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn map(fields: impl Iterator<Item = String>) -> String {
    let fields: Vec<String> = fields.collect();
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

/// A text as YAML reads it back: plain where that can mean nothing else.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-() ".contains(c))
        && !text.ends_with(' ')
        && !["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _infallible = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
