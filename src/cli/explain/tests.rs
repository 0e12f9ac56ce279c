//! Does an explanation say what is planned, and never a credential?

use serde_json::Value;

use super::*;

const RULES: &str = r#"
version: 1
reads:
  - { name: secrets, match: /rest/v1/bank_*, cache: never }
  - { name: detail, match: /rest/v1/properties, where: { id: eq.* }, key: "detail:{id}", ttl: 1h }
  - { name: list, match: /rest/v1/properties, key: "list:{query}", ttl: 5m, vary: [x-team] }
  - { name: called, match: /rest/v1/rpc/search, ttl: 5m }
writes:
  - { name: changed, match: /rest/v1/properties, invalidate: ["properties:detail:{id}", "properties:list:*"] }
  - { name: booked, match: /rest/v1/rpc/book, methods: [POST], invalidate: ["properties:detail:{body.home}"] }
"#;

const NOW: u64 = 1_000;

fn flags(method: &str, target: &str, headers: &[&str]) -> Flags {
    Flags {
        method: method.into(),
        target: target.into(),
        headers: headers.iter().map(|header| (*header).into()).collect(),
        body: None,
        rules: PathBuf::new(),
        upstream: String::new(),
        default_schema: "public".into(),
        callers: CallerFlags::default(),
        live: false,
        running: RunningProxy { admin: String::new(), admin_token_file: None },
        json: false,
    }
}

fn explained(method: &str, target: &str, headers: &[&str]) -> (String, Value) {
    let context = Context { upstream: "http://upstream".into(), ..Context::default() };
    let (rules, _) = RuleSet::parse(RULES, &context).unwrap();
    let asked = asked(&flags(method, target, headers)).unwrap();
    let explanation = Explanation::of(&Planner::new(rules, None), &asked, NOW);
    (shown::text(&explanation), serde_json::to_value(&explanation).unwrap())
}

#[test]
fn a_read_tells_its_names_and_why_it_would_go_away() {
    let (text, json) = explained("get", "https://x.supabase.co/rest/v1/properties?id=eq.5", &[]);
    for (pointer, value) in [
        ("/method", "GET"),
        ("/outcome", "read"),
        ("/rule/name", "detail"),
        ("/scope", "user"),
        ("/namespace", "properties"),
        ("/key", "properties:detail:5"),
        ("/upstream_target", "/rest/v1/properties?id=eq.5"),
        ("/lifetime", "1h"),
    ] {
        assert_eq!(json.pointer(pointer).and_then(Value::as_str), Some(value), "{pointer} in {json}");
    }
    for part in
        ["reads[1]", "properties:detail:5", "by changed where {id} is 5", "a write to public.properties"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn a_token_bounds_the_lifetime_and_is_never_shown() {
    use base64::Engine;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"exp":1060}"#);
    let headers = [
        &*format!("authorization: Bearer e30.{claims}.canary"),
        "apikey: canary",
        "X-Team: canary",
        "x-other: no",
    ];
    let (text, json) = explained("GET", "/rest/v1/properties?order=id", &headers);
    assert_eq!((&json["lifetime"], &json["ends_with_token"]), (&"1m".into(), &true.into()));
    assert!(!text.contains("canary") && !json.to_string().contains("canary"), "{text}");
    assert!(!text.contains(&claims), "{text}");
    for name in ["authorization", "apikey", "x-team"] {
        assert!(text.contains(&format!("{name} ")), "{name} in\n{text}");
    }
    assert!(!text.contains("x-other"), "what is not sent is not listed:\n{text}");
}

#[test]
fn what_is_not_kept_says_why_and_what_to_change() {
    for (method, target, headers, reason, hint) in [
        ("GET", "/rest/v1/unknown", vec![], "no-rule", "`reads`"),
        ("GET", "/rest/v1/bank_accounts", vec![], "rule-says-never", "narrower"),
        ("HEAD", "/rest/v1/properties", vec![], "head", "nothing"),
        ("OPTIONS", "/rest/v1/properties", vec![], "options", "nothing"),
        ("GET", "/rest/v1/properties", vec!["apikey: sb_secret_x"], "service-key", "publishable"),
        ("GET", "/rest/v1/properties", vec!["cookie: a=b"], "cookie", "vary"),
        ("GET", "/realtime/v1/websocket", vec!["upgrade: websocket"], "upgrade", "nothing"),
    ] {
        let (text, json) = explained(method, target, &headers);
        assert_eq!(json["reason"], reason, "{method} {target}");
        assert!(json["hint"].as_str().unwrap().contains(hint), "{json}");
        assert!(text.contains(json["sentence"].as_str().unwrap()), "{text}");
    }
}

#[test]
fn what_no_schema_knows_says_what_to_add() {
    let (text, json) = explained("GET", "/rest/v1/rpc/search?p=1", &[]);
    assert_eq!(json["unresolved"][0]["name"], "rpc/search");
    assert!(text.contains("functions: { search: { reads: [the tables it reads] } }"), "{text}");
}

#[test]
fn a_write_tells_its_rules_and_what_stays_open() {
    let (text, json) = explained("DELETE", "/rest/v1/properties?id=eq.5", &[]);
    assert_eq!((&json["action"], &json["rules"][0]["name"]), (&"delete".into(), &"changed".into()));
    assert!(text.contains("where {id} is 5") && text.contains("properties:list:*"), "{text}");
    assert_eq!(json["unknown_values"], Value::Array(Vec::new()));

    let (text, _) = explained("DELETE", "/rest/v1/properties?city=eq.Dakar", &[]);
    assert!(text.contains("where {id} is anything"), "{text}");
    assert!(text.contains("{id} in properties:detail:{id}  the old value is not known"), "{text}");

    let (_, json) = explained("POST", "/rest/v1/rpc/book", &[]);
    assert_eq!(json["unknown_values"][0]["note"], "no --body was given");

    let (text, json) = explained("POST", "/rest/v1/rpc/unheard_of", &[]);
    assert_eq!(json["tags"][0]["name"], "everything");
    assert!(text.contains("none matches"), "{text}");

    let (text, _) = explained("PATCH", "/rest/v1/users?id=eq.1", &[]);
    assert!(text.contains("table:public.users"), "{text}");
}

#[test]
fn what_is_no_request_is_refused_without_repeating_secrets() {
    for (method, target, headers) in [
        ("GE T", "/", vec![]),
        ("GET", "/a b", vec![]),
        ("GET", "properties", vec![]),
        ("GET", "/", vec!["canary"]),
        ("GET", "/", vec!["apikey: canary\u{7}"]),
    ] {
        let refused = asked(&flags(method, target, &headers)).err().unwrap();
        assert!(!chain(&refused).contains("canary"), "{refused}");
    }
}
