//! Traps of PostgREST that a plan alone must not fall into; `docs/traps.md` lists all.

use http::Request;

use super::*;
use crate::postgrest::Payload;
use crate::rules::Context;

const RULES: &str = r#"
version: 1
reads:
  - { name: by-version, match: /rest/v1/apps, ttl: 1m, vary: [x-client-info, x-app-api-key] }
  - { name: with-cookie, match: /rest/v1/sessions, ttl: 1m, vary: [cookie] }
  - { name: quote, match: /rest/v1/rpc/daily_quote, ttl: 1m }
  - { name: tables, match: /rest/v1/*, namespace: rest, ttl: 1m }
  - { name: signed, match: "/storage/v1/object/sign/**", namespace: files, ttl: 1m }
writes:
  - { match: "/auth/v1/{verify,callback}", methods: [GET], invalidate: ["rest:*"] }
schema:
  rows: { todos: [id, owner], events: [id] }
  cascades: { events: [events_2026_11], events_2026_11: [events] }
"#;

fn planner() -> Planner {
    let context = Context { upstream: "http://up".into(), ..Context::default() };
    Planner::new(RuleSet::parse(RULES, &context).unwrap().0, None)
}

fn plan(method: &str, target: &str, headers: &[(&str, &str)]) -> Plan {
    let request = Request::builder().method(method).uri(target);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    planner().plan(&request.body(()).unwrap().into_parts().0, Framing::default(), 1_000)
}

fn read(target: &str, headers: &[(&str, &str)]) -> Arc<ReadPlan> {
    match plan("GET", target, headers) {
        Plan::Read(plan) => plan,
        other => panic!("{target}: {other:?}"),
    }
}

fn pass(method: &str, target: &str, headers: &[(&str, &str)]) -> Pass {
    match plan(method, target, headers) {
        Plan::Pass(pass) => pass,
        other => panic!("{target}: {other:?}"),
    }
}

/// Does a write take away the answer to a read?
fn meets(read_target: &str, method: &str, target: &str, body: Option<&str>) -> bool {
    let Plan::Write(write) = plan(method, target, &[]) else { panic!("{method} {target}") };
    let body = body.map(|text| Payload::parse(Some("application/json"), text.as_bytes(), write.columns()));
    let bumped = write.reach(&Evidence { body, rows: None }).tags;
    read(read_target, &[]).tags().iter().any(|tag| bumped.contains(tag))
}

#[test]
fn trap_05_13_98_a_head_is_never_a_get() {
    for target in ["/rest/v1/items", "/storage/v1/object/sign/a", "/storage/v1/upload/resumable/a"] {
        assert_eq!(pass("HEAD", target, &[("range", "0-0"), ("prefer", "count=exact")]), Pass::Head);
    }
}

#[test]
fn trap_12_a_query_plan_is_never_kept() {
    let accept = r#"application/vnd.pgrst.plan+json; for="application/json"; options=analyze"#;
    assert_eq!(pass("GET", "/rest/v1/items", &[("accept", accept)]), Pass::QueryPlan);
}

#[test]
fn trap_16_arguments_of_a_function_keep_their_order() {
    let one = read("/rest/v1/rpc/daily_quote?v=1&v=2", &[]);
    let other = read("/rest/v1/rpc/daily_quote?v=2&v=1", &[]);
    assert_ne!(one.fingerprint, other.fingerprint);
    assert_eq!(one.question.target, "/rest/v1/rpc/daily_quote?v=1&v=2");
}

#[test]
fn trap_17_a_raw_semicolon_is_never_matched() {
    assert_eq!(pass("GET", "/rest/v1/items?id=eq.1;select=secret", &[]), Pass::Semicolon);
}

#[test]
fn trap_19_a_write_meets_the_encoded_name() {
    assert!(meets("/rest/v1/%74odos?id=eq.1", "PATCH", "/rest/v1/todos?id=eq.1", Some("{}")));
    assert!(meets("/rest/v1/todos?id=eq.1", "PATCH", "/rest/v1/%74odos?id=eq.1", Some("{}")));
}

#[test]
fn trap_25_two_lines_of_a_deciding_header_pass() {
    for name in ["accept-profile", "accept", "range", "authorization", "apikey"] {
        assert_eq!(
            pass("GET", "/rest/v1/items", &[(name, "a"), (name, "b")]),
            Pass::DuplicateHeader,
            "{name}"
        );
    }
}

#[test]
fn trap_40_and_43_what_sql_reads_is_part_of_the_question_once_it_is_declared() {
    let sent =
        |info: &str, key: &str| read("/rest/v1/apps", &[("x-client-info", info), ("x-app-api-key", key)]);
    let all = [sent("v1", "good"), sent("v2", "good"), sent("v1", "bad"), read("/rest/v1/apps", &[])];
    for (index, one) in all.iter().enumerate() {
        assert!(all[index + 1..].iter().all(|other| other.fingerprint != one.fingerprint), "{index}");
    }
    assert!(
        all[0].question.terms.headers().iter().any(|(name, value)| name == "x-client-info" && value == "v1")
    );
}

#[test]
fn trap_42_a_cookie_passes_unless_it_is_declared() {
    let cookie = [("cookie", "sessionId=1")];
    assert_eq!(pass("GET", "/rest/v1/items", &cookie), Pass::Cookie);
    let (one, other) =
        (read("/rest/v1/sessions", &cookie), read("/rest/v1/sessions", &[("cookie", "sessionId=2")]));
    assert_ne!(one.fingerprint, other.fingerprint);
}

#[test]
fn trap_45_a_filter_that_moves_with_time_passes() {
    assert_eq!(pass("GET", "/rest/v1/items?expires_at=gte.now", &[]), Pass::MovingTime);
}

#[test]
fn trap_47_a_function_is_kept_only_where_a_rule_names_it() {
    assert_eq!(pass("GET", "/rest/v1/rpc/random_quote", &[]), Pass::NoRule);
    assert_eq!(&*read("/rest/v1/rpc/daily_quote", &[]).rule.name, "quote");
}

#[test]
fn trap_55_a_narrower_question_is_a_question_of_its_own() {
    let all = ["", "?id=eq.5", "?limit=1000", "?offset=0&limit=1000", "?limit=1", "?order=id", "?select=id"]
        .map(|query| read(&format!("/rest/v1/items{query}"), &[]));
    for (index, one) in all.iter().enumerate() {
        assert!(all[index + 1..].iter().all(|other| other.fingerprint != one.fingerprint), "{index}");
    }
}

#[test]
fn trap_60_nothing_of_storage_is_kept_without_a_rule() {
    for target in
        ["/storage/v1/object/authenticated/b/p", "/storage/v1/object/b/p", "/storage/v1/object/public/b/p"]
    {
        assert_eq!(pass("GET", target, &[]), Pass::NoRule, "{target}");
    }
}

#[test]
fn trap_61_the_query_of_a_signed_url_is_part_of_the_question() {
    let signed = |query: &str| read(&format!("/storage/v1/object/sign/b/p{query}"), &[]).fingerprint;
    assert!(signed("?token=t1") != signed("?token=t2") && signed("?token=t1") != signed(""));
}

#[test]
fn trap_73_filters_of_an_embed_pin_no_row_of_a_write() {
    for query in
        ["?lists.or=(id.eq.5)", "?lists.and=(id.eq.5)", "?lists.id=eq.5", "?or=(id.eq.5)", "?id=not.eq.6"]
    {
        let target = format!("/rest/v1/todos{query}");
        assert!(meets("/rest/v1/todos?id=eq.6", "PATCH", &target, Some(r#"{"done":true}"#)), "{query}");
    }
}

#[test]
fn trap_83_a_link_that_confirms_is_a_write() {
    assert!(meets("/rest/v1/profiles", "GET", "/auth/v1/verify?token=x&type=signup", None));
    assert!(!meets("/rest/v1/profiles", "POST", "/auth/v1/token?grant_type=password", None));
}

#[test]
fn trap_89_a_partition_and_its_parent_are_connected_by_cascades() {
    for (read, written) in [("events", "events_2026_11"), ("events_2026_11", "events")] {
        let (read, written) = (format!("/rest/v1/{read}"), format!("/rest/v1/{written}"));
        assert!(meets(&read, "POST", &written, Some(r#"{"id":1}"#)), "{written}");
        assert!(meets(&format!("{read}?id=eq.2"), "POST", &written, Some(r#"{"id":1}"#)), "{written}");
    }
}

#[test]
fn trap_91_what_is_no_equality_is_taken_by_every_write() {
    for filter in [
        "deleted_at=is.null",
        "deleted_at=not.is.null",
        "owner=is.null",
        "owner=neq.bob",
        "owner=isdistinct.bob",
    ] {
        let read = format!("/rest/v1/todos?{filter}");
        assert!(
            meets(&read, "PATCH", "/rest/v1/todos?id=eq.5", Some(r#"{"deleted_at":"2026-01-01"}"#)),
            "{filter}"
        );
    }
}

#[test]
fn trap_92_and_93_two_spellings_of_a_value_are_one_row() {
    for (read, written) in
        [("id=eq.007", "id=eq.7"), ("owner=eq.A@x.io", "owner=eq.a@x.io"), ("owner=eq.a", "owner=eq.a%20")]
    {
        let (read, written) = (format!("/rest/v1/todos?{read}"), format!("/rest/v1/todos?{written}"));
        assert!(meets(&read, "DELETE", &written, None), "{read}");
    }
}

#[test]
fn trap_94_an_answer_to_a_body_is_never_kept() {
    assert!(matches!(plan("POST", "/rest/v1/rpc/daily_quote", &[]), Plan::Write(_)));
}
