//! What does every peer answer: lists of rows as PostgREST would send them?

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Bytes of one row with its comma, so that 4, 64 and 1024 rows are 1, 16 and 256 KB.
const ROW_BYTES: usize = 256;

/// A JSON list of so many rows, `ROW_BYTES` for each.
pub(crate) fn list(rows: usize) -> Bytes {
    let mut text = String::with_capacity(rows * ROW_BYTES);
    for row in 0..rows {
        let first = if row == 0 { "[" } else { "," };
        let last = if row + 1 == rows { "]" } else { "" };
        let start =
            format!("{first}{{\"id\":{row},\"status\":\"published\",\"city\":\"Dakar\",\"description\":\"");
        let end = format!("\"}}{last}");
        let padding = ROW_BYTES - start.len() - end.len();
        text += &start;
        text.extend(std::iter::repeat_n('x', padding));
        text += &end;
    }
    Bytes::from(text)
}

/// The headers of such an answer, but for the framing and the date.
pub(crate) fn headers(rows: usize) -> HeaderMap {
    let last = rows.saturating_sub(1);
    let range = HeaderValue::try_from(format!("0-{last}/*")).expect("digits and punctuation");
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8")),
        (header::CONTENT_RANGE, range),
        (HeaderName::from_static("content-profile"), HeaderValue::from_static("public")),
        (HeaderName::from_static("preference-applied"), HeaderValue::from_static("count=none")),
    ])
}
