//! Do texts become the right issuers and keys, or the right mistakes?

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use ring::hmac;

use crate::identity::{IGNORED_CLAIMS, Identity, Reason};

use super::*;

const SECRET: &str = "a secret, with = and more, of 32 bytes or so";
const OLDER: &str = "an older secret of at least thirty-two bytes";
const FOREIGN: &str = "https://id.example/";

fn flags(change: impl FnOnce(&mut CallerFlags)) -> CallerFlags {
    let mut flags = CallerFlags::default();
    change(&mut flags);
    flags
}

fn read(flags: &CallerFlags, variables: &[(&str, &str)]) -> Result<Option<Callers>, Vec<String>> {
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    callers(flags, variable).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

fn is_described(flags: &CallerFlags, variables: &[(&str, &str)]) -> bool {
    read(flags, variables).unwrap().is_some()
}

/// Who somebody is whose token was signed with this secret.
fn ask(callers: &Callers, secret: &str, claims: &str) -> Identity {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let signed =
        format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(&format!(r#"{{"role":"r","exp":2000,{claims}}}"#)));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {signed}.{signature}").parse().unwrap());
    callers.verifier.identify(&headers, 1000)
}

fn digest(identity: &Identity) -> [u8; 32] {
    match identity {
        Identity::User { user, .. } => user.digest,
        other => panic!("{other:?}"),
    }
}

#[test]
fn anything_to_verify_with_is_enough() {
    assert!(!is_described(&flags(|_| {}), &[]));
    assert!(
        !is_described(&flags(|flags| flags.audiences = Some("app".into())), &[]),
        "nothing to verify with"
    );
    assert!(is_described(&flags(|_| {}), &[("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_x")]));
    assert!(is_described(&flags(|_| {}), &[("SUPABASE_JWT_SECRET", SECRET)]));
    assert!(is_described(&flags(|_| {}), &[("LARDER_OTHER_SECRETS", &format!("x={SECRET}"))]));
    assert!(is_described(&flags(|flags| flags.issuer = Some("https://api.example/auth/v1".into())), &[]));
    assert!(is_described(&flags(|flags| flags.other_issuers = Some(FOREIGN.into())), &[]));
}

#[test]
fn every_mistake_is_told_at_once_and_nothing_is_repeated() {
    let flags = flags(|flags| {
        flags.other_issuers =
            Some("https://good.example,http://id.example,https://x=https://a:canary@b/".into());
        flags.ignored_claims.ignored_claims = "exp, sub".into();
    });
    let variables = [
        ("SUPABASE_ANON_KEY", "sb_secret_canary"),
        ("SUPABASE_JWT_SECRET", "canary"),
        ("LARDER_OTHER_SECRETS", "https://id.example=canary\n\ncanary\n=canary"),
    ];
    let mistakes = read(&flags, &variables).unwrap_err();
    let expected = [
        "SUPABASE_ANON_KEY: this is a service or secret key: larder recognises those by itself and must not be given one",
        "SUPABASE_JWT_SECRET: a secret for tokens has at least 32 bytes",
        "LARDER_OTHER_SECRETS: line 1: a secret for tokens has at least 32 bytes",
        "LARDER_OTHER_SECRETS: line 2: not `ISSUER=SECRET`",
        "LARDER_OTHER_SECRETS: line 3: not `ISSUER=SECRET`",
        "--other-issuers: number 2: the URL of a key set begins with https://",
        "--other-issuers: number 3: the URL of a key set has no user and no password",
        "--ignored-claims: `sub` tells users apart: share among them with `scope: { claims: […] }`",
    ];
    assert_eq!(mistakes, expected);
}

#[test]
fn the_keys_of_another_issuer_are_where_its_setting_says() {
    let flags = flags(|flags| {
        flags.other_issuers =
            Some(" https://id.example/ ,https://google.example/p=https://keys.example/jwk?v=2, ".into());
    });
    let callers = read(&flags, &[]).unwrap().unwrap();
    let places: Vec<String> = callers.sources.iter().map(ToString::to_string).collect();
    assert_eq!(places, ["https://id.example/.well-known/jwks.json", "https://keys.example/jwk"]);
    assert_eq!(callers.upstream_issuers, None, "the upstream's own URL says it");
}

#[test]
fn the_issuer_of_a_self_hosted_project_is_a_setting() {
    let flags = flags(|flags| {
        flags.issuer = Some("https://api.example/auth/v1, https://abc.supabase.co/auth/v1".into());
    });
    let expected =
        Issuers::Only(vec!["https://api.example/auth/v1".into(), "https://abc.supabase.co/auth/v1".into()]);
    assert_eq!(read(&flags, &[]).unwrap().unwrap().upstream_issuers, Some(expected));
}

#[test]
fn trap_33_several_secrets_each_for_its_own_issuers() {
    let variables = [
        ("SUPABASE_JWT_SECRET", &*format!("{SECRET}\n{OLDER}\n")),
        ("LARDER_OTHER_SECRETS", &*format!("{FOREIGN}=b={SECRET}\r\n")),
    ];
    let callers = read(&flags(|_| {}), &variables).unwrap().unwrap();
    for (secret, claims, known) in [
        (SECRET.to_owned(), r#""sub":"1""#, true),
        (OLDER.to_owned(), r#""sub":"1""#, true),
        (OLDER.to_owned(), r#""sub":"1","iss":"supabase""#, true),
        (format!("b={SECRET}"), r#""sub":"1","iss":"https://id.example/""#, true),
        (format!("b={SECRET}"), r#""sub":"1","iss":"supabase""#, false),
        (format!("b={SECRET}"), r#""sub":"1""#, false),
        ("no secret that anybody has configured".into(), r#""sub":"1""#, false),
    ] {
        let identity = ask(&callers, &secret, claims);
        assert_eq!(matches!(identity, Identity::User { .. }), known, "{claims}: {identity:?}");
    }
    let ours = ask(&callers, SECRET, r#""sub":"1","iss":"supabase""#);
    let theirs = ask(&callers, &format!("b={SECRET}"), r#""sub":"1","iss":"https://id.example/""#);
    assert_ne!(digest(&ours), digest(&theirs), "the same `sub` of two issuers is two users");
}

#[test]
fn audiences_and_ignored_claims_are_settings() {
    let secret = [("SUPABASE_JWT_SECRET", SECRET)];
    let narrow = flags(|flags| {
        flags.audiences = Some("app, other".into());
        flags.ignored_claims.ignored_claims = "exp,email".into();
    });
    let narrow = read(&narrow, &secret).unwrap().unwrap();
    let usual = read(&flags(|_| {}), &secret).unwrap().unwrap();
    let elsewhere = r#""sub":"1","aud":"elsewhere""#;
    assert!(matches!(ask(&narrow, SECRET, elsewhere), Identity::Unverified(Reason::Audience)));
    assert!(matches!(ask(&usual, SECRET, elsewhere), Identity::User { .. }));
    let same = |callers: &Callers, one: &str, other: &str| {
        digest(&ask(callers, SECRET, one)) == digest(&ask(callers, SECRET, other))
    };
    let (one, other) = (r#""aud":"app","email":"a""#, r#""aud":"app","email":"b""#);
    assert!(same(&narrow, one, other) && !same(&usual, one, other));
    let (one, other) = (r#""aud":"app","iat":1"#, r#""aud":"app","iat":2"#);
    assert!(!same(&narrow, one, other) && same(&usual, one, other), "a list replaces the usual one");
}

#[test]
fn the_default_is_what_the_verifier_has_itself() {
    assert_eq!(IGNORED_DEFAULT, IGNORED_CLAIMS.join(","));
}
