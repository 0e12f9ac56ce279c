//! How long may an answer be kept that says so itself? RFC 9111, as a cache has it that many share.
//!
//! Pure: a head and the time in, a [`Keeping`] out. Where a head leaves room for doubt, the answer is not kept,
//! or for a shorter time.

mod control;
mod keeping;
mod range;
mod revival;
#[cfg(test)]
mod tests;

pub use control::Control;
pub use keeping::{Asked, Keeping, LONGEST, NotKept, VALIDATED_FOR, keep};
pub use range::{Part, is_of_bytes, part};
pub use revival::{condition, renewed};

use http::{HeaderMap, HeaderName, HeaderValue};

/// `Cache-Control` for caches in front of an origin, of which this is one (RFC 9213).
pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// The lines of a head, or those of it that are kept.
pub trait Lines {
    /// The values that were sent under a name, in their order.
    fn all(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue>;
}

impl Lines for HeaderMap {
    fn all(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.get_all(name).iter()
    }
}

impl Lines for [(HeaderName, HeaderValue)] {
    fn all(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.iter().filter(move |(known, _)| known == name).map(|(_, value)| value)
    }
}
