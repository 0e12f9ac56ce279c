//! What tells rules that mean the same from others?

use super::super::document::Document;
use super::super::learned::Learned;
use super::super::rule_set::Context;

/// Changes whenever the same file gets another meaning.
const DIGEST_DOMAIN: &str = "larder rules 1";

/// Digests the meaning of a document: places and comments are no part of it.
pub(super) fn of(document: &Document, learned: Option<&Learned>, context: &Context) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in [DIGEST_DOMAIN, &context.upstream, &context.default_schema] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    // A document holds nothing but texts and lists, which JSON can always tell;
    // should it ever fail, the failure must not make two documents equal.
    let meaning = (document, learned);
    if serde_json::to_writer(&mut hasher, &meaning).is_err() {
        hasher.update(format!("{meaning:?}").as_bytes());
    }
    *hasher.finalize().as_bytes()
}
