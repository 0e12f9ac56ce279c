//! Does anybody become somebody else? Tables of headers and of tokens signed here.

use super::signing_tests::{ISSUER, SECRET, Signer, claims, headers, key_set};
use super::*;

pub(super) const PUBLISHABLE: &str = "sb_publishable_for_tests";

pub(super) fn only(issuer: &str) -> Issuers {
    Issuers::Only(vec![issuer.to_owned()])
}

pub(super) fn secret_keys() -> Keys {
    Keys::new(&[SECRET], only(ISSUER)).unwrap()
}

pub(super) fn anon_jwt() -> String {
    Signer::secret().sign(r#"{"iss":"supabase","role":"anon","exp":8000}"#)
}

fn service_jwt() -> String {
    Signer::secret().sign(r#"{"iss":"supabase","role":"service_role","exp":8000}"#)
}

/// Knows the secret and both public API keys.
pub(super) fn verifier() -> Verifier {
    Verifier::new(secret_keys(), ApiKeys::new(&[PUBLISHABLE.to_owned(), anon_jwt()]).unwrap())
}

/// What a verifier makes of these lines at 1000, in a word.
pub(super) fn word(verifier: &Verifier, lines: &[(&'static str, &str)]) -> String {
    match verifier.identify(&headers(lines), 1000) {
        Identity::Anonymous { expires, .. } => format!("anonymous until {expires:?}"),
        Identity::User { user, expires } => {
            format!("{} until {expires}", user.claim("sub").and_then(Claim::as_str).unwrap_or("nobody"))
        }
        Identity::Privileged => "privileged".into(),
        Identity::Expired => "expired".into(),
        Identity::Unverified(reason) => reason.as_str().into(),
    }
}

#[test]
fn signed_out_is_a_public_key_and_nothing_else() {
    let (verifier, anon) = (verifier(), anon_jwt());
    let other = Signer::secret().sign(r#"{"iss":"supabase","role":"anon","exp":8001}"#);
    let bearer = |token: &str| format!("Bearer {token}");
    for (lines, expected) in [
        (vec![("apikey", PUBLISHABLE)], "anonymous until None"),
        (vec![("apikey", PUBLISHABLE), ("authorization", &bearer(PUBLISHABLE))], "anonymous until None"),
        (vec![("apikey", anon.as_str())], "anonymous until Some(8000)"),
        (vec![("apikey", &anon), ("authorization", &bearer(&anon))], "anonymous until Some(8000)"),
        (vec![("apikey", PUBLISHABLE), ("authorization", &bearer(&anon))], "anonymous until Some(8000)"),
        (vec![("apikey", &anon), ("authorization", &bearer(PUBLISHABLE))], "key-mismatch"),
        (vec![("apikey", PUBLISHABLE), ("authorization", &bearer("sb_publishable_other"))], "not-a-token"),
        // a good signature, and still no user: `supabase` issues API keys only
        (vec![("apikey", PUBLISHABLE), ("authorization", &bearer(&other))], "issuer"),
    ] {
        assert_eq!(word(&verifier, &lines), expected);
    }
}

#[test]
fn trap_31_32_37_keys_that_see_everything_are_recognised_wherever_they_stand() {
    let (service, anon) = (service_jwt(), anon_jwt());
    let user = format!("Bearer {}", Signer::secret().sign(&claims("")));
    let forged = Signer::Secret(b"another secret of more than 32 bytes".to_vec())
        .sign(r#"{"role":"service_role","exp":8000}"#);
    let bearer = |token: &str| format!("Bearer {token}");
    let nothing_configured = Verifier::new(Keys::default(), ApiKeys::default());
    for verifier in [verifier(), nothing_configured] {
        for lines in [
            vec![("apikey", "sb_secret_x")],
            vec![("apikey", "sb_secret_x"), ("authorization", "Bearer sb_secret_x")],
            vec![("apikey", "sb_secret_x"), ("authorization", &user)],
            vec![("apikey", service.as_str())],
            vec![("apikey", &service), ("authorization", &user)],
            vec![("apikey", &anon), ("authorization", &bearer(&service))],
            vec![("apikey", PUBLISHABLE), ("authorization", &bearer(&service))],
            vec![("apikey", PUBLISHABLE), ("authorization", &bearer("sb_secret_x"))],
            vec![("apikey", PUBLISHABLE), ("authorization", &bearer(&forged))],
            vec![("apikey", PUBLISHABLE), ("authorization", "bearer  sb_secret_x")],
            vec![("apikey", PUBLISHABLE), ("apikey", "sb_secret_x")],
            vec![("authorization", &bearer(&service))],
        ] {
            assert_eq!(word(&verifier, &lines), "privileged", "{:?}", lines.len());
        }
    }
    let known = verifier();
    for _first_and_remembered in 0..2 {
        let lines = [("apikey", PUBLISHABLE), ("authorization", &*bearer(&service))];
        assert_eq!(word(&known, &lines), "privileged");
    }
}

#[test]
fn trap_34_and_g2_one_scheme_in_one_spelling() {
    let verifier = verifier();
    let token = Signer::secret().sign(&claims(""));
    for (line, expected) in [
        (format!("Bearer {token}"), "ann until 5000"),
        (format!("bearer {token}"), "scheme"),
        (format!("BEARER {token}"), "scheme"),
        (format!("Bearer  {token}"), "scheme"),
        (format!("Bearer\t{token}"), "scheme"),
        (format!("Bearer \t{token}"), "scheme"),
        (format!("Bearer {token} "), "scheme"),
        (format!("Bearer {token} x"), "scheme"),
        (format!("Bearer {token}, Bearer {token}"), "scheme"),
        (format!("Bearer {token},{token}"), "not-a-token"),
        (format!(" Bearer {token}"), "scheme"),
        (format!("Basic {token}"), "scheme"),
        (format!("Bearer{token}"), "scheme"),
        (token.clone(), "scheme"),
        ("Bearer ".into(), "scheme"),
        ("Bearer".into(), "scheme"),
        (String::new(), "scheme"),
        ("Bearer \u{e9}".into(), "scheme"),
    ] {
        let lines = [("apikey", PUBLISHABLE), ("authorization", line.as_str())];
        assert_eq!(word(&verifier, &lines), expected, "{line:.12}");
    }
}

#[test]
fn g3_two_lines_are_nobody() {
    let token = format!("Bearer {}", Signer::secret().sign(&claims("")));
    for lines in [
        vec![("apikey", PUBLISHABLE), ("authorization", token.as_str()), ("authorization", &token)],
        vec![("apikey", PUBLISHABLE), ("apikey", PUBLISHABLE), ("authorization", &token)],
    ] {
        assert_eq!(word(&verifier(), &lines), "duplicate-header");
    }
}

#[test]
fn trap_38_an_api_key_is_a_configured_one() {
    let token = format!("Bearer {}", Signer::secret().sign(&claims("")));
    let bearer = format!("Bearer {PUBLISHABLE}");
    let verifier = verifier();
    for (lines, expected) in [
        (vec![], "missing-apikey"),
        (vec![("authorization", token.as_str())], "missing-apikey"),
        (vec![("authorization", &bearer)], "missing-apikey"),
        (vec![("apikey", "")], "unknown-apikey"),
        (vec![("apikey", "sb_publishable_for_test")], "unknown-apikey"),
        (vec![("apikey", "sb_publishable_for_testS")], "unknown-apikey"),
        (vec![("apikey", "SB_PUBLISHABLE_FOR_TESTS"), ("authorization", &token)], "unknown-apikey"),
        (vec![("apikey", PUBLISHABLE), ("authorization", &token)], "ann until 5000"),
    ] {
        assert_eq!(word(&verifier, &lines), expected);
    }
}

#[test]
fn every_configuration_allows_what_the_map_says() {
    let token = format!("Bearer {}", Signer::secret().sign(&claims("")));
    let neither: &[(&'static str, &str)] = &[];
    let (alone, key) = (&[("authorization", token.as_str())], &[("apikey", PUBLISHABLE)]);
    let both = &[("apikey", PUBLISHABLE), ("authorization", token.as_str())];
    let api_keys = || ApiKeys::new(&[PUBLISHABLE]).unwrap();
    let anonymous = "anonymous until None";
    for (verifier, expected) in [
        (
            Verifier::new(Keys::default(), ApiKeys::default()),
            [anonymous, "no-key", "no-api-keys-configured", "no-api-keys-configured"],
        ),
        (
            Verifier::new(secret_keys(), ApiKeys::default()),
            [anonymous, "ann until 5000", "no-api-keys-configured", "no-api-keys-configured"],
        ),
        (
            Verifier::new(Keys::default(), api_keys()),
            ["missing-apikey", "missing-apikey", anonymous, "no-key"],
        ),
        (
            Verifier::new(secret_keys(), api_keys()),
            ["missing-apikey", "missing-apikey", anonymous, "ann until 5000"],
        ),
    ] {
        let found = [neither, alone, key, both].map(|lines| word(&verifier, lines));
        assert_eq!(found, expected);
    }
}

#[test]
fn nothing_secret_is_ever_printed() {
    let verifier = verifier();
    let token = Signer::secret().sign(&claims(r#","email":"ann@example.org","app_metadata":{"org":"acme"}"#));
    let lines = headers(&[("apikey", PUBLISHABLE), ("authorization", &format!("Bearer {token}"))]);
    let identity = verifier.identify(&lines, 1000);
    let Identity::User { user, .. } = &identity else { panic!("{identity:?}") };
    let set = PublicKeys::parse(&key_set(&[Signer::p256().jwk("kid-of-test")])).unwrap();
    let keys = secret_keys().with(&set, only(ISSUER));
    let printed = format!("{verifier:?} {identity:?} {:?} {keys:?} {set:?}", user.claims);
    let parts = token.split('.').map(str::to_owned);
    for secret in parts.chain([
        PUBLISHABLE.into(),
        anon_jwt(),
        String::from_utf8(SECRET.to_vec()).unwrap(),
        "ann".into(),
        "acme".into(),
    ]) {
        assert!(!printed.contains(&secret), "{printed}");
    }
}
