//! Who shares an answer with whom, under each scope, once callers are verified.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use http::request::Parts;
use ring::hmac;

use super::*;
use crate::identity::{ApiKeys, Issuers, Keys};
use crate::rules::Context;

const RULES: &str = r#"
version: 1
reads:
  - { name: public, match: /rest/v1/public, ttl: 1h, scope: public }
  - { name: role, match: /rest/v1/role, ttl: 1h, scope: role }
  - { name: user, match: /rest/v1/user, ttl: 1h }
  - { name: tenant, match: /rest/v1/tenant, ttl: 1h, scope: { claims: [app_metadata.tenant] } }
  - { name: token, match: /rest/v1/token, ttl: 1h, scope: token }
  - { name: mine, match: /rest/v1/mine, ttl: 1h, key: "by:{claims.sub}:{query}" }
  - match: /rest/v1/team
    ttl: 1h
    scope: { claims: [app_metadata.tenant] }
    key: "of:{claims.app_metadata.tenant}:{claims.role}"
writes:
  - { match: /rest/v1/mine, invalidate: ["mine:by:{claims.sub}:*"] }
"#;
const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
const ANON: &str = "sb_publishable_abc";
const NOW: u64 = 1_000;

fn context() -> Context {
    Context { upstream: "http://up".into(), ..Context::default() }
}

fn planner() -> Planner {
    let (rules, _) = RuleSet::parse(RULES, &context()).unwrap();
    let keys = Keys::new(&[SECRET], Issuers::Any).unwrap();
    Planner::new(rules, Some(Arc::new(Verifier::new(keys, ApiKeys::new(&[ANON]).unwrap()))))
}

fn token(claims: &str, secret: &[u8]) -> String {
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn user(sub: &str, tenant: &str, iat: u64) -> String {
    let claims = format!(
        r#"{{"role":"authenticated","sub":"{sub}","app_metadata":{{"tenant":"{tenant}"}},"iat":{iat},"exp":2000}}"#
    );
    token(&claims, SECRET)
}

fn head(rule: &str, apikey: &str, bearer: &str) -> Parts {
    let request = Request::get(format!("/rest/v1/{rule}"));
    let request = request.header("apikey", apikey).header("authorization", format!("Bearer {bearer}"));
    request.body(()).unwrap().into_parts().0
}

fn plan(rule: &str, apikey: &str, bearer: &str) -> Result<Arc<ReadPlan>, Pass> {
    match planner().plan(&head(rule, apikey, bearer), Framing::default(), NOW) {
        Plan::Read(plan) => Ok(plan),
        Plan::Pass(pass) => Err(pass),
        Plan::Write(_) | Plan::Refuse(_) => panic!("a read"),
    }
}

fn share(rule: &str, one: &str, other: &str) -> bool {
    plan(rule, ANON, one).unwrap().fingerprint == plan(rule, ANON, other).unwrap().fingerprint
}

#[test]
fn a_scope_says_who_shares_an_answer() {
    let (ann, ann_again) = (user("ann", "acme", 1), user("ann", "acme", 2));
    let (bo, cy) = (user("bo", "acme", 1), user("cy", "beta", 1));
    for (rule, one, other, shared) in [
        ("public", ann.as_str(), cy.as_str(), true),
        ("public", &ann, ANON, true),
        ("role", &ann, &cy, true),
        ("role", &ann, ANON, false), // trap 35
        ("tenant", &ann, &bo, true),
        ("tenant", &ann, &cy, false), // trap 30
        ("tenant", &ann, ANON, false),
        ("user", &ann, &ann_again, true), // a refreshed token keeps its hits
        ("user", &ann, &bo, false),
        ("user", &ann, ANON, false),
        ("user", ANON, ANON, true),
        ("token", &ann, &ann_again, false),
        ("token", &ann, &ann, true),
    ] {
        assert_eq!(share(rule, one, other), shared, "{rule}");
    }
}

#[test]
fn trap_36_what_is_for_anybody_is_fetched_as_somebody_who_is_signed_out() {
    let plan = plan("public", ANON, &user("ann", "acme", 1)).unwrap();
    let sent = http::HeaderMap::from(&*plan);
    assert_eq!(sent["apikey"], ANON);
    assert_eq!(sent["authorization"], format!("Bearer {ANON}").as_str());
    assert_eq!(plan.expires, None, "nobody's token ends it");
}

#[test]
fn what_is_for_some_is_fetched_as_one_of_them_and_ends_with_the_token() {
    let ann = user("ann", "acme", 1);
    let plan = plan("tenant", ANON, &ann).unwrap();
    assert_eq!(http::HeaderMap::from(&*plan)["authorization"], format!("Bearer {ann}").as_str());
    assert_eq!(plan.expires, Some(2000));
    assert!(!format!("{plan:?}").contains(&ann), "a plan never prints a token");
}

#[test]
fn who_cannot_be_verified_passes_whatever_the_scope() {
    let forged =
        token(r#"{"role":"authenticated","sub":"ann","exp":2000}"#, b"another secret of thirty-two bytes!!"); // trap 27
    let expired = token(r#"{"role":"authenticated","sub":"ann","exp":999}"#, SECRET); // trap 28
    let service = token(r#"{"role":"service_role","exp":2000}"#, SECRET); // trap 31
    let none = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(r#"{"sub":"ann"}"#)
    );
    for rule in ["public", "role", "user", "tenant"] {
        for (apikey, bearer) in
            [(ANON, forged.as_str()), (ANON, &none), (ANON, "opaque"), ("sb_publishable_other", ANON)]
        {
            let pass = plan(rule, apikey, bearer).unwrap_err();
            assert!(matches!(pass, Pass::Unverified(_)), "{rule} {apikey}: {pass:?}");
        }
        assert_eq!(plan(rule, ANON, &expired).unwrap_err(), Pass::ExpiredToken, "{rule}");
        assert_eq!(plan(rule, ANON, &service).unwrap_err(), Pass::ServiceKey, "{rule}");
        assert_eq!(plan(rule, "sb_secret_x", ANON).unwrap_err(), Pass::ServiceKey, "{rule}"); // traps 32, 37
    }
}

#[test]
fn a_key_names_what_is_verified_about_its_caller() {
    let (ann, odd) = (user("ann", "acme", 1), user("a:*", "beta", 1));
    assert_eq!(plan("mine", ANON, &ann).unwrap().key.as_str(), "mine:by:ann:");
    assert_eq!(
        plan("mine", ANON, &odd).unwrap().key.as_str(),
        "mine:by:a%3A%2A:",
        "trap 22: no syntax from data"
    );
    assert_eq!(plan("team", ANON, &ann).unwrap().key.as_str(), "team:of:acme:authenticated");
    let nobody = token(r#"{"role":"authenticated","sub":null,"exp":2000}"#, SECRET);
    for bearer in [ANON, nobody.as_str()] {
        assert_eq!(plan("mine", ANON, bearer).unwrap_err(), Pass::NoValue);
    }
    let unverified = Planner::new(RuleSet::parse(RULES, &context()).unwrap().0, None);
    let asked = unverified.plan(&head("mine", ANON, &ann), Framing::default(), NOW);
    assert!(matches!(asked, Plan::Pass(Pass::NoValue)), "without keys no claim is believed: {asked:?}");
}

#[test]
fn a_pattern_names_the_writer_if_that_is_verified_and_else_everybody() {
    let forged =
        token(r#"{"role":"authenticated","sub":"ann","exp":2000}"#, b"another secret of thirty-two bytes!!");
    let service = token(r#"{"role":"service_role","sub":"ann","exp":2000}"#, SECRET);
    for (bearer, tag) in [
        (user("ann", "acme", 1), "pattern:mine:by:{claims.sub}:*#=ann"),
        (forged, "pattern:mine:by:{claims.sub}:*#*"),
        (service, "pattern:mine:by:{claims.sub}:*#*"),
    ] {
        let mut head = head("mine", ANON, &bearer);
        head.method = http::Method::POST;
        let Plan::Write(write) = planner().plan(&head, Framing::default(), NOW) else { panic!("a write") };
        let tags = write.reach(&Evidence::default()).tags;
        assert!(tags.iter().any(|found| found.as_str() == tag), "{tag} in {tags:?}");
    }
    let read = plan("mine", ANON, &user("ann", "acme", 1)).unwrap();
    assert!(
        read.tags().iter().any(|tag| tag.as_str() == "pattern:mine:by:{claims.sub}:*#=ann"),
        "{:?}",
        read.tags()
    );
}

#[test]
fn a_remembered_plan_ends_with_the_keys_that_led_to_it() {
    let keys = Keys::new(&[SECRET], Issuers::Any).unwrap();
    let verifier = Arc::new(Verifier::new(keys, ApiKeys::new(&[ANON]).unwrap()));
    let planner = Planner::new(RuleSet::parse(RULES, &context()).unwrap().0, Some(Arc::clone(&verifier)));
    let head = head("user", ANON, &user("ann", "acme", 1));
    let plan = |now| planner.plan(&head, Framing::default(), now);
    assert!(matches!(plan(NOW), Plan::Read(_)), "once is not enough to be remembered");
    let (Plan::Read(first), Plan::Read(again)) = (plan(NOW), plan(NOW)) else { panic!("reads") };
    assert!(Arc::ptr_eq(&first, &again));
    assert!(matches!(plan(2_000), Plan::Pass(Pass::ExpiredToken)), "the token has ended");
    verifier.replace_keys(Keys::default());
    assert!(matches!(plan(NOW), Plan::Pass(Pass::Unverified(_))), "the key is gone");
}

#[test]
fn however_often_the_keys_change_nobody_is_believed_by_former_ones() {
    let keys = || Keys::new(&[SECRET], Issuers::Any).unwrap();
    let verifier = Arc::new(Verifier::new(keys(), ApiKeys::new(&[ANON]).unwrap()));
    let planner = Planner::new(RuleSet::parse(RULES, &context()).unwrap().0, Some(Arc::clone(&verifier)));
    let head = head("user", ANON, &user("ann", "acme", 1));
    // many times what a thread remembers, so that every place has been taken by other keys
    for change in 0..1_000 {
        let has_key = change % 2 == 0;
        verifier.replace_keys(if has_key { keys() } else { Keys::default() });
        for _ in 0..3 {
            let plan = planner.plan(&head, Framing::default(), NOW);
            assert_eq!(matches!(plan, Plan::Read(_)), has_key, "change {change}: {plan:?}");
        }
    }
}
