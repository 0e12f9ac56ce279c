//! With what are callers verified?
//!
//! Public API keys and the JWT secret come from the environment alone: a
//! command line is seen by everybody on the machine.

use std::sync::Arc;

use crate::identity::{ApiKeys, Issuers, Keys, Verifier};

use super::settings::SettingMistake;

/// Variables with one public API key each; the first that is set is used for signed-out reads.
const API_KEY_VARIABLES: [&str; 2] = ["SUPABASE_PUBLISHABLE_KEY", "SUPABASE_ANON_KEY"];

/// Variable with the secret of HS256 tokens.
const SECRET_VARIABLE: &str = "SUPABASE_JWT_SECRET";

/// What callers are verified with.
#[derive(Clone, Debug)]
pub struct Callers {
    /// Tells who asks.
    pub verifier: Arc<Verifier>,
    /// The keys that are configured; those of the upstream are fetched beside them.
    pub(super) secrets: Keys,
}

/// Reads what the environment describes; none if it describes nothing.
pub fn callers(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Callers>, Vec<SettingMistake>> {
    let named: Vec<(&'static str, String)> =
        API_KEY_VARIABLES.into_iter().filter_map(|name| Some((name, variable(name)?))).collect();
    let texts: Vec<&str> = named.iter().map(|(_, key)| key.as_str()).collect();
    let api_keys = ApiKeys::new(&texts).map_err(|(at, error)| SettingMistake {
        setting: named.get(at).map_or(API_KEY_VARIABLES[0], |(name, _)| name),
        problem: error.to_string(),
    });
    let secrets: Vec<String> = variable(SECRET_VARIABLE).into_iter().collect();
    // the secret is known to the project's own servers alone, so whatever it signed is the project's word
    let keys = Keys::new(&secrets, Issuers::Any)
        .map_err(|error| SettingMistake { setting: SECRET_VARIABLE, problem: error.to_string() });
    match (api_keys, keys) {
        (Ok(api_keys), Ok(keys)) => {
            let is_described = !api_keys.is_empty() || !keys.is_empty();
            let verifier = || Arc::new(Verifier::new(keys.clone(), api_keys));
            Ok(is_described.then(|| Callers { verifier: verifier(), secrets: keys.clone() }))
        }
        (api_keys, keys) => Err(api_keys.err().into_iter().chain(keys.err()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(variables: &[(&str, &str)]) -> Result<bool, Vec<&'static str>> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let made = callers(variable).map(|callers| callers.is_some());
        made.map_err(|mistakes| mistakes.iter().map(|mistake| mistake.setting).collect())
    }

    #[test]
    fn the_environment_says_with_what_callers_are_verified() {
        let secret = "a secret of at least thirty-two bytes";
        assert_eq!(described(&[]), Ok(false));
        assert_eq!(described(&[("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_x")]), Ok(true));
        assert_eq!(described(&[("SUPABASE_JWT_SECRET", secret)]), Ok(true));
        assert_eq!(
            described(&[("SUPABASE_ANON_KEY", "sb_secret_x"), ("SUPABASE_JWT_SECRET", "short")]),
            Err(vec!["SUPABASE_ANON_KEY", "SUPABASE_JWT_SECRET"]),
            "every mistake at once"
        );
    }
}
