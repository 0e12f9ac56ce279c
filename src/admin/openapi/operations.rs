//! What is asked of each page, and what does it answer?

use http::Method;
use serde_json::{Value, json};

use super::super::pages::Page;
use super::schemas::reference;

/// Describes one page asked with one method.
pub(super) fn operation(page: Page<'_>, method: &Method) -> Value {
    let mut described = match page {
        Page::Alive => read("Is the process alive?", "Alive"),
        Page::Ready => {
            let mut ready = read("Can clients be answered?", "Ready");
            ready["responses"]["503"] = answer("Starting, or draining", "Ready");
            ready
        }
        Page::Redis => {
            let mut redis = read("Does the shared store answer?", "StoreHealth");
            redis["responses"]["503"] = answer("It does not", "StoreHealth");
            redis
        }
        Page::Fleet => read("Who shares the store?", "Fleet"),
        Page::Dashboard => page_of("What a person sees at a glance", "The page", "text/html"),
        Page::Live => page_of("How it goes, once a second", "Frames, without an end", "text/event-stream"),
        Page::Metrics => page_of("Everything that is counted, for Prometheus", "The metrics", "text/plain"),
        Page::Stats => read("How much is answered from the cache?", "Stats"),
        Page::Clear => order("What should disappear", "Clear", "Cleared"),
        Page::Entries("" | "/") => entries(),
        Page::Entries(_) => entry(method),
        Page::Explain => explain(method),
        Page::Changes => {
            let mut changes = order("The database tells of changes that bypass larder", "Changes", "Applied");
            changes["security"] = json!([{ "database": [] }]);
            changes
        }
        Page::Rules => read("Which rules are in use, and what do they bring?", "Rules"),
        Page::Reload => {
            let mut reload = read("The rules on disk take the place of those in use", "Reloaded");
            reload["responses"]["422"] = answer("They have mistakes; those from before stay", "RulesRefused");
            reload["responses"]["503"] = refusal("They were not read in time");
            reload
        }
        Page::Doctor => read("What works, what does not, and what to do?", "Report"),
        Page::Limits => read("Which limits are in use?", "Limits"),
        Page::Locks("" | "/") => read("Which locks are held?", "Locks"),
        Page::Locks(_) => lock(method),
        Page::Operations("" | "/") => read("Which operations are kept?", "Operations"),
        Page::Operations(_) => {
            read("An operation is forgotten, so that a repeat is carried out again", "Forgotten")
        }
        Page::OpenApi => {
            let any = json!({ "application/json": { "schema": { "type": "object" } } });
            described("This document", "200", json!({ "description": "It", "content": any }))
        }
    };
    if method == Method::HEAD {
        bare(&mut described);
    }
    described
}

/// Says what `{key}` is.
pub(super) fn name_key(operation: &mut Value, page: Page<'_>) {
    let (description, example, pattern) = match page {
        Page::Entries(_) => {
            ("As Cache-Status shows it", "properties:detail:5", "^[A-Za-z0-9_]+:[A-Za-z0-9:_.-]+$")
        }
        Page::Operations(_) => ("The idempotency key", "8e1c-77", "."),
        _ => ("The lock's name", "payment:5", "."),
    };
    let key = json!({
        "name": "key", "in": "path", "required": true, "description": description, "example": example,
        "schema": { "type": "string", "minLength": 1, "pattern": pattern },
    });
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(key),
        None => operation["parameters"] = json!([key]),
    }
}

fn described(summary: &str, status: &str, answer: Value) -> Value {
    let mut described = json!({
        "summary": summary,
        "security": [{ "operator": [] }, {}],
        "responses": { "default": refusal("It was refused") },
    });
    described["responses"][status] = answer;
    described
}

/// An answer that is no JSON.
fn page_of(summary: &str, what: &str, media: &str) -> Value {
    let content = json!({ media: { "schema": { "type": "string" } } });
    described(summary, "200", json!({ "description": what, "content": content }))
}

fn read(summary: &str, schema: &str) -> Value {
    described(summary, "200", answer("It", schema))
}

fn order(summary: &str, body: &str, schema: &str) -> Value {
    let mut order = read(summary, schema);
    order["requestBody"] = requested(body);
    order
}

fn requested(schema: &str) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": reference(schema) } } })
}

fn answer(description: &str, schema: &str) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": reference(schema) } } })
}

fn refusal(description: &str) -> Value {
    answer(description, "Refusal")
}

/// Answers to HEAD have no bodies.
fn bare(operation: &mut Value) {
    for response in operation["responses"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        if let Some(response) = response.as_object_mut() {
            response.remove("content");
        }
    }
}

fn parameter(name: &str, description: &str, example: &str, schema: &Value) -> Value {
    let mut parameter = json!({ "name": name, "in": "query", "description": description, "schema": schema });
    if !example.is_empty() {
        parameter["example"] = example.into();
    }
    parameter
}

fn entries() -> Value {
    let mut entries = read("What is remembered?", "EntryPage");
    let text = json!({ "type": "string" });
    let keys = json!({ "type": "array", "maxItems": 100, "items": { "type": "string" } });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": 1_000, "default": 100 });
    entries["parameters"] = json!([
        parameter("pattern", "Keys; `*` stands for anything", "*", &text),
        parameter("key", "Keys by name, instead of a pattern", "", &keys),
        parameter("limit", "Most entries of this page", "", &limit),
        parameter("cursor", "As the page before gave it", "", &text),
        parameter("in", "Where to look", "", &json!({ "enum": ["memory", "store"] })),
    ]);
    entries
}

fn entry(method: &Method) -> Value {
    if method == Method::DELETE {
        return read("The entries of this key disappear", "Cleared");
    }
    let mut entry = read("What is known of this key?", "Inspection");
    entry["responses"]["404"] = refusal("Nothing of this key is remembered");
    let body = json!({ "type": "boolean", "default": false });
    entry["parameters"] =
        json!([parameter("body", "The stored answers, too, where --admin-bodies allows that", "", &body)]);
    entry
}

fn explain(method: &Method) -> Value {
    if method == Method::POST {
        return order("What would happen to a request?", "Question", "Explanation");
    }
    let mut explain = read("What would happen to a request without headers?", "Explanation");
    let (text, target) = (json!({ "type": "string", "pattern": "^[A-Za-z/]" }), "/rest/v1/properties");
    let mut asked = parameter("target", "Path and query", target, &text);
    asked["required"] = true.into();
    explain["parameters"] = json!([parameter("method", "Its method", "GET", &text), asked]);
    explain
}

fn lock(method: &Method) -> Value {
    match *method {
        Method::POST => {
            let mut acquire = described("The lock is taken", "201", answer("It is held", "Held"));
            acquire["requestBody"] = requested("LockOrder");
            acquire["responses"]["409"] = refusal("Somebody holds it");
            acquire
        }
        Method::PUT => {
            let mut renew = order("The lock is held on to", "LockProof", "Renewed");
            renew["responses"]["409"] = refusal("It is not held by that token any more");
            renew
        }
        Method::DELETE => {
            let mut release = read("The lock is given back, or taken away from whoever holds it", "Released");
            release["requestBody"] = requested("LockProof");
            release["requestBody"]["required"] = false.into();
            release["responses"]["409"] = refusal("It is not held by that token any more");
            let forced = json!({ "enum": ["true"] });
            release["parameters"] = json!([parameter("force", "Whoever holds it", "", &forced)]);
            release
        }
        _ => read("Who holds the lock?", "Lock"),
    }
}
