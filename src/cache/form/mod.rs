//! In which forms can an answer be sent?
//!
//! An answer is kept as it came. Other forms are made when the first caller is met who would rather take
//! one, by a thread of its own, and once: from then on they are sent as they are. A form that is not
//! smaller is not kept, and what is compressed already is never compressed again.

mod press;
mod squeeze;

pub(super) use press::Press;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{HeaderName, header};

use crate::httpcache::{CDN_CACHE_CONTROL, Control};

use super::validator::Validator;

/// Bodies from so many bytes on have other forms: what is smaller fits one packet as it is.
const BYTES_MIN: usize = 1024;

/// Codings of a body that most clients understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Everybody's.
    Gzip,
    /// Smaller, and cheaper to undo: that of today's browsers.
    Zstd,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// As headers name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// For `Content-Encoding`.
    pub fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// An answer's body in a coding.
#[derive(Clone, Debug)]
pub struct Form {
    /// Which one.
    pub coding: Coding,
    /// The coded body.
    pub body: Bytes,
    /// What tells it from other forms and other answers.
    pub etag: HeaderValue,
}

/// The forms of one answer beside the one it came in.
#[derive(Debug)]
pub struct Forms {
    can_be_coded: bool,
    /// Which codings somebody has asked for; each is made once.
    asked: AtomicU8,
    /// By coding; `None` inside where it is not smaller. In boxes: most answers never have one.
    made: [OnceLock<Option<Box<Form>>>; Coding::ALL.len()],
}

impl Forms {
    pub(super) fn of(headers: &[(HeaderName, HeaderValue)], body: &[u8]) -> Self {
        let can_be_coded = body.len() >= BYTES_MIN && is_text(headers);
        Self { can_be_coded, asked: AtomicU8::new(0), made: Default::default() }
    }

    /// Whether there are other forms, or may be once somebody asks.
    pub fn can_be_coded(&self) -> bool {
        self.can_be_coded
    }

    /// The form in this coding, if it has been made and is smaller.
    pub fn get(&self, coding: Coding) -> Option<&Form> {
        self.made[coding as usize].get()?.as_deref()
    }

    /// Whether asking for this coding may bring a form.
    pub fn may_come(&self, coding: Coding) -> bool {
        self.can_be_coded && self.made[coding as usize].get().is_none()
    }

    /// Notes that somebody asks; only the first one is told to have it made.
    fn ask(&self, coding: Coding) -> bool {
        let is_asked = || self.asked.load(Ordering::Relaxed) & coding.bit() != 0;
        self.may_come(coding)
            && !is_asked()
            && self.asked.fetch_or(coding.bit(), Ordering::Relaxed) & coding.bit() == 0
    }

    /// It could not be made now: the next who asks may try again.
    fn put_off(&self, coding: Coding) {
        self.asked.fetch_and(!coding.bit(), Ordering::Relaxed);
    }

    /// Makes a form, unless somebody has; says whether there is one now.
    fn make(&self, coding: Coding, body: &[u8], validator: &Validator) -> bool {
        let made = self.made[coding as usize].get_or_init(|| {
            let coded = squeeze::squeezed(coding, body).filter(|coded| coded.len() < body.len())?;
            Some(Box::new(Form { coding, body: coded, etag: validator.header_of(Some(coding)) }))
        });
        made.is_some()
    }

    /// What all forms occupy in memory.
    pub(super) fn bytes(&self) -> usize {
        let forms = Coding::ALL.iter().filter_map(|coding| self.get(*coding));
        forms.map(|form| size_of::<Form>() + form.body.len() + form.etag.len()).sum()
    }
}

/// Whether the answer is text, which shrinks. Everything else is compressed already, or may be.
pub fn is_text(headers: &[(HeaderName, HeaderValue)]) -> bool {
    let of = |wanted: HeaderName| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let Some(media) = of(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let media = media.split(';').next().unwrap_or_default().trim();
    // a piece of a file may be a piece of anything
    let is_part = of(header::CONTENT_RANGE).is_some_and(|range| range.as_bytes().starts_with(b"bytes"));
    is_text_media(media) && of(CONTENT_ENCODING).is_none() && !is_part && !is_untouchable(headers)
}

/// Whether it says that it wants to be sent as it came. Only answers that say themselves how long they are
/// kept have such lines here.
fn is_untouchable(headers: &[(HeaderName, HeaderValue)]) -> bool {
    let says = |(name, _): &(HeaderName, _)| *name == CACHE_CONTROL || *name == CDN_CACHE_CONTROL;
    headers.iter().any(says) && Control::of(headers).no_transform
}

fn is_text_media(media: &str) -> bool {
    let (kind, name) = media.split_once('/').unwrap_or((media, ""));
    let is = |word: &str| name.eq_ignore_ascii_case(word);
    let ends = |end: &str| {
        let start = name.len().checked_sub(end.len()).and_then(|at| name.get(at..));
        start.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    match kind {
        _ if kind.eq_ignore_ascii_case("text") => true,
        _ if kind.eq_ignore_ascii_case("image") => is("svg+xml"),
        _ if kind.eq_ignore_ascii_case("application") => {
            let texts = ["json", "xml", "javascript", "x-ndjson", "yaml"];
            texts.into_iter().any(is) || ends("+json") || ends("+xml")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn forms(media: &'static str, body: &[u8]) -> Forms {
        Forms::of(&[(CONTENT_TYPE, HeaderValue::from_static(media))], body)
    }

    #[test]
    fn text_has_other_forms_and_what_is_compressed_already_has_none() {
        let body = vec![b'x'; BYTES_MIN];
        for media in [
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/vnd.pgrst.object+json; charset=utf-8",
            "application/geo+json",
            "text/csv; charset=utf-8",
            "text/plain",
            "image/svg+xml",
            "application/xml",
        ] {
            assert!(forms(media, &body).can_be_coded(), "{media}");
            assert!(!forms(media, &body[1..]).can_be_coded(), "too small: {media}");
        }
        for media in
            ["", "image/png", "application/octet-stream", "application/zip", "video/mp4", "json", "+json"]
        {
            assert!(!forms(media, &body).can_be_coded(), "{media}");
        }
        let line = |name, value| (name, HeaderValue::from_static(value));
        let json = line(CONTENT_TYPE, "application/json");
        for more in [line(CONTENT_ENCODING, "gzip"), line(header::CONTENT_RANGE, "bytes 0-9/100")] {
            assert!(!Forms::of(&[json.clone(), more], &body).can_be_coded());
        }
        assert!(Forms::of(&[json, line(header::CONTENT_RANGE, "0-9/100")], &body).can_be_coded());
    }

    #[test]
    fn a_form_is_made_once_and_is_what_it_says() {
        let body = "[1,2,3]".repeat(1_000);
        let validator = Validator::of(StatusCode::OK, &[], body.as_bytes());
        let forms = forms("application/json", body.as_bytes());
        for coding in Coding::ALL {
            assert!(forms.get(coding).is_none() && forms.may_come(coding));
            assert!(forms.ask(coding) && !forms.ask(coding), "once");
            assert!(forms.make(coding, body.as_bytes(), &validator));
            let before = forms.get(coding).unwrap().body.clone();
            assert!(forms.make(coding, b"something else", &validator), "stays as it is");
            let form = forms.get(coding).unwrap();
            assert_eq!(form.body, before);
            assert_eq!(squeeze::tests::undone(coding, &form.body), body.as_bytes());
            assert_ne!(form.etag, validator.header());
            assert!(!forms.may_come(coding) && !forms.ask(coding));
        }
        assert_ne!(forms.get(Coding::Gzip).unwrap().etag, forms.get(Coding::Zstd).unwrap().etag);
        let bodies: usize = Coding::ALL.iter().map(|coding| forms.get(*coding).unwrap().body.len()).sum();
        assert!(forms.bytes() > bodies && forms.bytes() < bodies + 500);
    }

    #[test]
    fn a_form_that_is_not_smaller_is_not_kept() {
        // a stream of the hash is as good as noise
        let mut body = vec![0; 4096];
        blake3::Hasher::new().finalize_xof().fill(&mut body);
        let validator = Validator::of(StatusCode::OK, &[], &body);
        let forms = forms("text/plain", &body);
        for coding in Coding::ALL {
            assert!(!forms.make(coding, &body, &validator));
            assert!(forms.get(coding).is_none() && !forms.may_come(coding) && !forms.ask(coding));
        }
        assert_eq!(forms.bytes(), 0);
    }
}
