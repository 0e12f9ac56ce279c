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
    vary: HeaderValue,
    vary_coded: HeaderValue,
    /// `compress`: whether answers may be sent in other forms than they came in.
    pub is_compressed: bool,
}

impl Downstream {
    /// A browser may keep answers for itself, if it asks before each use.
    pub fn private(vary: &[HeaderName], is_compressed: bool) -> Self {
        let names = vary.iter().map(HeaderName::as_str);
        let all = [VARIES].into_iter().chain(names).collect::<Vec<_>>().join(", ");
        // names of headers are a header's value
        let header = |names: &str| HeaderValue::try_from(names).unwrap_or(HeaderValue::from_static("*"));
        let (vary, vary_coded) = (header(&all), header(&format!("{all}, Accept-Encoding")));
        Self { cache_control: REVALIDATE, vary, vary_coded, is_compressed }
    }

    /// `Vary`: which request headers keep answers apart. Where there may be other forms, the one that chooses
    /// among them is one.
    pub fn vary(&self, has_forms: bool) -> &HeaderValue {
        if has_forms && self.is_compressed { &self.vary_coded } else { &self.vary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_declares_keeps_answers_apart_downstream_too() {
        let vary = |names: &[&'static str]| {
            let names: Vec<_> = names.iter().map(|name| HeaderName::from_static(name)).collect();
            let downstream = Downstream::private(&names, true);
            assert_eq!(Downstream::private(&names, false).vary(true), downstream.vary(false));
            [downstream.vary(false).clone(), downstream.vary(true).clone()]
        };
        assert_eq!(vary(&[]), [VARIES.to_owned(), format!("{VARIES}, Accept-Encoding")]);
        let declared = format!("{VARIES}, x-app-version, cookie");
        assert_eq!(
            vary(&["x-app-version", "cookie"]),
            [declared.clone(), format!("{declared}, Accept-Encoding")]
        );
    }
}
