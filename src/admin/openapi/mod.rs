//! `/api/openapi.json`: what can be asked here, in the words of programs?
//!
//! Made from the table of pages: every page with every method that it answers, described in
//! `operations` by an exhaustive match, so that a new page does not compile before it is described.

mod operations;
mod schemas;

use std::sync::LazyLock;

use http::Method;
use serde_json::{Map, Value, json};

use super::pages::{ALL, BELOW, Page};

/// The document, which never changes while a process runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));

/// The document as text.
pub(super) fn text() -> &'static str {
    &DOCUMENT
}

fn document() -> Value {
    let mut paths = Map::new();
    for path in ALL.into_iter().chain(BELOW) {
        let Some(page) = Page::at(path) else { continue };
        let mut operations = Map::new();
        for method in page.methods().split(", ").filter_map(|method| method.parse::<Method>().ok()) {
            let mut operation = operations::operation(page, &method);
            operation["operationId"] = operation_id(path, &method).into();
            if path.contains("{key}") {
                operations::name_key(&mut operation, page);
            }
            operations.insert(method.as_str().to_ascii_lowercase(), operation);
        }
        paths.insert(path.to_owned(), Value::Object(operations));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Larder, for operators",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What an operator, a load balancer, a scraper or the database asks of a running proxy",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:8081", "description": "--admin" }],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "operator": { "type": "http", "scheme": "bearer", "description": "LARDER_ADMIN_TOKEN" },
                "database": { "type": "http", "scheme": "bearer", "description": "LARDER_CHANGES_TOKEN" },
            },
        },
    })
}

/// `get-api-cache-entries-key`.
fn operation_id(path: &str, method: &Method) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    format!("{}-{}", method.as_str().to_ascii_lowercase(), words.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` in a value.
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_page_is_described_with_every_method_it_answers() {
        let document = document();
        let mut ids = std::collections::BTreeSet::new();
        for path in ALL.into_iter().chain(BELOW) {
            let page = Page::at(path).unwrap();
            for method in page.methods().split(", ") {
                let operation = &document["paths"][path][method.to_ascii_lowercase()];
                assert!(operation["summary"].is_string(), "{method} {path}");
                assert!(operation["responses"]["default"].is_object(), "{method} {path}");
                assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            }
        }
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} is nowhere");
        }
        assert!(text().len() < 256 * 1024);
    }
}
