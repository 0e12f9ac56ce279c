//! `traceparent`: to which trace does a request belong? <https://www.w3.org/TR/trace-context/>

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header's name.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The place of one request in a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    pub(super) trace: [u8; 16],
    pub(super) span: [u8; 8],
    /// All zeros where we are the first.
    pub(super) parent: [u8; 8],
}

impl Context {
    /// The first of a trace of its own.
    pub(super) fn root() -> Self {
        Self { trace: random(), span: random(), parent: [0; 8] }
    }

    /// A child of the one that the caller names, and whether the caller wants it traced.
    /// What cannot be read is as if it were not there.
    pub(super) fn of_caller(headers: &HeaderMap) -> Option<(Self, bool)> {
        let mut lines = headers.get_all(TRACEPARENT).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return None };
        let mut parts = line.to_str().ok()?.split('-');
        let version = hex::<1>(parts.next()?)?;
        let (trace, parent) = (hex(parts.next()?)?, hex(parts.next()?)?);
        let [flags] = hex(parts.next()?)?;
        let is_known = version == [0] && parts.next().is_none() || version != [0] && version != [0xff];
        let is_one = trace != [0; 16] && parent != [0; 8];
        (is_known && is_one).then(|| (Self { trace, parent, span: random() }, flags & 1 == 1))
    }

    /// Below this one.
    pub(super) fn child(&self) -> Self {
        Self { trace: self.trace, span: random(), parent: self.span }
    }

    /// What the next service is told.
    pub fn traceparent(&self) -> HeaderValue {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let text = format!("00-{}-{}-01", hex(&self.trace), hex(&self.span));
        // hexadecimal digits and hyphens are a header value
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Lower-case hexadecimal digits, exactly as many as there is room for.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = text.len() == 2 * N && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut bytes = [0; N];
    if is_hex {
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
        }
    }
    is_hex.then_some(bytes)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // a machine without randomness could not have spoken TLS either
    let _filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<(Context, bool)> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(TRACEPARENT, HeaderValue::from_str(line).unwrap());
        }
        Context::of_caller(&headers)
    }

    #[test]
    fn what_a_caller_says_is_read_as_the_standard_has_it() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let (context, is_traced) = read(&[good]).unwrap();
        assert!(is_traced);
        let told = context.traceparent();
        let told = told.to_str().unwrap();
        assert!(told.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && told.ends_with("-01"), "{told}");
        assert!(!told.contains("b7ad6b7169203331") && told.len() == good.len(), "a span of its own: {told}");
        assert!(read(&[&good.replacen("00", "42", 1)]).is_some(), "a version to come");
        assert!(read(&[&(good.replacen("00", "42", 1) + "-more")]).is_some());
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
        assert_eq!(read(&[good, good]), None, "which one?");
    }
}
