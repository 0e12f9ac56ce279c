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

/// Makes the verifier that the environment describes; none if it describes none.
pub(super) fn verifier(
    variable: impl Fn(&str) -> Option<String>,
    mistakes: &mut Vec<SettingMistake>,
) -> Option<Arc<Verifier>> {
    let mut mistake = |setting, problem: String| mistakes.push(SettingMistake { setting, problem });
    let named: Vec<(&'static str, String)> =
        API_KEY_VARIABLES.into_iter().filter_map(|name| Some((name, variable(name)?))).collect();
    let texts: Vec<&str> = named.iter().map(|(_, key)| key.as_str()).collect();
    let api_keys = match ApiKeys::new(&texts) {
        Ok(api_keys) => api_keys,
        Err((at, error)) => {
            mistake(named.get(at).map_or(API_KEY_VARIABLES[0], |(name, _)| name), error.to_string());
            return None;
        }
    };
    let secrets: Vec<String> = variable(SECRET_VARIABLE).into_iter().collect();
    // the secret is known to the project's own servers alone, so whatever it signed is the project's word
    let keys = match Keys::new(&secrets, Issuers::Any) {
        Ok(keys) => keys,
        Err(error) => {
            mistake(SECRET_VARIABLE, error.to_string());
            return None;
        }
    };
    let is_described = !api_keys.is_empty() || !keys.is_empty();
    is_described.then(|| Arc::new(Verifier::new(keys, api_keys)))
}
