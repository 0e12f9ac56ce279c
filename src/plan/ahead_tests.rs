//! Is a write announced as what it may come to change, and as little more?

use http::Request;

use super::*;
use crate::postgrest::Payload;
use crate::rules::Context;

const RULES: &str = r#"
version: 1
reads:
  - { name: by-city, match: /rest/v1/properties, where: { city: eq.* }, key: "city:{city}", ttl: 5m }
  - { name: all, match: "/rest/v1/*", ttl: 5m }
writes:
  - name: property
    match: /rest/v1/properties
    invalidate: [auto, "properties:city:{city}", "properties:seen:{body.by}", "properties:of:{row.owner}"]
schema:
  rows: { todos: [id, owner], properties: [id] }
"#;
const READS: [&str; 11] = [
    "/rest/v1/todos",
    "/rest/v1/todos?id=eq.5",
    "/rest/v1/todos?id=eq.6",
    "/rest/v1/todos?id=in.(5,7)",
    "/rest/v1/todos?owner=eq.ann",
    "/rest/v1/todos?owner=eq.bob",
    "/rest/v1/todos?id=eq.6&owner=eq.bob",
    "/rest/v1/properties?city=eq.Dakar",
    "/rest/v1/properties?city=eq.Thies",
    "/rest/v1/properties?id=eq.5",
    "/rest/v1/other",
];
const ROWS: &str = "return=representation";

fn planner() -> Planner {
    let (rules, _warnings) = RuleSet::parse(RULES, &Context::default()).expect("rules");
    Planner::new(rules, None)
}

fn plan(planner: &Planner, method: &str, target: &str, prefer: &str) -> Plan {
    let request = Request::builder().method(method).uri(target).header("prefer", prefer);
    planner.plan(&request.body(()).expect("a request").into_parts().0, Framing::default(), 0)
}

fn payload(text: Option<&str>) -> Option<Payload<'_>> {
    text.map(|text| Payload::parse(Some("application/json"), text.as_bytes(), None))
}

/// Which of the reads depend on one of these tags.
fn touched(planner: &Planner, tags: &[crate::key::Tag]) -> Vec<&'static str> {
    let depends = |target: &&str| match plan(planner, "GET", target, "") {
        Plan::Read(read) => read.tags().iter().any(|tag| tags.contains(tag)),
        _ => panic!("{target} is no read"),
    };
    READS.into_iter().filter(depends).collect()
}

/// A PATCH leaves a column that it does not assign as it was: a row that a filter found is one that it finds still.
fn is_moved((method, query): (&str, &str), body: Option<&str>, rows: &str) -> bool {
    let filters = [
        ("id", "?id=eq.5", "\"id\":6"),
        ("owner", "?owner=eq.ann", "bob"),
        ("city", "?city=eq.Dakar", "Thies"),
    ];
    let is_assigned = |column: &str| body.is_some_and(|body| body.contains(&format!("\"{column}\"")));
    let found = filters.iter().find(|(_, filter, _)| *filter == query);
    method == "PATCH" && found.is_some_and(|(column, _, other)| !is_assigned(column) && rows.contains(other))
}

fn write(planner: &Planner, method: &str, target: &str, prefer: &str) -> WritePlan {
    match plan(planner, method, target, prefer) {
        Plan::Write(write) => *write,
        _ => panic!("{method} {target} is no write"),
    }
}

#[test]
fn nothing_is_taken_away_in_the_end_that_was_not_announced() {
    let planner = planner();
    let bodies = [
        None,
        Some("{}"),
        Some(r#"{"done":true}"#),
        Some(r#"{"id":6,"city":"Thies","by":"x"}"#),
        Some(r#"[{"id":5,"owner":"ann","city":"Dakar"},{"id":7,"owner":"ann","city":"Dakar"}]"#),
        Some("id,owner\n6,bob"),
    ];
    // the last ones are what a trigger may have made of a row
    let returned = [
        None,
        Some("[]"),
        Some(r#"[{"id":5,"owner":"ann","city":"Dakar"}]"#),
        Some(r#"[{"id":6,"owner":"bob","city":"Thies"}]"#),
    ];
    let queries = ["", "?id=eq.5", "?id=in.(5,6)", "?owner=eq.ann", "?city=eq.Dakar", "?select=id,o:owner"];
    let prefers =
        ["", ROWS, "resolution=merge-duplicates", "return=representation,resolution=merge-duplicates"];
    let mut compared = 0;
    for (method, table) in ["POST", "PATCH", "PUT", "DELETE"]
        .into_iter()
        .flat_map(|method| ["todos", "properties", "other"].map(|table| (method, table)))
    {
        for (query, prefer) in queries.iter().flat_map(|query| prefers.map(|prefer| (query, prefer))) {
            let target = format!("/rest/v1/{table}{query}");
            let write = write(&planner, method, &target, prefer);
            for (body, rows) in bodies.iter().flat_map(|body| returned.map(|rows| (*body, rows))) {
                if rows
                    .is_some_and(|rows| !prefer.contains("return") || is_moved((method, query), body, rows))
                {
                    continue;
                }
                let ahead = touched(&planner, &write.reach_ahead(payload(body)));
                let unseen = touched(&planner, &write.reach_ahead(None));
                let evidence = Evidence { body: payload(body), rows: payload(rows) };
                for read in touched(&planner, &write.reach(&evidence).tags) {
                    assert!(
                        ahead.contains(&read) && unseen.contains(&read),
                        "{method} {target} {prefer} {body:?} answered {rows:?} takes {read}"
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 2_000, "{compared}");
}

#[test]
fn a_body_that_names_no_other_row_leaves_other_rows_to_the_cache() {
    let planner = planner();
    let lists = "/rest/v1/todos";
    for (method, query, prefer, body, expected) in [
        // with the body a PATCH means the row that its filter names, whatever it returns
        ("PATCH", "?id=eq.5&owner=eq.ann", "", Some(r#"{"done":true}"#), &[5, 57, 100][..]),
        ("PATCH", "?id=eq.5&owner=eq.ann", ROWS, Some(r#"{"done":true}"#), &[5, 57, 100]),
        // without it, it may turn the row into any other
        ("PATCH", "?id=eq.5&owner=eq.ann", "", None, &[5, 6, 57, 100, 101, 601]),
        ("PATCH", "?id=eq.5&owner=eq.ann", "", Some(r#"{"owner":"bob"}"#), &[5, 57, 100, 101]),
        // a trigger may have had another idea of a value that is assigned, and the answer will say so
        ("PATCH", "?id=eq.5&owner=eq.ann", ROWS, Some(r#"{"id":5}"#), &[5, 6, 57, 100, 601]),
        ("DELETE", "?id=eq.6&owner=eq.bob", "", None, &[6, 101, 601]),
        ("POST", "", "", Some(r#"{"id":6,"owner":"bob"}"#), &[6, 101, 601]),
        ("POST", "", "", Some(r#"{"owner":"bob"}"#), &[5, 6, 57, 101, 601]),
    ] {
        let write = write(&planner, method, &format!("{lists}{query}"), prefer);
        let touched = touched(&planner, &write.reach_ahead(payload(body)));
        let rows: Vec<u32> = touched
            .iter()
            .filter_map(|read| match read.strip_prefix("/rest/v1/todos?")? {
                "id=eq.5" => Some(5),
                "id=eq.6" => Some(6),
                "id=in.(5,7)" => Some(57),
                "owner=eq.ann" => Some(100),
                "owner=eq.bob" => Some(101),
                _both => Some(601),
            })
            .collect();
        assert_eq!(rows, expected, "{method} {query} {prefer} {body:?}");
        assert!(touched.contains(&lists), "a list names no row");
    }
}
