//! The page itself: one document, put together from the three files beside this one.
//!
//! It holds no data, so it needs no token. Its policy lets it run its own script and ask its own
//! address, and nothing else: whatever stands in a key can neither run nor send anything anywhere.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, StatusCode};
use ring::digest::{SHA256, digest};

use super::super::reply::{Answer, answer};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

const MARKUP: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &[&str] = &[include_str!("draw.js"), include_str!("page.js")];

/// The document and the headers that go with it.
struct Page {
    document: String,
    headers: HeaderMap,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let script = SCRIPT.concat();
    let document = MARKUP.replace("/*style*/", STYLE).replace("/*script*/", &script);
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source(&script),
        source(STYLE)
    );
    let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let headers = [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ];
    Page { document, headers: headers.into_iter().collect() }
});

/// What a browser compares the text of an element with.
fn source(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

/// Answers with the page.
pub(in super::super) fn page() -> Answer {
    let mut page = answer(StatusCode::OK, HTML, PAGE.document.clone());
    page.headers_mut().extend(PAGE.headers.clone());
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a browser has to load before anything is seen.
    const PAGE_BYTES_MAX: usize = 150_000;

    #[test]
    fn the_page_is_small_and_needs_nothing_from_elsewhere() {
        let page = &PAGE.document;
        assert!(page.len() < PAGE_BYTES_MAX, "{} bytes", page.len());
        assert!(page.contains(STYLE) && page.contains(SCRIPT[0]) && !page.contains("/*script*/"));
        for from_elsewhere in ["http://", "https://", "src=", "@import", "url("] {
            let found = page.match_indices(from_elsewhere).map(|(at, _)| &page[at..at + 40]);
            let found: Vec<_> = found.filter(|found| !found.starts_with("http://www.w3.org/")).collect();
            assert!(found.is_empty(), "{found:?}");
        }
        for unsafe_word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!page.contains(unsafe_word), "{unsafe_word} runs what stands in a key");
        }
    }

    #[test]
    fn its_policy_allows_its_own_script_and_nothing_else() {
        let policy = PAGE.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        // an element's text is hashed as it stands between its tags
        assert!(PAGE.document.contains(&format!("<script>{}</script>", SCRIPT.concat())));
        assert!(PAGE.document.contains(&format!("<style>{STYLE}</style>")));
    }
}
