//! What holds for all headers and all claims?

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::signing_tests::{Signer, claims, headers};
use super::tests::{secret_keys, verifier};
use super::*;

/// JSON values that differ in kind, spelling and nesting.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-9i8..9).prop_map(|number| f64::from(number).into()),
        "[a-c\u{e9}\"\\\\]{0,3}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Vec<(String, serde_json::Value)>> {
    let name = prop_oneof!["[a-c]", Just("amr".to_owned()), Just("session_id".to_owned())];
    prop::collection::btree_map(name, json(), 0..5).prop_map(|map| map.into_iter().collect())
}

fn write(members: &[(String, serde_json::Value)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", serde_json::to_string(name).unwrap()))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn digest(members: &[(String, serde_json::Value)], ignored: &[String]) -> [u8; 32] {
    let claims = claim::read_claims(write(members).as_bytes()).unwrap();
    User::new("authenticated".into(), claims, (0, 1), ignored).digest
}

fn counted(members: &[(String, serde_json::Value)]) -> Vec<String> {
    let counted = members.iter().filter(|(name, _)| !IGNORED_CLAIMS.contains(&name.as_str()));
    counted.map(|(name, value)| format!("{name}:{value}")).collect()
}

proptest! {
    #[test]
    fn digests_are_equal_exactly_if_the_counted_claims_are(one in object(), other in object()) {
        let ignored = IGNORED_CLAIMS.map(String::from);
        let is_same = counted(&one) == counted(&other);
        prop_assert_eq!(digest(&one, &ignored) == digest(&other, &ignored), is_same);
    }

    #[test]
    fn the_order_of_names_means_nothing(members in object(), swap in any::<prop::sample::Index>()) {
        let mut shuffled = members.clone();
        shuffled.reverse();
        if !shuffled.is_empty() {
            let middle = swap.index(shuffled.len());
            shuffled.rotate_left(middle);
        }
        prop_assert_eq!(digest(&members, &[]), digest(&shuffled, &[]));
    }

    #[test]
    fn no_headers_make_it_panic(
        lines in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 0..3),
    ) {
        let mut map = HeaderMap::new();
        for (is_apikey, bytes) in &lines {
            if let Ok(value) = HeaderValue::from_bytes(bytes) {
                map.append(if *is_apikey { "apikey" } else { "authorization" }, value);
            }
        }
        for verifier in [verifier(), Verifier::new(secret_keys(), ApiKeys::default())] {
            let is_user = matches!(verifier.identify(&map, 1000), Identity::User { .. });
            prop_assert!(!is_user);
        }
    }

    #[test]
    fn no_signed_bytes_make_it_panic(header in "\\PC{0,40}", payload in "[{}\\[\\]\",:a-z0-9\\\\]{0,60}") {
        let verifier = Verifier::new(secret_keys(), ApiKeys::default());
        for header in [header.as_str(), r#"{"alg":"HS256"}"#] {
            let token = Signer::secret().sign_as(header, &payload);
            let lines = headers(&[("authorization", &format!("Bearer {token}"))]);
            let is_user = matches!(verifier.identify(&lines, 1000), Identity::User { .. });
            prop_assert!(!is_user);
        }
    }

    #[test]
    fn a_changed_byte_makes_another_token(at in any::<prop::sample::Index>(), byte in "[A-Za-z0-9._=+-]") {
        let verifier = Verifier::new(secret_keys(), ApiKeys::default());
        let good = Signer::secret().sign(&claims(""));
        let at = at.index(good.len());
        let changed = format!("{}{byte}{}", &good[..at], &good[at + 1..]);
        let lines = headers(&[("authorization", &format!("Bearer {changed}"))]);
        let is_user = matches!(verifier.identify(&lines, 1000), Identity::User { .. });
        prop_assert_eq!(is_user, changed == good);
    }
}
