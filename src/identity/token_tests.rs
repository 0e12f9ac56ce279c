//! Which tokens make a user, and which user?

use super::signing_tests::{ISSUER, SECRET, Signer, claims, headers, key_set};
use super::tests::{PUBLISHABLE, anon_jwt, only, secret_keys, verifier, word};
use super::*;

/// Knows a key of each public kind by the id `1`, `2`, `3`, the secret, and no API keys.
fn with_every_key(signers: &[Signer]) -> Verifier {
    let members: Vec<String> =
        signers.iter().enumerate().map(|(index, signer)| signer.jwk(&(index + 1).to_string())).collect();
    let set = PublicKeys::parse(&key_set(&members)).unwrap();
    Verifier::new(secret_keys().with(&set, only(ISSUER)), ApiKeys::default())
}

fn public_signers() -> [Signer; 3] {
    [Signer::p256(), Signer::rsa(), Signer::ed25519()]
}

fn token_word(verifier: &Verifier, token: &str) -> String {
    word(verifier, &[("authorization", &format!("Bearer {token}"))])
}

fn user(claims: &str) -> Arc<User> {
    let verifier = Verifier::new(Keys::new(&[SECRET], Issuers::Any).unwrap(), ApiKeys::default());
    let lines = headers(&[("authorization", &format!("Bearer {}", Signer::secret().sign(claims)))]);
    match verifier.identify(&lines, 1000) {
        Identity::User { user, .. } => user,
        other => panic!("{other:?}: {claims}"),
    }
}

#[test]
fn each_algorithm_verifies_with_and_without_a_key_id() {
    let signers = public_signers();
    let verifier = with_every_key(&signers);
    for (index, signer) in signers.iter().enumerate() {
        let id = (index + 1).to_string();
        assert_eq!(token_word(&verifier, &signer.sign(&claims(""))), "ann until 5000");
        assert_eq!(token_word(&verifier, &signer.sign_with_id(&id, &claims(""))), "ann until 5000");
    }
    assert_eq!(token_word(&verifier, &Signer::secret().sign(&claims(""))), "ann until 5000");
    let named_secret = Signer::secret().sign_with_id("legacy", &claims(""));
    assert_eq!(token_word(&verifier, &named_secret), "ann until 5000");
}

#[test]
fn several_secrets_are_tried() {
    let old = b"the secret before, also of 32 bytes!".as_slice();
    let keys = Keys::new(&[SECRET, old], only(ISSUER)).unwrap();
    let verifier = Verifier::new(keys, ApiKeys::default());
    for secret in [SECRET, old] {
        let token = Signer::Secret(secret.to_vec()).sign(&claims(""));
        assert_eq!(token_word(&verifier, &token), "ann until 5000");
    }
    assert_eq!(Keys::new(&[&b""[..]], Issuers::Any).unwrap_err(), SecretMistake::Short);
    assert_eq!(Keys::new(&[&[1; 31]], Issuers::Any).unwrap_err(), SecretMistake::Short);
}

#[test]
fn trap_27_a_forged_token_is_nobody() {
    let signers = public_signers();
    let verifier = with_every_key(&signers);
    for (stranger, id) in public_signers().iter().zip(["1", "2", "3"]).filter(|(_, id)| *id != "2") {
        assert_eq!(token_word(&verifier, &stranger.sign(&claims(""))), "signature");
        assert_eq!(token_word(&verifier, &stranger.sign_with_id(id, &claims(""))), "signature");
    }
    let stranger = Signer::Secret(b"not the secret but as long as the secret".to_vec());
    assert_eq!(token_word(&verifier, &stranger.sign(&claims(""))), "signature");
    for signer in signers.iter().chain([&Signer::secret()]) {
        let good = signer.sign(&claims(""));
        let other = signer.sign(&claims(r#","aal":"aal2""#));
        let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (good, other) = (parts(&good), parts(&other));
        for forged in [
            [&good[0], &other[1], &good[2]],
            [&good[0], &good[1], &other[2]],
            [&good[0], &good[1], &String::new()],
            [&good[0], &good[1], &"AAAA".to_owned()],
        ] {
            let forged = forged.map(String::as_str).join(".");
            assert_eq!(token_word(&verifier, &forged), "signature");
        }
    }
}

#[test]
fn trap_39_and_g11_an_algorithm_belongs_to_its_key() {
    let signers = public_signers();
    let verifier = with_every_key(&signers);
    for (index, signer) in signers.iter().enumerate() {
        let id = index + 1;
        // the public key as a secret, in every form in which it is published
        for bytes in signer.public_bytes().into_iter().chain([signer.jwk(&id.to_string()).into_bytes()]) {
            let liar = Signer::Secret(bytes);
            assert_eq!(token_word(&verifier, &liar.sign(&claims(""))), "signature");
            assert_eq!(token_word(&verifier, &liar.sign_with_id(&id.to_string(), &claims(""))), "signature");
        }
        for algorithm in ["ES256", "RS256", "EdDSA"].into_iter().filter(|name| *name != signer.algorithm()) {
            let header = format!(r#"{{"alg":"{algorithm}","kid":"{id}"}}"#);
            assert_eq!(token_word(&verifier, &signer.sign_as(&header, &claims(""))), "algorithm");
            let header = format!(r#"{{"alg":"{algorithm}"}}"#);
            assert_eq!(token_word(&verifier, &signer.sign_as(&header, &claims(""))), "signature");
        }
    }
    let unsigned = Signer::secret().sign_as(r#"{"alg":"none"}"#, &claims(""));
    let (bare, _) = unsigned.rsplit_once('.').unwrap();
    assert_eq!(token_word(&verifier, &format!("{bare}.")), "algorithm");
    let only_public = Verifier::new(Keys::default(), ApiKeys::default());
    assert_eq!(token_word(&only_public, &Signer::secret().sign(&claims(""))), "no-key");
}

#[test]
fn a_secret_in_a_key_set_verifies_nothing() {
    let set = PublicKeys::parse(&key_set(&[Signer::secret().jwk("1")])).unwrap();
    let verifier = Verifier::new(Keys::default().with(&set, only(ISSUER)), ApiKeys::default());
    assert!(!verifier.can_verify_anything());
    assert_eq!(token_word(&verifier, &Signer::secret().sign_with_id("1", &claims(""))), "no-key");
}

#[test]
fn an_unknown_key_is_asked_for_and_an_odd_name_is_not() {
    let signer = Signer::p256();
    let verifier = with_every_key(&[Signer::p256()]);
    let mut asked = verifier.unknown_keys();
    for (header, expected, asks) in [
        (r#"{"alg":"ES256","kid":"new"}"#, "unknown-key", true),
        (r#"{"alg":"ES256","kid":"1"}"#, "signature", false),
        (r#"{"alg":"RS256","kid":"1"}"#, "algorithm", false),
        (r#"{"alg":"HS256","kid":"new"}"#, "signature", false),
        (r#"{"alg":"ES256","kid":"../../etc/passwd"}"#, "key-id", false),
        (r#"{"alg":"ES256","kid":"new","jku":"https://evil.example"}"#, "header-parameter", false),
        (r#"{"alg":"none","kid":"new"}"#, "algorithm", false),
    ] {
        assert_eq!(token_word(&verifier, &signer.sign_as(header, &claims(""))), expected, "{header}");
        assert_eq!(asked.has_changed().unwrap(), asks, "{header}");
        asked.mark_unchanged();
    }
}

#[test]
fn trap_29_what_old_keys_verified_is_forgotten_with_them() {
    let signer = Signer::p256();
    let verifier = with_every_key(&[Signer::p256()]);
    let token = signer.sign_with_id("new", &claims(""));
    assert_eq!(token_word(&verifier, &token), "unknown-key");
    let set = PublicKeys::parse(&key_set(&[signer.jwk("new")])).unwrap();
    verifier.replace_keys(Keys::default().with(&set, only(ISSUER)));
    assert_eq!(token_word(&verifier, &token), "ann until 5000");
    assert_eq!(token_word(&verifier, &token), "ann until 5000");
    verifier.replace_keys(Keys::default());
    assert_eq!(token_word(&verifier, &token), "unknown-key");
}

#[test]
fn trap_33_a_key_vouches_for_its_own_issuers_only() {
    let (ours, theirs) = (Signer::p256(), Signer::ed25519());
    let set = |signer: &Signer| PublicKeys::parse(&key_set(&[signer.jwk("same-id")])).unwrap();
    let keys = secret_keys().with(&set(&ours), only(ISSUER)).with(&set(&theirs), only("https://id.example"));
    let verifier = Verifier::new(keys, ApiKeys::default());
    let issued = |by: &str| format!(r#"{{"iss":{by},"sub":"ann","role":"authenticated","exp":5000}}"#);
    let (here, there) = (format!("{ISSUER:?}"), "\"https://id.example\"".to_owned());
    for (signer, issuer, expected) in [
        (&ours, &here, "ann until 5000"),
        (&ours, &there, "issuer"),
        (&theirs, &here, "issuer"),
        (&theirs, &there, "ann until 5000"),
        (&Signer::secret(), &there, "issuer"),
        (&ours, &"\"supabase\"".into(), "issuer"),
        (&ours, &format!("\"{ISSUER}/\""), "issuer"),
        (&ours, &format!("\"{ISSUER}\\u0000\""), "issuer"),
        (&ours, &"\"\"".into(), "issuer"),
        (&ours, &"null".into(), "claims"),
        (&ours, &format!("[{here}]"), "claims"),
    ] {
        assert_eq!(token_word(&verifier, &signer.sign(&issued(issuer))), expected, "{issuer}");
    }
    let without = r#"{"sub":"ann","role":"authenticated","exp":5000}"#;
    assert_eq!(token_word(&verifier, &ours.sign(without)), "issuer");
    let both = |issuer: &str| user(&issued(&format!("\"{issuer}\""))).digest;
    assert_ne!(both("https://a.example"), both("https://b.example"), "one `sub`, two people");
}

#[test]
fn a_key_of_two_issuers_verifies_for_both() {
    let signer = Signer::p256();
    let set = PublicKeys::parse(&key_set(&[signer.jwk("1")])).unwrap();
    let keys = Keys::default().with(&set, only("https://first.example")).with(&set, only(ISSUER));
    let verifier = Verifier::new(keys, ApiKeys::default());
    assert_eq!(token_word(&verifier, &signer.sign_with_id("1", &claims(""))), "ann until 5000");
}

#[test]
fn trap_28_and_g8_to_g10_a_token_counts_only_in_its_time() {
    let verifier = verifier();
    for (more, exp, now, valid) in [
        ("", 1000, 999, true),
        ("", 1000, 1000, false),
        ("", 1000, 1001, false),
        ("", 1000, 1029, false),
        ("", 1000, 1031, false),
        ("", 0, 0, false),
        (r#","nbf":1600"#, 5000, 1000, false),
        (r#","nbf":1001"#, 5000, 1000, false),
        (r#","nbf":1000"#, 5000, 1000, true),
        (r#","iat":1001"#, 5000, 1000, false),
        (r#","iat":1000,"nbf":1000"#, 5000, 1000, true),
        (r#","iat":1000,"nbf":1001"#, 5000, 1000, false),
        (r#","iat":1001,"nbf":1000"#, 5000, 1000, false),
    ] {
        let claims = format!(r#"{{"iss":"{ISSUER}","role":"authenticated","exp":{exp}{more}}}"#);
        let bearer = format!("Bearer {}", Signer::secret().sign(&claims));
        let lines = headers(&[("apikey", PUBLISHABLE), ("authorization", &bearer)]);
        for _first_and_remembered in 0..2 {
            let identity = verifier.identify(&lines, now);
            match identity {
                Identity::User { expires, .. } => assert!(valid && expires == exp, "{claims} at {now}"),
                Identity::Expired => assert!(!valid, "{claims} at {now}"),
                other => panic!("{other:?}: {claims} at {now}"),
            }
        }
    }
}

#[test]
fn the_first_of_token_and_api_key_to_end_decides() {
    let (verifier, anon) = (verifier(), anon_jwt());
    let long = claims("").replace("5000", "9000");
    let bearer = format!("Bearer {}", Signer::secret().sign(&long));
    let lines = headers(&[("apikey", &anon), ("authorization", &bearer)]);
    assert!(matches!(verifier.identify(&lines, 1000), Identity::User { expires: 8000, .. }));
    assert!(matches!(verifier.identify(&lines, 8000), Identity::Expired));
    let signed_out = headers(&[("apikey", &anon)]);
    assert!(matches!(verifier.identify(&signed_out, 7999), Identity::Anonymous { .. }));
    assert!(matches!(verifier.identify(&signed_out, 8000), Identity::Expired));
}

#[test]
fn g12_times_are_whole_numbers() {
    let verifier = verifier();
    for times in [
        r#""exp":"9999999999""#,
        r#""exp":1e400"#,
        r#""exp":1e9"#,
        r#""exp":-1"#,
        r#""exp":1.5"#,
        r#""exp":null"#,
        r#""exp":[9999999999]"#,
        r#""exp":99999999999999999999"#,
        r#""iat":1"#,
        r#""exp":5000,"nbf":"1""#,
        r#""exp":5000,"nbf":null"#,
        r#""exp":5000,"iat":1.5"#,
        r#""exp":5000,"iat":-1"#,
    ] {
        let claims = format!(r#"{{"iss":"{ISSUER}","role":"authenticated",{times}}}"#);
        let bearer = format!("Bearer {}", Signer::secret().sign(&claims));
        let lines = [("apikey", PUBLISHABLE), ("authorization", bearer.as_str())];
        assert_eq!(word(&verifier, &lines), "times", "{times}");
    }
}

#[test]
fn g14_claims_have_one_reading_and_a_bounded_size() {
    let verifier = Verifier::new(secret_keys(), ApiKeys::default());
    let deep = format!(r#","x":{}{}"#, "[".repeat(5_000), "]".repeat(5_000));
    for (claims, expected) in [
        (claims(r#","sub":"bob""#), "claims"),
        (claims(r#","\u0073ub":"bob""#), "claims"),
        (claims(r#","app_metadata":{"org":1,"org":2}"#), "claims"),
        (claims(&deep), "claims"),
        ("not json".into(), "claims"),
        (String::new(), "claims"),
        ("[]".into(), "claims"),
        (claims(&format!(r#","x":"{}""#, "x".repeat(64 * 1024))), "too-long"),
        (claims("").replace(r#""role":"authenticated""#, r#""role":["authenticated"]"#), "role"),
        (claims("").replace(r#""role":"authenticated""#, r#""role":"""#), "role"),
        (claims("").replace(r#""role":"authenticated","#, ""), "role"),
    ] {
        assert_eq!(token_word(&verifier, &Signer::secret().sign(&claims)), expected, "{claims:.80}");
    }
    let with_padding = Signer::secret().sign(&claims("")) + "=";
    assert_eq!(token_word(&verifier, &with_padding), "encoding");
}

#[test]
fn g17_the_audience_counts_where_one_is_configured() {
    let any = Verifier::new(secret_keys(), ApiKeys::default());
    let ours = Verifier::new(secret_keys(), ApiKeys::default())
        .with_audiences(vec!["authenticated".into(), "mobile".into()]);
    for (audience, expected) in [
        (r#","aud":"authenticated""#, "ann until 5000"),
        (r#","aud":["web","mobile"]"#, "ann until 5000"),
        (r#","aud":"web""#, "audience"),
        (r#","aud":["web"]"#, "audience"),
        (r#","aud":[]"#, "audience"),
        (r#","aud":[["mobile"]]"#, "audience"),
        (r#","aud":null"#, "audience"),
        (r#","aud":{"mobile":"mobile"}"#, "audience"),
        ("", "audience"),
    ] {
        let token = Signer::secret().sign(&claims(audience));
        assert_eq!(token_word(&ours, &token), expected, "{audience}");
        assert_eq!(token_word(&any, &token), "ann until 5000", "{audience}");
    }
}

#[test]
fn trap_30_35_and_g6_a_user_is_all_that_the_token_says() {
    let base = claims(r#","aal":"aal1","is_anonymous":false,"app_metadata":{"org":"acme"}"#);
    let digest = user(&base).digest;
    for (from, to) in [
        ("\"ann\"", "\"bob\""),
        ("\"authenticated\"", "\"admin\""),
        ("aal1", "aal2"),
        ("false", "true"),
        ("false", "null"),
        ("acme", "beta"),
        ("\"acme\"", "[\"acme\"]"),
        ("\"org\"", "\"Org\""),
        (ISSUER, "https://other.example"),
        (r#","aal":"aal1""#, ""),
        (r#""sub":"#, r#""email":"x","sub":"#),
    ] {
        let other = base.replace(from, to);
        assert_ne!(other, base);
        assert_ne!(user(&other).digest, digest, "{from} -> {to}");
    }
    let refreshed = base.replace("5000", "6000").replacen(
        '{',
        r#"{"iat":7,"nbf":7,"jti":"j","session_id":"s","amr":[{"method":"otp","timestamp":7}],"#,
        1,
    );
    assert_eq!(user(&refreshed).digest, digest, "a refreshed token is the same user");
    let inner = base.replace(r#""org":"acme""#, r#""org":"acme","exp":1"#);
    assert_ne!(user(&inner).digest, digest, "only a claim itself is ignored, not a name inside one");
}

#[test]
fn which_claims_are_ignored_is_configurable_and_who_somebody_is_never_is() {
    let keys = || Keys::new(&[SECRET], Issuers::Any).unwrap();
    let verifier = Verifier::new(keys(), ApiKeys::default())
        .ignoring(["exp", "iss", "sub", "role"].map(String::from).into());
    let digest = |claims: String| {
        let lines = headers(&[("authorization", &format!("Bearer {}", Signer::secret().sign(&claims)))]);
        match verifier.identify(&lines, 1000) {
            Identity::User { user, .. } => user.digest,
            other => panic!("{other:?}"),
        }
    };
    let base = digest(claims(""));
    assert_eq!(digest(claims("").replace("5000", "6000")), base);
    assert_ne!(digest(claims(r#","session_id":"s""#)), base);
    for (claim, other) in
        [(ISSUER, "https://other.example"), ("\"ann\"", "\"bob\""), ("authenticated", "editor")]
    {
        let changed = claims("").replace(claim, other);
        assert_ne!(changed, claims(""), "{claim} is there");
        assert_ne!(digest(changed), base, "{claim}");
    }
}

#[test]
fn chosen_claims_tell_apart_what_is_chosen() {
    let ann = user(&claims(r#","app_metadata":{"org":"acme","plan":null,"seats":3}"#));
    let bob = user(&claims(r#","app_metadata":{"org":"acme"}"#).replace("\"ann\"", "\"bob\""));
    let org = ["app_metadata.org"];
    assert_eq!(ann.digest_of(org), bob.digest_of(org));
    assert_ne!(ann.digest_of(["sub"]), bob.digest_of(["sub"]));
    assert_ne!(ann.digest_of(["app_metadata.plan"]), bob.digest_of(["app_metadata.plan"]), "null is there");
    assert_ne!(ann.digest_of(org), ann.digest_of(["sub"]));
    let elsewhere =
        user(&claims(r#","app_metadata":{"org":"acme"}"#).replace(ISSUER, "https://other.example"));
    assert_ne!(ann.digest_of(org), elsewhere.digest_of(org));
    assert_eq!(ann.claim("app_metadata.seats").and_then(Claim::to_text).as_deref(), Some("3"));
    assert_eq!(ann.claim("app_metadata.org.name"), None);
    assert_eq!(ann.claim("app_metadata."), None);
    assert_eq!(ann.claim(""), None);
}
