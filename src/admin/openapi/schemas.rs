//! What do questions and answers look like?
//!
//! Answers are closed: a field that is not named here is a mistake, which a test would find.

use serde_json::{Map, Value, json};

/// A named schema.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Every named schema.
pub(super) fn all() -> Value {
    let mut all = Map::new();
    for (name, schema) in health().into_iter().chain(entries()).chain(rules()).chain(guards()).chain(others())
    {
        all.insert(name.to_owned(), schema);
    }
    Value::Object(all)
}

type Named = Vec<(&'static str, Value)>;

/// An object with these fields and no others; a `?` behind a name says that it may be missing.
fn object<const FIELDS: usize>(fields: [(&str, Value); FIELDS]) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, schema) in fields {
        if !name.ends_with('?') {
            required.push(name);
        }
        properties.insert(name.trim_end_matches('?').to_owned(), schema);
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn number() -> Value {
    json!({ "type": "number", "minimum": 0 })
}

fn truth() -> Value {
    json!({ "type": "boolean" })
}

fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

fn list(of: &Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// This, or null.
fn perhaps(mut schema: Value) -> Value {
    let kind = schema["type"].clone();
    schema["type"] = json!([kind, "null"]);
    schema
}

fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn health() -> Named {
    let fleet = object([("members", count()), ("lease_ms", count()), ("owed", count())]);
    let member = object([("id", text()), ("lease_ms", count()), ("self", truth())]);
    let finding = object([
        ("area", text()),
        ("code", text()),
        ("verdict", words(&["works", "warning", "fails", "misconfigured"])),
        ("message", text()),
        ("hint", perhaps(text())),
    ]);
    vec![
        ("Alive", object([("status", words(&["alive"]))])),
        (
            "Ready",
            object([
                ("status", words(&["starting", "ready", "draining"])),
                ("rules", words(&["in use", "refused, older rules in use"])),
                ("store?", words(&["up", "degraded"])),
                ("fleet?", fleet),
            ]),
        ),
        (
            "StoreHealth",
            object([
                ("status", words(&["ok", "degraded"])),
                ("redis", words(&["connected", "disconnected", "not configured"])),
                ("timestamp", moment()),
            ]),
        ),
        (
            "Fleet",
            object([
                ("store", words(&["memory", "up", "degraded"])),
                ("member?", text()),
                ("lease_ms?", count()),
                ("owed?", count()),
                ("members", list(&member)),
                ("look_ups?", count()),
                ("hits?", count()),
                ("failures?", count()),
                ("rejected_records?", count()),
                ("lost_fills?", count()),
                ("unannounced?", count()),
                ("timestamp", moment()),
            ]),
        ),
        (
            "Report",
            object([
                ("examined", words(&["proxy", "settings"])),
                ("verdict", words(&["works", "warning", "fails", "misconfigured"])),
                ("findings", list(&finding)),
                ("timestamp", moment()),
            ]),
        ),
        (
            "Refusal",
            object([
                ("code", json!({ "type": "string", "pattern": "^LARDER[0-9]{3}$" })),
                ("message", text()),
                ("details", json!({})),
                ("hint", perhaps(text())),
            ]),
        ),
    ]
}

/// The fields of an entry in a list.
fn entry() -> Value {
    object([
        ("key", text()),
        ("variant", text()),
        ("status", count()),
        ("age", number()),
        ("ttl", number()),
        ("bytes", count()),
        ("hits", perhaps(count())),
        ("valid", perhaps(truth())),
        ("sealed", truth()),
    ])
}

fn entries() -> Named {
    let mut looked_into = entry();
    let header = object([("name", text()), ("value", text())]);
    let tag = object([("tag", text()), ("valid", truth())]);
    looked_into["properties"]["in"] = words(&["memory", "store"]);
    looked_into["properties"]["headers"] = list(&header);
    looked_into["properties"]["tags"] = list(&tag);
    looked_into["properties"]["body"] = text();
    looked_into["properties"]["body_base64"] = text();
    let one_of = |name: &str, schema: Value| object([(name, schema)]);
    let names = json!({ "type": "array", "minItems": 1, "maxItems": 10_000, "items": text() });
    vec![
        (
            "EntryPage",
            object([
                ("in", words(&["memory", "store"])),
                ("entries", list(&entry())),
                ("cursor", perhaps(text())),
                ("timestamp", moment()),
            ]),
        ),
        (
            "Inspection",
            object([
                ("key", text()),
                ("entries", list(&looked_into)),
                ("complete", truth()),
                ("timestamp", moment()),
            ]),
        ),
        (
            "Clear",
            json!({
                "oneOf": [
                    one_of("key", text()),
                    one_of("keys", names.clone()),
                    one_of("tags", names),
                    one_of("table", text()),
                    one_of("namespace", text()),
                    one_of("pattern", text()),
                    one_of("all", json!({ "const": true })),
                ],
                "example": { "key": "properties:detail:5" },
            }),
        ),
        (
            "Cleared",
            object([
                ("cleared", object([("tags", count())])),
                ("warnings?", list(&text())),
                ("timestamp", moment()),
            ]),
        ),
    ]
}

/// What reads of something brought.
fn reads(name: &str) -> Value {
    object([(name, text()), ("hits", count()), ("misses", count()), ("hit_rate", perhaps(number()))])
}

fn rules() -> Named {
    let remark = object([
        ("path", text()),
        ("message", text()),
        ("line", count()),
        ("column", count()),
        ("hint", perhaps(text())),
    ]);
    let read = object([
        ("name", text()),
        ("match", text()),
        ("where", json!({ "type": "object", "additionalProperties": text() })),
        ("namespace", text()),
        ("key", text()),
        ("ttl", perhaps(number())),
        ("scope", text()),
        ("consistency", words(&["bounded", "fresh", "strict"])),
        ("vary", list(&text())),
        ("encrypt", truth()),
        ("canary", list(&text())),
        ("hits", count()),
        ("misses", count()),
        ("hit_rate", perhaps(number())),
    ]);
    let write = object([
        ("name", text()),
        ("match", text()),
        ("methods", list(&text())),
        ("invalidate", list(&text())),
        ("invalidate_softly", list(&text())),
        ("lock", perhaps(text())),
        ("idempotency", perhaps(text())),
    ]);
    let difference = object([
        ("added", list(&text())),
        ("removed", list(&text())),
        ("changed", list(&text())),
        ("reordered", truth()),
    ]);
    let refused = object([
        ("code", text()),
        ("message", text()),
        ("details", object([("mistakes", list(&remark))])),
        ("hint", text()),
    ]);
    vec![
        (
            "Rules",
            object([
                ("reads", list(&read)),
                ("writes", list(&write)),
                ("limits", list(&limit())),
                ("timestamp", moment()),
            ]),
        ),
        (
            "Reloaded",
            object([
                ("reloaded", truth()),
                ("reads", difference.clone()),
                ("writes", difference.clone()),
                ("limits", difference),
                ("warnings", list(&remark)),
                ("timestamp", moment()),
            ]),
        ),
        ("RulesRefused", refused),
    ]
}

fn limit() -> Value {
    object([
        ("name", text()),
        ("match", text()),
        ("methods", list(&text())),
        ("by", text()),
        ("rate", count()),
        ("window_seconds", count()),
        ("window", words(&["fixed", "sliding"])),
        ("burst", perhaps(count())),
        ("count", words(&["all", "misses"])),
        ("store_down", words(&["local", "allow", "refuse"])),
    ])
}

fn guards() -> Named {
    let lock = object([("key", text()), ("fence", count()), ("expires_in", number())]);
    let operation = object([("key", text()), ("status", perhaps(count())), ("expires_in", number())]);
    let hold = json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h)$", "examples": ["30s"], "description": "From 1s to 1h" });
    vec![
        ("Limits", object([("limits", list(&limit()))])),
        ("Locks", object([("locks", list(&lock))])),
        (
            "Lock",
            object([("key", text()), ("held", truth()), ("fence?", count()), ("expires_in?", number())]),
        ),
        ("LockOrder", {
            let mut order = object([("hold?", hold.clone())]);
            order["example"] = json!({ "hold": "30s" });
            order
        }),
        ("LockProof", object([("token", text()), ("hold?", hold.clone())])),
        ("LockRelease", object([("token?", text()), ("hold?", hold)])),
        ("Held", object([("key", text()), ("token", text()), ("fence", count()), ("expires_in", number())])),
        ("Renewed", object([("key", text()), ("expires_in", number())])),
        ("Released", object([("released", truth())])),
        ("Operations", object([("operations", list(&operation))])),
        ("Forgotten", object([("forgotten", count())])),
    ]
}

/// What a Database Webhook sends.
fn change() -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": words(&["INSERT", "UPDATE", "DELETE", "TRUNCATE"]),
            "schema": { "type": "string", "minLength": 1 },
            "table": { "type": "string", "minLength": 1 },
            "record": { "type": ["object", "null"] },
            "old_record": { "type": ["object", "null"] },
        },
        "required": ["type", "schema", "table"],
        "example": { "type": "TRUNCATE", "schema": "public", "table": "properties" },
    })
}

fn others() -> Named {
    let quantiles = object([
        ("count", count()),
        ("p50", perhaps(number())),
        ("p95", perhaps(number())),
        ("p99", perhaps(number())),
    ]);
    let namespace = object([
        ("namespace", text()),
        ("keys", count()),
        ("memory", count()),
        ("hits", count()),
        ("misses", count()),
        ("hit_rate", perhaps(number())),
    ]);
    let stats = object([
        ("keys", count()),
        ("memory", count()),
        ("memory_max", count()),
        ("hits", count()),
        ("misses", count()),
        ("hit_rate", perhaps(number())),
        ("bytes_saved", count()),
        ("upstream_requests", count()),
        ("fills", count()),
        ("evictions", count()),
        ("invalidations", count()),
        ("latency_ms", json!({ "type": "object", "additionalProperties": quantiles })),
        ("rules", list(&reads("rule"))),
        ("namespaces", list(&namespace)),
        ("store?", object([("look_ups", count()), ("hits", count()), ("failures", count())])),
    ]);
    let lines = json!({ "type": "object", "additionalProperties": { "anyOf": [text(), list(&text())] } });
    let method = json!({ "type": "string", "pattern": "^[A-Za-z]+$" });
    let target = json!({ "type": "string", "pattern": "^/" });
    let mut question =
        object([("method?", method), ("target", target), ("headers?", lines), ("body?", perhaps(text()))]);
    question["example"] = json!({ "target": "/rest/v1/properties?id=eq.5" });
    vec![
        ("Stats", object([("stats", stats), ("timestamp", moment())])),
        ("Change", change()),
        (
            "Changes",
            json!({ "anyOf": [reference("Change"), { "type": "array", "maxItems": 10_000, "items": reference("Change") }] }),
        ),
        (
            "Applied",
            object([
                ("applied", object([("changes", count()), ("tags", count()), ("read", truth())])),
                ("timestamp", moment()),
            ]),
        ),
        ("Question", question),
        (
            "Explanation",
            json!({
                "type": "object",
                "description": "docs/explain.md says what each field means",
                "properties": {
                    "method": text(),
                    "target": text(),
                    "outcome": words(&["read", "write", "pass", "refused"]),
                    "limits": list(&object([("name", text()), ("note", text())])),
                },
                "required": ["method", "target", "outcome", "limits"],
            }),
        ),
    ]
}
