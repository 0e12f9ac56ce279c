//! Do rules files mean what they say, and do bad ones say what is wrong?
//!
//! `tests/rules/good` and `tests/rules/bad` hold files with the report of
//! `larder check` beside them. To write the reports anew after a change of
//! wording, run with `LARDER_WRITE_EXPECTED=1` and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use http::Method;
use larder::cli::check;
use larder::identity::IGNORED_CLAIMS;
use larder::key::{Placeholder, Table};
use larder::rules::{Caching, Context, Included, QueryView, RuleSet, Unmapped};
use proptest::prelude::*;

fn context() -> Context {
    Context {
        upstream: "https://x.supabase.co".into(),
        ignored_claims: IGNORED_CLAIMS.map(String::from).into(),
        ..Context::default()
    }
}

fn parse(text: &str) -> RuleSet {
    match RuleSet::parse(text, &context()) {
        Ok((rules, _)) => rules,
        Err(mistakes) => panic!("{}", check::mistakes_text("rules.yaml", &mistakes)),
    }
}

fn mistakes(text: &str) -> Vec<String> {
    match RuleSet::parse(text, &context()) {
        Ok(_) => Vec::new(),
        Err(mistakes) => {
            mistakes.into_iter().map(|mistake| format!("{}: {}", mistake.0.path, mistake.0.message)).collect()
        }
    }
}

fn folder(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules").join(name);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// Compares the report of each file of a folder with the one beside it.
fn check_folder(name: &str, good: bool) {
    let mut different = Vec::new();
    let files = folder(name);
    assert!(files.len() > 3, "{name} is nearly empty");
    for path in files {
        let file = path.file_name().unwrap().to_str().unwrap();
        let compiled = RuleSet::parse(&fs::read_to_string(&path).unwrap(), &context());
        assert_eq!(compiled.is_ok(), good, "{file}\n{}", check::text(file, &compiled));
        let report = check::text(file, &compiled);
        let expected = path.with_extension("txt");
        if std::env::var_os("LARDER_WRITE_EXPECTED").is_some() {
            fs::write(&expected, &report).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != report {
            different.push(format!("{file} says:\n{report}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn good_files_compile_with_the_warnings_beside_them() {
    check_folder("good", true);
}

#[test]
fn bad_files_tell_the_mistakes_beside_them() {
    check_folder("bad", false);
}

fn example() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules.yaml")).unwrap()
}

/// The decoded values of a parameter of a query without escapes.
fn values<'q>(query: &'q str, name: &str) -> Vec<Cow<'q, str>> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(other, _)| *other == name).map(|(_, value)| value.into()).collect()
}

/// The name, namespace and rendered key of the rule that reads a target.
fn read_of(rules: &RuleSet, target: &str) -> Option<(String, String)> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let look_up = |name: &str| values(query, name);
    let matched = rules.read(path, QueryView::new(&look_up))?;
    if matched.rule.caching == Caching::Never {
        return Some((matched.rule.name.to_string(), "never".into()));
    }
    let key = matched.rule.key.render(&matched.rule.namespace, |placeholder| match placeholder {
        Placeholder::Column(column) => values(query, column)
            .first()
            .and_then(|value| value.strip_prefix("eq."))
            .map(|v| v.to_owned().into()),
        Placeholder::Query => Some("q".into()),
        Placeholder::Path(index) => Some(matched.captures[index - 1].clone().into()),
        Placeholder::Claim(_) | Placeholder::Header(_) | Placeholder::Body(_) | Placeholder::Row(_) => None,
    });
    Some((matched.rule.name.to_string(), key.unwrap()))
}

#[test]
fn the_example_reads_what_it_says() {
    let rules = parse(&example());
    for (target, name, key) in [
        ("/rest/v1/bank_accounts", "balances", "never"),
        ("/rest/v1/bank_accounts?select=*,x(*)", "balances", "never"),
        ("/rest/v1/messages", "legal-documents-and-chat", "never"),
        ("/rest/v1/rental_payments?id=eq.5&select=*,leases(*)", "payment-status", "never"),
        ("/auth/v1/user", "auth", "never"),
        ("/storage/v1/object/authenticated/legal/a.pdf", "private-files", "never"),
        ("/storage/v1/object/public/photos/5/a.jpg", "public-files", "files:photos:q"),
        ("/functions/v1/exchange-rates?of=XOF", "exchange-rates", "functions:exchange-rates:q"),
        ("/rest/v1/properties?select=*,profiles(*)&id=eq.5", "embeds", "embeds:properties:q"),
        (
            "/rest/v1/rpc/search_properties?select=*,profiles(*)",
            "search-with-embeds",
            "embeds:search_properties:q",
        ),
        ("/rest/v1/properties?owner_id=eq.o1", "dashboard-properties", "dashboard:properties:o1"),
        ("/rest/v1/leases?landlord_id=eq.o1", "dashboard-leases", "dashboard:leases:o1"),
        ("/rest/v1/rental_payments?payee_id=eq.o1", "dashboard-payments", "dashboard:payments:o1"),
        ("/rest/v1/visit_bookings?host_id=eq.o1", "dashboard-visits", "dashboard:visits:o1"),
        ("/rest/v1/properties?id=eq.5", "property-detail", "properties:detail:5"),
        ("/rest/v1/properties?id=in.(5,6)", "property-list", "properties:list:q"),
        ("/rest/v1/properties?id=eq.5&id=eq.6", "property-list", "properties:list:q"),
        (
            "/rest/v1/properties?city=eq.Dakar&status=eq.published",
            "properties-of-a-city",
            "properties:city:Dakar",
        ),
        ("/rest/v1/properties?city=eq.Dakar", "property-list", "properties:list:q"),
        ("/rest/v1/published_properties", "homepage", "homepage:latest:q"),
        ("/rest/v1/rpc/city_stats", "homepage-figures", "homepage:figures:city_stats"),
        ("/rest/v1/rpc/count_published", "homepage-figures", "homepage:figures:count_published"),
        ("/rest/v1/rpc/search_properties?p_city=Dakar", "search", "search:q"),
        ("/rest/v1/profiles?id=eq.u1", "profile", "profiles:detail:u1"),
        ("/rest/v1/rpc/who_am_i", "session", "sessions:me"),
        ("/rest/v1/notifications?user_id=eq.u1", "notifications", "notifications:user:u1"),
        ("/rest/v1/leases?tenant_id=eq.u1", "leases", "leases:list:q"),
        ("/rest/v1/rental_payments?lease_id=eq.l1", "lease-history", "payments:lease:l1"),
        ("/rest/v1/visit_bookings?property_id=eq.5", "free-slots", "visits:slots:5"),
        ("/rest/v1/amenities", "amenities", "amenities:q"),
    ] {
        assert_eq!(read_of(&rules, target), Some((name.into(), key.into())), "{target}");
    }
    for target in ["/rest/v1/profiles", "/rest/v1/Properties", "/rest/v1/properties/", "/rest/v1", "/x"] {
        assert_eq!(read_of(&rules, target), None, "{target}");
    }
}

#[test]
fn the_example_shows_every_lifetime_that_was_asked_for() {
    let rules = parse(&example());
    let ttl = |name: &str| {
        let rule = rules.read_rules().iter().find(|rule| &*rule.name == name).unwrap();
        match rule.caching {
            Caching::Keep { ttl } => ttl.given().map_or(0, |ttl| ttl.as_secs() / 60),
            Caching::Never => 0,
        }
    };
    for (name, minutes) in [
        ("property-list", 5),
        ("property-detail", 60),
        ("dashboard-payments", 30),
        ("search", 10),
        ("profile", 60),
        ("free-slots", 2),
        ("notifications", 1),
        ("session", 60),
        ("amenities", 24 * 60),
    ] {
        assert_eq!(ttl(name), minutes, "{name}");
    }
    assert_eq!(rules.prefix(), "dousell");
}

#[test]
fn trap_83_the_example_takes_away_what_each_action_changes() {
    let rules = parse(&example());
    for (method, path, names) in [
        (Method::POST, "/rest/v1/properties", vec!["property-created"]),
        (Method::PATCH, "/rest/v1/properties", vec!["property-changed"]),
        (Method::DELETE, "/rest/v1/properties", vec!["property-changed"]),
        (Method::POST, "/rest/v1/rental_payments", vec!["rent-paid", "payment-guarded"]),
        (Method::POST, "/rest/v1/visit_bookings", vec!["visit-changed", "visit-guarded"]),
        (Method::POST, "/rest/v1/rpc/book_visit", vec!["visit-booked"]),
        (Method::POST, "/auth/v1/signup", vec!["signed-up"]),
        (Method::PUT, "/auth/v1/user", vec!["signed-up"]),
        (Method::POST, "/auth/v1/token", vec![]),
        (Method::POST, "/auth/v1/verify", vec!["signed-up"]),
        (Method::GET, "/auth/v1/verify", vec!["confirmed"]),
        (Method::GET, "/auth/v1/user", vec![]),
        (Method::POST, "/rest/v1/property_amenities", vec![]),
        (Method::GET, "/rest/v1/properties", vec![]),
    ] {
        let matched = rules.writes(&method, path);
        let found: Vec<&str> = matched.iter().map(|write| &*write.rule.name).collect();
        assert_eq!(found, names, "{method} {path}");
    }
    let carried = |name: &str| -> Vec<String> {
        let rule = rules.read_rules().iter().find(|rule| &*rule.name == name).unwrap();
        rule.patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect()
    };
    assert_eq!(carried("property-detail"), ["properties:detail:{id}"]);
    assert_eq!(carried("properties-of-a-city"), ["properties:city:{city}"]);
    assert_eq!(carried("lease-history"), ["payments:lease:{lease_id}"]);
    assert_eq!(carried("dashboard-visits"), ["dashboard:visits:*", "dashboard:visits:{host_id}"]);
    assert_eq!(carried("profile"), ["profiles:*", "profiles:detail:{id}"]);
    assert_eq!(carried("balances"), [""; 0]);
    assert_eq!(rules.unknown_writes().functions, Unmapped::Nothing);
}

#[test]
fn the_example_has_no_warning() {
    let (_, warnings) = RuleSet::parse(&example(), &context()).unwrap();
    let messages: Vec<&str> = warnings.iter().map(|warning| warning.0.message.as_str()).collect();
    assert!(messages.is_empty(), "{messages:?}");
}

#[test]
fn every_matching_write_rule_applies_with_its_own_captures() {
    let rules = parse(
        "version: 1\nwrites:\n\
         - { match: '/rest/v1/*', invalidate: ['{path.1}:*'] }\n\
         - { match: '/rest/{v1,v2}/bank_*', methods: [DELETE] }\n\
         - { match: /other }\n",
    );
    let writes = rules.writes(&Method::DELETE, "/rest/v1/bank_accounts");
    let captures: Vec<_> = writes.iter().map(|write| (write.rule.index, write.captures.clone())).collect();
    assert_eq!(captures, [(0, vec!["bank_accounts".into()]), (1, vec!["v1".into(), "bank_accounts".into()])]);
    assert!(!writes[0].rule.invalidation.derived);
    assert!(writes[1].rule.invalidation.derived, "no list: what the table says");
    assert_eq!(rules.writes(&Method::POST, "/rest/v1/bank_accounts").len(), 1);
}

#[test]
fn the_digest_follows_the_meaning_and_nothing_else() {
    let digest = |text: &str, context: &Context| *RuleSet::parse(text, context).unwrap().0.digest();
    let one = "version: 1\nttls: {a: 1m, b: 2m}\nreads:\n- {match: /rest/v1/x, ttl: a, where: {p: eq.1, q: eq.2}}\n";
    let same = [
        "# comment\nversion: \"1\"\nreads:\n  - match: '/rest/v1/x'\n    where:\n      q: eq.2\n      p: eq.1\n    ttl: a\nttls:\n  b: 2m\n  a: 1m\n",
        "version: 1\nttls: {a: 1m, b: 2m}\nreads:\n- {debug: true, canary: '/rest/v1/x?p=eq.1&q=eq.2', match: /rest/v1/x, ttl: a, where: {p: eq.1, q: eq.2}}\n",
    ];
    for text in same {
        assert_eq!(digest(one, &context()), digest(text, &context()), "{text}");
    }
    for (from, to) in
        [("a: 1m", "a: 3m"), ("eq.1", "eq.3"), ("/x", "/y"), ("ttl: a", "ttl: a, scope: public")]
    {
        assert_ne!(digest(one, &context()), digest(&one.replace(from, to), &context()), "{to}");
    }
    for other in [
        Context { default_schema: "other".into(), ..context() },
        Context { upstream: "https://y.supabase.co".into(), ..context() },
    ] {
        assert_ne!(digest(one, &context()), digest(one, &other));
    }
    assert_eq!(digest("version: 1", &context()), *RuleSet::empty(&context()).digest());
}

#[test]
fn an_empty_set_matches_nothing() {
    let rules = RuleSet::empty(&context());
    assert_eq!(read_of(&rules, "/rest/v1/properties"), None);
    assert!(rules.writes(&Method::POST, "/rest/v1/properties").is_empty());
    assert_eq!(rules.prefix(), "larder");
    assert_eq!(&*rules.schema().default_schema, "public");
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let laughs: String =
        (1..9).map(|n| format!("l{n}: &l{n} [{}]\n", vec![format!("*l{}", n - 1); 9].join(","))).collect();
    for (name, text, expected) in [
        ("billion laughs", format!("l0: &l0 lol\n{laughs}"), "l0: anchors and aliases are not supported"),
        ("10 MB", "#".repeat(10 << 20), ": the file has 10485760 bytes; at most 1048576 are read"),
        ("[ × 100,000", "[".repeat(100_000), ": not YAML: recursion limit exceeded"),
        ("[ × 33", format!("{}{}", "[".repeat(33), "]".repeat(33)), "nested more than 32 levels deep"),
        ("maps × 20,000", "{a: ".repeat(20_000), "recursion limit exceeded"),
        ("- × 100,000", "- ".repeat(100_000), "nested more than 32 levels deep"),
        ("? × 100,000", "? ".repeat(100_000), "a list or map as a key"),
        ("60,000 values", format!("version: 1\nreads: [{}]", "a,".repeat(60_000)), "more than 50000 values"),
        ("60,000 keys", (0..60_000).map(|n| format!("k{n}: 1\n")).collect(), "more than 50000 values"),
    ] {
        let told = mistakes(&text);
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert!(told[0].contains(expected), "{name}: {told:?}");
    }
}

/// What a text may be made of: each of them opens, closes or continues something in YAML.
#[rustfmt::skip]
const UNITS: &[&str] = &[
    "\n", " ", "a", "a ", "a\n", "#", "# a\n", "\"", "'", "'a' ", ":", ": ", "a: ", "k: k\n", "-",
    "- a\n", "-\n", "?", "? a\n", ",", "[,", "[],", "{},", "{a,", "]", "}", "&", "&a ", "*a ", "!",
    "!a ", "%", "%a\n", "%TAG ! a\n", "|", "|\n", ">\n ", "---\n", "...\n", "--- a\n", "\u{feff}", "\\",
    "\"\\u0041\" ", "é", "\u{2028}", "<<: a\n", "a: |\n b\n", "[a: b, ", "{? ", "- - ", "a:\n- ", "@",
    "`", "\r",
];

#[test]
fn a_quarter_megabyte_of_anything_ends() {
    for unit in UNITS {
        for start in ["", "version: 1\nreads: ["] {
            let text = format!("{start}{}", unit.repeat((1 << 18) / unit.len()));
            let compiled = RuleSet::parse(&text, &context());
            assert!(check::text("rules.yaml", &compiled).len() < 60_000, "{start}{unit}");
        }
    }
}

#[test]
fn a_broken_file_cannot_make_an_endless_report() {
    let many: String = (0..20_000).map(|n| format!("unknown{n}: 1, ")).collect();
    let Err(told) = RuleSet::parse(&format!("{{ {many} }}"), &context()) else { panic!("20,000 mistakes") };
    assert_eq!(told.len(), 101);
    assert!(check::mistakes_text("rules.yaml", &told).len() < 50_000);
}

#[test]
fn the_largest_possible_file_compiles() {
    let reads: String = (0..500)
        .map(|n| format!("- {{match: /rest/v1/t{n}_*, where: {{id: eq.*}}, key: 'a:{{id}}', ttl: 1m}}\n"))
        .collect();
    let writes: String = (0..500)
        .map(|n| format!("- {{match: /rest/v1/t{n}, invalidate: ['a{n}:*', 'b{n}:*:{{id}}:*']}}\n"))
        .collect();
    let text = format!("version: 1\nreads:\n{reads}writes:\n{writes}");
    assert_eq!(parse(&text).read_rules().len(), 500);
    let one_more = format!("{text}- {{match: /rest/v1/x}}\n");
    assert_eq!(mistakes(&one_more), [": 1001 rules; at most 1000 are possible"]);
}

#[test]
fn the_json_form_is_plain_data() {
    let compiled = RuleSet::parse("version: 1\nreads:\n- {match: /rest/v1/x, ttl: 60}\n", &context());
    let report: serde_json::Value =
        serde_json::from_str(&check::json("rules.yaml", &compiled).unwrap()).unwrap();
    assert_eq!(report["ok"], false);
    let mistake = &report["mistakes"][0];
    assert_eq!(mistake["path"], "reads[0].ttl");
    assert_eq!(mistake["message"], "`60` has no unit");
    assert_eq!((&mistake["line"], &mistake["column"]), (&3.into(), &28.into()));
    assert_eq!(mistake["hint"], "write `60s` if seconds are meant");
}

/// Words that make random files look like rules.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("version: 1\n".into()),
        Just("reads:\n".into()),
        Just("writes:\n".into()),
        Just("schema:\n".into()),
        Just("- ".into()),
        Just("  ".into()),
        Just("\n".into()),
        Just("match: /rest/v1/{a,b}*\n".into()),
        Just("where: { id: 'eq.*' }\n".into()),
        Just("key: \"a:{id}:{path.1}\"\n".into()),
        Just("ttl: 5m\n".into()),
        Just("scope: { claims: [a.b] }\n".into()),
        Just("invalidate: [auto, 'a:*']\n".into()),
        Just("functions: { f: { reads: [a.b.c] } }\n".into()),
        Just("relations: { a: { b!c: [d] } }\n".into()),
        "[-\\[\\]{}:,?*&!|>'\"%@`#~ \n\t\r\u{feff}\u{0}\u{85}é]{1,4}",
        "\\PC{1,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let compiled = RuleSet::parse(&text, &context());
        let _ = check::text("rules.yaml", &compiled);
    }

    #[test]
    fn nothing_that_looks_like_rules_makes_it_panic(parts in prop::collection::vec(fragment(), 0..30)) {
        let compiled = RuleSet::parse(&parts.concat(), &context());
        let _ = check::text("rules.yaml", &compiled);
    }

}

proptest! {
    // Each case compiles the whole example, which is a hundred times as long.
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_damage_to_the_example_makes_it_panic(at in 0_usize..12_000, length in 0_usize..40, with in fragment()) {
        let mut text = example();
        let from = text.floor_char_boundary(at.min(text.len()));
        let to = text.floor_char_boundary((from + length).min(text.len()));
        text.replace_range(from..to, &with);
        let compiled = RuleSet::parse(&text, &context());
        let _ = check::text("rules.yaml", &compiled);
    }
}

/// What a database told: orders of customers, through a junction and behind policies.
const LEARNED: &str = r#"version: 1
server: "15.4"
pulled: "2026-01-01T00:00:00Z"
fingerprint: abc
schemas: [public]
tables:
  public.orders: { kind: table, columns: { id: integer, state: text, note: "public.citext" } }
  public.cards: { kind: view, columns: { id: integer } }
  public.notes: { kind: table, columns: { id: integer } }
functions:
  public.search: { reads: [public.orders], writes: [], returns: [public.orders] }
  public.guess: { reads: [public.orders] }
policies:
  public.notes: [public.members]
visibility:
  public.orders:
    - { policy: own, on: public.orders, claims: [sub], open: { state: published } }
  public.notes:
    - { policy: tenants, on: public.notes, roles: [authenticated], claims: [app_metadata.tenant_id] }
  public.cards:
    - { headers: [x-country], claims: [session_id] }
unsure:
  functions: { public.guess: it runs SQL that it puts together }
  policies: { public.notes: is written in plpython3u }
"#;

fn included(rules: &str) -> Result<(RuleSet, Vec<String>), Vec<String>> {
    included_in(rules, &context())
}

fn included_in(rules: &str, context: &Context) -> Result<(RuleSet, Vec<String>), Vec<String>> {
    let file = Included { file: "schema.yaml".into(), text: Ok(LEARNED.into()) };
    let text = format!("version: 1\n{rules}");
    let told = |remark: larder::rules::Remark| {
        let hint = remark.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}: {}{hint}", remark.path, remark.message)
    };
    match RuleSet::parse_with(&text, Some(&file), context) {
        Ok((rules, warnings)) => Ok((rules, warnings.into_iter().map(|warning| told(warning.0)).collect())),
        Err(mistakes) => Err(mistakes.into_iter().map(|mistake| told(mistake.0)).collect()),
    }
}

fn included_mistakes(rules: &str) -> Vec<String> {
    included(rules).err().unwrap_or_default()
}

const INCLUDE: &str = "schema: { include: schema.yaml }\n";
const CONFIRMED: &str = "schema: { include: schema.yaml, functions: { guess: { reads: [orders], writes: [] } }, \
                         policies: { notes: [members] } }\n";

#[test]
fn a_rule_about_a_table_that_is_not_there_is_told_the_nearest() {
    for (path, expected) in [
        ("/rest/v1/orders", None),
        ("/rest/v1/o*", None),
        ("/auth/v1/user", None),
        ("/rest/v1/rpc/search", None),
        (
            "/rest/v1/order",
            Some("reads[0].match: the database has no table `order` (did you mean `orders`?)"),
        ),
        (
            "/rest/v1/rpc/serch",
            Some("reads[0].match: the database has no function `serch` (did you mean `search`?)"),
        ),
        (
            "/rest/v1/somewhere",
            Some(
                "reads[0].match: the database has no table `somewhere` (if it is new: `larder schema pull --db URL`)",
            ),
        ),
    ] {
        let rules = format!("reads: [{{ match: {path}, ttl: 1m }}]\n{INCLUDE}");
        let expected: Vec<&str> = expected.into_iter().collect();
        assert_eq!(included_mistakes(&rules), expected, "{path}");
    }
}

#[test]
fn a_claim_that_is_ignored_by_setting_tells_nobody_apart() {
    let rules = format!("reads: [{{ match: /rest/v1/notes, ttl: 1m }}]\n{CONFIRMED}");
    let ignoring = |claims: &[&str]| {
        let ignored_claims = claims.iter().map(ToString::to_string).collect();
        included_in(&rules, &Context { ignored_claims, ..context() }).err().unwrap_or_default()
    };
    assert_eq!(ignoring(&["iat", "app_metadata.other"]), Vec::<String>::new());
    let told = ignoring(&["app_metadata"]).join("\n");
    assert!(told.contains("depends on the claim `app_metadata.tenant_id`"), "{told}");
}

#[test]
fn a_scope_wider_than_the_policies_allow_is_told_with_the_policy() {
    let mistake = |table: &str, more: &str| {
        included_mistakes(&format!("reads: [{{ match: /rest/v1/{table}, ttl: 1m{more} }}]\n{CONFIRMED}"))
    };
    for (table, more) in [
        ("orders", ""),
        ("orders", ", scope: token"),
        ("orders", ", scope: { claims: [sub] }"),
        ("orders", ", scope: public, where: { state: eq.published }"),
        ("notes", ", scope: { claims: [app_metadata] }"),
        ("cards", ", scope: token, vary: [x-country]"),
    ] {
        assert_eq!(mistake(table, more), Vec::<String>::new(), "{table} {more}");
    }
    for (table, more, message) in [
        (
            "orders",
            ", scope: role",
            "the scope `role` is wider than the policy `own` of `public.orders` allows",
        ),
        ("orders", ", scope: public", "the scope `public` is wider than the policy `own`"),
        (
            "orders",
            ", scope: public, where: { state: eq.* }",
            "the scope `public` is wider than the policy `own`",
        ),
        ("orders", ", scope: { claims: [tenant] }", "depends on the claim `sub`"),
        ("notes", ", scope: { claims: [sub] }", "depends on the claim `app_metadata.tenant_id`"),
        ("notes", ", scope: public", "the scope `public` is wider than the policy `tenants`"),
        ("cards", ", vary: [x-country]", "the scope `user` is wider than its definition allows"),
        ("cards", ", scope: role, vary: [x-country]", "the scope `role` is wider than its definition allows"),
        ("*", ", scope: role", "wider than"),
    ] {
        let told = mistake(table, more).join("\n");
        assert!(told.starts_with("reads[0].") && told.contains(message), "{table} {more}: {told}");
    }
}

#[test]
fn what_is_unsure_is_warned_of_until_it_is_confirmed() {
    let (rules, warnings) = included(INCLUDE).unwrap();
    let expected = [
        "schema.include: unsure: functions of `public.guess`: it runs SQL that it puts together (if nothing is \
         missing: schema: { functions: { public.guess: { reads: [public.orders], writes: [] } } })",
        "schema.include: unsure: policies of `public.notes`: is written in plpython3u (if nothing is missing: \
         schema: { policies: { public.notes: [public.members] } })",
    ];
    assert_eq!(warnings, expected);
    let guess = Table::new("public", "guess");
    assert_eq!(rules.schema().functions[&guess].reads, None);
    let (rules, warnings) = included(CONFIRMED).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(rules.schema().functions[&guess].reads, Some(vec![Table::new("public", "orders")]));
}

#[test]
fn rows_are_matched_only_by_columns_that_can_be() {
    let rows = |rows: &str| {
        included_mistakes(&format!("schema: {{ include: schema.yaml, rows: {{ {rows} }} }}\n")).join("\n")
    };
    assert_eq!(rows("orders: [id, state]"), "");
    for (written, message) in [
        ("orders: [ids]", "`public.orders` has no column `ids` (did you mean `id`?)"),
        ("orders: [note]", "whether two values of type `public.citext` are equal is not known"),
        ("cards: [id]", "a view has no rows that could be told apart"),
        ("oders: [id]", "the database has no table `oders` (did you mean `orders`?)"),
    ] {
        assert!(rows(written).contains(message), "{written}: {}", rows(written));
    }
}

#[test]
fn a_broken_schema_file_is_told_with_its_place() {
    let parse = |text: Result<String, String>| {
        let file = Included { file: "schema.yaml".into(), text };
        let mistakes =
            RuleSet::parse_with("version: 1\nschema: { include: schema.yaml }\n", Some(&file), &context());
        mistakes.map(|_| ()).unwrap_err().remove(0).0.message
    };
    let missing = parse(Err("No such file".into()));
    assert_eq!(missing, "cannot read `schema.yaml`: No such file");
    for (from, to, message) in [
        ("version: 1", "version: 9", "schema.yaml:1:10: version: not a version of this format"),
        ("kind: view", "kind: vew", "schema.yaml:8:25: tables.public.cards.kind: not a kind of table"),
        ("policies:\n  public.notes: [", "policies:\n  notes: [", "`notes` is not `schema.name`"),
        ("visibility:", "visibilty:", "unknown field `visibilty`"),
    ] {
        let told = parse(Ok(LEARNED.replacen(from, to, 1)));
        assert!(told.contains(message), "{told}");
    }
}

#[test]
fn only_the_meaning_of_what_was_learned_makes_answers_unreachable() {
    let digest = |learned: String| {
        let file = Included { file: "schema.yaml".into(), text: Ok(learned) };
        let parsed =
            RuleSet::parse_with("version: 1\nschema: { include: schema.yaml }\n", Some(&file), &context());
        *parsed.unwrap().0.digest()
    };
    let plain = digest(LEARNED.into());
    assert_eq!(
        plain,
        digest(LEARNED.replace("2026-01-01", "2026-02-02").replace("tables:", "# more\ntables:"))
    );
    assert_ne!(plain, digest(LEARNED.replace("[public.members]", "[public.teams]")));
    assert_ne!(plain, *parse("version: 1\n").digest());
}
