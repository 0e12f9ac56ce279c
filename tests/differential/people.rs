//! Who asks? Tokens for the seeded people, and tokens that must not be believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

/// In the year 2100: a token that is valid whenever this runs.
const NEVER: u64 = 4_102_444_800;
/// In 2001: a token that has expired whenever this runs.
const LONG_AGO: u64 = 1_000_000_000;

/// What a caller brings along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// How failures name them.
    pub(crate) name: String,
    /// The bearer token; none is the signed-out caller.
    pub(crate) token: Option<String>,
}

impl Person {
    /// The signed-out caller.
    pub(crate) fn anon() -> Self {
        Self { name: "anon".to_owned(), token: None }
    }
}

/// The seeded person of this number.
pub(crate) fn uuid_of(number: i64) -> String {
    format!("a0000000-0000-4000-8000-{number:012}")
}

/// Makes tokens as the upstream's sign-in does.
#[derive(Clone, Debug)]
pub(crate) struct Mint {
    secret: String,
    /// What everybody knows, and a forger signs with.
    public: String,
}

impl Mint {
    pub(crate) fn new(secret: &str, public: &str) -> Self {
        Self { secret: secret.to_owned(), public: public.to_owned() }
    }

    pub(crate) fn person(&self, number: i64) -> Person {
        let token = self.token(&claims(number, &json!({})));
        Person { name: format!("person {number}"), token: Some(token) }
    }

    /// The person with more claims, or others.
    pub(crate) fn person_with(&self, number: i64, more: &Value) -> Person {
        let token = self.token(&claims(number, more));
        Person { name: format!("person {number} with {more}"), token: Some(token) }
    }

    /// Tokens that speak of this person and prove nothing, each with what is wrong with it.
    pub(crate) fn not_to_be_believed(&self, number: i64, more: &Value) -> Vec<Person> {
        let right = claims(number, more);
        let named =
            |what: &str, token| Person { name: format!("person {number}, {what}"), token: Some(token) };
        let genuine = self.token(&right);
        let (signed, signature) = genuine.rsplit_once('.').expect("three parts");
        let middle = signature.len() / 2;
        let other = if signature.as_bytes()[middle] == b'A' { "B" } else { "A" };
        let forged = format!("{signed}.{}{other}{}", &signature[..middle], &signature[middle + 1..]);
        let mut expired = right.clone();
        expired["exp"] = LONG_AGO.into();
        let mut unsigned = part(&json!({"alg": "none", "typ": "JWT"})) + "." + &part(&right);
        unsigned.push('.');
        let with = |secret: &str| Self::new(secret, &self.public);
        let elsewhere = with("the secret of another project, of at least 32 characters");
        let mut foreign = right.clone();
        foreign["iss"] = "https://elsewhere.example/auth/v1".into();
        vec![
            named("forged signature", forged),
            named("expired", self.token(&expired)),
            named("alg none", unsigned),
            named("signed elsewhere", elsewhere.token(&right)),
            named("issued elsewhere", elsewhere.token(&foreign)),
            named("signed with a public key", with(&self.public).token(&right)),
            named("alg of a key of another kind", self.signed("ES256", &right)),
            named("alg that nobody uses", self.signed("HS384", &right)),
        ]
    }

    fn token(&self, claims: &Value) -> String {
        self.signed("HS256", claims)
    }

    /// Signed with the secret, whatever its header says.
    fn signed(&self, algorithm: &str, claims: &Value) -> String {
        let signed = part(&json!({"alg": algorithm, "typ": "JWT"})) + "." + &part(claims);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        let signature = hmac::sign(&key, signed.as_bytes());
        signed + "." + &URL_SAFE_NO_PAD.encode(signature)
    }
}

fn claims(number: i64, more: &Value) -> Value {
    let mut claims = json!({
        "sub": uuid_of(number), "role": "authenticated", "aud": "authenticated",
        "iat": LONG_AGO, "exp": NEVER,
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
