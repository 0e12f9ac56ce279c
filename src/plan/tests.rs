//! Head in, plan out: what is kept, what passes, and what a write takes away.

use std::time::Duration;

use http::{HeaderMap, Request};

use super::*;
use crate::key::Tag;
use crate::postgrest::Payload;
use crate::rules::Context;

const RULES: &str = r#"
version: 1
namespace: demo
ttls: { long: 1h }
reads:
  - { name: detail, match: /rest/v1/properties, where: { id: eq.* }, key: "detail:{id}", ttl: long }
  - { name: by-city, match: /rest/v1/properties, where: { city: eq.* }, key: "city:{city}", ttl: 5m }
  - { name: list, match: /rest/v1/properties, key: "list:{query}", ttl: 5m }
  - { name: never, match: /rest/v1/bank_*, cache: never }
  - { name: app, match: /rest/v1/apps, ttl: 1m, vary: [x-app-version, cookie] }
  - { name: search, match: /rest/v1/rpc/search, ttl: 1m }
  - { name: everything-else, match: /rest/v1/*, namespace: rest, ttl: 1m }
  - { name: files, match: "/storage/v1/object/public/**", namespace: files, ttl: 1m }
writes:
  - name: property
    match: /rest/v1/properties
    invalidate: ["properties:detail:{id}", "properties:list:*", "properties:city:{city}"]
  - { name: audited, match: /rest/v1/audited, invalidate: [auto, "properties:list:*"] }
  - { name: by-path, match: "/rest/v1/rpc/touch_*", invalidate: ["properties:{path.1}:*"] }
  - { name: nested, match: /rest/v1/visits, invalidate: ["properties:detail:{body.property.id}"] }
  - { name: row, match: /rest/v1/notes, invalidate: ["properties:city:{row.city}"] }
schema:
  views: { cards: [properties, profiles] }
  functions: { search: { reads: [properties] }, book: { writes: [visits] }, peek: { writes: [] } }
  policies: { notes: [members] }
  cascades: { users: [posts], trees: [trees] }
  rows: { todos: [id, owner], trees: [id] }
  relations: { properties: { profiles: [profiles], "amenities": [property_amenities, amenities] } }
"#;

fn planner() -> Planner {
    let context = Context { upstream: "http://up".into(), ..Context::default() };
    match RuleSet::parse(RULES, &context) {
        Ok((rules, _)) => Planner::new(rules, None),
        Err(mistakes) => panic!("{mistakes:#?}"),
    }
}

fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn plan(method: &str, target: &str, headers: &[(&str, &str)]) -> Plan {
    planner().plan(&head(method, target, headers), Framing::default(), 1_000)
}

fn read(target: &str, headers: &[(&str, &str)]) -> Arc<ReadPlan> {
    match plan("GET", target, headers) {
        Plan::Read(plan) => plan,
        other => panic!("{target}: {other:?}"),
    }
}

fn tags(tags: &[Tag]) -> Vec<&str> {
    tags.iter().map(Tag::as_str).collect()
}

#[test]
fn the_first_matching_rule_names_the_answer() {
    for (target, rule, key) in [
        ("/rest/v1/properties?id=eq.5&select=*", "detail", "properties:detail:5"),
        ("/rest/v1/properties?city=eq.Dakar", "by-city", "properties:city:Dakar"),
        ("/rest/v1/properties?city=neq.Dakar", "list", "properties:list:city=neq.Dakar"),
        ("/rest/v1/properties?id=eq.a%3Ab", "detail", "properties:detail:a%3Ab"),
        ("/rest/v1/properties", "list", "properties:list:"),
        ("/storage/v1/object/public/a/b.png", "files", "files:"),
        ("/rest/v1/%70roperties?id=eq.5", "detail", "properties:detail:5"),
    ] {
        let plan = read(target, &[]);
        assert_eq!((&*plan.rule.name, plan.key.as_str()), (rule, key), "{target}");
    }
}

#[test]
fn what_is_in_doubt_passes_through() {
    let jwt = |claims: &str| {
        use base64::Engine;
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
        format!("Bearer e30.{payload}.c2ln")
    };
    let service = jwt(r#"{"role":"service_role"}"#);
    let expired = jwt(r#"{"role":"authenticated","exp":999}"#);
    for (method, target, headers, pass) in [
        ("GET", "/rest/v2/properties", &[][..], Pass::NoRule),
        ("GET", "/rest/v1/bank_accounts", &[], Pass::Never),
        ("HEAD", "/rest/v1/properties", &[], Pass::Head),
        ("OPTIONS", "/rest/v1/properties", &[], Pass::Options),
        ("GET", "/rest/v1/properties?id=eq.1;select=secret", &[], Pass::Semicolon),
        ("GET", "/rest/v1/properties?id=eq.%ff", &[], Pass::NotUtf8),
        ("GET", "/rest/v1/properties?expires_at=gte.now", &[], Pass::MovingTime),
        ("GET", "/rest/v1/properties?apikey=x", &[], Pass::ApikeyInQuery),
        ("GET", "/rest/v1/properties?select=id&select=secret", &[], Pass::RepeatedSelect),
        ("GET", "/rest/v1/properties", &[("accept", "application/vnd.pgrst.plan+json")], Pass::QueryPlan),
        ("GET", "/rest/v1/properties", &[("cookie", "a=1")], Pass::Cookie),
        (
            "GET",
            "/rest/v1/properties",
            &[("accept-profile", "a"), ("accept-profile", "b")],
            Pass::DuplicateHeader,
        ),
        ("GET", "/rest/v1/properties", &[("apikey", "sb_secret_x")], Pass::ServiceKey),
        ("GET", "/rest/v1/properties", &[("authorization", &service)], Pass::ServiceKey),
        ("GET", "/rest/v1/properties", &[("authorization", &expired)], Pass::ExpiredToken),
    ] {
        match plan(method, target, headers) {
            Plan::Pass(found) => assert_eq!(found, pass, "{method} {target} {headers:?}"),
            other => panic!("{method} {target} {headers:?}: {other:?}"),
        }
    }
    let body = Framing { has_body: true, wants_upgrade: false };
    let with_body = planner().plan(&head("GET", "/rest/v1/properties", &[]), body, 0);
    assert!(matches!(with_body, Plan::Pass(Pass::Body)));
    assert!(matches!(read("/rest/v1/apps", &[("cookie", "a=1")]), plan if &*plan.rule.name == "app"));
}

#[test]
fn trap_20_paths_that_mean_two_things_are_refused_or_pass() {
    for target in ["/rest/v1/a/../properties", "/rest/v1/%2e%2e/x", "/rest/v1/a%2Fb", "/rest/v1/a%00"] {
        assert!(matches!(plan("GET", target, &[]), Plan::Refuse(BadPath::Ambiguous)), "{target}");
        assert!(matches!(plan("PATCH", target, &[]), Plan::Refuse(BadPath::Ambiguous)), "{target}");
    }
    for target in
        ["/rest/v1/properties/", "/rest/v1//properties", "//rest/v1/properties", "/rest/v1/Properties;x=1"]
    {
        assert!(!matches!(plan("GET", target, &[]), Plan::Read(_)), "{target}");
        let Plan::Write(write) = plan("PATCH", target, &[]) else { panic!("{target}") };
        assert_eq!(tags(&write.reach(&Evidence::default()).tags), ["everything"], "trap 20, {target}");
    }
}

#[test]
fn trap_01_to_04_06_to_11_14_15_only_equal_questions_share() {
    let same = [
        read("/rest/v1/properties?id=eq.1&select=a", &[]),
        read("/rest/v1/properties?select=a&id=eq.1", &[("user-agent", "x"), ("x-client-info", "y")]),
    ];
    assert_eq!(same[0].fingerprint, same[1].fingerprint);
    assert_eq!(same[0].question, same[1].question, "equal fingerprint, equal request upstream");
    let target = "/rest/v1/properties";
    for (one, other) in [
        (
            &[("prefer", "count=exact"), ("prefer", "timezone=UTC")][..],
            &[("prefer", "timezone=UTC, count=exact")][..],
        ),
        (&[("accept", "text/csv;q=0.5, application/json")], &[("accept", "application/json,text/csv")]),
        (&[("range", "bytes=0-99")], &[]), // trap 4: PostgREST ignores it
        (&[("prefer", "")], &[]),
    ] {
        assert_eq!(read(target, one).question, read(target, other).question, "{one:?} {other:?}");
    }
    let base = "/rest/v1/properties?order=a&order=b&limit=1&limit=2";
    let others = [
        read(base, &[]),
        read("/rest/v1/properties?order=b&order=a&limit=1&limit=2", &[]), // trap 14
        read("/rest/v1/properties?order=a&order=b&limit=2&limit=1", &[]), // trap 15
        read(base, &[("accept-profile", "tenant2")]),                     // trap 1
        read(base, &[("accept-profile", "public")]),                      // trap 2
        read(base, &[("range", "0-9")]),                                  // trap 3
        read(base, &[("prefer", "count=exact")]),                         // traps 6, 7
        read(base, &[("prefer", "timezone=Asia/Tokyo")]),                 // trap 8
        read(base, &[("prefer", "handling=strict, foo")]),                // trap 9
        read(base, &[("accept", "application/vnd.pgrst.object+json")]),   // trap 10
        read(base, &[("accept", "application/vnd.pgrst.array+json;nulls=stripped")]), // trap 11
        read(base, &[("authorization", "Bearer a")]),
        read(base, &[("authorization", "bearer a")]), // trap 34
        read(base, &[("apikey", "a")]),               // traps 32, 38
        read(base, &[("apikey", "Bearer a")]),
    ];
    for (i, one) in others.iter().enumerate() {
        for (j, other) in others.iter().enumerate() {
            assert_eq!(one.fingerprint == other.fingerprint, i == j, "{i} {j}");
        }
    }
}

#[test]
fn trap_40_41_43_only_what_is_part_of_the_question_goes_upstream() {
    let sent = [
        ("accept", "application/json"),
        ("x-forwarded-for", "1.2.3.4"),
        ("user-agent", "browser"),
        ("x-app-version", "7"),
        ("if-none-match", "\"x\""),
    ];
    let names = |plan: &ReadPlan| -> Vec<String> {
        plan.question.terms.headers().iter().map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(names(&read("/rest/v1/properties", &sent)), ["accept", "accept-encoding", "user-agent"]);
    assert_eq!(
        names(&read("/rest/v1/apps", &sent)),
        ["accept", "x-app-version", "accept-encoding", "user-agent"]
    );
}

#[test]
fn trap_26_74_to_77_80_81_an_answer_depends_on_every_table_it_reads() {
    let tables = |target: &str, headers: &[(&str, &str)]| -> Vec<String> {
        let plan = read(target, headers);
        let of_tables = |tag: &&str| tag.starts_with("table:") || *tag == "any-table";
        tags(plan.tags()).into_iter().filter(of_tables).map(String::from).collect()
    };
    assert_eq!(tables("/rest/v1/properties", &[]), ["table:public.properties"]);
    assert_eq!(tables("/rest/v1/properties", &[("accept-profile", "t2")]), ["table:t2.properties"]); // trap 81
    assert_eq!(
        tables("/rest/v1/cards", &[]),
        ["table:public.cards", "table:public.profiles", "table:public.properties"]
    );
    assert_eq!(tables("/rest/v1/notes", &[]), ["table:public.members", "table:public.notes"]); // trap 80
    assert_eq!(
        tables("/rest/v1/properties?select=*,profiles(id),a:amenities(*)", &[]), // traps 74, 75
        [
            "table:public.amenities",
            "table:public.profiles",
            "table:public.properties",
            "table:public.property_amenities"
        ]
    );
    assert_eq!(
        tables("/rest/v1/properties?select=*,billing(*)", &[]), // trap 76
        ["any-table", "table:public.properties"]
    );
    assert_eq!(tables("/rest/v1/properties?select=id)junk", &[]), ["any-table", "table:public.properties"]); // trap 26
    assert_eq!(tables("/rest/v1/rpc/search?q=x", &[]), ["table:public.properties"]);
    assert_eq!(tables("/rest/v1/properties?select=*,billing(*)", &[]).len(), 2);
    assert!(tables("/storage/v1/object/public/a", &[]).is_empty());
    assert_eq!(read("/rest/v1/properties?select=*,billing(*)", &[]).unresolved(), ["billing"]);
}

#[test]
fn a_token_ends_the_life_of_its_answers() {
    use base64::Engine;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"exp":1010}"#);
    let plan =
        read("/rest/v1/properties?id=eq.5", &[("authorization", &format!("Bearer e30.{payload}.c2ln"))]);
    assert_eq!(plan.lifetime(1_000), Some(Duration::from_secs(10)));
    assert_eq!(plan.lifetime(1_010), Some(Duration::ZERO));
    let unsigned = read("/rest/v1/properties?id=eq.5", &[]);
    assert_eq!(unsigned.lifetime(1_000), Some(Duration::from_secs(3_600)));
}

#[test]
fn no_answer_is_served_past_its_time_for_longer_than_its_token_lives() {
    use base64::Engine;
    let rules =
        "version: 1\nreads: [{ match: /rest/v1/a, ttl: 10s, stale: { if_error: 1m, while_revalidate: 5s } }]";
    let plan = |claims: &str| {
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
        let token = format!("Bearer e30.{payload}.c2ln");
        let (rules, _warnings) = RuleSet::parse(rules, &Context::default()).unwrap();
        let head = head("GET", "/rest/v1/a", &[("authorization", token.as_str())]);
        Planner::new(rules, None).plan(&head, Framing::default(), 1_000)
    };
    for (claims, ttl, useful_for) in
        [("{}", 10, 60), (r#"{"exp":1100}"#, 10, 60), (r#"{"exp":1030}"#, 10, 20), (r#"{"exp":1005}"#, 5, 0)]
    {
        let Plan::Read(plan) = plan(claims) else { panic!("{claims}") };
        let seconds = Duration::from_secs;
        assert_eq!(plan.keeping(seconds(10), 1_000, 0), (seconds(ttl), seconds(useful_for)), "{claims}");
    }
}

/// What a write takes away: its method and target, its Prefer, its body and the returned rows.
fn taken(method: &str, target: &str, prefer: &str, body: Option<&str>, rows: Option<&str>) -> Vec<String> {
    let Plan::Write(write) = plan(method, target, &[("prefer", prefer)]) else { panic!("{method} {target}") };
    let json = Some("application/json");
    let evidence = Evidence {
        body: body.map(|text| Payload::parse(json, text.as_bytes(), write.columns())),
        rows: rows.map(|text| Payload::parse(json, text.as_bytes(), None)),
    };
    let mut tags: Vec<String> = write.reach(&evidence).tags.iter().map(ToString::to_string).collect();
    tags.sort();
    tags
}

/// The cities and ids that a write to properties takes away, `*` for any.
fn places(
    method: &str,
    query: &str,
    prefer: &str,
    body: Option<&str>,
    rows: Option<&str>,
) -> (String, String) {
    let tags = taken(method, &format!("/rest/v1/properties{query}"), prefer, body, rows);
    let values = |start: &str| {
        let values = tags.iter().filter_map(|tag| tag.strip_prefix(start)?.strip_prefix('#'));
        values.map(|value| value.trim_start_matches('=').to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert!(tags.contains(&"pattern:properties:list:*".to_owned()), "{tags:?}");
    (values("pattern:properties:detail:{id}"), values("pattern:properties:city:{city}"))
}

#[test]
fn a_column_stands_for_every_value_before_and_after() {
    const ROWS: &str = "return=representation";
    let upsert = "resolution=merge-duplicates";
    for (method, query, prefer, body, rows, ids, cities) in [
        // a plain insert has no old row; new values from the rows, else the body
        ("POST", "", "", Some(r#"{"id":5,"city":"Dakar"}"#), None, "5", "dakar"),
        ("POST", "", "", Some(r#"[{"id":5,"city":"A"},{"id":6,"city":"B"}]"#), None, "5 6", "a b"),
        ("POST", "", "", Some(r#"[{"id":5,"city":"A"},{"id":6}]"#), None, "5 6", "*"),
        ("POST", "", ROWS, Some(r#"{"city":"A"}"#), Some(r#"[{"id":9,"city":"A"}]"#), "9", "a"),
        ("POST", "", "", Some(r#"{"city":"A"}"#), None, "*", "a"),
        ("POST", "", "", None, None, "*", "*"),
        ("POST", "", "", Some("id,city\n5,Dakar"), None, "*", "*"),
        // an upsert has an unknown old row
        ("POST", "", upsert, Some(r#"{"id":5,"city":"A"}"#), None, "*", "*"),
        // a PUT's filters pin the old one
        ("PUT", "?id=eq.5", "", Some(r#"{"id":5,"city":"A"}"#), None, "5", "*"),
        // a column that a PATCH does not assign stays as it was
        ("PATCH", "?id=eq.5", "", Some(r#"{"city":"Thies"}"#), None, "5", "*"),
        ("PATCH", "?city=eq.Dakar", "", Some(r#"{"city":"Thies"}"#), None, "*", "dakar thies"),
        ("PATCH", "?city=eq.Dakar", "", Some(r#"{"price":1}"#), None, "*", "dakar"),
        ("PATCH", "?id=in.(5,6)", "", Some(r#"{"price":1}"#), None, "5 6", "*"),
        ("PATCH", "?id=eq.5", ROWS, Some(r#"{"price":1}"#), Some(r#"[{"id":5,"city":"A"}]"#), "5", "a"),
        ("PATCH", "?id=eq.5", ROWS, Some(r#"{"city":"B"}"#), Some(r#"[{"id":5,"city":"B"}]"#), "5", "*"),
        ("PATCH", "?id=not.eq.5", "", Some(r#"{"price":1}"#), None, "*", "*"),
        ("PATCH", "", "", Some(r#"{"price":1}"#), None, "*", "*"), // trap 72
        ("PATCH", "?or=(id.eq.5,id.eq.6)", "", Some(r#"{"price":1}"#), None, "*", "*"),
        ("PATCH", "?select=id,c:city", ROWS, Some(r#"{"price":1}"#), Some(r#"[{"id":5,"c":"A"}]"#), "5", "*"),
        (
            "PATCH",
            "?select=id,city,profiles(*)",
            ROWS,
            Some(r#"{"price":1}"#),
            Some(r#"[{"id":5,"city":"A"}]"#),
            "5",
            "a",
        ),
        ("PATCH", "?id=eq.5&columns=price", "", Some(r#"{"price":1,"city":"Z"}"#), None, "5", "*"),
        // a delete has no new row
        ("DELETE", "?id=eq.5", "", None, None, "5", "*"),
        ("DELETE", "?price=gt.9", ROWS, None, Some(r#"[{"id":5,"city":"A"}]"#), "5", "a"),
        ("DELETE", "", "", None, None, "*", "*"),
        ("DELETE", "?price=gt.9", ROWS, None, Some("[]"), "", ""),
    ] {
        let found = places(method, query, prefer, body, rows);
        assert_eq!(found, (ids.into(), cities.into()), "{method} {query} {prefer} {body:?} {rows:?}");
    }
}

#[test]
fn trap_79_81_84_94_a_write_without_a_rule_takes_what_depends_on_its_table() {
    for (method, target, expected) in [
        ("POST", "/rest/v1/lists", &["any-table", "table:public.lists"][..]),
        ("DELETE", "/rest/v1/users?id=eq.1", &["any-table", "table:public.posts", "table:public.users"]), // trap 79
        (
            "PATCH",
            "/rest/v1/cards",
            &["any-table", "table:public.cards", "table:public.profiles", "table:public.properties"],
        ),
        ("POST", "/rest/v1/rpc/unknown", &["everything"]),
        ("POST", "/rest/v1/rpc/peek", &[]),
        ("POST", "/rest/v1/rpc/book", &["any-table", "table:public.visits"]),
        ("POST", "/graphql/v1", &["everything"]),
        ("POST", "/rest/v1/", &["everything"]),
        ("POST", "/somewhere/else", &["everything"]),
        ("POST", "/auth/v1/token", &[]),
        ("POST", "/storage/v1/object/a/b", &[]),
        ("POST", "/functions/v1/f", &[]),
        ("POST", "/realtime/v1/api/broadcast", &[]),
        ("POST", "/rest/v1/audited", &["any-table", "pattern:properties:list:*", "table:public.audited"]),
        ("POST", "/rest/v1/rpc/touch_list", &["pattern:properties:{path.1}:*#=touch_list"]),
    ] {
        assert_eq!(taken(method, target, "", None, None), expected, "{method} {target}");
    }
    let profile = [("content-profile", "t2")];
    let Plan::Write(write) = plan("POST", "/rest/v1/lists", &profile) else { panic!("a write") };
    assert_eq!(tags(&write.reach(&Evidence::default()).tags), ["any-table", "table:t2.lists"], "trap 81");
}

#[test]
fn values_come_from_where_the_rule_says() {
    let nested = |body: &str| taken("POST", "/rest/v1/visits", "", Some(body), None);
    assert_eq!(nested(r#"{"property":{"id":5}}"#), ["pattern:properties:detail:{body.property.id}#=5"]);
    assert_eq!(nested(r#"{"property":5}"#), ["pattern:properties:detail:{body.property.id}#*"]);
    let rows = |rows| taken("POST", "/rest/v1/notes", "return=representation", Some("{}"), rows);
    assert_eq!(rows(Some(r#"[{"city":"A"}]"#)), ["pattern:properties:city:{row.city}#=a"]);
    assert_eq!(rows(None), ["pattern:properties:city:{row.city}#*"]);
}

#[test]
fn trap_67_and_68_a_rollback_is_never_believed() {
    let taken = taken("POST", "/rest/v1/lists", "tx=rollback", Some("{}"), None);
    assert_eq!(taken, ["any-table", "table:public.lists"]);
}

#[test]
fn the_same_words_recall_the_same_plan_and_others_none() {
    let planner = planner();
    let target = "/rest/v1/properties?id=eq.5";
    let plan =
        |target, headers: &[(&str, &str)]| planner.plan(&head("GET", target, headers), Framing::default(), 0);
    let is_read = |one: &Plan| matches!(one, Plan::Read(_));
    let is_first = |other: &Plan| match (plan(target, &[("apikey", "a")]), other) {
        (Plan::Read(first), Plan::Read(other)) => Arc::ptr_eq(&first, other),
        _ => false,
    };
    assert!(!is_first(&plan(target, &[("apikey", "a")])), "once is not enough to be remembered");
    assert!(is_first(&plan(target, &[("apikey", "a")])));
    assert!(is_first(&plan(target, &[("apikey", "a"), ("x-client-info", "js"), ("traceparent", "1")])));
    for (target, headers) in [
        ("/rest/v1/properties?id=eq.6", &[("apikey", "a")][..]),
        (target, &[]),
        (target, &[("authorization", "a")]),
        (target, &[("apikey", "a"), ("x-app-version", "1")]),
        (target, &[("apikey", "a"), ("accept", "a")]),
        ("/rest/v1/properties", &[("apikey", "a")]),
        ("/rest/v1/properties?", &[("apikey", "a")]),
    ] {
        let other = plan(target, headers);
        assert!(is_read(&other) && !is_first(&other), "{target} {headers:?}");
    }
    let cookie = plan(target, &[("apikey", "a"), ("cookie", "x=1")]);
    assert!(matches!(cookie, Plan::Pass(Pass::Cookie)));
    let many: Vec<_> = std::iter::repeat_n(("prefer", "count=exact"), 20).collect();
    assert!(is_read(&plan(target, &many)), "more lines than are remembered");
}

#[test]
fn what_a_thread_knows_of_former_rules_is_not_mistaken_for_these() {
    let target = "/rest/v1/properties?id=eq.5";
    let asked_as = |planner: &Planner, who: &str| match planner.plan(
        &head("GET", target, &[("authorization", who)]),
        Framing::default(),
        0,
    ) {
        Plan::Read(plan) => plan.question.terms.headers().to_vec(),
        other => panic!("{other:?}"),
    };
    let (former, these) = (planner(), planner());
    let expected = ["somebody: ann", "somebody: bob"].map(|who| asked_as(&former, who));
    assert_ne!(expected[0], expected[1]);
    // whoever comes first here gets the number that ann had there
    assert_ne!(asked_as(&these, "somebody: cat"), expected[0]);
    assert_eq!(asked_as(&these, "somebody: ann"), expected[0]);
    assert_eq!(asked_as(&these, "somebody: bob"), expected[1]);
    assert_eq!(asked_as(&former, "somebody: bob"), expected[1]);
}

#[test]
fn lines_never_run_together_and_their_order_counts() {
    let planner = planner();
    let told = |headers: &[(&str, &str)]| match planner.plan(
        &head("GET", "/rest/v1/apps", headers),
        Framing::default(),
        0,
    ) {
        Plan::Read(plan) => plan.fingerprint,
        other => panic!("{headers:?}: {other:?}"),
    };
    let all = [
        told(&[]),
        told(&[("apikey", "ab")]),
        told(&[("apikey", "a"), ("authorization", "b")]),
        told(&[("authorization", "ab")]),
        told(&[("x-app-version", "ab")]),
        told(&[("cookie", "ab")]),
        told(&[("x-app-version", "a"), ("x-app-version", "b")]),
        told(&[("x-app-version", "b"), ("x-app-version", "a")]),
    ];
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn a_question_is_sent_as_it_is_fingerprinted() {
    let plan =
        read("/rest/v1/properties?select=a&id=eq.1", &[("accept", "text/csv"), ("prefer", "count=exact")]);
    assert_eq!(plan.question.target, "/rest/v1/properties?id=eq.1&select=a");
    let headers = HeaderMap::from(&*plan);
    assert_eq!(headers.len(), plan.question.terms.headers().len());
    assert_eq!(headers["accept-encoding"], "identity");
}

/// Does a write take away the answer to a read?
fn meets(read_target: &str, method: &str, target: &str, body: Option<&str>, rows: Option<&str>) -> bool {
    let prefer = if rows.is_some() { "return=representation" } else { "" };
    let bumped = taken(method, target, prefer, body, rows);
    read(read_target, &[]).tags().iter().any(|tag| bumped.iter().any(|bumped| bumped == tag.as_str()))
}

#[test]
fn trap_70_to_72_82_92_a_changed_row_takes_what_may_show_it() {
    for (read, method, target, body, rows, taken) in [
        ("?id=eq.5", "PATCH", "?id=eq.5", Some(r#"{"title":"x"}"#), None, true),
        ("?id=eq.6", "PATCH", "?id=eq.5", Some(r#"{"title":"x"}"#), None, false),
        ("?id=in.(6,5)", "PATCH", "?id=eq.5", Some(r#"{"title":"x"}"#), None, true),
        ("?title=eq.x", "PATCH", "?id=eq.5", Some(r#"{"title":"x"}"#), None, true),
        ("", "PATCH", "?id=eq.5", Some(r#"{"title":"x"}"#), None, true),
        ("?id=gt.9", "PATCH", "?id=eq.5", Some(r#"{"title":"x"}"#), None, true),
        ("?or=(id.eq.9,id.eq.8)", "PATCH", "?id=eq.5", Some(r#"{"title":"x"}"#), None, true),
        ("?id=not.eq.5", "PATCH", "?id=eq.5", Some(r#"{"title":"x"}"#), None, true),
        // trap 71: whose the row was and becomes, the read may name either
        ("?owner=eq.bob", "PATCH", "?id=eq.5", Some(r#"{"owner":"bob"}"#), None, true),
        ("?owner=eq.ann", "PATCH", "?id=eq.5", Some(r#"{"owner":"bob"}"#), None, true),
        ("?owner=eq.ann", "PATCH", "?owner=eq.cy", Some(r#"{"owner":"bob"}"#), None, false),
        ("?owner=eq.cy", "PATCH", "?owner=eq.cy", Some(r#"{"owner":"bob"}"#), None, true),
        (
            "?owner=eq.ann",
            "PATCH",
            "?id=eq.5",
            Some(r#"{"title":"x"}"#),
            Some(r#"[{"id":5,"owner":"bob"}]"#),
            false,
        ),
        (
            "?owner=eq.bob",
            "PATCH",
            "?id=eq.5",
            Some(r#"{"title":"x"}"#),
            Some(r#"[{"id":5,"owner":"bob"}]"#),
            true,
        ),
        ("?owner=eq.ann", "PATCH", "?id=eq.5", Some(r#"{"title":"x"}"#), None, true), // nobody said whose it is
        ("?id=eq.5", "PATCH", "", Some(r#"{"title":"x"}"#), None, true),              // trap 72
        ("?id=eq.5", "POST", "", Some(r#"{"id":6,"owner":"bob"}"#), None, false),
        ("?id=eq.6", "POST", "", Some(r#"{"id":6,"owner":"bob"}"#), None, true), // an empty answer was kept
        ("?id=eq.5", "POST", "", Some(r#"{"owner":"bob"}"#), None, true),        // its id is not known
        ("?id=eq.5", "DELETE", "?id=eq.6", None, None, false),
        ("?id=eq.007", "PATCH", "?id=eq.7", Some(r#"{"title":"x"}"#), None, true), // trap 92
        ("?id=eq.5&select=id,lists(*)", "PATCH", "?id=eq.6", Some(r#"{"title":"x"}"#), None, true),
        ("?id=eq.5&select=id)junk", "PATCH", "?id=eq.6", Some(r#"{"title":"x"}"#), None, true),
    ] {
        let (read, target) = (format!("/rest/v1/todos{read}"), format!("/rest/v1/todos{target}"));
        assert_eq!(
            meets(&read, method, &target, body, rows),
            taken,
            "{read} {method} {target} {body:?} {rows:?}"
        );
    }
    // a table whose cascades lead back to itself changes other rows than those that were written
    assert!(meets("/rest/v1/trees?id=eq.6", "DELETE", "/rest/v1/trees?id=eq.5", None, None));
    let upsert =
        taken("POST", "/rest/v1/todos", "resolution=merge-duplicates", Some(r#"{"id":5,"owner":"b"}"#), None);
    assert!(upsert.contains(&"table:public.todos.owner".to_owned()), "trap 82: {upsert:?}");
}
