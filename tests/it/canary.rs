//! Are rules refused under which two callers would be shown each other's rows, and no others?

use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::client::Client;
use crate::support::origin::{Origin, status};
use crate::support::product::RulesFile;
use crate::support::proxy::Builder;
use crate::support::token::{SECRET, claims_of, signed, signed_by, token_of};
use crate::support::{Proxy, contains, origin, proxy, soon};

const READ: &str = "GET /rest/v1/leases";
const TARGET: &str = "/rest/v1/leases?order=id";
const KEY: &str = "sb_publishable_abc";
const BEFORE: &str = "reads: [{ name: before, match: /rest/v1/leases, ttl: 1m }]";
const BY_USER: &str =
    r#"reads: [{ name: by-user, match: /rest/v1/leases, ttl: 1m, canary: "/rest/v1/leases?order=id" }]"#;
const BY_ROLE: &str = r#"reads: [{ name: by-role, match: /rest/v1/leases, ttl: 1m, scope: role, canary: "/rest/v1/leases?order=id" }]"#;

fn anns() -> Value {
    json!([{"id": 1, "rent": "of Ann"}])
}

fn bos() -> Value {
    json!([{"id": 2, "rent": "of Bo"}])
}

/// A database that shows these rows to Ann and those to Bo.
async fn leases(to_ann: Value, to_bo: Value) -> Origin {
    let origin = origin().table("leases").start().await;
    origin.tells(&token_of("ann"), READ, to_ann);
    origin.tells(&token_of("bo"), READ, to_bo);
    origin
}

fn with_tokens(builder: Builder, tokens: [&str; 2]) -> Builder {
    builder
        .variable("SUPABASE_JWT_SECRET", SECRET)
        .variable("SUPABASE_PUBLISHABLE_KEY", KEY)
        .variable("LARDER_CANARY_TOKENS", &tokens.join("\n"))
}

/// A proxy that knows Ann and Bo, before it gets rules with canaries.
async fn before(origin: &Origin) -> Proxy {
    with_tokens(proxy(origin).rules(BEFORE), [&token_of("ann"), &token_of("bo")]).start().await
}

async fn found(proxy: &Proxy, verdict: &str) -> f64 {
    proxy.counted("larder_canaries_total", &[&format!("result=\"{verdict}\"")]).await
}

/// The name of the rule in use.
async fn in_use(proxy: &Proxy) -> String {
    let rules = Client::new(proxy.admin()).get("/api/rules").await.expect_status(200).json();
    rules["reads"][0]["name"].as_str().unwrap().to_owned()
}

/// Reads its rules again, which are refused with one mistake.
async fn refused(proxy: &Proxy, rules: &str) -> Value {
    proxy.rewrite_rules(rules);
    let told = proxy.reload(422).await;
    let words = told.to_string();
    assert!(!words.contains("of Ann") && !words.contains("eyJ"), "neither rows nor tokens: {words}");
    assert_eq!(told["details"]["mistakes"].as_array().unwrap().len(), 1, "{told:#}");
    told["details"]["mistakes"][0].clone()
}

/// Reads its rules again, which are taken with one warning, and gives it.
async fn warned(proxy: &Proxy, rules: &str) -> String {
    proxy.rewrite_rules(rules);
    let told = proxy.reload(200).await;
    assert_eq!(told["warnings"].as_array().unwrap().len(), 1, "{told:#}");
    told["warnings"][0].to_string()
}

async fn taken(proxy: &Proxy, rules: &str) {
    proxy.rewrite_rules(rules);
    let told = proxy.reload(200).await;
    assert_eq!(told["warnings"], json!([]), "{told:#}");
}

#[tokio::test]
async fn rules_are_refused_while_nothing_in_the_database_keeps_two_users_apart() {
    let origin = leases(anns(), anns()).await;
    let proxy = before(&origin).await;
    let mistake = refused(&proxy, BY_USER).await;
    assert_eq!((&mistake["path"], &mistake["line"]), (&json!("reads[0].canary"), &json!(2)), "{mistake:#}");
    let message = mistake["message"].as_str().unwrap();
    assert!(
        message.contains("`by-user`") && message.contains(TARGET) && message.contains("the very same"),
        "{message}"
    );
    assert!(mistake["hint"].as_str().unwrap().contains("row-level security"), "{mistake:#}");

    let ann =
        proxy.client().with("authorization", &format!("Bearer {}", token_of("ann"))).with("apikey", KEY);
    ann.get(TARGET).await.expect_json(&anns()).expect_header("cache-status", contains("stored"));
    ann.get(TARGET).await.expect_header("cache-status", contains("; hit;"));
    assert_eq!((in_use(&proxy).await.as_str(), found(&proxy, "open").await >= 1.0), ("before", true));
    assert!(proxy.counted("larder_rules_reloads_total", &["result=\"failed\""]).await >= 1.0);
    let ready = Client::new(proxy.admin()).get("/readyz").await.expect_status(200).json();
    assert_eq!(ready["rules"], "refused, older rules in use");

    // row-level security is turned on
    origin.tells(&token_of("bo"), READ, bos());
    taken(&proxy, BY_USER).await;
    assert_eq!((in_use(&proxy).await.as_str(), found(&proxy, "apart").await >= 1.0), ("by-user", true));
}

#[tokio::test]
async fn rules_are_refused_that_would_serve_one_users_rows_to_another() {
    let origin = leases(anns(), bos()).await;
    let proxy = before(&origin).await;
    let mistake = refused(&proxy, BY_ROLE).await;
    assert!(mistake["message"].as_str().unwrap().contains("would share an answer"), "{mistake:#}");
    assert!(mistake["hint"].as_str().unwrap().contains("scope: user"), "{mistake:#}");
    assert_eq!((in_use(&proxy).await.as_str(), found(&proxy, "leak").await >= 1.0), ("before", true));

    // one of them sees nothing at all
    origin.tells(&token_of("bo"), READ, json!([]));
    refused(&proxy, BY_ROLE).await;
    // and what everybody sees may be shared by everybody, whatever its order
    origin.tells(&token_of("ann"), READ, json!([{"id": 1}, {"id": 2}]));
    origin.tells(&token_of("bo"), READ, json!([{"id": 2}, {"id": 1}]));
    taken(&proxy, BY_ROLE).await;
    assert_eq!((in_use(&proxy).await.as_str(), found(&proxy, "shared").await >= 1.0), ("by-role", true));
}

#[tokio::test]
async fn a_canary_is_asked_exactly_as_a_fetch_and_nothing_of_it_is_kept() {
    let origin = leases(anns(), bos()).await;
    let proxy = with_tokens(proxy(&origin).rules(BY_USER), [&token_of("ann"), &token_of("bo")]).start().await;
    let asked = origin.saw(READ);
    let canary = asked.times(2).last();
    let whose = canary.header("authorization").replace("Bearer ", "");
    let caller = proxy.client().with("authorization", &format!("Bearer {whose}")).with("apikey", KEY);
    caller.get(TARGET).await.expect_header("cache-status", contains("fwd=miss; stored"));
    let seen = origin.saw(READ);
    let fetch = seen.times(3).last();
    assert_eq!((&canary.target, &canary.headers), (&fetch.target, &fetch.headers));
    assert_eq!(canary.header("apikey"), KEY);
}

#[tokio::test]
async fn an_upstream_that_is_away_keeps_no_proxy_from_starting() {
    let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let tokens = [token_of("ann"), token_of("bo")];
    let proxy = with_tokens(proxy(&nobody).rules(BY_USER), [&tokens[0], &tokens[1]]).start().await;
    assert_eq!((in_use(&proxy).await.as_str(), found(&proxy, "unjudged").await), ("by-user", 1.0));
}

#[tokio::test]
async fn what_cannot_be_judged_is_told_and_refuses_nothing() {
    let origin = leases(json!([]), json!([])).await;
    let (ann, bo) = (token_of("ann"), token_of("bo"));
    let proxy = before(&origin).await;
    assert!(warned(&proxy, BY_USER).await.contains("no rows for either"));
    assert!(warned(&proxy, BY_ROLE).await.contains("no rows for either"));
    origin.tells(&ann, READ, status(503));
    assert!(warned(&proxy, BY_USER).await.contains("answered with 503"));
    origin.tells(&ann, READ, anns());
    origin.tells(&bo, READ, status(401));
    assert!(warned(&proxy, BY_USER).await.contains("write new tokens"));
    assert_eq!(in_use(&proxy).await, "by-user");
}

#[tokio::test]
async fn answers_that_change_by_themselves_are_no_leak() {
    let origin = leases(anns(), bos()).await;
    let bo = token_of("bo");
    origin.twice(&format!("{READ} as Bearer {bo}"), bos(), json!([{"id": 3}]));
    let proxy = with_tokens(proxy(&origin).rules(BY_ROLE), [&token_of("ann"), &bo]).start().await;
    assert_eq!((in_use(&proxy).await.as_str(), found(&proxy, "unjudged").await), ("by-role", 1.0));
    origin.saw(READ).times(4);
}

#[tokio::test]
async fn two_tokens_that_are_not_two_users_judge_nothing() {
    let origin = leases(anns(), anns()).await;
    let ended = signed(&claims_of("bo", 1_000_000_000));
    let refreshed = signed(&claims_of("ann", 4_102_444_801));
    for (other, expected) in [
        (ended.as_str(), "its token has ended"),
        (&refreshed, "are one user's"),
        (KEY, "is no user's"),
        ("abc.def.ghi", "cannot be verified"),
    ] {
        let builder = with_tokens(proxy(&origin).rules(BEFORE), [&token_of("ann"), other]);
        let told = warned(&builder.start().await, BY_USER).await;
        assert!(told.contains(expected) && !told.contains("eyJ"), "{told}");
    }
    origin.saw(READ).times(0);
    // no tokens at all
    let proxy = proxy(&origin).rules(BY_USER).start().await;
    assert!(warned(&proxy, BY_USER).await.contains("--canary-tokens-file"));
    let report = Client::new(proxy.admin()).get("/api/doctor").await.expect_status(200).json();
    assert!(report.to_string().contains("canaries-unasked"), "{report:#}");
}

#[tokio::test]
async fn an_upstream_that_hangs_holds_nobody_up_for_long() {
    let origin = leases(anns(), anns()).await;
    let builder = proxy(&origin).rules(BEFORE).answer_within(Duration::from_secs(60));
    let proxy = with_tokens(builder, [&token_of("ann"), &token_of("bo")]).start().await;
    let _held = origin.hold(READ);
    assert!(warned(&proxy, BY_USER).await.contains("took too long"));
}

#[tokio::test]
async fn tokens_of_a_file_are_read_anew_with_the_rules() {
    let origin = leases(anns(), anns()).await;
    let file = RulesFile::write(&format!("{}\n{}\n", token_of("ann"), signed(&claims_of("bo", 1))));
    let builder = proxy(&origin).rules(BEFORE).variable("SUPABASE_JWT_SECRET", SECRET);
    let builder = builder.variable("SUPABASE_PUBLISHABLE_KEY", KEY).canary_tokens_in(&file.path);
    let proxy = builder.start().await;
    assert!(warned(&proxy, BY_USER).await.contains("its token has ended"));
    std::fs::write(&file.path, format!("{}\n{}\n", token_of("ann"), token_of("bo"))).unwrap();
    assert!(refused(&proxy, BY_USER).await["message"].as_str().unwrap().contains("the very same"));
    drop(file);
    assert!(warned(&proxy, BY_USER).await.contains("cannot read"));
}

/// Serves with these variables, until the process ends.
async fn serve(origin: &Origin, rules: &str, variables: &[(&str, &str)]) -> Output {
    let rules = RulesFile::write(&format!("version: 1\n{rules}"));
    let mut larder = Command::new(env!("CARGO_BIN_EXE_larder"));
    larder.args(["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--rules"]).arg(&rules.path);
    larder.args(["--upstream", &format!("http://{}", origin.address)]);
    larder.env_clear().envs(variables.iter().copied()).kill_on_drop(true);
    let running = larder.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    soon("larder refuses to start", running.wait_with_output()).await.unwrap()
}

#[tokio::test]
async fn a_start_is_refused_with_the_rule_the_target_and_a_hint() {
    let origin = leases(anns(), anns()).await;
    let tokens = format!("{}\n{}", token_of("ann"), token_of("bo"));
    let variables = [
        ("SUPABASE_JWT_SECRET", SECRET),
        ("SUPABASE_PUBLISHABLE_KEY", KEY),
        ("LARDER_CANARY_TOKENS", tokens.as_str()),
    ];
    let ended = serve(&origin, BY_USER, &variables).await;
    let (told, log) = (String::from_utf8_lossy(&ended.stderr), String::from_utf8_lossy(&ended.stdout));
    assert_eq!(ended.status.code(), Some(78), "{told}{log}");
    for word in ["`by-user`", TARGET, "the very same", "= hint: row-level security is off"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(
        !log.contains("ready")
            && ![told, log].iter().any(|text| text.contains("eyJ") || text.contains("of Ann"))
    );
}

#[tokio::test]
async fn a_start_waits_for_the_keys_that_tokens_are_verified_with() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(); // for tests only: its seed is public
    let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": public}]});
    let origin = origin().route(READ, anns()).route("GET /auth/v1/.well-known/jwks.json", keys).start().await;
    let issuer = format!("http://{}/auth/v1", origin.address);
    let claims = |user: &str| {
        let claims = claims_of(user, 4_102_444_800);
        claims.replace("{", &format!(r#"{{"iss":"{issuer}","#))
    };
    let tokens = format!("{}\n{}", signed_by(&pair, &claims("ann")), signed_by(&pair, &claims("bo")));
    let held = origin.hold("GET /auth/v1/.well-known/jwks.json");
    let variables = [("SUPABASE_PUBLISHABLE_KEY", KEY), ("LARDER_CANARY_TOKENS", tokens.as_str())];
    let (ended, ()) = tokio::join!(serve(&origin, BY_USER, &variables), async {
        origin.reached("GET /auth/v1/.well-known/jwks.json", 1).await;
        held.release();
    });
    assert_eq!(ended.status.code(), Some(78), "{}", String::from_utf8_lossy(&ended.stdout));
    origin.saw(READ).times(2);
}
