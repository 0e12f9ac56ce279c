//! Which codings does a client take, and which does it like best? RFC 9110 12.5.3.
//!
//! Every hit asks, so what browsers and servers usually say is recognised as a whole.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::cache::{Coding, Entry, Form};

/// A weight of 1, in thousandths.
const FULL: u16 = 1_000;

/// Of a coding that nobody mentioned and nobody refused: a client takes what is not coded, if need be.
const UNSAID: u16 = 1;

/// How much a client likes each form, in thousandths; 0 is not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    identity: u16,
    gzip: u16,
    zstd: u16,
}

const PLAIN: Accepted = Accepted::PLAIN;
const GZIP: Accepted = Accepted { identity: UNSAID, gzip: FULL, zstd: 0 };
const BOTH: Accepted = Accepted { identity: UNSAID, gzip: FULL, zstd: FULL };

/// What most say: browsers, Node's fetch over HTTP and HTTPS, Bun, curl, Go and Dart, older libraries.
const USUAL: [(&[u8], Accepted); 10] = [
    (b"gzip, deflate, br, zstd", BOTH),
    (b"gzip, deflate, br", GZIP),
    (b"gzip, deflate", GZIP),
    (b"br, gzip, deflate", GZIP),
    (b"gzip", GZIP),
    (b"gzip,deflate", GZIP),
    (b"gzip, br", GZIP),
    (b"identity", PLAIN),
    (b"gzip, compress, deflate, br", GZIP),
    (b"deflate, gzip, br, zstd", BOTH),
];

impl Accepted {
    /// Nothing but what is not coded.
    pub(super) const PLAIN: Self = Self { identity: FULL, gzip: 0, zstd: 0 };

    /// What a client says; one that says nothing is sent what is not coded.
    pub(super) fn of(request: &HeaderMap) -> Self {
        let Some(line) = request.get(ACCEPT_ENCODING) else { return PLAIN };
        let line = line.as_bytes();
        if let Some((_, usual)) = USUAL.iter().find(|(words, _)| *words == line)
            && request.get_all(ACCEPT_ENCODING).iter().nth(1).is_none()
        {
            return *usual;
        }
        Self::parse(request.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok()))
    }

    fn parse<'l>(lines: impl Iterator<Item = &'l str>) -> Self {
        let (mut identity, mut gzip, mut zstd, mut others) = (None, None, None, None);
        for member in lines.flat_map(|line| line.split(',')) {
            let mut parts = member.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            // what cannot be read says nothing
            let Some(weight) = weight(parts) else { continue };
            let is = |word: &str| name.eq_ignore_ascii_case(word);
            match () {
                () if is("gzip") || is("x-gzip") => gzip = Some(weight),
                () if is("zstd") => zstd = Some(weight),
                () if is("identity") => identity = Some(weight),
                () if name == "*" => others = Some(weight),
                () => {}
            }
        }
        // who says `*` names nothing that they are sure to understand: of what it stands for, the plainest
        let meant =
            |less: u16| others.map_or(0, |weight: u16| weight.saturating_sub(less).max(weight.min(1)));
        Self {
            identity: identity.or(others).unwrap_or(UNSAID),
            gzip: gzip.unwrap_or_else(|| meant(1)),
            zstd: zstd.unwrap_or_else(|| meant(2)),
        }
    }

    /// Whether this form would do; `None` is the one that is not coded.
    pub(super) fn takes(self, coding: Option<Coding>) -> bool {
        self.weight(coding) > 0
    }

    /// Codings that the client would rather have than none, the best one first. Of equals it is the smaller.
    pub(super) fn preferred(self) -> impl Iterator<Item = Coding> {
        let order =
            if self.zstd >= self.gzip { [Coding::Zstd, Coding::Gzip] } else { [Coding::Gzip, Coding::Zstd] };
        order.into_iter().filter(move |coding| {
            let weight = self.weight(Some(*coding));
            weight > 0 && weight >= self.identity
        })
    }

    fn weight(self, coding: Option<Coding>) -> u16 {
        match coding {
            None => self.identity,
            Some(Coding::Gzip) => self.gzip,
            Some(Coding::Zstd) => self.zstd,
        }
    }

    /// What of an entry the client is sent.
    pub(super) fn choose(self, entry: &Entry) -> Choice<'_> {
        let mut wanted = None;
        for coding in self.preferred() {
            if let Some(form) = entry.forms.get(coding) {
                return Choice { form: Some(form), wanted };
            }
            if wanted.is_none() && entry.forms.may_come(coding) {
                wanted = Some(coding);
            }
        }
        Choice { form: None, wanted }
    }
}

/// Which form of an entry a client is sent now, and which one it would rather have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<'e> {
    /// `None` is the one that is not coded.
    pub(super) form: Option<&'e Form>,
    /// One that may come.
    pub(super) wanted: Option<Coding>,
}

/// `q=0.5` in thousandths; a whole one where there is none.
fn weight<'p>(mut parameters: impl Iterator<Item = &'p str>) -> Option<u16> {
    let Some(q) = parameters.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    }) else {
        return Some(FULL);
    };
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number || !matches!(whole, "0" | "1") {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    let weight = if whole == "1" { FULL + thousandths } else { thousandths };
    (weight <= FULL).then_some(weight)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const ZSTD_THEN_GZIP: &[Option<Coding>] = &[Some(Coding::Zstd), Some(Coding::Gzip), None];

    /// What a client is sent if everything is there, if that is not, and so on; to the last that it takes.
    fn sent(lines: &[&str]) -> Vec<Option<Coding>> {
        let mut request = HeaderMap::new();
        for line in lines {
            request.append(ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
        }
        let accepted = Accepted::of(&request);
        let coded = accepted.preferred().map(Some);
        coded.chain(accepted.takes(None).then_some(None)).collect()
    }

    #[test]
    fn what_clients_say_and_are_sent() {
        const GZIP_ALONE: &[Option<Coding>] = &[Some(Coding::Gzip), None];
        const ZSTD_ALONE: &[Option<Coding>] = &[Some(Coding::Zstd), None];
        for (line, expected) in [
            ("gzip, deflate, br, zstd", ZSTD_THEN_GZIP),
            ("gzip, deflate, br", GZIP_ALONE),
            ("GZIP", GZIP_ALONE),
            ("x-gzip", GZIP_ALONE),
            ("br", &[None]),
            ("", &[None]),
            ("identity", &[None]),
            ("zstd;q=0.5, gzip;q=0.8", &[Some(Coding::Gzip), Some(Coding::Zstd), None]),
            ("zstd;q=0.8 ,\tgzip ; q=0.8", ZSTD_THEN_GZIP),
            ("gzip;q=0, zstd", ZSTD_ALONE),
            ("gzip;q=0.5, identity", &[None]),
            ("gzip;q=0.5, identity;q=0.5", GZIP_ALONE),
            ("gzip;q=0.001", GZIP_ALONE),
            ("gzip;q=0.000", &[None]),
            ("gzip, identity;q=0", &[Some(Coding::Gzip)]),
            ("gzip, *;q=0", &[Some(Coding::Gzip)]),
            ("br, *;q=0", &[]),
            ("identity;q=0", &[]),
            ("*", &[None]),
            ("*, identity;q=0", &[Some(Coding::Gzip), Some(Coding::Zstd)]),
            ("*;q=0.5, zstd", ZSTD_ALONE),
            ("gzip, *;q=0.5", GZIP_ALONE),
            // what cannot be read says nothing
            ("gzip;q=2", &[None]),
            ("gzip;q=0.1234", &[None]),
            ("gzip;q=", &[None]),
            ("gzip;q=1.001", &[None]),
            ("identity;q=x, gzip", GZIP_ALONE),
            ("gzip;level=9;Q=1.000", GZIP_ALONE),
            (",, gzip ,", GZIP_ALONE),
        ] {
            assert_eq!(sent(&[line]), expected, "{line}");
        }
        assert_eq!(sent(&[]), [None]);
        assert_eq!(sent(&["gzip", "zstd"]), ZSTD_THEN_GZIP);
        assert_eq!(sent(&["gzip", "identity;q=0"]), [Some(Coding::Gzip)], "no line is overlooked");
    }

    #[test]
    fn what_is_recognised_as_a_whole_means_what_it_says() {
        for (words, usual) in USUAL {
            let words = std::str::from_utf8(words).unwrap();
            let parsed = Accepted::parse(std::iter::once(words));
            let same = |accepted: Accepted| {
                (accepted.preferred().collect::<Vec<_>>(), accepted.takes(None), accepted.gzip, accepted.zstd)
            };
            assert_eq!(same(usual), same(parsed), "{words}");
        }
    }
}
