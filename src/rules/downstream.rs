//! What is everybody between larder and a reader told about an answer that a rule keeps?

use http::{HeaderName, HeaderValue};

/// Browsers keep an answer only if they ask again before each use: an
/// invalidation does not reach them.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Request headers that keep answers apart under every rule.
const VARIES: &str = "Accept, Accept-Profile, Prefer, Range, Authorization, apikey";

/// Headers of a rule's answers, made once.
#[derive(Clone, Debug)]
pub struct Downstream {
    /// `Cache-Control`: who may keep the answer, and how long.
    pub cache_control: HeaderValue,
    /// `Vary`: which request headers keep answers apart.
    pub vary: HeaderValue,
}

impl Downstream {
    /// A browser may keep answers for itself, if it asks before each use.
    pub fn private(vary: &[HeaderName]) -> Self {
        let names = vary.iter().map(HeaderName::as_str);
        let all = [VARIES].into_iter().chain(names).collect::<Vec<_>>().join(", ");
        // names of headers are a header's value
        let vary = HeaderValue::try_from(all).unwrap_or(HeaderValue::from_static("*"));
        Self { cache_control: REVALIDATE, vary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_declares_keeps_answers_apart_downstream_too() {
        let vary = |names: &[&'static str]| {
            let names: Vec<_> = names.iter().map(|name| HeaderName::from_static(name)).collect();
            Downstream::private(&names).vary
        };
        assert_eq!(vary(&[]), VARIES);
        assert_eq!(vary(&["x-app-version", "cookie"]), format!("{VARIES}, x-app-version, cookie"));
    }
}
