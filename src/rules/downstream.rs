//! What is everybody between larder and a reader told about an answer that a rule keeps?

use http::{HeaderName, HeaderValue};

/// Browsers keep an answer only if they ask again before each use: an
/// invalidation does not reach them.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Request headers that keep answers apart under every rule.
const VARIES: &str = "Accept, Accept-Profile, Prefer, Range";

/// Those of them that say who asks: of no meaning where everybody is answered alike.
const IDENTITY: &str = "Authorization, apikey";

/// What most rules say of these. As constants, because processors that count the users of one text wait for
/// one another.
const USUAL: [&str; 2] = [
    "Accept, Accept-Profile, Prefer, Range, Authorization, apikey",
    "Accept, Accept-Profile, Prefer, Range, Authorization, apikey, Accept-Encoding",
];

/// What a rule says to those on the way, made once.
#[derive(Clone, Debug)]
pub struct Downstream {
    /// To readers alone.
    pub to_readers: Told,
    /// To networks that may keep its answers for others, where the rule says so.
    pub to_networks: Option<Told>,
    /// `compress`: whether answers may be sent in other forms than they came in.
    pub is_compressed: bool,
}

/// Headers of an answer.
#[derive(Clone, Debug)]
pub struct Told {
    /// `Cache-Control`: who may keep the answer, and how long.
    pub cache_control: HeaderValue,
    vary: HeaderValue,
    vary_coded: HeaderValue,
}

impl Told {
    fn new(cache_control: HeaderValue, varies: &[&str], vary: &[HeaderName], is_compressed: bool) -> Self {
        let names = vary.iter().map(HeaderName::as_str);
        let all = varies.iter().copied().chain(names).collect::<Vec<_>>().join(", ");
        // names of headers are a header's value
        let header = |names: &str| match USUAL.iter().find(|usual| **usual == names) {
            Some(usual) => HeaderValue::from_static(usual),
            None => HeaderValue::try_from(names).unwrap_or(HeaderValue::from_static("*")),
        };
        let coded = if is_compressed { format!("{all}, Accept-Encoding") } else { all.clone() };
        Self { cache_control, vary: header(&all), vary_coded: header(&coded) }
    }

    /// `Vary`: which request headers keep answers apart. Where there may be other forms, the one that chooses
    /// among them is one.
    pub fn vary(&self, has_forms: bool) -> &HeaderValue {
        if has_forms { &self.vary_coded } else { &self.vary }
    }
}

impl Downstream {
    /// A browser may keep answers for itself, if it asks before each use.
    pub fn private(vary: &[HeaderName], is_compressed: bool) -> Self {
        let to_readers = Told::new(REVALIDATE, &[VARIES, IDENTITY], vary, is_compressed);
        Self { to_readers, to_networks: None, is_compressed }
    }

    /// Others may keep answers, too, as this `Cache-Control` says.
    pub fn shared(cache_control: HeaderValue, vary: &[HeaderName], is_compressed: bool) -> Self {
        let to_networks = Some(Told::new(cache_control, &[VARIES], vary, is_compressed));
        Self { to_networks, ..Self::private(vary, is_compressed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_declares_keeps_answers_apart_downstream_too() {
        let vary = [HeaderName::from_static("x-app-version"), HeaderName::from_static("cookie")];
        let told =
            |told: &Told| [false, true].map(|has_forms| told.vary(has_forms).to_str().unwrap().to_owned());
        let private = |names, is_compressed| told(&Downstream::private(names, is_compressed).to_readers);
        let usual = "Accept, Accept-Profile, Prefer, Range, Authorization, apikey";
        assert_eq!(private(&[], true), [usual.to_owned(), format!("{usual}, Accept-Encoding")]);
        assert_eq!(private(&[], false), [usual; 2]);
        let declared = format!("{usual}, x-app-version, cookie");
        assert_eq!(private(&vary, true), [declared.clone(), format!("{declared}, Accept-Encoding")]);
        let shared = Downstream::shared(HeaderValue::from_static("public, s-maxage=60"), &vary[..1], true);
        let anybody = "Accept, Accept-Profile, Prefer, Range, x-app-version";
        let networks = shared.to_networks.unwrap();
        assert_eq!(networks.cache_control, "public, s-maxage=60");
        assert_eq!(told(&networks), [anybody.to_owned(), format!("{anybody}, Accept-Encoding")]);
        assert_eq!(shared.to_readers.cache_control, "private, no-cache");
    }
}
